//! Reading another service's stream: an ordered reader from a place on, without any state kept in JetStream.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{self, Config};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::{Context, Message};
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};

use crate::message::{self, Break, Place};
use crate::nats::{Nats, UNREACHABLE};
use crate::source::{Head, Page, SourceError, TICK};
use crate::stream;

/// Messages asked for at a time; more are asked for when half of them are here.
const PULL: usize = 1_000;
/// Events of one page.
const PAGE: usize = 1_000;
/// A pull with nothing to give ends after this, a heartbeat comes in between.
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What JetStream remembers of a reader that is gone, it forgets after this.
const FORGET: Duration = Duration::from_secs(30);
/// The longest that one answer of JetStream is waited for: the owner can be asked instead, and a role that was taken back must
/// count within ten seconds, of which a server that is frozen may cost two answers.
const ANSWER: Duration = Duration::from_secs(2);
/// Ticks without a message although the stream holds more: the reader is dead, whatever it says.
const STALLED: u32 = 3;

/// The messages of one stream behind a place, each proven to follow.
pub(crate) struct Subscription {
    nats: Nats,
    stream: String,
    messages: pull::Stream,
    place: Place,
    head: i64,
    stalled: u32,
}

impl Subscription {
    /// Opens the stream behind `place`; `Unavailable` where NATS is away or the stream does not hold what comes next.
    pub(crate) async fn open(nats: &Nats, service: &str, place: Place) -> Result<Self, SourceError> {
        let unavailable = |reason: String| Err(SourceError::Unavailable(reason));
        if !nats.is_connected() {
            return unavailable(UNREACHABLE.to_owned());
        }
        let name = stream::name(service);
        let Some(extent) = in_time(stream::extent(&nats.jetstream, &name)).await? else {
            return unavailable(format!("there is no stream {name}"));
        };
        if extent.first > place.position + 1 {
            return unavailable(format!("the stream {name} begins at {} only", extent.first));
        }
        if extent.last < place.position {
            return unavailable(format!("the stream {name} ends at {} already", extent.last));
        }
        if place.position >= extent.first && extent.last > 0 {
            let message = in_time(stream::message(&nats.jetstream, &name, place.position)).await?;
            if message.is_some_and(|message| message::mark(&message.headers) != Some((place.epoch, place.hash))) {
                let what = "the stream holds another event than the one that was applied";
                return Err(Break { position: place.position, what }.into());
            }
        }
        // Of a stream with a gap readers get what comes behind it, and would look again for ever.
        if extent.last > place.position
            && in_time(stream::message(&nats.jetstream, &name, place.position + 1)).await?.is_none()
        {
            return unavailable(format!("the stream {name} lacks {}", place.position + 1));
        }
        let messages = in_time(read_after(&nats.jetstream, &name, place.position)).await?;
        Ok(Self { nats: nats.clone(), stream: name, messages, place, head: extent.last, stalled: 0 })
    }

    /// Behind the last event that was given.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The next page. Whether the relay has published everything, the stream does not know: of an owner that cannot be asked it is the
    /// last word.
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        let as_of = Some(Instant::now());
        let mut events = Vec::new();
        match timeout(TICK, self.messages.next()).await {
            Err(_) => self.look().await?,
            Ok(None) => return Err(SourceError::LookAgain),
            Ok(Some(Err(error))) => {
                // The reader goes on after some errors and not after others: a new one is right after all of them.
                tracing::debug!(stream = self.stream, %error, "the reader failed");
                return Err(SourceError::LookAgain);
            }
            Ok(Some(Ok(message))) => {
                self.stalled = 0;
                events.push(self.follow(message)?);
                while events.len() < PAGE {
                    match self.messages.next().now_or_never() {
                        Some(Some(Ok(message))) => match self.follow(message) {
                            Ok(event) => events.push(event),
                            // What came before is good; the next call meets the break again, through a new reader.
                            Err(_) => break,
                        },
                        _ => break,
                    }
                }
            }
        }
        Ok(Page { events, head: self.head(as_of) })
    }

    /// A page without events.
    pub(crate) fn nothing(&self) -> Page {
        Page { events: Vec::new(), head: self.head(None) }
    }

    fn head(&self, as_of: Option<Instant>) -> Head {
        Head { position: self.head.max(self.place.position), as_of }
    }

    fn follow(&mut self, message: Message) -> Result<crate::Event, SourceError> {
        let position = self.place.position + 1;
        let broken = |what| SourceError::from(Break { position, what });
        let info = message.info().map_err(|_| SourceError::LookAgain)?;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        if i64::try_from(sequence) != Ok(position) {
            // Lost on the way to this client: a new reader gets it again, or finds that the stream lacks it.
            return Err(SourceError::LookAgain);
        }
        let message = message.message;
        let headers = message.headers.as_ref().ok_or(broken("the message is not an event"))?;
        let published = message::read(headers, message.payload.clone()).ok_or(broken("the message is not an event"))?;
        let event = self.place.follow(published)?;
        self.head = position + i64::try_from(pending).expect("a stream holds less than 2^63 messages");
        Ok(event)
    }

    /// Nothing came for a while: is there really nothing?
    async fn look(&mut self) -> Result<(), SourceError> {
        if !self.nats.is_connected() {
            return Err(SourceError::LookAgain);
        }
        let extent = in_time(stream::extent(&self.nats.jetstream, &self.stream)).await?;
        let last = extent.ok_or(SourceError::LookAgain)?.last;
        if last < self.place.position {
            return Err(SourceError::LookAgain);
        }
        self.head = last;
        self.stalled = if last > self.place.position { self.stalled + 1 } else { 0 };
        if self.stalled < STALLED { Ok(()) } else { Err(SourceError::LookAgain) }
    }
}

async fn read_after(jetstream: &Context, stream: &str, position: i64) -> Result<pull::Stream, String> {
    let start_sequence = u64::try_from(position + 1).expect("positions are positive");
    let config = Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        inactive_threshold: FORGET,
        memory_storage: true,
        num_replicas: 1,
        ..Config::default()
    };
    let consumer = jetstream
        .create_consumer_on_stream(config, stream)
        .await
        .map_err(|error| format!("the stream {stream} cannot be read: {error}"))?;
    let messages = consumer.stream().max_messages_per_batch(PULL).expires(EXPIRES).heartbeat(HEARTBEAT).messages();
    messages.await.map_err(|error| format!("the stream {stream} cannot be read: {error}"))
}

/// An answer, or the news that there is none in time.
async fn in_time<T, E: std::fmt::Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, SourceError> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer.map_err(|error| SourceError::Unavailable(error.to_string())),
        Err(_) => Err(SourceError::Unavailable("JetStream does not answer".to_owned())),
    }
}
