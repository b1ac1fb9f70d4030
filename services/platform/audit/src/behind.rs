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
/// After a failure, once more: a restart of the database is over soon, and the queue holds what comes meanwhile.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where records go.
pub trait Target: Send + Sync + 'static {
    /// One record. Its `Debug` tells operators which one was lost, and nothing of a person.
    type Record: Debug + Send + Sync + 'static;
    /// Why records could not be written.
    type Failure: Error + Send + Sync + 'static;
    /// What the records are, for tasks, logs and metrics.
    const NAME: &'static str;

    /// Writes these records in this order, in one statement.
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
    /// Starts the writer. When the service stops, it writes what waits.
    pub fn start(target: T, lifecycle: &Lifecycle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let behind = Self { queue, lost: Arc::default() };
        let writer = write(target, waiting, Arc::clone(&behind.lost), lifecycle.stopping(Stage::Work));
        lifecycle.spawn(T::NAME, OnDeath::StopsTheService, writer);
        behind
    }

    /// Records something behind the answer. What finds no room, or fails twice, is lost: it is logged as an error and counted.
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
async fn write<T: Target>(
    target: T,
    mut waiting: mpsc::Receiver<T::Record>,
    lost: Arc<AtomicU64>,
    stopping: CancellationToken,
) {
    let mut group = Vec::with_capacity(GROUP);
    loop {
        let taken = tokio::select! {
            biased;
            taken = waiting.recv_many(&mut group, GROUP) => taken,
            () = stopping.cancelled() => return,
        };
        if taken == 0 {
            return stopping.cancelled().await;
        }
        let mut written = target.insert(&group).await;
        if written.is_err() {
            tokio::time::sleep(AGAIN_AFTER).await;
            written = target.insert(&group).await;
        }
        if let Err(error) = written {
            for record in &group {
                tracing::error!(error = &error as &dyn Error, ?record, kind = T::NAME, "a record is lost");
            }
            count::<T>(&lost, u64::try_from(group.len()).unwrap_or(u64::MAX));
        }
        group.clear();
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
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the shelf is broken")]
    struct Broken;

    impl Shelf {
        fn new(open: usize, broken: u64) -> Self {
            let (open, broken) = (Arc::new(Semaphore::new(open)), Arc::new(AtomicU64::new(broken)));
            Self { written: Arc::default(), open, broken }
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
                return Err(Broken);
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
    async fn what_fails_is_written_once_more_and_lost_when_that_fails_too() {
        for (broken, written, lost) in [(1, vec![7], 0), (2, vec![], 1)] {
            let (shelf, lifecycle) = (Shelf::new(1_000, broken), Lifecycle::new(Duration::from_secs(60)));
            let behind = Behind::start(shelf.clone(), &lifecycle);
            behind.record(7);
            stop(lifecycle).await;
            assert_eq!((shelf.records(), behind.lost()), (written, lost), "{broken}");
        }
    }
}
