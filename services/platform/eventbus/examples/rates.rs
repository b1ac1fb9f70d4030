//! How fast events are published, applied by feeds, and rebuilt: run with `--release`, on an idle machine.
//!
//! `rates [EVENTS]`, with the servers of the tests (`DINGZHU_TEST_POSTGRES`, `DINGZHU_TEST_NATS_SERVER`).
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and fails by panicking")]

use std::process::Command;
use std::time::Duration;

use cluster::database::TestDatabase;
use cluster::nats;
use cluster::process::Child;
use eventbus::{Bus, BusHandle, Event, NatsSettings, View, ViewError, async_trait};
use eventlog::{Append, Division, EventLog, NewEvent, Settings};
use futures::{StreamExt as _, TryStreamExt as _};
use lifecycle::{Lifecycle, ids};
use sqlx::{PgConnection, PgPool};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// One row per aggregate, written for a page at a time.
struct Latest;

#[async_trait]
impl View for Latest {
    fn name(&self) -> &'static str {
        "latest"
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS latest (stream uuid PRIMARY KEY, version bigint NOT NULL, payload bytea NOT NULL)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["latest"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let streams: Vec<Uuid> = events.iter().map(|event| event.stream).collect();
        let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
        let payloads: Vec<&[u8]> = events.iter().map(|event| event.payload.as_ref()).collect();
        sqlx::query(
            "INSERT INTO latest SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) \
             ON CONFLICT (stream) DO UPDATE SET version = excluded.version, payload = excluded.payload",
        )
        .bind(streams)
        .bind(versions)
        .bind(payloads)
        .execute(tx)
        .await?;
        Ok(())
    }
}

async fn log(database: &TestDatabase, lifecycle: &Lifecycle) -> (PgPool, EventLog) {
    let pool = eventlog::pool(&database.url(), "rates", 8).unwrap();
    if sqlx::raw_sql(eventlog::MIGRATION_SQL).execute(&pool).await.is_ok() {
        sqlx::raw_sql(eventbus::SCHEMA).execute(&pool).await.unwrap();
    }
    let log = EventLog::start(pool.clone(), Settings::default(), lifecycle).await.unwrap();
    (pool, log)
}

async fn append(log: &EventLog) {
    let event = NewEvent {
        event_id: ids::random(),
        kind: "dingzhu.certificates.v1.SyncFinished".to_owned(),
        payload: vec![7; 200],
        inner: vec![7; 20],
        sealed: vec![7; 80],
        division: Division::parse("320302").unwrap(),
    };
    let append = Append {
        stream: ids::random(),
        expected_version: 0,
        events: vec![event],
        actor: "system".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    };
    log.append(append).await.unwrap();
}

/// Prints how many events a second `work` did, from its beginning until it ends.
async fn measure(what: &str, events: i64, work: impl Future<Output = ()>) {
    let begun = Instant::now();
    work.await;
    let (count, seconds) = (i32::try_from(events).unwrap(), begun.elapsed().as_secs_f64());
    println!("{what:<28} {:>10.0} events/s", f64::from(count) / seconds);
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let events: i64 = std::env::args().nth(1).map_or(200_000, |count| count.parse().unwrap());
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let (of_owner, of_consumer) = (TestDatabase::create().await.unwrap(), TestDatabase::create().await.unwrap());
    let (server, durable) = (Plain::start().await, nats::Server::start().await.unwrap());
    let at = |url: String| NatsSettings { url, user: None, password_file: None, replicas: 1 };
    let settings = at(server.url());

    let (pool, own) = log(&of_owner, &lifecycle).await;
    let fill = futures::stream::iter(0..events).for_each_concurrent(1_024, |_| append(&own));
    measure("append (1,024 callers)", events, fill).await;

    let bus = Bus::new("certificates", pool.clone(), own, settings.clone()).start(&lifecycle).await.unwrap();
    measure("publish (default fsync)", events, until_published(&bus, events)).await;

    let (of_views, other) = log(&of_consumer, &lifecycle).await;
    let consumer = Bus::new("scheduling", of_views, other, settings.clone()).view("certificates", Latest);
    let consumer = consumer.start(&lifecycle).await.unwrap();
    measure("feed over JetStream", events, until_applied(&consumer, "latest", events)).await;

    lifecycle.stop();
    lifecycle.until_stopped_by(futures::stream::pending()).await;
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let (pool, own) = log(&of_owner, &lifecycle).await;
    let bus = Bus::new("certificates", pool.clone(), own, at(durable.url())).start(&lifecycle).await.unwrap();
    measure("publish (every one on disk)", events, until_published(&bus, events)).await;

    lifecycle.stop();
    lifecycle.until_stopped_by(futures::stream::pending()).await;
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let (pool, own) = log(&of_owner, &lifecycle).await;
    let bus = Bus::new("certificates", pool.clone(), own, at(durable.url()))
        .own_view(Latest)
        .start(&lifecycle)
        .await
        .unwrap();
    measure("feed of the own log", events, until_applied(&bus, "latest", events)).await;

    let copied = async {
        let mut connection = pool.acquire().await.unwrap();
        let rows = connection.copy_out_raw("COPY event_log TO STDOUT (FORMAT binary)").await.unwrap();
        rows.try_for_each(|_| async { Ok(()) }).await.unwrap();
    };
    measure("COPY of the log", events, copied).await;
    let rebuilt = async {
        let rebuilt = bus.rebuild("latest", |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    };
    measure("rebuild with both digests", events, rebuilt).await;
    lifecycle.stop();
    lifecycle.until_stopped_by(futures::stream::pending()).await;
}

/// A nats-server as it comes: acknowledged messages reach the disk every two minutes.
struct Plain {
    port: u16,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Plain {
    async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), cluster::ports::free().unwrap());
        let mut command = Command::new(cluster::install::nats_server().unwrap());
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.path());
        let child = Child::spawn("nats-server", command, &folder.path().join("log")).unwrap();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        Self { port, _child: child, _folder: folder }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

async fn published(bus: &BusHandle) -> i64 {
    bus.status().await.unwrap().relay.unwrap().published
}

async fn until_published(bus: &BusHandle, events: i64) {
    while published(bus).await < events {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a feed has applied this many events.
async fn until_applied(bus: &BusHandle, feed: &str, events: i64) {
    loop {
        let status = bus.status().await.unwrap();
        if status.feeds.iter().any(|known| known.name == feed && known.position >= events) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}
