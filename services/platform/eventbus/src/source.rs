//! Where a feed reads: the own log, the owner's stream in JetStream, or, where that does not reach, the owner itself.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{EventLog, ReadError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Event;
use crate::bus::Core;
use crate::message::{self, Break, Place};
use crate::nats::Nats;
use crate::owner::{Following, Owner};
use crate::subscription::Subscription;

/// Events of one page.
const PAGE: i64 = 1_000;
/// How often a source with nothing new says so.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// Pages of the own log are read at most so often, so that under load one transaction, or message, carries many events.
pub(crate) const PACE: Duration = Duration::from_millis(50);
/// How often the owner is asked whether a quiet stream is right.
const ASK: Duration = Duration::from_secs(2);

/// The next events of a source, proven to follow the ones before; none when nothing is new.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    /// Newest position that the source is known to have.
    pub(crate) head: i64,
}

/// Why a source gives no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// What comes does not belong behind what was applied.
    #[error(transparent)]
    Break(#[from] Break),
    /// It does not answer, or not well.
    #[error("{0}")]
    Unavailable(String),
    /// It has nothing wrong with it, but there may be a better one now.
    #[error("looking for the source again")]
    LookAgain,
}

impl From<ReadError> for SourceError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing { position } => Break { position, what: "there is no such event" }.into(),
            ReadError::Corrupt { position } => Break { position, what: "the event cannot be read" }.into(),
            ReadError::Database(_) => Self::Unavailable("the own log cannot be read".to_owned()),
        }
    }
}

/// A source opened at a place.
pub(crate) struct Source {
    reader: Reader,
    /// Where the reader is a stream: who knows whether its relay still publishes.
    owner: Option<Owner>,
    asked_at: Instant,
    /// Newest position that the owner has told.
    told: i64,
}

enum Reader {
    Own(OwnLog),
    Stream(Box<Subscription>),
    Owner(Box<Following>),
}

impl Source {
    /// The best source for what comes after `place`.
    pub(crate) async fn open(core: &Core, nats: &Nats, service: &str, place: Place) -> Result<Self, SourceError> {
        let source = |reader, owner| Self { reader, owner, asked_at: Instant::now(), told: 0 };
        if service == core.service {
            return OwnLog::open(&core.log, place).await.map(|log| source(Reader::Own(log), None));
        }
        let owner = core.owners.get(service);
        let reason = match Subscription::open(nats, service, place).await {
            Ok(subscription) => return Ok(source(Reader::Stream(Box::new(subscription)), owner.cloned())),
            Err(SourceError::Unavailable(reason)) => reason,
            Err(other) => return Err(other),
        };
        let Some(owner) = owner else { return Err(SourceError::Unavailable(reason)) };
        tracing::info!(service, reason, position = place.position, "reading from the owner");
        match owner.follow(place).await {
            Err(SourceError::Unavailable(owner)) => Err(SourceError::Unavailable(format!("{reason}; {owner}"))),
            following => following.map(|following| source(Reader::Owner(Box::new(following)), None)),
        }
    }

    /// The next page; an empty one after [`TICK`] with nothing new.
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        let page = match &mut self.reader {
            Reader::Own(log) => log.next().await,
            Reader::Owner(following) => following.next().await,
            Reader::Stream(subscription) => subscription.next().await,
        }?;
        if page.events.is_empty() {
            self.ask_owner().await?;
        }
        Ok(page)
    }

    /// A quiet stream may be one whose relay has stopped. What the owner has told a while ago and the stream still does
    /// not hold is read from the owner; one that does not answer has nothing new to tell.
    async fn ask_owner(&mut self) -> Result<(), SourceError> {
        let (Reader::Stream(subscription), Some(owner)) = (&self.reader, &self.owner) else { return Ok(()) };
        let place = subscription.place();
        if self.asked_at.elapsed() < ASK {
            return Ok(());
        }
        self.asked_at = Instant::now();
        if self.told > place.position {
            tracing::warn!(position = place.position, told = self.told, "the stream is quiet, reading from the owner");
            self.reader = Reader::Owner(Box::new(owner.follow(place).await?));
        } else {
            self.told = owner.head(place).await.unwrap_or_default();
        }
        Ok(())
    }
}

/// The service's own log.
pub(crate) struct OwnLog {
    log: EventLog,
    head: watch::Receiver<i64>,
    place: Place,
    /// No page before this.
    next_at: Instant,
}

impl OwnLog {
    async fn open(log: &EventLog, place: Place) -> Result<Self, SourceError> {
        if log.previous_hash(place.position + 1).await? != place.hash {
            let what = "the log holds another event than the one that was applied";
            return Err(Break { position: place.position, what }.into());
        }
        Ok(Self { log: log.clone(), head: log.head(), place, next_at: Instant::now() })
    }

    async fn next(&mut self) -> Result<Page, SourceError> {
        let behind = self.place.position;
        sleep_until(self.next_at).await;
        // Over with an error only when the log is gone, and then the page is empty, too.
        let _ = timeout(TICK, self.head.wait_for(|head| *head > behind)).await;
        let recorded = self.log.follow(behind, &self.place.hash, PAGE).await?;
        // What lies far behind is read without a pause.
        let all = i64::try_from(recorded.len()).is_ok_and(|count| count < PAGE);
        self.next_at = Instant::now() + if all { PACE } else { Duration::ZERO };
        let mut events = Vec::with_capacity(recorded.len());
        for recorded in recorded {
            let event = message::own(&recorded, self.place.hash);
            self.place.pass(&event);
            events.push(event);
        }
        let head = (*self.head.borrow()).max(self.place.position);
        Ok(Page { events, head })
    }
}

/// What gives the bearer token of a call to an owner.
pub(crate) type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;
