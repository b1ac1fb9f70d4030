//! Reference views: a small view kept in memory by every replica, loaded anew whenever an event has changed the view.

use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use lifecycle::{Lifecycle, OnDeath, Stage};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::checkpoint::Progress;
use crate::feed::Feed;

/// Pause after a load that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What a loader may fail with.
pub type LoadError = Box<dyn std::error::Error + Send + Sync>;

/// A small view in memory. Clones share it.
pub struct Reference<T> {
    loaded: watch::Receiver<Loaded<T>>,
    progress: watch::Receiver<Progress>,
}

struct Loaded<T> {
    value: Arc<T>,
    /// The feed had reached the head of its source before this was loaded.
    ready: bool,
}

/// The feed has never reached the head of its source: what the view does not hold may exist all the same. Services answer
/// `REFERENCE_NOT_READY`, never a business refusal.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the reference view has never been complete")]
pub struct NotReady;

impl<T> Reference<T> {
    /// What was loaded last; the default before the first load.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.loaded.borrow().value)
    }

    /// Whether the view has ever been complete.
    pub fn ready(&self) -> bool {
        self.loaded.borrow().ready
    }

    /// What was loaded last, if the view has ever been complete.
    pub fn require(&self) -> Result<Arc<T>, NotReady> {
        let loaded = self.loaded.borrow();
        if loaded.ready { Ok(Arc::clone(&loaded.value)) } else { Err(NotReady) }
    }

    /// Waits until something is loaded that this clone has not been told of: whoever looks after each time misses nothing.
    pub async fn changed(&mut self) {
        if self.loaded.changed().await.is_err() {
            // The service stops, and nothing changes any more.
            std::future::pending::<()>().await;
        }
    }

    /// How long ago the feed last knew of nothing unread; `None` before it ever did. For decisions that must not rest on
    /// an old view, such as the rights of staff.
    pub fn age(&self) -> Option<Duration> {
        self.progress.borrow().age()
    }
}

impl<T> std::fmt::Debug for Reference<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reference").field("ready", &self.ready()).finish_non_exhaustive()
    }
}

impl<T> Clone for Reference<T> {
    fn clone(&self) -> Self {
        Self { loaded: self.loaded.clone(), progress: self.progress.clone() }
    }
}

/// The task behind a reference.
pub(crate) struct Loader<T> {
    feed: Arc<Feed>,
    pool: PgPool,
    load: Box<dyn Fn(PgPool) -> BoxFuture<'static, Result<T, LoadError>> + Send + Sync>,
    loaded: watch::Sender<Loaded<T>>,
}

impl<T: Default + Send + Sync + 'static> Reference<T> {
    pub(crate) fn new<L, F, E>(feed: Arc<Feed>, pool: PgPool, loader: L) -> (Self, Loader<T>)
    where
        L: Fn(PgPool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<LoadError> + 'static,
    {
        let (sender, loaded) = watch::channel(Loaded { value: Arc::default(), ready: false });
        let progress = feed.progress.subscribe();
        let load = Box::new(move |pool| -> BoxFuture<'static, _> { Box::pin(loader(pool).map_err(Into::into)) });
        (Self { loaded, progress }, Loader { feed, pool, load, loaded: sender })
    }
}

impl<T: Send + Sync + 'static> Loader<T> {
    pub(crate) fn spawn(self, lifecycle: &Lifecycle) {
        let stopping = lifecycle.stopping(Stage::Work);
        lifecycle.spawn("reference view", OnDeath::StopsTheService, async move {
            stopping.run_until_cancelled(self.run()).await;
        });
    }

    async fn run(self) {
        let mut progress = self.feed.progress.subscribe();
        let mut newest = None;
        loop {
            // What the feed has done is read before the rows are, so that the rows are never older than claimed.
            let seen = progress.borrow_and_update().clone();
            let state = seen.known.then_some((seen.epoch, seen.changed, seen.reached_head()));
            if state.is_some() && state != newest {
                match (self.load)(self.pool.clone()).await {
                    Ok(value) => {
                        self.loaded.send_replace(Loaded { value: Arc::new(value), ready: seen.reached_head() });
                        newest = state;
                    }
                    Err(error) => {
                        tracing::warn!(feed = self.feed.name, error, "a reference view could not be loaded");
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
            }
            if progress.changed().await.is_err() {
                return;
            }
        }
    }
}
