//! The writer of a process: takes whatever commands wait, records them in one transaction, answers their callers.

use std::sync::Arc;
use std::time::Duration;

use lifecycle::CancellationToken;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use crate::append::AppendError;
use crate::plan::{Answer, Command, Placed, Witness};
use crate::recent::Recent;
use crate::transaction;

/// A batch is closed when it has this much to send, however few commands it holds.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Between attempts while the database is away: from the first, doubling, to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A command in the queue, and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) command: Command,
    pub(crate) caller: Caller,
}

/// Who waits. One that went away is answered in vain, nothing else.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) answer: oneshot::Sender<Answer>,
    /// No attempt begins after it.
    pub(crate) deadline: Instant,
}

/// Commands that are recorded in one transaction.
#[derive(Debug, Default)]
struct Batch {
    commands: Vec<Command>,
    callers: Vec<Caller>,
}

/// Why an attempt has no answers.
enum Failure {
    /// Nothing was recorded, the same batch may succeed later.
    Unavailable(sqlx::Error),
    /// Nothing was recorded, PostgreSQL refuses something in the batch itself.
    Refused(String),
    /// The commit was lost on the way: the answers are true if the witness is in the database.
    Unknown(Option<Witness>, Vec<Answer>),
}

/// The one task of a process that appends for many callers, on a connection of its own.
pub(crate) struct Writer {
    pub(crate) options: PgConnectOptions,
    pub(crate) queue: mpsc::Receiver<Waiting>,
    pub(crate) batch: usize,
    pub(crate) head: watch::Sender<i64>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) connection: Option<PgConnection>,
}

impl Writer {
    /// Runs until told to stop, and then until the queue is empty.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        while let Some(batch) = self.next_batch(&stopping).await {
            self.record(batch).await;
        }
        // Nobody holds the log any more, which is no reason to bring the service down.
        stopping.cancelled().await;
    }

    /// Waits for one command and takes all that are there then.
    async fn next_batch(&mut self, stopping: &CancellationToken) -> Option<Batch> {
        let first = tokio::select! {
            biased;
            first = self.queue.recv() => first,
            () = stopping.cancelled() => {
                self.queue.close();
                self.queue.recv().await
            }
        };
        let (mut batch, mut bytes, mut next) = (Batch::default(), 0, Some(first?));
        while let Some(waiting) = next {
            bytes += waiting.command.bytes();
            batch.push(waiting);
            let full = batch.callers.len() >= self.batch || bytes >= BATCH_BYTES;
            next = if full { None } else { self.queue.try_recv().ok() };
        }
        Some(batch)
    }

    /// Records a batch and answers every caller, whatever it takes until their deadlines.
    async fn record(&mut self, mut batch: Batch) {
        let mut pause = PAUSES.0;
        while batch.give_up_late() {
            match self.attempt(&batch.commands).await {
                Ok((answers, placed)) => {
                    let (head, previous) = (placed.head, placed.previous);
                    self.recent.extend(previous, placed.recorded(std::mem::take(&mut batch.commands), &answers));
                    raise(&self.head, head);
                    return batch.answer(answers);
                }
                Err(Failure::Refused(reason)) if batch.callers.len() == 1 => {
                    return batch.answer(vec![Err(AppendError::Refused(reason))]);
                }
                Err(Failure::Refused(_)) => {
                    // One bad command harms nobody: each on its own.
                    for single in batch.singles() {
                        Box::pin(self.record(single)).await;
                    }
                    return;
                }
                Err(Failure::Unknown(witness, answers)) => {
                    tracing::warn!(commands = answers.len(), "the outcome of a commit is unknown");
                    self.recent.forget();
                    match resolve(&self.options, witness, &batch.commands, batch.deadline()).await {
                        Some(true) => {
                            self.publish(&answers);
                            return batch.answer(answers);
                        }
                        Some(false) => {}
                        None => return batch.answer_all(&AppendError::Unavailable),
                    }
                }
                Err(Failure::Unavailable(error)) => {
                    tracing::warn!(%error, commands = batch.callers.len(), "the batch is tried again");
                    self.recent.forget();
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// One transaction. After any failure the connection is not used again.
    async fn attempt(&mut self, commands: &[Command]) -> Result<(Vec<Answer>, Placed), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => transaction::connect(&self.options).await?,
        };
        transaction::begin(&mut connection).await?;
        let plan = transaction::record(&mut connection, commands).await?;
        if plan.is_empty() {
            transaction::roll_back(&mut connection).await?;
        } else if let Err(error) = transaction::commit(&mut connection).await {
            tracing::warn!(%error, "commit failed");
            return Err(Failure::Unknown(plan.witness(), plan.answers));
        }
        self.connection = Some(connection);
        Ok(plan.carried_out())
    }

    fn publish(&self, answers: &[Answer]) {
        let newest = answers.iter().flatten().map(|appended| appended.position).max();
        raise(&self.head, newest.unwrap_or_default());
    }
}

/// Finds out whether the transaction of the witness took effect; `None` when there is no telling before the deadline.
pub(crate) async fn resolve(
    options: &PgConnectOptions,
    witness: Option<Witness>,
    commands: &[Command],
    deadline: Instant,
) -> Option<bool> {
    let witness = witness?;
    let mut pause = PAUSES.0;
    loop {
        let found = async {
            let mut connection = transaction::connect(options).await?;
            transaction::is_committed(&mut connection, witness, commands).await
        };
        match found.await {
            Ok(committed) => return Some(committed),
            Err(_) if Instant::now() >= deadline => return None,
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Tells the readers of this process; the head never goes back.
pub(crate) fn raise(head: &watch::Sender<i64>, position: i64) {
    head.send_if_modified(|known| {
        let newer = position > *known;
        *known = position.max(*known);
        newer
    });
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if transaction::is_refusal(&error) {
            Self::Refused(transaction::reason(&error))
        } else {
            Self::Unavailable(error)
        }
    }
}

impl Batch {
    fn push(&mut self, waiting: Waiting) {
        self.commands.push(waiting.command);
        self.callers.push(waiting.caller);
    }

    fn singles(self) -> impl Iterator<Item = Self> {
        let pairs = self.commands.into_iter().zip(self.callers);
        pairs.map(|(command, caller)| Self { commands: vec![command], callers: vec![caller] })
    }

    /// The last moment at which anybody still waits.
    fn deadline(&self) -> Instant {
        let deadlines = self.callers.iter().map(|caller| caller.deadline);
        deadlines.max().expect("a batch has callers")
    }

    /// Answers those who have waited too long, and lets their commands go; false when nobody is left.
    fn give_up_late(&mut self) -> bool {
        let now = Instant::now();
        if self.callers.iter().any(|caller| caller.deadline <= now) {
            for waiting in std::mem::take(self).waiting() {
                if waiting.caller.deadline <= now {
                    let _ = waiting.caller.answer.send(Err(AppendError::Unavailable));
                } else {
                    self.push(waiting);
                }
            }
        }
        !self.callers.is_empty()
    }

    fn waiting(self) -> impl Iterator<Item = Waiting> {
        self.commands.into_iter().zip(self.callers).map(|(command, caller)| Waiting { command, caller })
    }

    fn answer(self, answers: Vec<Answer>) {
        for (caller, answer) in self.callers.into_iter().zip(answers) {
            let _ = caller.answer.send(answer);
        }
    }

    fn answer_all(self, error: &AppendError) {
        let answers = self.callers.iter().map(|_| Err(error.clone())).collect();
        self.answer(answers);
    }
}
