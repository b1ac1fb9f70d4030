//! The handle on a running bus: waiting for a feed, references, status, and the gRPC services it offers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath, Stage};
use proto::operations::v1::GetStatusResponse;
use proto::operations::v1::event_feed_server::EventFeedServer;
use proto::operations::v1::operations_server::OperationsServer;
use proto::operations::v1::relay_status::State;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tonic::Extensions;

use crate::bus::Core;
use crate::event_feed::OwnEvents;
use crate::feed::Worker;
use crate::lease::{self, Lease};
use crate::nats::{Nats, UNREACHABLE};
use crate::operations::Operator;
use crate::rebuild::{self, RebuildError, RebuildProgress, Rebuilt};
use crate::reference::{LoadError, Reference};
use crate::relay::{Relay, RelayReport};
use crate::{checkpoint, status};

/// How often the steps of other replicas are noticed, and how often while somebody waits for one.
const POLL: Duration = Duration::from_millis(250);
const HASTE: Duration = Duration::from_millis(25);
/// Longest wait of a read for a position.
const WAIT: Duration = Duration::from_millis(500);

/// A running bus. Clones are the same bus.
#[derive(Clone)]
pub struct BusHandle(pub(crate) Arc<Running>);

pub(crate) struct Running {
    pub(crate) core: Arc<Core>,
    pub(crate) nats: Nats,
    pub(crate) relay: watch::Receiver<RelayReport>,
    pub(crate) lifecycle: Lifecycle,
    leases: Vec<Lease>,
    /// Reads that wait for a feed of this or another replica.
    waiting: AtomicUsize,
    hurry: Notify,
}

/// The feed has not come to the position in time; the caller may ask again.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the view is not at the position yet")]
pub struct NotYet;

impl BusHandle {
    pub(crate) fn start(core: Arc<Core>, nats: Nats, lifecycle: &Lifecycle) -> Self {
        const RELAY: &str = "relay";
        let names = core.feeds.iter().map(|feed| feed.lease()).chain([RELAY.to_owned()]);
        let options = (*core.pool.connect_options()).clone();
        let mut leases = lease::keep(options, names, lifecycle);
        let stopping = lifecycle.stopping(Stage::Work);
        let mut lease = |name: &str| leases.remove(name).expect("every lease that is kept was named");

        let (report, relay) = watch::channel(RelayReport::default());
        let relay_task = Relay {
            core: Arc::clone(&core),
            nats: nats.clone(),
            lease: lease(RELAY),
            stopping: stopping.clone(),
            report,
        };
        lifecycle.spawn("relay", OnDeath::StopsTheService, relay_task.run());

        let mut feed_leases = Vec::new();
        for feed in &core.feeds {
            let lease = lease(&feed.lease());
            feed_leases.push(lease.clone());
            let worker = Worker {
                core: Arc::clone(&core),
                nats: nats.clone(),
                feed: Arc::clone(feed),
                lease,
                stopping: stopping.clone(),
            };
            lifecycle.spawn(feed.name, OnDeath::StopsTheService, worker.run());
        }

        let running = Running {
            core,
            nats,
            relay,
            lifecycle: lifecycle.clone(),
            leases: feed_leases,
            waiting: AtomicUsize::new(0),
            hurry: Notify::new(),
        };
        let handle = Self(Arc::new(running));
        let watched = handle.clone();
        lifecycle.spawn("feed progress", OnDeath::StopsTheService, async move {
            stopping.run_until_cancelled(watched.0.watch()).await;
        });
        handle
    }

    /// Waits up to 500 ms until the feed has applied `position`: for reads that carry a `min_position`.
    pub async fn wait_for(&self, feed: &str, position: i64) -> Result<(), NotYet> {
        let mut progress = self.0.core.feed(feed).progress.subscribe();
        if progress.borrow().position >= position {
            return Ok(());
        }
        let _haste = Haste::new(&self.0);
        match timeout(WAIT, progress.wait_for(|progress| progress.position >= position)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotYet),
        }
    }

    /// A small view in the memory of this replica: `loader` reads it from the view's tables at the start and whenever an
    /// event has changed them. [`Reference::require`] refuses until the feed has once reached the head of its source.
    pub fn reference<T, L, F, E>(&self, feed: &str, loader: L) -> Reference<T>
    where
        T: Default + Send + Sync + 'static,
        L: Fn(PgPool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<LoadError> + 'static,
    {
        let (reference, load) = Reference::new(self.0.core.feed(feed), self.0.core.pool.clone(), loader);
        load.spawn(&self.0.lifecycle);
        reference
    }

    /// The gRPC service for operators. `actor` reads who calls (`staff:<uuid>`) from what the access layer has put into
    /// the request's extensions; without an actor nobody resolves a fork or rewinds a reaction.
    pub fn operations(
        &self,
        actor: impl Fn(&Extensions) -> Option<String> + Send + Sync + 'static,
    ) -> OperationsServer<Operator> {
        OperationsServer::new(Operator::new(self.clone(), Arc::new(actor)))
    }

    /// The gRPC service for consumers of this service's events.
    pub fn event_feed(&self) -> EventFeedServer<OwnEvents> {
        EventFeedServer::new(OwnEvents::new(self.0.core.log.clone(), self.0.lifecycle.soft()))
    }

    /// The service at a glance, as `Operations/GetStatus` tells it.
    pub async fn status(&self) -> Result<GetStatusResponse, sqlx::Error> {
        status::status(self).await
    }

    /// Builds a view anew, see [`Bus::rebuild`](crate::Bus::rebuild).
    pub async fn rebuild(
        &self,
        view: &str,
        progress: impl FnMut(RebuildProgress) + Send,
    ) -> Result<Rebuilt, RebuildError> {
        rebuild::rebuild(&self.0.core, view, progress).await
    }

    /// Keeps the components `relay` and `feeds` of a service's health up to date. Calls are answered while either is bad.
    pub fn report_to(&self, health: rpc::Health) {
        let stopping = self.0.lifecycle.stopping(Stage::Work);
        let running = Arc::clone(&self.0);
        self.0.lifecycle.spawn("bus health", OnDeath::StopsTheService, async move {
            let reporting = async {
                loop {
                    health.set("relay", running.relay_health().await);
                    health.set("feeds", running.feeds_health());
                    sleep(Duration::from_secs(1)).await;
                }
            };
            stopping.run_until_cancelled(reporting).await;
        });
    }
}

impl Running {
    /// Notices what other replicas' feeds have done.
    async fn watch(&self) {
        loop {
            match checkpoint::all(&self.core.pool).await {
                Ok(all) => {
                    for (name, progress) in all {
                        let own = self.core.feeds.iter().zip(&self.leases).find(|(feed, _)| feed.name == name);
                        let Some((feed, lease)) = own else { continue };
                        // Who holds the lease knows better than what was just read.
                        if !(lease.is_held() && feed.progress.borrow().known) {
                            feed.progress.send_replace(progress);
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "the progress of feeds cannot be read"),
            }
            let pause = if self.waiting.load(Ordering::Relaxed) > 0 { HASTE } else { POLL };
            let _ = timeout(pause, self.hurry.notified()).await;
        }
    }

    /// What this replica's relay is doing, and nothing that it learnt over a connection which is gone.
    pub(crate) fn relay_report(&self) -> RelayReport {
        let report = self.relay.borrow().clone();
        if report.state != State::Running {
            return report;
        }
        let problem = if !self.nats.is_connected() {
            UNREACHABLE
        } else if report.connection != *self.nats.connections.borrow() {
            "the stream has not been looked at since NATS came back"
        } else {
            return report;
        };
        RelayReport { state: State::Disconnected, problem: problem.to_owned(), ..report }
    }

    /// What is wrong with publishing, on whichever replica.
    async fn relay_health(&self) -> Result<(), String> {
        let report = self.relay_report();
        if let Some(refusal) = self.nats.refusal() {
            return Err(format!("NATS refuses: {refusal}"));
        }
        match report.state {
            State::Running => Ok(()),
            State::Disconnected | State::Forked => Err(report.problem),
            State::Standby | State::Unspecified => match crate::fork::state(&self.core.pool).await {
                Ok(state) if state.stand == crate::fork::Stand::Forked => Err(state.problem.unwrap_or_default()),
                Ok(_) => Ok(()),
                Err(_) => Err("the relay's state cannot be read".to_owned()),
            },
        }
    }

    fn feeds_health(&self) -> Result<(), String> {
        let problems: Vec<String> = self
            .core
            .feeds
            .iter()
            .filter_map(|feed| Some(format!("{}: {}", feed.name, feed.progress.borrow().problem.as_ref()?)))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

/// While it lives, the progress of feeds is looked at more often.
struct Haste<'a>(&'a Running);

impl<'a> Haste<'a> {
    fn new(running: &'a Running) -> Self {
        running.waiting.fetch_add(1, Ordering::Relaxed);
        running.hurry.notify_one();
        Self(running)
    }
}

impl Drop for Haste<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
