//! A feed: one consumer of one service's events, run by the holder of its lease, halted loudly, tried again for ever.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use lifecycle::CancellationToken;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::bus::Core;
use crate::checkpoint::{self, MoveError, Progress};
use crate::lease::Lease;
use crate::message::Place;
use crate::nats::Nats;
use crate::source::{Page, Source, SourceError};
use crate::{Reaction, View, ViewError, reacting, viewing};

/// First and longest pause before a halted feed tries again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is recorded that nothing is unread.
const REMARK: Duration = Duration::from_secs(2);

/// What is done with the events.
pub(crate) enum Consumer {
    View(Arc<dyn View>),
    Reaction(Arc<dyn Reaction>),
}

/// A consumer, the service it listens to, and how far it is.
pub(crate) struct Feed {
    pub(crate) name: &'static str,
    /// Service whose events it reads.
    pub(crate) source: &'static str,
    pub(crate) consumer: Consumer,
    pub(crate) progress: watch::Sender<Progress>,
}

impl Feed {
    pub(crate) fn new(source: &'static str, consumer: Consumer) -> Self {
        let name = match &consumer {
            Consumer::View(view) => view.name(),
            Consumer::Reaction(reaction) => reaction.name(),
        };
        Self { name, source, consumer, progress: watch::Sender::default() }
    }

    pub(crate) fn view(&self) -> Option<&dyn View> {
        match &self.consumer {
            Consumer::View(view) => Some(&**view),
            Consumer::Reaction(_) => None,
        }
    }

    pub(crate) fn reaction(&self) -> Option<&dyn Reaction> {
        match &self.consumer {
            Consumer::View(_) => None,
            Consumer::Reaction(reaction) => Some(&**reaction),
        }
    }

    /// Name of its lease.
    pub(crate) fn lease(&self) -> String {
        format!("feed/{}", self.name)
    }
}

/// Why a feed stands still.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error("{problem}")]
    View { problem: String, oldest: OffsetDateTime },
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Move(MoveError::Storage(error))
    }
}

impl Halt {
    /// A view could not apply a page.
    pub(crate) fn view(error: &ViewError, page: &[crate::Event]) -> Self {
        let (first, last) = (page.first().expect("a page that failed has events"), page.last());
        let problem =
            format!("positions {} to {}: {}", first.position, last.map_or(0, |last| last.position), describe(error));
        Self::View { problem, oldest: first.recorded_at }
    }

    /// Nothing is wrong: the feed goes on at once from where its checkpoint stands now.
    fn is_harmless(&self) -> bool {
        matches!(self, Self::Source(SourceError::LookAgain) | Self::Move(MoveError::Moved))
    }
}

/// What goes wrong in a view, with what PostgreSQL says of it; constraint and code, never values.
fn describe(error: &ViewError) -> String {
    match error {
        ViewError::Storage(sqlx::Error::Database(database)) => {
            let code = database.code().unwrap_or_default();
            format!("PostgreSQL refuses ({code} {})", database.constraint().or(database.table()).unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// What a consumer's panic becomes: a problem like another, not the end of the service.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> String {
    tracing::error!(message = lifecycle::panic_message(panic), "a consumer panicked");
    "the consumer panicked; the log says where".to_owned()
}

/// The task that runs a feed wherever its lease is.
pub(crate) struct Worker {
    pub(crate) core: Arc<Core>,
    pub(crate) nats: Nats,
    pub(crate) feed: Arc<Feed>,
    pub(crate) lease: Lease,
    pub(crate) stopping: CancellationToken,
}

impl Worker {
    pub(crate) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.stopping.is_cancelled() {
            if self.stopping.clone().run_until_cancelled(self.lease.held()).await.is_none() {
                return;
            }
            let begun = Instant::now();
            let mut lease = self.lease.clone();
            // Losing the lease ends it on the spot, a stop after the page in hand.
            let halt = tokio::select! {
                () = lease.lost() => continue,
                halt = self.session() => halt,
            };
            let Err(halt) = halt else { return };
            if halt.is_harmless() {
                // A source that gives up again and again must not spin.
                self.stopping.run_until_cancelled(sleep(FIRST_PAUSE)).await;
                continue;
            }
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.report(&halt).await;
            self.stopping.run_until_cancelled(sleep(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads and applies until the service stops or something is wrong.
    async fn session(&self) -> Result<(), Halt> {
        let mut place = checkpoint::load(&self.core.pool, self.feed.name).await?;
        let mut source = Source::open(&self.core, &self.nats, self.feed.source, place).await?;
        let mut remarked: Option<Instant> = None;
        loop {
            let Some(page) = self.stopping.run_until_cancelled(source.next()).await else { return Ok(()) };
            let page = page?;
            if !page.events.is_empty() {
                place = self.consume(place, &page).await?;
                remarked = page.head.as_of.filter(|_| place.position >= page.head.position).map(|_| Instant::now());
            } else if place.position < page.head.position {
                self.feed.progress.send_modify(|progress| progress.source_head = page.head.position);
            } else if remarked.is_none_or(|at| at.elapsed() >= REMARK) {
                checkpoint::at_head(&self.core.pool, self.feed.name, &place, page.head).await?;
                self.feed.progress.send_modify(|progress| progress.moved(&place, page.head, None));
                remarked = page.head.as_of.map(|_| Instant::now());
            }
        }
    }

    async fn consume(&self, place: Place, page: &Page) -> Result<Place, Halt> {
        match &self.feed.consumer {
            Consumer::View(view) => viewing::apply(&self.core.pool, &self.feed, &**view, place, page).await,
            Consumer::Reaction(reaction) => {
                reacting::react(&self.core, &self.feed, &**reaction, place, page, &self.stopping).await
            }
        }
    }

    async fn report(&self, halt: &Halt) {
        let problem = halt.to_string();
        let known = self.feed.progress.borrow().problem.as_ref() == Some(&problem);
        if !known {
            tracing::error!(feed = self.feed.name, source = self.feed.source, problem, "the feed stands still");
        }
        let oldest = if let Halt::View { oldest, .. } = halt { Some(*oldest) } else { None };
        self.feed.progress.send_modify(|progress| {
            progress.oldest_unread_at = oldest.or(progress.oldest_unread_at);
            progress.problem = Some(problem.clone());
        });
        if let Err(error) = checkpoint::halted(&self.core.pool, self.feed.name, &problem, oldest).await {
            tracing::debug!(%error, "the problem could not be recorded");
        }
    }
}
