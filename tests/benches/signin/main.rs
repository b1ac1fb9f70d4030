//! Sign-ins per second with number, password and solved puzzle, beside the rate at which this machine computes argon2id and nothing else;
//! what known and unknown numbers wait; and what a crowd of twenty times as many as can be served gets.
//!
//! The sign-ins are real: puzzles made by the service, tries counted in PostgreSQL, sessions recorded, tokens signed. Only the places of the
//! gaps are read from the database, since a program cannot see them. Everybody comes from an address of their own, and no number comes so
//! often that a limit is met.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

mod crowd;
mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service};
use cluster_tests::median;
use proto::identity::v1::puzzle_sign_in_client::PuzzleSignInClient;
use tokio::time::Instant;
use tonic::transport::Channel;

use crowd::{Attempt, Crowd};

/// Accounts; each signs in a few times only.
const ACCOUNTS: u32 = 150;
/// Callers at once when the rate is measured: enough that no core ever waits.
const CALLERS: usize = 16;
/// Sign-ins of one measurement; each account signs in a dozen times in all.
const SIGN_INS: usize = 200;
/// How often the rate is measured, each time between two references, since the machine's own speed changes within seconds; the median counts.
const RUNS: usize = 9;
/// Attempts of each kind whose latency is measured, one after the other.
const ALONE: u32 = 60;
/// How many times more than can be served.
const OVERLOAD: f64 = 20.0;
/// How long the crowd comes.
const RUSH: Duration = Duration::from_secs(5);

/// What became of an attempt.
enum Outcome {
    SignedIn(Duration),
    WrongCredentials(Duration),
    Refused(Duration),
}

fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    cluster_tests::ended(runtime.block_on(measure()))
}

async fn measure() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    for service in [Service::Certificates, Service::Scheduling, Service::Applications] {
        cluster.replica(service, 0).kill();
    }
    println!("opening {ACCOUNTS} accounts");
    let crowd = Crowd::arrive(&cluster, ACCOUNTS).await?;

    let (mut rates, mut references, mut ratios) = (Vec::new(), vec![raw::per_second()], Vec::new());
    for run in 0..RUNS {
        let rate = sign_ins_per_second(&crowd, run * SIGN_INS).await?;
        references.push(raw::per_second());
        let reference = f64::midpoint(references[run], references[run + 1]);
        println!("sign-in, {CALLERS} callers: {rate:.1}/s; argon2id alone, before and after: {reference:.1}/s");
        rates.push(rate);
        ratios.push(rate / reference);
    }
    let (known, unknown) = latencies(&crowd).await?;
    println!("wrong password, 1 caller: known numbers p50 {known:.1?}, unknown numbers p50 {unknown:.1?}");
    let (rate, reference) = (median(rates), median(references));
    rush(&crowd, rate).await?;
    println!("medians: sign-in {rate:.1}/s, argon2id {reference:.1}/s");
    println!("ratio unknown/known {:.3}", unknown.as_secs_f64() / known.as_secs_f64());
    println!("ratio signin/argon2id {:.3}", median(ratios));
    cluster.stop().await
}

/// How many sign in while there are always some who wait, from an account on: neither the first ones count, who find idle cores, nor
/// the last ones, behind whom nobody comes.
async fn sign_ins_per_second(crowd: &Crowd, first: usize) -> Result<f64> {
    let people = (first..first + SIGN_INS).map(|place| crowd.known(place));
    let attempts = Arc::new(crowd.solve(people.collect()).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (channel, attempts, next) = (crowd.channel(caller), Arc::clone(&attempts), Arc::clone(&next));
        tasks.spawn(async move {
            let mut done = Vec::new();
            while let Some(attempt) = attempts.get(next.fetch_add(1, Ordering::Relaxed)) {
                match attempt_sign_in(channel.clone(), attempt).await? {
                    Outcome::SignedIn(_) => done.push(Instant::now()),
                    Outcome::WrongCredentials(_) => return Err(Failure::new("a right password was refused")),
                    Outcome::Refused(_) => return Err(Failure::new("a sign-in was refused without a rush")),
                }
            }
            Ok(done)
        });
    }
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        done.extend(ended.doing(|| "run a caller".into())??);
    }
    done.sort_unstable();
    let counted = &done[CALLERS - 1..SIGN_INS - CALLERS];
    Ok(per_second(counted.len() - 1, counted[counted.len() - 1].duration_since(counted[0])))
}

/// Medians of wrong passwords for known numbers and of any for unknown ones, in turns.
async fn latencies(crowd: &Crowd) -> Result<(Duration, Duration)> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..ALONE {
        let pair = crowd.solve(vec![crowd.mistaken(n), Crowd::stranger(n)]).await?;
        for (attempt, waited) in pair.iter().zip([&mut known, &mut unknown]) {
            match attempt_sign_in(crowd.channel(0), attempt).await? {
                Outcome::WrongCredentials(latency) => waited.push(latency),
                Outcome::SignedIn(_) | Outcome::Refused(_) => {
                    return Err(Failure::new("a wrong password was not refused as such"));
                }
            }
        }
    }
    known.sort_unstable();
    unknown.sort_unstable();
    Ok((known[known.len() / 2], unknown[unknown.len() / 2]))
}

/// Lets a crowd come at twenty times the rate that can be served, whoever waits.
async fn rush(crowd: &Crowd, rate: f64) -> Result<()> {
    let pause = Duration::from_secs_f64(1.0 / (OVERLOAD * rate));
    let count = u32::try_from(RUSH.as_nanos() / pause.as_nanos()).expect("some thousands");
    println!("a crowd of {count} comes within {} s", RUSH.as_secs());
    // Beyond those of the latencies: strangers cost what known people cost.
    let attempts = crowd.solve((0..count).map(|n| Crowd::stranger(ALONE + n)).collect()).await?;
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (place, attempt) in (0_u32..).zip(attempts) {
        tokio::time::sleep_until(start + pause * place).await;
        let channel = crowd.channel(place as usize);
        tasks.spawn(async move { attempt_sign_in(channel, &attempt).await });
    }
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        match done.doing(|| "run a caller".into())?? {
            Outcome::SignedIn(latency) | Outcome::WrongCredentials(latency) => served.push(latency),
            Outcome::Refused(latency) => refused.push(latency),
        }
    }
    let lasted = start.elapsed();
    served.sort_unstable();
    refused.sort_unstable();
    let share = 100.0 * f64::from(u32::try_from(refused.len()).expect("some thousands")) / f64::from(count);
    let middle = |sorted: &[Duration]| sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let slowest = |sorted: &[Duration]| sorted.last().copied().unwrap_or_default();
    println!(
        "overload: {share:.1} % refused early (p50 {:.1?}, slowest {:.1?}); {:.1}/s served (p50 {:.1?}, slowest {:.1?})",
        middle(&refused),
        slowest(&refused),
        per_second(served.len(), lasted),
        middle(&served),
        slowest(&served),
    );
    Ok(())
}

async fn attempt_sign_in(channel: Channel, attempt: &Attempt) -> Result<Outcome> {
    let start = Instant::now();
    let answer = PuzzleSignInClient::new(channel).sign_in(attempt.request()).await;
    let latency = start.elapsed();
    match answer {
        Ok(_) => Ok(Outcome::SignedIn(latency)),
        Err(status) => match rpc::Refusal::from_status(&status).reason.as_str() {
            "WRONG_CREDENTIALS" => Ok(Outcome::WrongCredentials(latency)),
            "BUSY" | "OVERLOADED" => Ok(Outcome::Refused(latency)),
            _ => Err(status).doing(|| "sign in".into()),
        },
    }
}

fn per_second(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("some thousands")) / time.as_secs_f64()
}
