//! What a submission costs when five million events stand in the log, beside what it costs with fifty thousand: two databases of
//! applications on one PostgreSQL, a service on each, in turns.
//!
//! Both are copies of one database in which real drafts wait, and hold the same submissions afterwards. NATS is away from both services,
//! and the other services are stopped before it is measured, so that neither a relay nor a reader of one of both logs blurs the difference.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

mod lives;

use std::time::Duration;

use clap::Parser;
use cluster::actor::Actor;
use cluster::failure::Doing as _;
use cluster::{Cluster, Result, Service, call, environment, seed, wait, walk};
use cluster_tests::median;
use cluster_tests::submissions::{Submission, prepare, submit};
use eventlog::EventLog;
use lifecycle::Lifecycle;
use proto::operations::v1::GetStatusRequest;
use proto::operations::v1::operations_client::OperationsClient;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use lives::Mould;

/// The load generator shares the cores with what it measures, so it is as light as can be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of the small log.
const FEW: i64 = 50_000;
const CALLERS: usize = 128;
/// Measurements of each log in each condition; the median of the pairs counts.
const ROUNDS: usize = 3;
/// Submissions to one log before it is the other one's turn.
const TURN: usize = 500;
/// One certificate in so many has four applications behind it.
const LONG: usize = 50;
/// How long the copy of a small database may take.
const COPIED: Duration = Duration::from_secs(60);
/// How long a view may take to follow five million events.
const FOLLOWS: Duration = Duration::from_secs(1_800);
const VIEW: &str = "applications";
/// After a day of filings the database has its indexes in memory. Here the filling, and the view that has followed it, have left other pages
/// there; so few submissions as are measured would meet every index page of the large log for the first time.
const WARM: &str = "CREATE EXTENSION IF NOT EXISTS pg_prewarm;
                    SELECT sum(pg_prewarm(indexrelid)) FROM pg_index JOIN pg_class ON oid = indexrelid
                    WHERE relnamespace IN ('public'::regnamespace, 'views'::regnamespace)";
/// Nobody listens there.
const NO_NATS: &str = "nats://127.0.0.1:9";

#[derive(Parser)]
struct Arguments {
    /// Events of the large log.
    #[arg(long, default_value_t = 5_000_000)]
    events: i64,
    /// Submissions of one measurement.
    #[arg(long, default_value_t = 3_000)]
    each: usize,
    /// Says cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Under what the logs are compared.
#[derive(Clone, Copy)]
enum Condition {
    /// The last checkpoint lies behind the warming up, and the next one is not due.
    BeforeCheckpoint,
    /// Each pair begins right after a checkpoint, when every page that is touched is written out whole.
    AfterCheckpoint,
    /// Another connection keeps one snapshot of each database open.
    LongSnapshot,
}

impl Condition {
    const ALL: [Self; 3] = [Self::BeforeCheckpoint, Self::AfterCheckpoint, Self::LongSnapshot];

    fn ratio(self) -> &'static str {
        match self {
            Self::BeforeCheckpoint => "submit-5m/50k",
            Self::AfterCheckpoint => "submit-5m/50k-after-checkpoint",
            Self::LongSnapshot => "submit-5m/50k-long-snapshot",
        }
    }
}

/// One log and the service on it.
struct Side {
    database: String,
    url: String,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    cluster_tests::ended(runtime.block_on(measure(arguments.events, arguments.each)))
}

async fn measure(events: i64, each: usize) -> Result<()> {
    let say = |line: &str| println!("{line}");
    let mut cluster = Cluster::start().await?;
    let mut seeded = seed::fill(&cluster, 1, &say).await?;
    walk::walk(cluster.layout(), &mut seeded, &|_| {}).await?;
    let wanted = each * (1 + ROUNDS * Condition::ALL.len());
    let prepared = prepare(&cluster, &seeded.place, wanted, &say).await?;

    cluster.replica(Service::Applications, 0).kill();
    let small = cluster.layout().database(Service::Applications);
    let large = format!("{small}_large");
    let copy = format!("CREATE DATABASE {large} TEMPLATE {small} OWNER {small}_owner");
    // The sessions of the service that was killed end a moment later.
    wait::until("a copy of the database", COPIED, async || execute(&cluster, "postgres", &copy).await.ok()).await?;
    let long: Vec<Uuid> = prepared.certificates().step_by(LONG).collect();
    for (database, events) in [(&small, FEW), (&large, events)] {
        fill(&cluster, database, events, &long).await?;
    }
    let sides = start(&mut cluster, small, large).await?;
    let operator = call::sign_in(cluster.layout(), "operator").await?;
    for side in &sides {
        follow(&operator, side).await?;
        execute(&cluster, &side.database, "VACUUM (ANALYZE)").await?;
        execute(&cluster, &side.database, WARM).await?;
        println!("{}", size(&cluster, side).await?);
    }
    // What the filling has left to be written is of no submission's making.
    execute(&cluster, "postgres", "CHECKPOINT").await?;

    // The operator's first session may have ended meanwhile.
    operator.renew().await?;
    let mut waiting = prepared.sign_in().await?;
    for service in [Service::Identity, Service::Certificates, Service::Scheduling, Service::Notifications] {
        cluster.replica(service, 0).kill();
    }
    // So that both have their plans, connections and pages in hand.
    pair(&cluster, &operator, &sides, None, waiting.split_off(waiting.len() - each)).await?;
    for condition in Condition::ALL {
        let snapshots = match condition {
            Condition::LongSnapshot => snapshots(&cluster, &sides).await?,
            Condition::BeforeCheckpoint | Condition::AfterCheckpoint => Vec::new(),
        };
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            let submissions = waiting.split_off(waiting.len() - each);
            costs.push(pair(&cluster, &operator, &sides, Some(condition), submissions).await?);
        }
        println!("ratio {} {:.3}", condition.ratio(), median(costs));
        drop(snapshots);
    }
    for side in &sides {
        println!("{}", size(&cluster, side).await?);
    }
    cluster.stop().await
}

/// Fills a database's log: a long past for some certificates, then other people's applications.
async fn fill(cluster: &Cluster, database: &str, events: i64, long: &[Uuid]) -> Result<()> {
    let lifecycle = Lifecycle::new(Duration::from_secs(10));
    let pool = eventlog::pool(&cluster.layout().superuser_url(database)?, "bench", 4);
    let pool = pool.doing(|| format!("connect to {database}"))?;
    let log = EventLog::start(pool, eventlog::Settings::default(), &lifecycle).await.doing(|| "open the log".into())?;
    let (begin, first) = (Instant::now(), *log.head().borrow());
    let mould = Mould::of(&log).await?;
    // Their serials are beyond those of the others.
    lives::give_a_past(&log, &mould, long, 50_000_000).await?;
    lives::fill(&log, &mould, events, &|head| println!("  {database}: {head} events")).await?;
    let head = *log.head().borrow();
    let seconds = begin.elapsed().as_secs_f64();
    println!("{database}: {head} events, {:.0} appends/s", count(head - first) / seconds);
    lifecycle.stop();
    lifecycle.until_stopped().await;
    Ok(())
}

/// A service on each database, both without NATS.
async fn start(cluster: &mut Cluster, small: String, large: String) -> Result<[Side; 2]> {
    cluster.set("DINGZHU_NATS_URL", NO_NATS);
    cluster.restart(Service::Applications, 0).await?;
    let url = cluster.layout().url(Service::Applications);
    let environment = environment::of_service(cluster.layout(), Service::Applications, 0)?;
    let own = environment.into_iter().find(|(name, _)| name == "DINGZHU_DATABASE_URL");
    let (name, own) = own.expect("a service is told of its database");
    // The address ends with the database.
    cluster.set(&name, &format!("{own}_large"));
    let replica = cluster.add_replica(Service::Applications).await?;
    let large_url = cluster.replica(Service::Applications, replica).url();
    Ok([Side { database: small, url }, Side { database: large, url: large_url }])
}

/// Submits the same to both, and gives how many times the cost the large log has: in turns of [`TURN`], each time the other one
/// first, so that neither the machine's changing speed nor what happens beside falls on one of them.
async fn pair(
    cluster: &Cluster,
    operator: &Actor,
    sides: &[Side; 2],
    condition: Option<Condition>,
    submissions: Vec<Submission>,
) -> Result<f64> {
    let mut seconds = [0.0; 2];
    for (turn, part) in submissions.chunks(TURN).enumerate() {
        for side in sides {
            follow(operator, side).await?;
        }
        if turn == 0 && matches!(condition, Some(Condition::AfterCheckpoint)) {
            execute(cluster, "postgres", "CHECKPOINT").await?;
        }
        let order = if turn.is_multiple_of(2) { [1, 0] } else { [0, 1] };
        for place in order {
            let measured = submit(&sides[place].url, part.to_vec(), CALLERS).await?;
            seconds[place] += count(part.len()) / measured.per_second;
        }
    }
    for (side, seconds) in sides.iter().zip(seconds) {
        println!("  {}: {:.0}/s", side.database, count(submissions.len()) / seconds);
    }
    Ok(seconds[1] / seconds[0])
}

/// Waits until the view of a side has read its whole log.
async fn follow(operator: &Actor, side: &Side) -> Result<()> {
    let client = OperationsClient::new(operator.channel(&side.url)?);
    wait::until("the view to follow", FOLLOWS, async || {
        let status = client.clone().get_status(GetStatusRequest {}).await.ok()?.into_inner();
        let head = status.log?.head;
        status.feeds.iter().any(|feed| feed.name == VIEW && feed.position == head).then_some(())
    })
    .await
}

/// A snapshot of each database that stays open as long as its connection.
async fn snapshots(cluster: &Cluster, sides: &[Side; 2]) -> Result<Vec<PgConnection>> {
    let mut held = Vec::new();
    for side in sides {
        let mut connection = connect(cluster, &side.database).await?;
        let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT max(position) FROM event_log";
        sqlx::raw_sql(sql).execute(&mut connection).await.doing(|| "open a snapshot".into())?;
        held.push(connection);
    }
    Ok(held)
}

/// How large a side is.
async fn size(cluster: &Cluster, side: &Side) -> Result<String> {
    let mut connection = connect(cluster, &side.database).await?;
    let sql = "SELECT format('%s: %s events, %s applications, %s requests; event_log %s, its indexes %s, request with indexes %s', \
                   current_database(), (SELECT max(position) FROM event_log), (SELECT count(*) FROM views.application), \
                   (SELECT count(*) FROM request), pg_size_pretty(pg_table_size('event_log')), \
                   pg_size_pretty(pg_indexes_size('event_log')), pg_size_pretty(pg_total_relation_size('request')))";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.doing(|| "measure a database".into())
}

async fn connect(cluster: &Cluster, database: &str) -> Result<PgConnection> {
    let url = cluster.layout().superuser_url(database)?;
    PgConnection::connect(&url).await.doing(|| format!("connect to {database}"))
}

async fn execute(cluster: &Cluster, database: &str, sql: &str) -> Result<()> {
    let mut connection = connect(cluster, database).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.doing(|| sql.to_owned())?;
    Ok(())
}

fn count<N: TryInto<u32, Error: std::fmt::Debug>>(number: N) -> f64 {
    f64::from(number.try_into().expect("some millions"))
}
