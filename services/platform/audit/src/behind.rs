//! Records that are written behind the answers: many at a time, through a bounded queue that nobody waits for.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use tokio::sync::mpsc;

/// Records that wait at most, and that are written together.
const QUEUE: usize = 8_192;
const GROUP: usize = 512;
/// First and longest pause before records are written once more: the queue holds what comes meanwhile.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often records are tried that a database refuses which is there.
const REFUSALS: u32 = 3;

/// Where records go.
pub trait Target: Send + Sync + 'static {
    /// One record. Its `Debug` tells operators which one was lost, and nothing of a person.
    type Record: Debug + Send + Sync + 'static;
    /// Why records could not be written.
    type Failure: Error + Send + Sync + 'static;
    /// What the records are, for tasks, logs and metrics.
    const NAME: &'static str;

    /// Writes these records in this order, in one statement. After a failure the same ones come again, and some may be written already:
    /// a connection that breaks does not tell what became of the statement.
    fn insert(&self, records: &[Self::Record]) -> impl Future<Output = Result<(), Self::Failure>> + Send;
}

/// Takes records. Clones share the queue.
#[derive(Debug)]
pub struct Behind<T: Target> {
    queue: mpsc::Sender<T::Record>,
    lost: Arc<AtomicU64>,
}

impl<T: Target> Clone for Behind<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), lost: Arc::clone(&self.lost) }
    }
}

impl<T: Target> Behind<T> {
    /// Starts the writer. When the service stops, it writes what waits, until the stop turns hard.
    pub fn start(target: T, lifecycle: &Lifecycle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let behind = Self { queue, lost: Arc::default() };
        let writer = Writer { target, waiting, group: Vec::with_capacity(GROUP), lost: Arc::clone(&behind.lost) };
        lifecycle.spawn(T::NAME, OnDeath::StopsTheService, writer.run(lifecycle.stopping(Stage::Work)));
        behind
    }

    /// Records something behind the answer. What finds no room, is refused again and again by a database that is there, or still waits at a
    /// hard stop, is lost: it is logged as an error and counted.
    pub fn record(&self, record: T::Record) {
        if let Err(error) = self.queue.try_send(record) {
            let lost = error.into_inner();
            tracing::error!(record = ?lost, kind = T::NAME, "a record is lost: too many wait");
            count::<T>(&self.lost, 1);
        }
    }

    /// How many records this replica has lost since it started.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

fn count<T: Target>(lost: &AtomicU64, records: u64) {
    lost.fetch_add(records, Ordering::Relaxed);
    telemetry::count_lost(T::NAME, records);
}

/// Writes what waits, all of it also when the service stops.
struct Writer<T: Target> {
    target: T,
    waiting: mpsc::Receiver<T::Record>,
    /// What is being written.
    group: Vec<T::Record>,
    lost: Arc<AtomicU64>,
}

impl<T: Target> Writer<T> {
    async fn run(mut self, stopping: CancellationToken) {
        loop {
            let taken = tokio::select! {
                biased;
                taken = self.waiting.recv_many(&mut self.group, GROUP) => taken,
                () = stopping.cancelled() => return,
            };
            if taken == 0 {
                return stopping.cancelled().await;
            }
            match self.write().await {
                Ok(()) => self.group.clear(),
                Err(error) => self.lose(&error),
            }
        }
    }

    /// Writes the group: as long as it takes where the database is away, a few times where it refuses.
    async fn write(&self) -> Result<(), T::Failure> {
        let (mut pause, mut refusals) = (FIRST_PAUSE, 0);
        loop {
            let Err(error) = self.target.insert(&self.group).await else { return Ok(()) };
            if !eventlog::is_away(&error) {
                refusals += 1;
            }
            if refusals == REFUSALS {
                return Err(error);
            }
            tracing::warn!(error = &error as &dyn Error, kind = T::NAME, "records wait to be written");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn lose(&mut self, error: &(dyn Error + 'static)) {
        for record in &self.group {
            tracing::error!(error, ?record, kind = T::NAME, "a record is lost");
        }
        count::<T>(&self.lost, u64::try_from(self.group.len()).unwrap_or(u64::MAX));
        self.group.clear();
    }
}

/// A hard stop drops the writer with what it has not written.
#[derive(Debug, thiserror::Error)]
#[error("the service stopped before it was written")]
struct Stopped;

impl<T: Target> Drop for Writer<T> {
    fn drop(&mut self) {
        while let Ok(record) = self.waiting.try_recv() {
            self.group.push(record);
        }
        self.lose(&Stopped);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    #[derive(Clone, Debug)]
    struct Shelf {
        written: Arc<Mutex<Vec<Vec<usize>>>>,
        open: Arc<Semaphore>,
        broken: Arc<AtomicU64>,
        is_away: bool,
    }

    #[derive(Debug, thiserror::Error)]
    enum Broken {
        #[error("the shelf is broken")]
        Shelf,
        #[error("nobody is there")]
        Away(#[source] sqlx::Error),
    }

    impl Shelf {
        fn new(open: usize, broken: u64) -> Self {
            let (open, broken) = (Arc::new(Semaphore::new(open)), Arc::new(AtomicU64::new(broken)));
            Self { written: Arc::default(), open, broken, is_away: false }
        }

        fn away(times: u64) -> Self {
            Self { is_away: true, ..Self::new(1_000, times) }
        }

        fn records(&self) -> Vec<usize> {
            self.written.lock().unwrap().concat()
        }
    }

    impl Target for Shelf {
        type Record = usize;
        type Failure = Broken;
        const NAME: &'static str = "shelf";

        async fn insert(&self, records: &[usize]) -> Result<(), Broken> {
            self.open.acquire().await.unwrap().forget();
            if self.broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(if self.is_away { Broken::Away(sqlx::Error::PoolTimedOut) } else { Broken::Shelf });
            }
            self.written.lock().unwrap().push(records.to_vec());
            Ok(())
        }
    }

    async fn stop(lifecycle: Lifecycle) {
        lifecycle.stop();
        lifecycle.until_stopped_by(futures::stream::pending()).await;
    }

    #[tokio::test]
    async fn a_full_queue_loses_and_counts_and_nobody_waits_and_a_stop_writes_what_waits() {
        let (shelf, lifecycle) = (Shelf::new(0, 0), Lifecycle::new(Duration::from_secs(5)));
        let behind = Behind::start(shelf.clone(), &lifecycle);
        behind.record(0);
        while behind.queue.capacity() < QUEUE {
            tokio::task::yield_now().await;
        }
        // The writer holds the first one, and this task lets nobody else run.
        for record in 1..=QUEUE + 3 {
            behind.record(record);
        }
        assert_eq!(behind.lost(), 3);
        shelf.open.add_permits(1_000);
        stop(lifecycle).await;
        assert_eq!(shelf.records(), (0..=QUEUE).collect::<Vec<_>>());
        assert!(shelf.written.lock().unwrap().len() < 30, "many are written together");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_tried_a_few_times_and_lost_then() {
        for (broken, written, lost) in [(1, vec![7], 0), (2, vec![7], 0), (3, vec![], 1)] {
            let (shelf, lifecycle) = (Shelf::new(1_000, broken), Lifecycle::new(Duration::from_secs(60)));
            let behind = Behind::start(shelf.clone(), &lifecycle);
            behind.record(7);
            stop(lifecycle).await;
            assert_eq!((shelf.records(), behind.lost()), (written, lost), "{broken}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_for_long_loses_nothing_and_what_a_hard_stop_drops_is_counted() {
        for (times, written, lost) in [(12, vec![7, 8], 0), (u64::MAX, vec![], 2)] {
            let (shelf, lifecycle) = (Shelf::away(times), Lifecycle::new(Duration::from_secs(60)));
            let behind = Behind::start(shelf.clone(), &lifecycle);
            behind.record(7);
            behind.record(8);
            stop(lifecycle).await;
            assert_eq!((shelf.records(), behind.lost()), (written, lost), "{times}");
        }
    }
}
