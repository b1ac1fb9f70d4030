//! Reacting to a page of events: stream beside stream where the reaction can, event after event in each, then the checkpoint; what is
//! refused parks with what follows it.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
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
    for events in page.events.chunks(STEP) {
        let mut step = Step { events, outcomes: events.iter().map(|_| None).collect(), kept: 0 };
        let mut pause = FIRST_PAUSE;
        loop {
            let open = step.open();
            let problem = step.run(core.service, reaction, &mut blocked, stopping).await;
            // What is done is kept before the wait begins.
            place = step.keep(core, feed, page.head, place).await?;
            let Some((event, problem)) = problem else { break };
            if step.open() < open {
                pause = FIRST_PAUSE;
            }
            report(core, feed, &events[event], problem).await?;
            if stopping.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(place);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if step.open() > 0 {
            return Ok(place);
        }
    }
    Ok(place)
}

/// What became of an event.
enum Outcome {
    Done,
    /// Never will be done as things are.
    Refused(String),
    /// An earlier one of its stream is parked.
    Behind,
}

/// Events that are reacted to, and how many of them are behind the checkpoint.
struct Step<'a> {
    events: &'a [Event],
    outcomes: Vec<Option<Outcome>>,
    kept: usize,
}

impl Step<'_> {
    /// How many events have no outcome yet.
    fn open(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_none()).count()
    }

    /// Reacts to what has no outcome yet, until the service stops; the first event, by place, for which something does not answer, and
    /// what.
    async fn run(
        &mut self,
        service: &str,
        reaction: &dyn Reaction,
        blocked: &mut HashSet<Uuid>,
        stopping: &CancellationToken,
    ) -> Option<(usize, String)> {
        // Whatever does not answer stops the other lanes, too, as a stop does: after the event in hand.
        let (events, known, halt) = (self.events, &*blocked, stopping.child_token());
        let lanes = self.lanes(reaction.at_once()).into_iter();
        let lanes = lanes.map(|lane| run_lane(service, reaction, events, lane, known, &halt));
        let mut lanes = stream::iter(lanes).buffer_unordered(reaction.at_once());
        let (mut outcomes, mut problems) = (Vec::with_capacity(events.len()), Vec::new());
        while let Some((done, problem)) = lanes.next().await {
            outcomes.extend(done);
            problems.extend(problem);
        }
        drop(lanes);
        for (event, outcome) in outcomes {
            if let Outcome::Refused(_) = outcome {
                blocked.insert(events[event].stream);
            }
            self.outcomes[event] = Some(outcome);
        }
        problems.into_iter().min()
    }

    /// The places of events without outcome: in one lane whatever comes one after the other.
    fn lanes(&self, at_once: usize) -> Vec<Vec<usize>> {
        let open = (0..self.events.len()).filter(|event| self.outcomes[*event].is_none());
        if at_once == 1 {
            return vec![open.collect()];
        }
        let (mut lanes, mut of_stream) = (Vec::<Vec<usize>>::new(), HashMap::new());
        for event in open {
            let lane = *of_stream.entry(self.events[event].stream).or_insert(lanes.len());
            if lane == lanes.len() {
                lanes.push(Vec::new());
            }
            lanes[lane].push(event);
        }
        lanes
    }

    /// Moves the checkpoint from `old` behind the events before which nothing is open, with what of them parks.
    async fn keep(&mut self, core: &Core, feed: &Feed, head: Head, old: Place) -> Result<Place, Halt> {
        let open = self.outcomes.iter().position(Option::is_none).unwrap_or(self.events.len());
        if open == self.kept {
            return Ok(old);
        }
        let mut place = old;
        let mut tx = core.pool.begin().await?;
        if checkpoint::lock(&mut tx, feed.name).await? != old {
            return Err(MoveError::Moved.into());
        }
        for (event, outcome) in self.events.iter().zip(&self.outcomes).take(open).skip(self.kept) {
            place.pass(event);
            let parked = match outcome {
                Some(Outcome::Refused(problem)) => {
                    tracing::error!(
                        feed = feed.name,
                        position = event.position,
                        kind = event.kind,
                        problem,
                        "event parked"
                    );
                    Parked::first(event, problem.clone())
                }
                Some(Outcome::Behind) => Parked::behind(event),
                Some(Outcome::Done) | None => continue,
            };
            if !parking::park(&mut tx, feed.name, &parked).await? {
                // The stream was redriven meanwhile: nothing blocks this event any more, so look at it again.
                return Err(MoveError::Moved.into());
            }
        }
        checkpoint::advance(&mut tx, feed.name, &old, &place, head, None).await?;
        tx.commit().await?;
        feed.progress.send_modify(|progress| progress.moved(&place, head, None));
        self.kept = open;
        Ok(place)
    }
}

/// Reacts to events one after the other, until it is halted or something does not answer, which halts the others: says for which, and
/// what.
async fn run_lane(
    service: &str,
    reaction: &dyn Reaction,
    events: &[Event],
    lane: Vec<usize>,
    blocked: &HashSet<Uuid>,
    halt: &CancellationToken,
) -> (Vec<(usize, Outcome)>, Option<(usize, String)>) {
    let (mut outcomes, mut refused) = (Vec::with_capacity(lane.len()), HashSet::new());
    for place in lane {
        if halt.is_cancelled() {
            break;
        }
        let event = &events[place];
        if blocked.contains(&event.stream) || refused.contains(&event.stream) {
            outcomes.push((place, Outcome::Behind));
            continue;
        }
        match once(service, reaction, event).await {
            Ok(()) => outcomes.push((place, Outcome::Done)),
            Err(ReactionError::Rejected(problem)) => {
                refused.insert(event.stream);
                outcomes.push((place, Outcome::Refused(problem)));
            }
            Err(ReactionError::Transient(problem)) => {
                halt.cancel();
                return (outcomes, Some((place, problem)));
            }
        }
    }
    (outcomes, None)
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
