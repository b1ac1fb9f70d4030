//! The handle that a service holds: starts the writer, hands it commands, and knows the head.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use prost::{Message as _, Name as _};
use proto::operations::v1::EpochStarted;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use uuid::Uuid;

use crate::append::{Append, AppendError, Appended};
use crate::event::{Division, NewEvent, Recorded};
use crate::plan::Command;
use crate::read::ReadError;
use crate::recent::Recent;
use crate::transaction;
use crate::writer::{Caller, Waiting, Writer, raise, resolve};

/// How soon appends of other replicas are noticed.
const POLL: Duration = Duration::from_millis(200);
/// What a caller is told to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bounds of the append path.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Commands that may wait; one more is refused.
    pub queue: usize,
    /// Commands in one transaction.
    pub batch: usize,
    /// How long a command may wait for the database before its caller is told.
    pub give_up_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { queue: 2_048, batch: 256, give_up_after: Duration::from_secs(10) }
    }
}

/// The event log of a service. Clones are the same log.
#[derive(Clone)]
pub struct EventLog(Arc<Inner>);

struct Inner {
    pool: PgPool,
    options: PgConnectOptions,
    settings: Settings,
    queue: mpsc::Sender<Waiting>,
    head: watch::Sender<i64>,
    recent: Arc<Recent>,
}

/// The options hold a password and are not shown.
impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl EventLog {
    /// Reads the head and starts the writer, on a connection of its own beside the pool.
    ///
    /// When the service stops, the writer records what is in the queue; commands that come later are refused.
    pub async fn start(pool: PgPool, settings: Settings, lifecycle: &Lifecycle) -> Result<Self, ReadError> {
        let (queue, waiting) = mpsc::channel(settings.queue);
        let options = PgConnectOptions::clone(&pool.connect_options());
        let log = Self(Arc::new(Inner {
            pool,
            options,
            settings,
            queue,
            head: watch::Sender::new(0),
            recent: Arc::default(),
        }));
        raise(&log.0.head, log.newest().await?);

        let writer = Writer {
            options: log.0.options.clone(),
            queue: waiting,
            batch: settings.batch,
            head: log.0.head.clone(),
            recent: Arc::clone(&log.0.recent),
            connection: None,
        };
        let stopping = lifecycle.stopping(Stage::Work);
        lifecycle.spawn("eventlog-writer", OnDeath::StopsTheService, writer.run(stopping.clone()));
        let watched = watch_others(log.clone(), stopping);
        lifecycle.spawn("eventlog-head", OnDeath::StopsTheService, watched);
        Ok(log)
    }

    /// Records a command, durably, or says why not. Dropping the future changes nothing: what is in the queue is
    /// recorded, and a repeated request finds its answer.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if append.stream.is_nil() {
            return Err(AppendError::Refused("the nil stream is the log's own".to_owned()));
        }
        self.enqueue(append).await
    }

    /// Records a command as the last step of a transaction that has written records, and commits it.
    ///
    /// When the command is refused, or its request was answered before, the transaction is rolled back with its
    /// records. It must be READ COMMITTED and not hold anything that a holder of the log's lock waits for.
    pub async fn append_in(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        append: Append,
    ) -> Result<Appended, AppendError> {
        if append.stream.is_nil() {
            return Err(AppendError::Refused("the nil stream is the log's own".to_owned()));
        }
        append.check()?;
        let commands = vec![Command::new(append)];
        let deadline = Instant::now() + self.0.settings.give_up_after;
        let recorded = async {
            transaction::join(&mut transaction).await?;
            transaction::record(&mut transaction, &commands).await
        };
        let mut plan = recorded.await.map_err(|error| {
            if transaction::is_refusal(&error) {
                return AppendError::Refused(transaction::reason(&error));
            }
            tracing::warn!(%error, "an append with records failed");
            AppendError::Unavailable
        })?;
        let answer = plan.answers.pop().expect("one command has one answer");
        let refused_or_repeated = answer.as_ref().map_or(true, |appended| appended.repeated);
        if refused_or_repeated {
            // What cannot be rolled back is rolled back by the pool, or by the end of the connection.
            let _ = transaction.rollback().await;
            return answer;
        }
        if let Err(error) = transaction::within(transaction.commit()).await {
            tracing::warn!(%error, "the outcome of a commit is unknown");
            if resolve(&self.0.options, plan.witness(), &commands, deadline).await != Some(true) {
                return Err(AppendError::Unavailable);
            }
        }
        let (_, placed) = plan.carried_out();
        let (head, previous) = (placed.head, placed.previous);
        self.0.recent.extend(previous, placed.recorded(commands, std::slice::from_ref(&answer)));
        raise(&self.0.head, head);
        answer
    }

    /// Begins a new epoch after a fork, with a record of who resolved it how; the one that has begun already where the fork is the same. The
    /// epoch in `started` is set here, and its reason, free text of a person, goes into the inner part.
    pub async fn start_epoch(&self, actor: &str, mut started: EpochStarted) -> Result<Appended, AppendError> {
        // The stream's version counts the epochs after the first; the version check keeps two from beginning at once.
        let begun = self.load(Uuid::nil()).await.map_err(|error| {
            tracing::warn!(%error, "an epoch could not be started");
            AppendError::Unavailable
        })?;
        let is_of_this_fork = |event: &&Recorded| {
            let known = EpochStarted::decode(event.payload.as_slice());
            known.is_ok_and(|known| known.fork_digest == started.fork_digest)
        };
        if let Some(event) = begun.iter().find(is_of_this_fork) {
            let Recorded { position, version, recorded_at, .. } = *event;
            return Ok(Appended { position, version, recorded_at, answer: Vec::new(), repeated: true });
        }
        let expected_version = begun.last().map_or(0, |event| event.version);
        started.epoch = begun.last().map_or(1, |event| event.epoch) + 1;
        let inner = EpochStarted { reason: std::mem::take(&mut started.reason), ..EpochStarted::default() };
        let event = NewEvent {
            event_id: lifecycle::ids::random(),
            kind: EpochStarted::full_name(),
            payload: started.encode_to_vec(),
            inner: inner.encode_to_vec(),
            sealed: Vec::new(),
            division: Division::NONE,
        };
        let append = Append {
            stream: Uuid::nil(),
            expected_version,
            events: vec![event],
            actor: actor.to_owned(),
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        self.enqueue(append).await
    }

    /// The newest position that this replica knows: at once after its own commits, within 200 ms after others'.
    pub fn head(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    /// Commands that wait in this replica's queue.
    pub fn queued(&self) -> usize {
        self.0.queue.max_capacity() - self.0.queue.capacity()
    }

    /// The connections that this log reads by.
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// The newest events of this process.
    pub(crate) fn recent(&self) -> &Recent {
        &self.0.recent
    }

    /// The newest position in the database.
    pub async fn newest(&self) -> Result<i64, ReadError> {
        Ok(newest(&self.0.pool).await?)
    }

    async fn enqueue(&self, append: Append) -> Result<Appended, AppendError> {
        append.check()?;
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + self.0.settings.give_up_after;
        let waiting = Waiting { command: Command::new(append), caller: Caller { answer, deadline } };
        self.0.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded { retry_after: RETRY_AFTER },
            mpsc::error::TrySendError::Closed(_) => AppendError::Unavailable,
        })?;
        match timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(AppendError::Unavailable),
        }
    }
}

async fn newest(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM event_log").fetch_one(pool).await
}

/// Notices what other replicas append, and a database that holds less than is remembered of it.
async fn watch_others(log: EventLog, stopping: CancellationToken) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let polling = async {
        loop {
            ticks.tick().await;
            let remembered = log.recent().newest();
            match log.newest().await {
                Ok(position) if position < remembered => log.recent().forget(),
                Ok(position) => raise(&log.0.head, position),
                Err(error) => {
                    log.recent().forget();
                    tracing::debug!(%error, "the head could not be polled");
                }
            }
        }
    };
    stopping.run_until_cancelled(polling).await;
}
