//! Submissions per second through gRPC, beside pgbench's single-row insert and an empty echo, all from one run on one PostgreSQL.
//!
//! The submissions are real: authenticated people with drafts that were filled in through the API, validated, with 报名号 and request
//! memory, acknowledged after the commit; the relay publishes and the views follow meanwhile. The other services are stopped
//! before it is measured, since a submission calls none of them.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

mod echo;
mod pgbench;

use cluster::{Cluster, Result, Service, seed};
use cluster_tests::median;
use cluster_tests::submissions::{prepare, submit};

/// The load generator shares the cores with what it measures, so it is as light as can be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Callers at once, and submissions for each measurement.
const ALONE: (usize, usize) = (1, 1_000);
const MANY: (usize, usize) = (128, 8_000);
const MOST: (usize, usize) = (512, 8_000);
/// How often the largest is measured; the median counts.
const RUNS: usize = 3;

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
    let say = |line: &str| println!("{line}");
    let mut waiting = prepare(&cluster, &seeded.place, wanted, &say).await?.sign_in().await?;
    for service in [Service::Identity, Service::Certificates, Service::Scheduling, Service::Notifications] {
        cluster.replica(service, 0).kill();
    }

    let url = cluster.layout().url(Service::Applications);
    let alone = submit(&url, waiting.split_off(waiting.len() - ALONE.1), ALONE.0).await?;
    println!("submit, 1 caller: {alone}");
    let many = submit(&url, waiting.split_off(waiting.len() - MANY.1), MANY.0).await?;
    println!("submit, 128 callers: {many}");

    let event_bytes = pgbench::event_bytes(&cluster).await?;
    println!("an ApplicationSubmitted event has {event_bytes} bytes in its row");
    let mut inserts = vec![pgbench::run(&cluster, event_bytes).await?];
    let mut most = Vec::new();
    for _ in 0..RUNS {
        let measured = submit(&url, waiting.split_off(waiting.len() - MOST.1), MOST.0).await?;
        println!("submit, 512 callers: {measured}");
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
