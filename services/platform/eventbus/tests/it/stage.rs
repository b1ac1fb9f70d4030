//! A service of the tests: its database, its log, its bus, its gRPC address; and events to append.

use std::time::Duration;

use cluster::database::TestDatabase;
use eventbus::{Bus, BusHandle, NatsSettings};
use eventlog::{Append, AppendError, Appended, Division, EventLog, NewEvent, Settings};
use lifecycle::{Lifecycle, OnDeath, Stage, ids};
use prost::{Message as _, Name as _};
use proto::certificates::v1::SyncFinished;
use proto::operations::v1::operations_client::OperationsClient;
use proto::operations::v1::relay_status::State;
use proto::operations::v1::{FeedStatus, RelayStatus};
use sqlx::PgPool;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::interceptor::InterceptedService;
use uuid::Uuid;

/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The metadata that tells these services who calls.
const ACTOR: &str = "x-actor";

/// An empty database with the tables of log and bus.
pub async fn database() -> TestDatabase {
    let database = TestDatabase::create().await.unwrap();
    let pool = eventlog::pool(&database.url(), "test", 1).unwrap();
    for sql in [eventlog::MIGRATION_SQL, eventbus::SCHEMA, eventlog::REQUEST_KEY_SQL] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    pool.close().await;
    database
}

pub fn nats(url: &str) -> NatsSettings {
    NatsSettings { url: url.to_owned(), user: None, password_file: None, replicas: 1 }
}

/// A replica of a service in this process.
pub struct Node {
    pub log: EventLog,
    pub bus: BusHandle,
    pub pool: PgPool,
    pub lifecycle: Lifecycle,
    /// Of its gRPC server.
    pub endpoint: String,
}

#[derive(Clone)]
struct CallerId(String);

impl Node {
    /// Starts a replica of `service` on a database that has its tables.
    pub async fn start(
        service: &'static str,
        database: &str,
        nats: NatsSettings,
        wire: impl FnOnce(Bus, &EventLog) -> Bus,
    ) -> Self {
        // What a service would log is what explains a failure.
        let _ = tracing_subscriber::fmt().with_ansi(false).with_test_writer().try_init();
        let lifecycle = Lifecycle::new(Duration::from_secs(20));
        let pool = eventlog::pool(database, service, 16).unwrap();
        let log = EventLog::start(pool.clone(), Settings::default(), &lifecycle).await.unwrap();
        let bus = wire(Bus::new(service, pool.clone(), log.clone(), nats), &log);
        let bus = bus.start(&lifecycle).await.unwrap();

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let actor = |extensions: &tonic::Extensions| extensions.get::<CallerId>().map(|caller| caller.0.clone());
        let operations = InterceptedService::new(bus.operations(actor), |mut request: tonic::Request<()>| {
            if let Some(actor) = request.metadata().get(ACTOR) {
                let caller = CallerId(actor.to_str().unwrap().to_owned());
                request.extensions_mut().insert(caller);
            }
            Ok(request)
        });
        let stopping = lifecycle.stopping(Stage::Calls);
        let server = tonic::transport::Server::builder()
            .add_service(bus.event_feed())
            .add_service(operations)
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopping.cancelled_owned());
        lifecycle.spawn_in(Stage::Calls, "grpc", OnDeath::StopsTheService, server);
        Self { log, bus, pool, lifecycle, endpoint }
    }

    /// A replica that only relays.
    pub async fn relaying(service: &'static str, database: &str, nats: NatsSettings) -> Self {
        Self::start(service, database, nats, |bus, _| bus).await
    }

    /// Stops as SIGTERM does.
    pub async fn stop(self) {
        self.lifecycle.until_stopped_by(futures::stream::iter([()])).await;
    }

    /// Ends as SIGKILL does, as far as that can be had inside a process: every task is dropped where it waits.
    pub async fn kill(self) {
        self.lifecycle.hard().cancel();
        self.stop().await;
    }

    /// A channel for consumers of this service's events.
    pub fn channel(&self) -> rpc::Channel {
        rpc::connect(&self.endpoint, &rpc::ClientTls::default()).unwrap()
    }

    pub fn operations(&self) -> OperationsClient<rpc::Channel> {
        OperationsClient::new(self.channel())
    }

    pub async fn relay(&self) -> RelayStatus {
        self.bus.status().await.unwrap().relay.unwrap()
    }

    pub async fn feed(&self, name: &str) -> FeedStatus {
        let status = self.bus.status().await.unwrap();
        status.feeds.into_iter().find(|feed| feed.name == name).unwrap()
    }

    pub async fn until_relay(&self, state: State) {
        until(&format!("relay {state:?}"), async || self.relay().await.state() == state).await;
    }

    /// Waits until a feed has applied everything up to a position.
    pub async fn until_applied(&self, feed: &str, position: i64) {
        let what = format!("feed {feed} at {position}");
        until(&what, async || self.feed(feed).await.position >= position).await;
    }

    /// Newest position that this replica knows. (What `borrow` gives must not be held over an await.)
    pub fn head(&self) -> i64 {
        *self.log.head().borrow()
    }

    /// Appends events, each to a stream of its own; gives the head.
    pub async fn append(&self, count: i64) -> i64 {
        let mut head = 0;
        for number in 0..count {
            head = append(&self.log, ids::random(), 0, number).await.unwrap().position;
        }
        head
    }
}

/// A request in the name of an operator.
pub fn by<T>(actor: &'static str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(ACTOR, actor.parse().unwrap());
    request
}

/// An event that says a number.
pub fn event(number: i64) -> NewEvent {
    let payload = SyncFinished { sync_id: ids::random().to_string(), rows_read: number, ..SyncFinished::default() };
    NewEvent {
        event_id: ids::random(),
        kind: SyncFinished::full_name(),
        payload: payload.encode_to_vec(),
        inner: b"inner".to_vec(),
        sealed: b"sealed".to_vec(),
        division: Division::parse("320302").unwrap(),
    }
}

pub fn command(stream: Uuid, expected_version: i64, event: NewEvent) -> Append {
    Append {
        stream,
        expected_version,
        events: vec![event],
        actor: "system".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        cause: None,
    }
}

/// Appends one event that says a number.
pub async fn append(log: &EventLog, stream: Uuid, version: i64, number: i64) -> Result<Appended, AppendError> {
    log.append(command(stream, version, event(number))).await
}

/// Polls until the condition holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    cluster::wait::until(what, PATIENCE, async || condition().await.then_some(())).await.unwrap();
}
