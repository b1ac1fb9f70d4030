//! The relay: publishes the log to the service's stream, each event at its own position or not at all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE, NATS_EXPECTED_LAST_SEQUENCE,
};
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::publish::PublishAck;
use eventlog::Recorded;
use futures::future::{BoxFuture, join_all};
use lifecycle::CancellationToken;
use proto::operations::v1::relay_status::State;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::bus::Core;
use crate::fork::{self, Fork, Stand};
use crate::lease::Lease;
use crate::nats::{IN_FLIGHT, Nats, PATIENCE, UNREACHABLE};
use crate::source::PACE;
use crate::{message, stream};

/// Events read at a time.
const PAGE: i64 = 1_000;
/// Events that JetStream stores as a whole, with one fsync; it takes at most a thousand.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Acknowledgements that are missing while the next events are read: of a batch, so that what comes meanwhile is the next
/// one; of single events, where a stream is from before there were batches.
const ONE: usize = 1;
const WINDOW: usize = IN_FLIGHT / 2;
/// Newest events that a new stream is filled with.
const REFILL: i64 = 1_000_000;
/// How often stream and log are compared when nothing else asks for it.
const LOOK: Duration = Duration::from_secs(5);
/// First and longest pause after a refusal.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a relay in a fork looks whether it is resolved.
const RESOLVED: Duration = Duration::from_millis(250);

/// What this replica's relay is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelayReport {
    pub(crate) state: State,
    /// Newest position known to stand in the stream, while running.
    pub(crate) published: i64,
    /// The connection over which that was learnt, see [`Nats::connections`]: another one may lead to another stream.
    pub(crate) connection: u64,
    pub(crate) problem: String,
}

pub(crate) struct Relay {
    pub(crate) core: Arc<Core>,
    pub(crate) nats: Nats,
    pub(crate) lease: Lease,
    pub(crate) stopping: CancellationToken,
    pub(crate) report: watch::Sender<RelayReport>,
}

/// What stands at the end of the stream.
enum Standing {
    Missing,
    /// The event of the log at this position, or nothing at all behind it; and whether it takes batches.
    At {
        last: i64,
        batches: bool,
    },
    Forked(Fork),
}

/// Why publishing paused.
enum Pause {
    Stopping,
    /// The stream may not be what it was.
    Look(String),
    /// Another connection: what was in flight on the old one may never be acknowledged.
    Reconnected,
}

impl Relay {
    pub(crate) async fn run(mut self) {
        let stopping = self.stopping.clone();
        stopping.run_until_cancelled(self.relay()).await;
    }

    async fn relay(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut told = String::new();
        loop {
            if !self.lease.is_held() {
                self.tell(State::Standby, "");
                self.lease.held().await;
            }
            let mut lease = self.lease.clone();
            let begun = Instant::now();
            let problem = tokio::select! {
                () = lease.lost() => continue,
                problem = self.lead() => problem,
            };
            let problem = match self.nats.refusal() {
                Some(refusal) => format!("{problem}; NATS refuses: {refusal}"),
                None => problem,
            };
            if told != problem {
                tracing::warn!(problem, "the relay is disconnected and starts again");
            }
            self.tell(State::Disconnected, &problem);
            told = problem;
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Relays until something is wrong, and says what.
    async fn lead(&self) -> String {
        match self.publish_for_ever().await {
            Ok(never) => match never {},
            Err(problem) => problem,
        }
    }

    async fn publish_for_ever(&self) -> Result<std::convert::Infallible, String> {
        let name = stream::name(self.core.service);
        let mut barren = 0;
        loop {
            match fork::state(&self.core.pool).await.map_err(unreadable)?.stand {
                Stand::Forked => {
                    self.tell(State::Forked, "stream and log differ");
                    sleep(RESOLVED).await;
                    continue;
                }
                Stand::Resolved => {
                    tracing::warn!(stream = name, "the fork is resolved: the stream is made anew");
                    stream::delete(&self.nats.jetstream, &name).await.map_err(|error| error.to_string())?;
                    self.create().await?;
                    fork::resume(&self.core.pool).await.map_err(unreadable)?;
                }
                Stand::Running => {}
            }
            // Before the look: a connection made after it makes what was seen worthless.
            let mut connections = self.nats.connections.clone();
            connections.mark_unchanged();
            if !self.nats.is_connected() {
                return Err(UNREACHABLE.to_owned());
            }
            match self.standing().await? {
                Standing::Missing => self.create().await?,
                Standing::Forked(fork) => {
                    tracing::error!(problem = fork.problem, digest = fork.digest, "stream and log have forked");
                    fork::record(&self.core.pool, &fork).await.map_err(unreadable)?;
                }
                Standing::At { last, batches } => {
                    let (reached, pause) = self.publish_after(last, batches, connections).await?;
                    let reason = match pause {
                        Pause::Stopping => return Err("stopping".to_owned()),
                        Pause::Look(reason) => reason,
                        Pause::Reconnected => "a new connection to NATS".to_owned(),
                    };
                    // One refusal is how a fork, a lost tail and another relay show; a second one without progress is trouble.
                    barren = if reached > last { 0 } else { barren + 1 };
                    if barren > 1 {
                        return Err(reason);
                    }
                    tracing::info!(reason, reached, "the relay looks at the stream again");
                }
            }
        }
    }

    /// Compares the stream's last message with the log.
    async fn standing(&self) -> Result<Standing, String> {
        let name = stream::name(self.core.service);
        let Some(extent) = stream::extent(&self.nats.jetstream, &name).await.map_err(|error| error.to_string())? else {
            return Ok(Standing::Missing);
        };
        let last = extent.last;
        if last == 0 {
            return Ok(Standing::At { last, batches: extent.batches });
        }
        let message = stream::message(&self.nats.jetstream, &name, last).await.map_err(|error| error.to_string())?;
        // Read after the stream was: what stands there was recorded before.
        let recorded = self.core.log.read(last - 1, 1).await.map_err(|error| error.to_string())?.into_iter().next();
        let same = match (&message, &recorded) {
            (Some(message), Some(recorded)) => {
                message::mark(&message.headers) == Some((recorded.epoch, recorded.hash))
                    && message.payload == recorded.payload
            }
            // An empty stream begins behind an event of the log.
            (None, recorded) => recorded.is_some(),
            (Some(_), None) => false,
        };
        if same {
            return Ok(Standing::At { last, batches: extent.batches });
        }
        Ok(Standing::Forked(Fork::new(&name, last, message.as_ref(), recorded.as_ref())))
    }

    /// Creates the missing stream, to be filled with the newest events.
    async fn create(&self) -> Result<(), String> {
        let head = *self.core.log.head().borrow();
        let first = (head - REFILL + 1).max(1);
        let config = stream::definition(self.core.service, self.core.nats.replicas, first);
        tracing::info!(stream = config.name, first, "the stream is missing and is created");
        stream::create(&self.nats.jetstream, config).await.map_err(|error| error.to_string())
    }

    /// Publishes what comes after `last`, what is next while the answer to what went before is on its way; gives the last position acknowledged, and why it paused.
    async fn publish_after(
        &self,
        last: i64,
        batches: bool,
        connections: watch::Receiver<u64>,
    ) -> Result<(i64, Pause), String> {
        let mut flight = Flight { acknowledged: last, waiting: VecDeque::new() };
        let paused = self.fly(last, batches, connections, &mut flight).await;
        if !matches!(paused, Ok(Pause::Reconnected)) {
            // Nothing of this round comes late into the next one. What does all the same is refused by its position.
            let _ = timeout(PATIENCE, join_all(flight.waiting.drain(..).map(|(_, ack)| ack))).await;
        }
        Ok((flight.acknowledged, paused?))
    }

    async fn fly(
        &self,
        last: i64,
        batches: bool,
        mut connections: watch::Receiver<u64>,
        flight: &mut Flight,
    ) -> Result<Pause, String> {
        // The stream may reach less far than before, and whoever asks must hear that first.
        let connection = *connections.borrow();
        self.published(last, connection);
        fork::published(&self.core.pool, last).await.map_err(unreadable)?;
        let mut head = self.core.log.head();
        let mut previous = self.core.log.previous_hash(last + 1).await.map_err(|error| error.to_string())?;
        let mut sent = last;
        let (together, open) = if batches { (BATCH, ONE) } else { (1, WINDOW) };
        let mut next_look = Instant::now() + LOOK;
        let mut next_read = Instant::now();
        loop {
            let (page, settled) = tokio::select! {
                both = async {
                    sleep_until(next_read).await;
                    tokio::join!(self.core.log.follow(sent, &previous, PAGE), flight.settle(open))
                } => both,
                _ = connections.changed() => return Ok(Pause::Reconnected),
            };
            if let Err(refusal) = settled {
                return Ok(Pause::Look(refusal));
            }
            let page = page.map_err(|error| error.to_string())?;
            let idle = page.is_empty();
            if i64::try_from(page.len()).is_ok_and(|count| count < PAGE) {
                next_read = Instant::now() + PACE;
            }
            let mut rest = page.as_slice();
            while let Some((batch, last)) = next_batch(&mut rest, together) {
                match self.publish(batch, previous).await {
                    Ok(ack) => flight.waiting.push_back((last.position, ack)),
                    Err(error) => return Ok(Pause::Look(error)),
                }
                (sent, previous) = (last.position, last.hash);
            }
            if idle {
                tokio::select! {
                    settled = flight.settle(0) => if let Err(refusal) = settled { return Ok(Pause::Look(refusal)) },
                    _ = connections.changed() => return Ok(Pause::Reconnected),
                }
                self.published(flight.acknowledged, connection);
                tokio::select! {
                    changed = head.wait_for(|head| *head > sent) => if changed.is_err() { return Ok(Pause::Stopping) },
                    _ = connections.changed() => return Ok(Pause::Reconnected),
                    () = sleep_until(next_look) => {}
                }
            }
            self.published(flight.acknowledged, connection);
            if Instant::now() >= next_look {
                fork::published(&self.core.pool, flight.acknowledged).await.map_err(unreadable)?;
                match self.standing().await? {
                    Standing::At { last, batches: now } if last >= flight.acknowledged && now == batches => {}
                    _ => return Ok(Pause::Look("the stream is not what was published".to_owned())),
                }
                next_look = Instant::now() + LOOK;
            }
        }
    }

    /// Hands a batch to NATS: all of it stands behind the position before its first event, or nothing does.
    async fn publish(&self, batch: &[Arc<Recorded>], mut previous: [u8; 32]) -> Result<Ack, String> {
        let service = self.core.service;
        let id = (batch.len() > 1).then(|| lifecycle::ids::random().to_string());
        for (place, recorded) in (1..).zip(batch) {
            let event = message::publish(recorded, previous);
            previous = recorded.hash;
            let subject = message::subject(service, &event);
            let mut headers = message::headers(service, &event);
            if place == 1 {
                headers.insert(NATS_EXPECTED_LAST_SEQUENCE, (event.position - 1).to_string());
            }
            if let Some(id) = &id {
                headers.insert(NATS_BATCH_ID, id.as_str());
                headers.insert(NATS_BATCH_SEQUENCE, place.to_string());
            }
            if place < batch.len() {
                let handed = self.nats.client.publish_with_headers(subject, headers, event.payload).await;
                handed.map_err(|error| error.to_string())?;
                continue;
            }
            if id.is_some() {
                headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            }
            let ack = self.nats.jetstream.publish_with_headers(subject, headers, event.payload).await;
            return Ok(ack.map_err(|error| error.to_string())?.into_future());
        }
        Err("there is nothing to publish".to_owned())
    }

    fn published(&self, published: i64, connection: u64) {
        let report = RelayReport { state: State::Running, published, connection, problem: String::new() };
        self.report.send_replace(report);
    }

    fn tell(&self, state: State, problem: &str) {
        self.report.send_if_modified(|report| {
            let changed = report.state != state || report.problem != problem;
            report.state = state;
            problem.clone_into(&mut report.problem);
            changed
        });
    }
}

/// Takes the next events that are published together, and names the last of them.
fn next_batch<'p>(rest: &mut &'p [Arc<Recorded>], together: usize) -> Option<(&'p [Arc<Recorded>], &'p Arc<Recorded>)> {
    let count = how_many(rest.iter().map(|event| event.payload.len()), together);
    let (batch, later) = rest.split_at(count.min(rest.len()));
    *rest = later;
    Some((batch, batch.last()?))
}

/// How many events of these sizes are published together: one at least.
fn how_many(sizes: impl Iterator<Item = usize>, together: usize) -> usize {
    let fits = |bytes: &mut usize, size| {
        *bytes += size;
        (*bytes <= BATCH_BYTES).then_some(())
    };
    sizes.take(together).scan(0, fits).count().max(1)
}

type Ack = BoxFuture<'static, Result<PublishAck, PublishError>>;

/// Batches that were handed to NATS and are not acknowledged yet, in order, each by its last position.
struct Flight {
    acknowledged: i64,
    waiting: VecDeque<(i64, Ack)>,
}

impl Flight {
    /// Waits until at most `open` acknowledgements are missing.
    async fn settle(&mut self, open: usize) -> Result<(), String> {
        while self.waiting.len() > open {
            let (position, ack) = self.waiting.front_mut().expect("there are more than none");
            let ack = ack.await;
            let position = *position;
            self.waiting.pop_front();
            let ack = ack.map_err(|error| format!("position {position} was not acknowledged: {error}"))?;
            if i64::try_from(ack.sequence) != Ok(position) {
                return Err(format!("position {position} was acknowledged as {} of {}", ack.sequence, ack.stream));
            }
            self.acknowledged = position;
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it takes the error that map_err gives")]
fn unreadable(error: sqlx::Error) -> String {
    format!("the relay's state cannot be read or written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_by_events_and_by_bytes_and_never_empty() {
        let half = BATCH_BYTES / 2;
        for (sizes, together, count) in [
            (vec![1; 10], 4, 4),
            (vec![1; 3], 4, 3),
            (vec![half, half, 1], 4, 2),
            (vec![half, half + 1, 1], 4, 1),
            (vec![BATCH_BYTES + 1, 1], 4, 1),
            (vec![1, 1], 1, 1),
        ] {
            assert_eq!(how_many(sizes.iter().copied(), together), count, "{sizes:?}");
        }
    }
}
