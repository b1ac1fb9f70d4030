//! A view of applications rebuilt from a million events, beside a plain binary COPY of the same rows of the log.
//!
//! The events are those of one real walk, again and again for certificates that differ, appended through the log's own writer.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

use std::time::Duration;

use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service, call, seed, wait, walk};
use cluster_tests::median;
use eventlog::{Append, EventLog, NewEvent, Recorded};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lifecycle::Lifecycle;
use prost::{Message, Name};
use proto::applications::v1 as applications;
use proto::operations::v1::operations_client::OperationsClient;
use proto::operations::v1::{GetStatusRequest, RebuildViewRequest};
use sqlx::postgres::PgPoolCopyExt as _;
use tokio::time::Instant;
use uuid::Uuid;

const EVENTS: usize = 1_000_000;
const VIEW: &str = "applications";
/// Appends in hand at a time: some batches of the writer.
const AT_ONCE: usize = 1_024;
/// How long the live view may take to follow.
const FOLLOWS: Duration = Duration::from_secs(900);
const RUNS: usize = 3;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cluster_tests::ended(measure().await)
}

async fn measure() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let say = |line: &str| println!("  {line}");
    let mut seeded = seed::fill(&cluster, 1, &say).await?;
    walk::walk(cluster.layout(), &mut seeded, &say).await?;

    let lifecycle = Lifecycle::new(Duration::from_secs(10));
    let layout = cluster.layout();
    let url = layout.superuser_url(&layout.database(Service::Applications))?;
    let pool = eventlog::pool(&url, "bench", 4).doing(|| "connect to applications' database".into())?;
    let log = EventLog::start(pool, eventlog::Settings::default(), &lifecycle).await.doing(|| "open the log".into())?;
    println!("appending {EVENTS} events");
    multiply(&log).await?;
    let head = *log.head().borrow();
    println!("the log has {head} events; waiting for the live view");
    let operator = call::sign_in(layout, "operator").await?;
    let client = OperationsClient::new(operator.channel(&layout.url(Service::Applications))?);
    wait::until("the live view to follow", FOLLOWS, async || {
        let status = client.clone().get_status(GetStatusRequest {}).await.ok()?.into_inner();
        status.feeds.iter().any(|feed| feed.name == VIEW && feed.position >= head).then_some(())
    })
    .await?;

    let (mut copies, mut rebuilds) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let seconds = copy(&log).await?;
        copies.push(per_second(head, seconds));
        println!("copy: {:.0} rows/s", copies[copies.len() - 1]);
        // Tokens live ten minutes: a fresh one for each run.
        let operator = call::sign_in(layout, "operator").await?;
        let channel = operator.channel(&layout.url(Service::Applications))?;
        let seconds = rebuild(OperationsClient::new(channel)).await?;
        rebuilds.push(per_second(head, seconds));
        println!("rebuild: {:.0} events/s", rebuilds[rebuilds.len() - 1]);
    }
    println!("ratio rebuild/copy {:.3}", median(rebuilds) / median(copies));
    lifecycle.stop();
    cluster.stop().await
}

fn per_second(count: i64, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).expect("some millions")) / seconds
}

/// Appends the events of the one real application for other certificates, until there are enough.
async fn multiply(log: &EventLog) -> Result<()> {
    let recorded = log.read(0, 10_000).await.doing(|| "read the log".into())?;
    let submitted = applications::ApplicationSubmitted::full_name();
    let first = recorded.iter().find(|event| event.kind == submitted);
    let first = first.ok_or_else(|| Failure::new("the walk left no application"))?;
    let template = log.load(first.stream).await.doing(|| "load the application".into())?;
    let template: Vec<Recorded> = template.into_iter().filter(|event| renamed(event, "", "").is_some()).collect();
    let times = EVENTS.div_ceil(template.len());
    let template = &template;
    stream::iter(1..=times)
        .map(|number| async move {
            let stream = lifecycle::ids::random();
            log.append(application(template, stream, number)).await.doing(|| "append".into())
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await
}

fn application(template: &[Recorded], stream: Uuid, number: usize) -> Append {
    let (certificate, enrolment) = (stream.to_string(), enrolment_number(number));
    let events = template.iter().map(|event| NewEvent {
        event_id: lifecycle::ids::random(),
        kind: event.kind.clone(),
        payload: renamed(event, &certificate, &enrolment).expect("the template holds these kinds only"),
        inner: event.inner.clone(),
        sealed: event.sealed.clone(),
        division: event.metadata.division,
    });
    Append {
        stream,
        expected_version: 0,
        events: events.collect(),
        actor: "system".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}

/// A 报名号 of 鼓楼区 with its check digit (ISO 7064 MOD 11,10).
fn enrolment_number(serial: usize) -> String {
    let digits = format!("2026320302{serial:06}");
    let product = digits.bytes().fold(10, |product, digit| match (product + u32::from(digit - b'0')) % 10 {
        0 => 20 % 11,
        sum => sum * 2 % 11,
    });
    format!("{digits}{}", (11 - product) % 10)
}

/// The event's message for another application; `None` for kinds that are not an application's.
fn renamed(event: &Recorded, certificate: &str, enrolment: &str) -> Option<Vec<u8>> {
    macro_rules! rename {
        ($($message:ident),*) => {
            $(if event.kind == applications::$message::full_name() {
                let message = applications::$message::decode(&event.payload[..]).expect("the log holds what was written");
                let renamed = applications::$message {
                    certificate_id: certificate.to_owned(),
                    enrolment_number: enrolment.to_owned(),
                    ..message
                };
                return Some(renamed.encode_to_vec());
            })*
        };
    }
    rename!(ApplicationSubmitted, FactsRecorded, ApplicationConfirmed, ReviewPassed, ApplicationConcluded);
    None
}

/// Seconds of a binary COPY of the whole log.
async fn copy(log: &EventLog) -> Result<f64> {
    let start = Instant::now();
    let doing = || "copy the log".to_owned();
    let mut rows = log.pool().copy_out_raw("COPY event_log TO STDOUT (FORMAT binary)").await.doing(doing)?;
    while let Some(chunk) = rows.next().await {
        std::hint::black_box(chunk.doing(doing)?);
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds of a rebuild, with comparison and swap.
async fn rebuild(mut client: OperationsClient<cluster::actor::Channel>) -> Result<f64> {
    let start = Instant::now();
    let doing = || "rebuild the view".to_owned();
    let answers = client.rebuild_view(RebuildViewRequest { view: VIEW.to_owned() }).await.doing(doing)?;
    let mut answers = answers.into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.doing(doing)? {
        last = Some(answer);
    }
    match last {
        Some(last) if last.done && last.live_digest == last.rebuilt_digest => Ok(start.elapsed().as_secs_f64()),
        last => Err(Failure::new(format!("the rebuilt view differs: {last:?}"))),
    }
}
