//! Submissions per second through gRPC, beside pgbench's single-row insert and an empty echo, all from one run on one PostgreSQL.
//!
//! The submissions are real: authenticated people with drafts that were filled in through the API, validated, with 报名号 and request
//! memory, acknowledged after the commit; the relay publishes and the views follow meanwhile. The other services are stopped
//! before it is measured, since a submission calls none of them.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

mod echo;
mod people;
mod pgbench;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cluster::failure::Doing as _;
use cluster::{Cluster, Result, Service, seed};
use cluster_tests::median;
use hdrhistogram::Histogram;
use proto::applications::v1::SubmitApplicationRequest;
use proto::applications::v1::applications_client::ApplicationsClient;
use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// The load generator shares the cores with what it measures, so it is as light as can be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Callers at once, and submissions for each measurement.
const ALONE: (usize, usize) = (1, 1_000);
const MANY: (usize, usize) = (128, 8_000);
const MOST: (usize, usize) = (512, 8_000);
/// How often the largest is measured; the median counts.
const RUNS: usize = 3;
/// Connections that the callers share.
const CONNECTIONS: usize = 8;
const PEOPLE: u32 = 100;

/// A submission that waits to be made.
struct Submission {
    request: SubmitApplicationRequest,
    bearer: MetadataValue<Ascii>,
}

/// What a measurement gave.
struct Measured {
    per_second: f64,
    latency: Histogram<u64>,
}

fn main() -> std::process::ExitCode {
    if std::env::args().any(|argument| argument == echo::ARGUMENT) {
        return echo::serve();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    cluster_tests::ended(runtime.block_on(measure()))
}

async fn measure() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    println!("seeding the season");
    let seeded = seed::fill(&cluster, 0, &|line| println!("  {line}")).await?;
    let wanted = ALONE.1 + MANY.1 + MOST.1 * RUNS;
    let mut waiting = people::prepare(&cluster, &seeded.place, PEOPLE, wanted).await?;
    for service in [Service::Identity, Service::Certificates, Service::Scheduling, Service::Notifications] {
        cluster.replica(service, 0).kill();
    }

    let url = cluster.layout().url(Service::Applications);
    let alone = submit(&url, waiting.split_off(waiting.len() - ALONE.1), ALONE.0).await?;
    report("submit, 1 caller", &alone);
    let many = submit(&url, waiting.split_off(waiting.len() - MANY.1), MANY.0).await?;
    report("submit, 128 callers", &many);

    let event_bytes = pgbench::event_bytes(&cluster).await?;
    println!("an ApplicationSubmitted event has {event_bytes} bytes in its row");
    let mut inserts = vec![pgbench::run(&cluster, event_bytes).await?];
    let mut most = Vec::new();
    for _ in 0..RUNS {
        let measured = submit(&url, waiting.split_off(waiting.len() - MOST.1), MOST.0).await?;
        report("submit, 512 callers", &measured);
        most.push(measured.per_second);
        inserts.push(pgbench::run(&cluster, event_bytes).await?);
    }
    let echoes = echo::measure(MOST.0).await?;
    println!("echo, 512 callers: {echoes:.0}/s");
    let (submits, inserts) = (median(most), median(inserts));
    println!("medians: submit {submits:.0}/s, pgbench {inserts:.0}/s");
    println!("ratio submit-1/pgbench {:.3}", alone.per_second / inserts);
    println!("ratio submit-128/pgbench {:.3}", many.per_second / inserts);
    println!("ratio submit/echo {:.3}", submits / echoes);
    println!("ratio submit/pgbench {:.3}", submits / inserts);
    cluster.stop().await
}

fn report(what: &str, measured: &Measured) {
    let at = |quantile| Duration::from_micros(measured.latency.value_at_quantile(quantile));
    println!("{what}: {:.0}/s, p50 {:.1?}, p99 {:.1?}, max {:.1?}", measured.per_second, at(0.5), at(0.99), at(1.0));
}

/// Makes all submissions with so many callers at once; a refusal ends the benchmark.
async fn submit(url: &str, submissions: Vec<Submission>, callers: usize) -> Result<Measured> {
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS.min(callers) {
        let endpoint = Endpoint::from_shared(url.to_owned()).doing(|| format!("use {url}"))?;
        channels.push(endpoint.connect().await.doing(|| format!("connect to {url}"))?);
    }
    let count = submissions.len();
    let submissions = Arc::new(submissions);
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let channel = channels[caller % channels.len()].clone();
        tasks.spawn(caller_loop(channel, Arc::clone(&submissions), Arc::clone(&next)));
    }
    let mut latency = new_histogram();
    while let Some(done) = tasks.join_next().await {
        let measured = done.doing(|| "run a caller".into())??;
        latency.add(measured).doing(|| "add latencies".into())?;
    }
    let per_second = f64::from(u32::try_from(count).expect("a few thousand")) / start.elapsed().as_secs_f64();
    Ok(Measured { per_second, latency })
}

async fn caller_loop(
    channel: Channel,
    submissions: Arc<Vec<Submission>>,
    next: Arc<AtomicUsize>,
) -> Result<Histogram<u64>> {
    let mut client = ApplicationsClient::new(channel);
    let mut latency = new_histogram();
    while let Some(submission) = submissions.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut request = Request::new(submission.request.clone());
        request.metadata_mut().insert("authorization", submission.bearer.clone());
        let start = Instant::now();
        client.submit_application(request).await.doing(|| "submit".into())?;
        let micros = u64::try_from(start.elapsed().as_micros()).expect("less than an age");
        latency.saturating_record(micros);
    }
    Ok(latency)
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}
