//! Where a feed reads: the own log, the owner's stream in JetStream, or, where that does not reach, the owner itself.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{EventLog, ReadError};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Event;
use crate::bus::Core;
use crate::message::{self, Break, Place};
use crate::nats::Nats;
use crate::owner::Following;
use crate::subscription::Subscription;

/// Events of one page.
const PAGE: i64 = 1_000;
/// How often a source with nothing new says so.
pub(crate) const TICK: Duration = Duration::from_secs(1);

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
pub(crate) enum Source {
    Own(OwnLog),
    Stream(Box<Subscription>),
    Owner(Box<Following>),
}

impl Source {
    /// The best source for what comes after `place`.
    pub(crate) async fn open(core: &Core, nats: &Nats, service: &str, place: Place) -> Result<Self, SourceError> {
        if service == core.service {
            return OwnLog::open(&core.log, place).await.map(Self::Own);
        }
        let reason = match Subscription::open(nats, service, place).await {
            Ok(subscription) => return Ok(Self::Stream(Box::new(subscription))),
            Err(SourceError::Unavailable(reason)) => reason,
            Err(other) => return Err(other),
        };
        let Some(owner) = core.owners.get(service) else { return Err(SourceError::Unavailable(reason)) };
        tracing::info!(service, reason, position = place.position, "reading from the owner");
        match owner.follow(place).await {
            Err(SourceError::Unavailable(owner)) => Err(SourceError::Unavailable(format!("{reason}; {owner}"))),
            following => following.map(|following| Self::Owner(Box::new(following))),
        }
    }

    /// The next page; an empty one after [`TICK`] with nothing new.
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        match self {
            Self::Own(log) => log.next().await,
            Self::Stream(subscription) => subscription.next().await,
            Self::Owner(following) => following.next().await,
        }
    }
}

/// The service's own log.
pub(crate) struct OwnLog {
    log: EventLog,
    head: watch::Receiver<i64>,
    place: Place,
}

impl OwnLog {
    async fn open(log: &EventLog, place: Place) -> Result<Self, SourceError> {
        if log.previous_hash(place.position + 1).await? != place.hash {
            let what = "the log holds another event than the one that was applied";
            return Err(Break { position: place.position, what }.into());
        }
        Ok(Self { log: log.clone(), head: log.head(), place })
    }

    async fn next(&mut self) -> Result<Page, SourceError> {
        let behind = self.place.position;
        // Over with an error only when the log is gone, and then the page is empty, too.
        let _ = timeout(TICK, self.head.wait_for(|head| *head > behind)).await;
        let recorded = self.log.read(behind, PAGE).await?;
        let mut events = Vec::with_capacity(recorded.len());
        for recorded in recorded {
            let event = message::own(recorded, self.place.hash);
            self.place.pass(&event);
            events.push(event);
        }
        let head = (*self.head.borrow()).max(self.place.position);
        Ok(Page { events, head })
    }
}

/// What gives the bearer token of a call to an owner.
pub(crate) type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;
