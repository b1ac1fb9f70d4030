//! Where a feed reads: the own log, the owner's stream in JetStream, or, where that does not reach, the owner itself.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{EventLog, ReadError};
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
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
/// How often the owner of a stream is asked whether it has everything.
const ASK: Duration = Duration::from_secs(2);

/// The next events of a source, proven to follow the ones before; none when nothing is new.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    pub(crate) head: Head,
}

/// How far a source is known to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Newest position that it is known to have.
    pub(crate) position: i64,
    /// What the source recorded before this moment is counted in. `None` where nobody has said so yet.
    pub(crate) as_of: Option<Instant>,
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
pub(crate) struct Source(Reader);

enum Reader {
    Own(OwnLog),
    /// With its owner, where one is known.
    Stream(Box<Subscription>, Option<Asking>),
    Owner(Box<Following>),
}

impl Source {
    /// The best source for what comes after `place`.
    pub(crate) async fn open(core: &Core, nats: &Nats, service: &str, place: Place) -> Result<Self, SourceError> {
        if service == core.service {
            return OwnLog::open(&core.log, place).await.map(|log| Self(Reader::Own(log)));
        }
        let owner = core.owners.get(service);
        let reason = match Subscription::open(nats, service, place).await {
            Ok(stream) => return Ok(Self(Reader::Stream(Box::new(stream), owner.cloned().map(Asking::new)))),
            Err(SourceError::Unavailable(reason)) => reason,
            Err(other) => return Err(other),
        };
        let Some(owner) = owner else { return Err(SourceError::Unavailable(reason)) };
        tracing::info!(service, reason, position = place.position, "reading from the owner");
        match owner.follow(place).await {
            Err(SourceError::Unavailable(owner)) => Err(SourceError::Unavailable(format!("{reason}; {owner}"))),
            following => following.map(|following| Self(Reader::Owner(Box::new(following)))),
        }
    }

    /// The next page; an empty one after [`TICK`] with nothing new, or where the owner has said how far it is.
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        let (stream, asking) = match &mut self.0 {
            Reader::Own(log) => return log.next().await,
            Reader::Owner(following) => return following.next().await,
            Reader::Stream(stream, None) => return stream.next().await,
            Reader::Stream(stream, Some(asking)) => (stream, asking),
        };
        asking.begin(stream.place());
        let (mut page, is_quiet) = tokio::select! {
            page = stream.next() => {
                let page = page?;
                let is_quiet = page.events.is_empty();
                (page, is_quiet)
            }
            answered = asking.answered() => {
                answered?;
                (stream.nothing(), false)
            }
        };
        page.head = asking.head(page.head.position);
        let place = stream.place();
        if is_quiet && asking.misses(place) {
            tracing::warn!(position = place.position, "the stream is quiet, reading from the owner");
            let following = asking.owner.follow(place).await?;
            self.0 = Reader::Owner(Box::new(following));
        }
        Ok(page)
    }
}

/// Proves that the log of `service` holds the event at `place`, whatever its stream holds; a break where it does not.
pub(crate) async fn prove(core: &Core, service: &str, place: Place) -> Result<(), SourceError> {
    if service == core.service {
        return OwnLog::open(&core.log, place).await.map(drop);
    }
    let unknown = || SourceError::Unavailable(format!("no channel to {service} is known"));
    core.owners.get(service).ok_or_else(unknown)?.head(place).await.map(drop)
}

/// The owner of a stream, asked beside the reading. A stream does not know what its relay has not published, and whether that is nothing
/// only the owner can say: one that does not answer may have recorded something before it fell silent.
struct Asking {
    owner: Owner,
    asked_at: Option<Instant>,
    answer: Option<BoxFuture<'static, Result<i64, SourceError>>>,
    /// Its newest position when it answered last, and when it was asked for it.
    told: Option<(i64, Instant)>,
    is_silent: bool,
}

impl Asking {
    fn new(owner: Owner) -> Self {
        Self { owner, asked_at: None, answer: None, told: None, is_silent: false }
    }

    /// Asks where it is time to: what was told before has to be read first.
    fn begin(&mut self, place: Place) {
        let is_read = self.told.is_none_or(|(told, _)| told <= place.position);
        if self.answer.is_none() && is_read && self.asked_at.is_none_or(|at| at.elapsed() >= ASK) {
            let owner = self.owner.clone();
            self.asked_at = Some(Instant::now());
            self.answer = Some(async move { owner.head(place).await }.boxed());
        }
    }

    /// Waits for the answer; for ever where nothing is asked. Silence is none, another history is a break.
    async fn answered(&mut self) -> Result<(), Break> {
        let Some(answer) = &mut self.answer else { return pending().await };
        let answer = answer.await;
        self.answer = None;
        let head = match answer {
            Ok(head) => Some(head),
            Err(SourceError::Break(broken)) => return Err(broken),
            Err(SourceError::Unavailable(_) | SourceError::LookAgain) => None,
        };
        if head.is_none() && !self.is_silent {
            tracing::warn!("the owner does not say whether its stream has everything: what is known of it grows old");
        }
        self.is_silent = head.is_none();
        self.told = head.zip(self.asked_at).or(self.told);
        Ok(())
    }

    /// The head of a source whose stream ends at `streamed`.
    fn head(&self, streamed: i64) -> Head {
        let (told, as_of) = self.told.unzip();
        Head { position: told.map_or(streamed, |told| told.max(streamed)), as_of }
    }

    /// Whether the stream lacks what the owner has told a while ago.
    fn misses(&self, place: Place) -> bool {
        self.told.is_some_and(|(told, asked_at)| told > place.position && asked_at.elapsed() >= ASK)
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
        let as_of = Some(Instant::now());
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
        let position = (*self.head.borrow()).max(self.place.position);
        Ok(Page { events, head: Head { position, as_of } })
    }
}

/// What gives the bearer token of a call to an owner.
pub(crate) type Token = Arc<dyn Fn() -> Option<String> + Send + Sync>;
