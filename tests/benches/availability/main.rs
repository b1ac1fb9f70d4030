//! Answers of `CheckAvailability` per second through gRPC, beside an empty echo at the same callers, in turns in one run.
//!
//! The questions are real: authenticated people ask about every agency and point of a province whose plan is in memory. A question that
//! names its point is what a person asks before filing; one that names none is answered with all points of the agency and their notes.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

#[path = "../append/echo.rs"]
mod echo;
mod province;

use std::sync::Arc;

use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service, seed};
use cluster_tests::median;
use proto::scheduling::v1::CheckAvailabilityRequest;
use proto::scheduling::v1::availability_client::AvailabilityClient;
use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// The load generator shares the cores with what it measures, so it is as light as can be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Callers at once.
const CALLERS: usize = 128;
/// How often each is measured; the medians count.
const RUNS: usize = 5;

/// Who asks, and what.
struct Asking {
    bearers: Vec<MetadataValue<Ascii>>,
    questions: Vec<CheckAvailabilityRequest>,
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
    seed::fill(&cluster, 0, &|line| println!("  {line}")).await?;
    let asking = Arc::new(province::open(&cluster).await?);
    let listing = asking
        .questions
        .iter()
        .map(|question| CheckAvailabilityRequest { point_id: String::new(), ..question.clone() });
    let listing = Arc::new(Asking { bearers: asking.bearers.clone(), questions: listing.collect() });
    for service in [Service::Identity, Service::Certificates, Service::Applications, Service::Notifications] {
        cluster.replica(service, 0).kill();
    }

    let url = cluster.layout().url(Service::Scheduling);
    let (mut answers, mut lists, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        answers.push(ask(&url, &asking).await?);
        lists.push(ask(&url, &listing).await?);
        echoes.push(echo::measure(CALLERS).await?);
        let last = answers.len() - 1;
        println!(
            "{CALLERS} callers: availability {:.0}/s, with all points {:.0}/s, echo {:.0}/s",
            answers[last], lists[last], echoes[last]
        );
    }
    let (answers, lists, echoes) = (median(answers), median(lists), median(echoes));
    println!("medians: availability {answers:.0}/s, with all points {lists:.0}/s, echo {echoes:.0}/s");
    println!("ratio availability-list/echo {:.3}", lists / echoes);
    println!("ratio availability/echo {:.3}", answers / echoes);
    cluster.stop().await
}

/// Answers per second; one that does not say that filing is open ends the benchmark.
async fn ask(url: &str, asking: &Arc<Asking>) -> Result<f64> {
    let mut channels = Vec::new();
    for _ in 0..echo::CONNECTIONS {
        let endpoint = Endpoint::from_shared(url.to_owned()).doing(|| format!("use {url}"))?;
        channels.push(endpoint.connect().await.doing(|| format!("connect to {url}"))?);
    }
    let end = Instant::now() + echo::SECONDS;
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let channel = channels[caller % echo::CONNECTIONS].clone();
        tasks.spawn(caller_loop(channel, Arc::clone(asking), caller, end));
    }
    let mut calls = 0;
    while let Some(done) = tasks.join_next().await {
        calls += done.doing(|| "run a caller".into())??;
    }
    Ok(f64::from(calls) / echo::SECONDS.as_secs_f64())
}

/// Asks one question after the other, each caller from another place on.
async fn caller_loop(channel: Channel, asking: Arc<Asking>, caller: usize, end: Instant) -> Result<u32> {
    let mut client = AvailabilityClient::new(channel);
    let bearer = &asking.bearers[caller % asking.bearers.len()];
    let mut questions = asking.questions.iter().cycle().skip(caller * asking.questions.len() / CALLERS);
    let mut calls = 0;
    while Instant::now() < end {
        let question = questions.next().ok_or_else(|| Failure::new("there is nothing to ask"))?;
        let mut request = Request::new(question.clone());
        request.metadata_mut().insert("authorization", bearer.clone());
        let answer = client.check_availability(request).await.doing(|| "ask".into())?.into_inner();
        if !answer.open {
            return Err(Failure::new(format!("{}: {}", answer.reason, answer.message)));
        }
        calls += 1;
    }
    Ok(calls)
}
