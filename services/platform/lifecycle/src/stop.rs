//! The order of stopping: stages one after the other, within the grace period, then hard.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A task the service cannot live without died (`EX_SOFTWARE` of sysexits).
const DIED: u8 = 70;
/// Something did not finish within the grace period (`EX_TEMPFAIL` of sysexits).
const UNFINISHED: u8 = 75;
/// How long dropped tasks may take to be gone after a hard stop.
const DROPPING: Duration = Duration::from_secs(1);

/// The steps of a stop. Each begins when all tasks of the one before have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Health says `NOT_SERVING`.
    Announce,
    /// Servers stop accepting and finish the calls in hand, command bodies with them.
    Calls,
    /// Writers, relays, feeds and reactions finish the batch in hand.
    Work,
    /// Pools and connections close.
    Store,
}

impl Stage {
    /// All stages, in the order of the stop.
    pub const ALL: [Self; 4] = [Self::Announce, Self::Calls, Self::Work, Self::Store];
}

/// The life of one service: its tasks, and its stop. Clones are the same life.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Life>);

#[derive(Debug)]
struct Life {
    grace: Duration,
    stages: [(CancellationToken, TaskTracker); Stage::ALL.len()],
    hard: CancellationToken,
    died: AtomicBool,
}

impl Lifecycle {
    /// A life whose stop may take up to `grace` before it turns hard.
    pub fn new(grace: Duration) -> Self {
        Self(Arc::new(Life {
            grace,
            stages: Stage::ALL.map(|_| (CancellationToken::new(), TaskTracker::new())),
            hard: CancellationToken::new(),
            died: AtomicBool::new(false),
        }))
    }

    /// Cancelled when the stop begins: take on nothing new. Calls may still be running then, so what they need
    /// (writer, views) must wait for [`Self::stopping`] of its own stage instead.
    pub fn soft(&self) -> CancellationToken {
        self.stopping(Stage::Announce)
    }

    /// Cancelled when the stop reaches this stage.
    pub fn stopping(&self, stage: Stage) -> CancellationToken {
        self.0.stages[stage as usize].0.clone()
    }

    /// Cancelled when the time to finish anything is over.
    pub fn hard(&self) -> CancellationToken {
        self.0.hard.clone()
    }

    /// How long a stop may take before it turns hard.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// Begins the stop, as SIGTERM does.
    pub fn stop(&self) {
        self.soft().cancel();
    }

    /// Waits for SIGTERM, SIGINT, [`Self::stop`] or the death of a task, then stops stage by stage; returns the code
    /// to exit with.
    pub async fn until_stopped(self) -> ExitCode {
        let terminate = signal(SignalKind::terminate()).expect("SIGTERM can be listened to");
        let interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be listened to");
        let signals = stream::unfold((terminate, interrupt), |(mut terminate, mut interrupt)| async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Some(((), (terminate, interrupt)))
        });
        self.until_stopped_by(signals).await
    }

    /// Like [`Self::until_stopped`], with `signals` in the place of the operating system's.
    pub async fn until_stopped_by(self, signals: impl Stream<Item = ()> + Send) -> ExitCode {
        // One that ends is one that never comes.
        let mut signals = pin!(signals.chain(stream::pending()));
        let soft = self.soft();
        tokio::select! {
            _ = signals.next() => tracing::info!("told to stop"),
            () = soft.cancelled() => {}
        }
        self.stop();
        let finished = tokio::select! {
            () = self.stages() => true,
            _ = signals.next() => {
                tracing::warn!("told to stop a second time: stopping hard");
                false
            }
            () = tokio::time::sleep(self.0.grace) => {
                tracing::warn!(grace_seconds = self.0.grace.as_secs_f64(), "the grace period is over: stopping hard");
                false
            }
        };
        if !finished {
            self.drop_the_rest().await;
        }
        match (self.0.died.load(Ordering::Acquire), finished) {
            (true, _) => ExitCode::from(DIED),
            (false, false) => ExitCode::from(UNFINISHED),
            (false, true) => ExitCode::SUCCESS,
        }
    }

    pub(crate) fn tracker(&self, stage: Stage) -> &TaskTracker {
        &self.0.stages[stage as usize].1
    }

    pub(crate) fn died(&self) {
        self.0.died.store(true, Ordering::Release);
        self.stop();
    }

    async fn stages(&self) {
        for stage in Stage::ALL {
            let (stopping, tasks) = &self.0.stages[stage as usize];
            tracing::info!(?stage, tasks = tasks.len(), "stopping");
            stopping.cancel();
            tasks.close();
            tasks.wait().await;
        }
    }

    async fn drop_the_rest(&self) {
        self.0.hard.cancel();
        for (stopping, tasks) in &self.0.stages {
            stopping.cancel();
            tasks.close();
        }
        let gone = async {
            for (_, tasks) in &self.0.stages {
                tasks.wait().await;
            }
        };
        // What is still there then (a command's body) ends with the runtime.
        let _ = tokio::time::timeout(DROPPING, gone).await;
    }
}
