//! Wiring: what a service's bus consists of, and its start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eventlog::EventLog;
use lifecycle::Lifecycle;
use sqlx::PgPool;

use crate::feed::{Consumer, Feed};
use crate::owner::Owner;
use crate::rebuild::{self, RebuildError, RebuildProgress, Rebuilt};
use crate::reference::{LoadError, Reference};
use crate::{BusHandle, NatsSettings, Reaction, View, nats};

/// What reads the events of a service and of its neighbours, and publishes its own; built up, then started.
pub struct Bus {
    core: Core,
    /// Tasks of references that were asked for before the start.
    loading: Mutex<Vec<Loading>>,
}

type Loading = Box<dyn FnOnce(&Lifecycle) + Send>;

/// Everything that is known before the start and does not change afterwards.
pub(crate) struct Core {
    pub(crate) service: &'static str,
    pub(crate) pool: PgPool,
    pub(crate) log: EventLog,
    pub(crate) nats: NatsSettings,
    pub(crate) feeds: Vec<Arc<Feed>>,
    pub(crate) owners: HashMap<&'static str, Owner>,
}

/// Why a bus does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Checkpoints or tables of views cannot be prepared.
    #[error("the database of the bus cannot be prepared")]
    Storage(#[from] sqlx::Error),
    /// Address, user or password file of NATS are wrong. A server that does not answer is no error.
    #[error("the connection to NATS cannot be set up: {0}")]
    Nats(String),
}

impl Bus {
    /// The bus of `service` (`applications`), over the service's own database and log.
    pub fn new(service: &'static str, pool: PgPool, log: EventLog, nats: NatsSettings) -> Self {
        let core = Core { service, pool, log, nats, feeds: Vec::new(), owners: HashMap::new() };
        Self { core, loading: Mutex::default() }
    }

    /// A view of the service's own events, read from its own log.
    #[must_use]
    pub fn own_view(self, view: impl View) -> Self {
        let source = self.core.service;
        self.view(source, view)
    }

    /// A view of the events of another service.
    #[must_use]
    pub fn view(self, source: &'static str, view: impl View) -> Self {
        self.with(source, Consumer::View(Arc::new(view)))
    }

    /// A reaction to the service's own events.
    #[must_use]
    pub fn own_reaction(self, reaction: impl Reaction) -> Self {
        let source = self.core.service;
        self.reaction(source, reaction)
    }

    /// A reaction to the events of another service.
    #[must_use]
    pub fn reaction(self, source: &'static str, reaction: impl Reaction) -> Self {
        self.with(source, Consumer::Reaction(Arc::new(reaction)))
    }

    /// How the owner of `service`'s events is reached when its stream does not reach back, or NATS is away. `token` gives
    /// the bearer token of each call, `None` where the channel itself proves who we are.
    #[must_use]
    pub fn source(
        mut self,
        service: &'static str,
        channel: rpc::Channel,
        token: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.core.owners.insert(service, Owner::new(channel, Arc::new(token)));
        self
    }

    fn with(mut self, source: &'static str, consumer: Consumer) -> Self {
        let feed = Feed::new(source, consumer);
        assert!(self.core.feeds.iter().all(|other| other.name != feed.name), "two feeds are called {}", feed.name);
        self.core.feeds.push(Arc::new(feed));
        self
    }

    /// Whether a feed of this name is part of it.
    pub fn reads(&self, feed: &str) -> bool {
        self.core.feeds.iter().any(|known| known.name == feed)
    }

    /// A small view in the memory of this replica, see [`BusHandle::reference`]; for what is wired before the start, such
    /// as reactions. It is loaded once the bus has started.
    pub fn reference<T, L, F, E>(&self, feed: &str, loader: L) -> Reference<T>
    where
        T: Default + Send + Sync + 'static,
        L: Fn(PgPool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<LoadError> + 'static,
    {
        let (reference, load) = Reference::new(self.core.feed(feed), self.core.pool.clone(), loader);
        let loading: Loading = Box::new(move |lifecycle| load.spawn(lifecycle));
        self.loading.lock().expect("no holder of this lock panics").push(loading);
        reference
    }

    /// Starts relay and feeds. Does not wait for NATS, nor for any other service.
    pub async fn start(self, lifecycle: &Lifecycle) -> Result<BusHandle, StartError> {
        self.core.prepare().await?;
        let nats = nats::connect(self.core.service, &self.core.nats).await.map_err(StartError::Nats)?;
        let handle = BusHandle::start(Arc::new(self.core), nats, lifecycle);
        for load in self.loading.into_inner().expect("no holder of this lock panics") {
            load(lifecycle);
        }
        Ok(handle)
    }

    /// The command `rebuild <view>`: builds a view anew beside the live one, compares both at an equal position, swaps.
    /// The service may be running meanwhile.
    pub async fn rebuild(
        &self,
        view: &str,
        progress: impl FnMut(RebuildProgress) + Send,
    ) -> Result<Rebuilt, RebuildError> {
        self.core.prepare().await?;
        rebuild::rebuild(&self.core, view, progress).await
    }
}

impl Core {
    pub(crate) fn feed(&self, name: &str) -> Arc<Feed> {
        let feed = self.feeds.iter().find(|feed| feed.name == name);
        Arc::clone(feed.unwrap_or_else(|| panic!("{} has no feed called {name}", self.service)))
    }

    /// Makes sure that every feed has its checkpoint and every view its tables.
    async fn prepare(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        // Replicas that start together do not get into each other's way.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('eventbus/prepare', 0))").execute(&mut *tx).await?;
        for feed in &self.feeds {
            sqlx::query(
                "INSERT INTO public.feed_checkpoint (name, source, epoch, position, hash) \
                 VALUES ($1, $2, 0, 0, $3) ON CONFLICT DO NOTHING",
            )
            .bind(feed.name)
            .bind(feed.source)
            .bind([0_u8; 32].as_slice())
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("SET LOCAL search_path = views").execute(&mut *tx).await?;
        for view in self.feeds.iter().filter_map(|feed| feed.view()) {
            sqlx::raw_sql(sqlx::AssertSqlSafe(view.schema())).execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}
