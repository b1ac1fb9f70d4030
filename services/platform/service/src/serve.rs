//! The command `serve`: opens the ground, wires the service, serves until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use access::{AccessLayer, AuthorityView, Caller};
use audit::{AuditLayer, Auditors, Behind, Trail};
use eventbus::{Bus, BusHandle};
use lifecycle::{Lifecycle, OnDeath, Stage};
use rpc::{Health, Server};
use tonic::body::Body;
use tower::util::MapRequestLayer;

use crate::erasure::ON_PERSON_ERASED;
use crate::{Failure, Ground, Service, Settings, restored};

/// Component of the health without which the service does not serve.
const DATABASE: &str = "database";
/// Whose log the erasures stand in.
const OWNER: &str = "identity";
/// How often the database is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A service that has started.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its ground.
    pub ground: Ground,
    /// Its bus.
    pub bus: BusHandle,
}

/// Starts `S`; it runs until the lifecycle stops. NATS and the other services may be away.
pub async fn serve<S: Service>(
    settings: &Settings,
    own: S::Settings,
    lifecycle: &Lifecycle,
) -> Result<Running, Failure> {
    let ground = Ground::open::<S>(settings, lifecycle).await?;
    // Before anything of this start is recorded.
    let missed = restored::detect(&ground).await?;
    let (service, bus) = wire::<S>(&ground, settings, own).await?;
    let reads_erasures = bus.reads(ON_PERSON_ERASED);
    let missed = missed.filter(|_| reads_erasures);
    if missed.is_some() {
        restored::rewind(&ground).await?;
    }
    let bus = bus.start(lifecycle).await?;
    if let Some(what) = missed {
        restored::settle(&ground, &bus, what, settings.accept_lost_erasure).await?;
        if S::NAME == OWNER {
            restored::recover(&ground, &bus, &service, settings.accept_lost_erasure).await?;
        }
    }
    if reads_erasures {
        restored::note_start(&ground).await?;
    }
    ground.authority.follow(&bus);

    let health = Health::new(&[DATABASE]);
    bus.report_to(health.clone());
    report_database(&ground, health.clone());
    let trail = Trail::new(ground.pool.clone(), settings.audit);
    trail.keep_swept(lifecycle);
    let surface = service
        .surface(&ground, &bus)
        .offer(rpc::sized!(bus.operations(actor)))
        .offer(rpc::sized!(bus.event_feed()))
        .offer(rpc::sized!(Auditors::serve(trail.clone())));
    let authority = ground.authority.clone();
    let recognition = MapRequestLayer::new(move |request: http::Request<Body>| authority.recognise(request));
    let audit = AuditLayer::new(S::AUDITED, ground.proxies.clone(), Behind::start(trail, lifecycle));
    let access = AccessLayer::new(S::ACCESS, ground.authority.clone());
    let server = Server::new(&settings.server, lifecycle, &health).layer((recognition, audit, access));
    Ok(Running { address: server.start(surface).await?, ground, bus })
}

/// Who calls, as the log names them; nobody without a token.
fn actor(extensions: &tonic::Extensions) -> Option<String> {
    let caller = extensions.get::<Caller>()?;
    (caller.person.is_some() || caller.service.is_some()).then(|| caller.actor())
}

/// Keeps the component `database` of the health up to date: without it nothing can be answered.
fn report_database(ground: &Ground, health: Health) {
    let (pool, stopping) = (ground.pool.clone(), ground.lifecycle.stopping(Stage::Work));
    ground.lifecycle.spawn("database health", OnDeath::StopsTheService, async move {
        let reporting = async {
            loop {
                let answer = sqlx::query("SELECT 1").execute(&pool).await;
                health.set(DATABASE, answer.map(drop).map_err(|error| error.to_string()));
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        stopping.run_until_cancelled(reporting).await;
    });
}

/// The service and its bus, not started yet.
pub(crate) async fn wire<S: Service>(
    ground: &Ground,
    settings: &Settings,
    own: S::Settings,
) -> Result<(S, Bus), Failure> {
    let mut bus = Bus::new(S::NAME, ground.pool.clone(), ground.log.clone(), settings.nats.clone())
        .view("identity", AuthorityView::new(ground.root));
    for (peer, channel, token) in ground.peers.iter().filter(|(peer, ..)| *peer != S::NAME) {
        let token = token.clone();
        bus = bus.source(peer, channel.clone(), move || Some(token.token()));
    }
    S::wire(ground, own, bus).await
}
