//! Durable appends per second in process: `append_rate --callers 1,128,512 --seconds 5 --writers 1`.
#![expect(clippy::print_stdout, reason = "a command prints its figures")]

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use cluster::database::TestDatabase;
use eventlog::{
    Append, Division, EventLog, MIGRATION_SQL, NewEvent, REQUEST_KEY_SQL, RequestKey, Settings, Verdict, digest, pool,
};
use lifecycle::{Lifecycle, ids};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Appends one event of 300 bytes to a new stream, with request memory, again and again by every caller.
#[derive(Debug, Parser)]
struct Arguments {
    /// Callers at once, one run for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 128, 512])]
    callers: Vec<usize>,
    /// Length of a run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Logs on the same database, each with its own writer, as replicas have.
    #[arg(long, default_value_t = 1)]
    writers: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let database = TestDatabase::create().await?;
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let pool = pool(&database.url(), "append_rate", 4)?;
    for sql in [MIGRATION_SQL, REQUEST_KEY_SQL] {
        sqlx::raw_sql(sql).execute(&pool).await?;
    }
    let mut logs = Vec::new();
    for _ in 0..arguments.writers {
        logs.push(EventLog::start(pool.clone(), Settings::default(), &lifecycle).await?);
    }
    let mut acknowledged = 0;
    for callers in arguments.callers {
        let (appends, elapsed) = run(&logs, callers, Duration::from_secs_f64(arguments.seconds)).await?;
        println!("{callers:>4} callers: {:>8.0} appends/s", f64::from(appends) / elapsed.as_secs_f64());
        acknowledged += i64::from(appends);
    }
    let verdict = logs[0].verify(1, |_, _| {}).await?;
    lifecycle.stop();
    lifecycle.until_stopped().await;
    if verdict == (Verdict::Intact { head: acknowledged }) {
        return Ok(());
    }
    Err(format!("{acknowledged} appends were acknowledged, and the log is {verdict:?}").into())
}

async fn run(logs: &[EventLog], callers: usize, length: Duration) -> Result<(u32, Duration), Box<dyn Error>> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let log = logs[caller % logs.len()].clone();
        tasks.spawn(async move {
            let mut appends = 0;
            while begin.elapsed() < length {
                log.append(command()).await?;
                appends += 1;
            }
            Ok::<u32, eventlog::AppendError>(appends)
        });
    }
    let mut appends = 0;
    while let Some(done) = tasks.join_next().await {
        appends += done??;
    }
    Ok((appends, begin.elapsed()))
}

fn command() -> Append {
    let stream = ids::random();
    let event = NewEvent {
        event_id: ids::random(),
        kind: "dingzhu.applications.v1.ApplicationSubmitted".to_owned(),
        payload: stream.as_bytes().repeat(13),
        inner: vec![7; 32],
        sealed: vec![9; 60],
        division: Division::NONE,
    };
    Append {
        stream,
        expected_version: 0,
        events: vec![event],
        actor: format!("person:{stream}"),
        request: Some(RequestKey { id: ids::random(), fingerprint: digest(stream.as_bytes()), answer: vec![1; 40] }),
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}
