//! Tells the log of drafts, closes those whose applications have appeared in it, as the reader of the own log has seen
//! them, and attends to those that nobody works on.

use std::time::Duration;

use eventlog::EventLog;
use lifecycle::{Lifecycle, OnDeath, Stage};
use tokio::time::Instant;

use crate::domain::draft::Patience;
use crate::handle::Handle;
use crate::store::drafts::Drafts;

/// Events of drafts in one append: as many as the log's writer takes at once.
const TOLD_AT_ONCE: i64 = 256;
/// How soon it is seen that another replica has told of something, or left it untold.
const UNTOLD: Duration = Duration::from_secs(1);
/// How often all drafts are held against all applications.
const LOOK_AT_ALL: Duration = Duration::from_secs(3_600);
/// How soon what was passed over is looked for: what could not be recorded, or was long in coming.
const PASSED_OVER: Duration = Duration::from_secs(30);

/// Tells again and again until the service stops.
pub fn start_telling(log: EventLog, drafts: Drafts, lifecycle: &Lifecycle) {
    let stopping = lifecycle.stopping(Stage::Work);
    lifecycle.spawn("draft events", OnDeath::StopsTheService, async move {
        let telling = async {
            let (mut place, mut looked) = (0, Instant::now());
            loop {
                if looked.elapsed() > PASSED_OVER {
                    (place, looked) = (0, Instant::now());
                }
                match tell(&log, &drafts, place).await {
                    Some(told) => place = place.max(told),
                    None => drafts.untold(UNTOLD).await,
                }
            }
        };
        stopping.run_until_cancelled(telling).await;
    });
}

/// Where to look next, if more may wait.
async fn tell(log: &EventLog, drafts: &Drafts, place: i64) -> Option<i64> {
    match drafts.tell(log, place, TOLD_AT_ONCE).await {
        Ok(told) => {
            if let Some(error) = told.failure {
                tracing::warn!(%error, "events of drafts could not be recorded");
            }
            (told.events > 0).then_some(told.place)
        }
        Err(error) => {
            tracing::warn!(%error, "events of drafts could not be told");
            None
        }
    }
}

/// Sweeps again and again until the service stops.
pub fn start(handle: Handle, drafts: Drafts, every: Duration, patience: Patience, lifecycle: &Lifecycle) {
    let stopping = lifecycle.stopping(Stage::Work);
    lifecycle.spawn("draft sweep", OnDeath::StopsTheService, async move {
        let sweeping = async {
            // All there are are looked at now and then: who filed them may be gone. In between it is the log that tells of them.
            let (mut closed_up_to, mut looked) = (None, Instant::now());
            loop {
                if looked.elapsed() > LOOK_AT_ALL {
                    (closed_up_to, looked) = (None, Instant::now());
                }
                let more = close_filed(&drafts, &mut closed_up_to).await || attend_to_idle(&handle, &patience).await;
                if !more {
                    tokio::time::sleep(every).await;
                }
            }
        };
        stopping.run_until_cancelled(sweeping).await;
    });
}

/// Whether more may wait.
async fn close_filed(drafts: &Drafts, up_to: &mut Option<i64>) -> bool {
    match drafts.close_filed(*up_to).await {
        Ok(closed) => {
            if closed.drafts > 0 {
                tracing::debug!(closed.drafts, "filed drafts closed");
            }
            *up_to = closed.up_to;
            closed.more
        }
        Err(error) => {
            tracing::warn!(%error, "filed drafts could not be closed");
            false
        }
    }
}

/// Whether more may wait.
async fn attend_to_idle(handle: &Handle, patience: &Patience) -> bool {
    match handle.attend_to_idle_drafts(patience).await {
        Ok((taken, more)) => {
            if taken > 0 {
                tracing::info!(taken, "owners of idle drafts reminded, or drafts deleted");
            }
            more
        }
        Err(error) => {
            tracing::warn!(%error, "idle drafts could not be attended to");
            false
        }
    }
}
