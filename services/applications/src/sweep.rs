//! Closes drafts whose applications have appeared in the log, as the reader of the own log has seen them.

use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath, Stage};

use crate::store::drafts::Drafts;

/// Drafts in one statement, so that none holds locks for long.
const AT_ONCE: u16 = 5_000;

/// Sweeps again and again until the service stops.
pub fn start(drafts: Drafts, every: Duration, lifecycle: &Lifecycle) {
    let stopping = lifecycle.stopping(Stage::Work);
    lifecycle.spawn("draft sweep", OnDeath::StopsTheService, async move {
        let sweeping = async {
            loop {
                match drafts.sweep_filed(i64::from(AT_ONCE)).await {
                    Ok(closed) if closed == u64::from(AT_ONCE) => continue,
                    Ok(0) => {}
                    Ok(closed) => tracing::debug!(closed, "filed drafts closed"),
                    Err(error) => tracing::warn!(%error, "filed drafts could not be closed"),
                }
                tokio::time::sleep(every).await;
            }
        };
        stopping.run_until_cancelled(sweeping).await;
    });
}
