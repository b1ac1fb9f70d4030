//! Reacting to a page of events: command after command, then the checkpoint; what is refused parks with what follows it.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use lifecycle::CancellationToken;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::bus::Core;
use crate::checkpoint::{self, MoveError};
use crate::feed::{Feed, Halt, panicked};
use crate::message::Place;
use crate::parking::{self, Parked};
use crate::source::{Head, Page};
use crate::{Event, Reaction, ReactionError, ReactionIds};

/// Events between two checkpoints: what a crash repeats, without effect.
const STEP: usize = 100;
/// A reaction that has not answered by then is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// First and longest pause before a transient failure is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Reacts to a page behind `place`; gives the place behind it, or behind what was done before the service stopped.
pub(crate) async fn react(
    core: &Core,
    feed: &Feed,
    reaction: &dyn Reaction,
    mut place: Place,
    page: &Page,
    stopping: &CancellationToken,
) -> Result<Place, Halt> {
    let mut blocked = parking::keys(&core.pool, feed.name).await?;
    for step in page.events.chunks(STEP) {
        let mut done = Step { core, feed, head: page.head, place, parked: Vec::new() };
        for event in step {
            let mut pause = FIRST_PAUSE;
            while let Err(problem) = done.event(reaction, event, &mut blocked).await {
                // What is done is kept before the wait begins.
                place = done.commit(place).await?;
                report(core, feed, event, problem).await?;
                if stopping.run_until_cancelled(sleep(pause)).await.is_none() {
                    return Ok(place);
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        place = done.commit(place).await?;
    }
    Ok(place)
}

/// Events that are reacted to, and not yet behind the checkpoint.
struct Step<'a> {
    core: &'a Core,
    feed: &'a Feed,
    head: Head,
    place: Place,
    parked: Vec<Parked>,
}

impl Step<'_> {
    /// Reacts to the next event, or parks it; a transient problem leaves it undone.
    async fn event(
        &mut self,
        reaction: &dyn Reaction,
        event: &Event,
        blocked: &mut HashSet<Uuid>,
    ) -> Result<(), String> {
        if blocked.contains(&event.stream) {
            self.parked.push(Parked::behind(event));
        } else {
            match once(self.core.service, reaction, event).await {
                Ok(()) => {}
                Err(ReactionError::Transient(problem)) => return Err(problem),
                Err(ReactionError::Rejected(problem)) => {
                    let feed = self.feed.name;
                    tracing::error!(feed, position = event.position, kind = event.kind, problem, "event parked");
                    self.parked.push(Parked::first(event, problem));
                    blocked.insert(event.stream);
                }
            }
        }
        self.place.pass(event);
        Ok(())
    }

    /// Moves the checkpoint from `old`, with what was parked.
    async fn commit(&mut self, old: Place) -> Result<Place, Halt> {
        if self.place == old {
            return Ok(old);
        }
        let mut tx = self.core.pool.begin().await?;
        if checkpoint::lock(&mut tx, self.feed.name).await? != old {
            return Err(MoveError::Moved.into());
        }
        for parked in self.parked.drain(..) {
            if !parking::park(&mut tx, self.feed.name, &parked).await? {
                // The stream was redriven meanwhile: nothing blocks this event any more, so look at it again.
                return Err(MoveError::Moved.into());
            }
        }
        checkpoint::advance(&mut tx, self.feed.name, &old, &self.place, self.head, None).await?;
        tx.commit().await?;
        self.feed.progress.send_modify(|progress| progress.moved(&self.place, self.head, None));
        Ok(self.place)
    }
}

/// Reacts to one event, in the trace of its cause. Silence is transient, a panic is not.
pub(crate) async fn once(service: &str, reaction: &dyn Reaction, event: &Event) -> Result<(), ReactionError> {
    let ids = ReactionIds::new(&format!("{service}/{}", reaction.name()), event.event_id);
    let cause = event.traceparent.as_deref().and_then(|traceparent| traceparent.parse().ok());
    let (span, _) = telemetry::begin(reaction.name(), cause);
    let work = AssertUnwindSafe(reaction.react(event, &ids)).catch_unwind().instrument(span);
    match timeout(PATIENCE, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(ReactionError::Rejected(panicked(panic.as_ref()))),
        Err(_) => Err(ReactionError::Transient(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn report(core: &Core, feed: &Feed, event: &Event, problem: String) -> Result<(), Halt> {
    let problem = format!("position {}: {problem}", event.position);
    if feed.progress.borrow().problem.as_ref() != Some(&problem) {
        tracing::warn!(feed = feed.name, problem, "the reaction waits");
    }
    checkpoint::halted(&core.pool, feed.name, &problem, Some(event.recorded_at)).await?;
    feed.progress.send_modify(|progress| {
        progress.oldest_unread_at = Some(event.recorded_at);
        progress.problem = Some(problem);
    });
    Ok(())
}
