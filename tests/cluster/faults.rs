//! Everything is killed once under a stream of submissions: nothing acknowledged is lost, nothing is doubled, all catches up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster::{Cluster, Service, call, seed};
use futures::{StreamExt as _, stream};
use proto::applications::v1::Status;

use crate::checks;
use crate::stream::{self as submissions, Ready, Told};

/// Submissions around each fault.
const EACH: usize = 6;
/// One after the other, so that the fault falls among them.
const EVERY: Duration = Duration::from_millis(60);

/// What is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Service(Service),
    Nats,
    NatsAndItsStore,
    Postgres,
}

const VICTIMS: [Victim; 8] = [
    Victim::Service(Service::Identity),
    Victim::Service(Service::Certificates),
    Victim::Service(Service::Scheduling),
    Victim::Service(Service::Notifications),
    Victim::Service(Service::Applications),
    Victim::Nats,
    Victim::NatsAndItsStore,
    Victim::Postgres,
];

async fn kill_and_bring_back(cluster: &mut Cluster, victim: Victim) {
    match victim {
        Victim::Service(service) => {
            cluster.replica(service, 0).kill();
            cluster.restart(service, 0).await.unwrap();
        }
        Victim::Nats => {
            cluster.nats().kill();
            cluster.nats().restart().await.unwrap();
        }
        Victim::NatsAndItsStore => {
            cluster.nats().wipe().unwrap();
            cluster.nats().restart().await.unwrap();
        }
        Victim::Postgres => {
            cluster.postgres().stop_immediately().await.unwrap();
            cluster.postgres().restart().await.unwrap();
        }
    }
}

/// Submits one after the other while the victim is killed and comes back.
async fn submit_through(cluster: &mut Cluster, victim: Victim, ready: &[Ready]) -> Vec<Told> {
    let submitting = stream::iter(ready)
        .enumerate()
        .map(|(place, one)| async move {
            tokio::time::sleep(EVERY * u32::try_from(place).unwrap()).await;
            one.submit().await
        })
        .buffered(EACH)
        .collect::<Vec<_>>();
    let killing = async {
        tokio::time::sleep(EVERY).await;
        kill_and_bring_back(cluster, victim).await;
    };
    tokio::join!(submitting, killing).0
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_whatever_is_killed() {
    let mut cluster = Cluster::start().await.unwrap();
    let people = VICTIMS.len() * EACH;
    let people_count = u32::try_from(people).unwrap();
    let seeded = seed::fill(&cluster, people_count, &|_| {}).await.unwrap();
    let ready = submissions::ready(&cluster, &seeded.place, 0..people_count).await;

    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    for (victim, group) in VICTIMS.into_iter().zip(0..) {
        let range = group * EACH..(group + 1) * EACH;
        let answers = submit_through(&mut cluster, victim, &ready[range.clone()]).await;
        assert_eq!(answers.len(), EACH, "{victim:?}");
        told.extend(range.zip(answers));
    }

    let numbers: BTreeSet<&str> = told.values().map(|told| told.enrolment_number.as_str()).collect();
    assert_eq!(numbers.len(), people, "a 报名号 was given twice");
    for (place, told) in &told {
        ready[*place].submit_again(told).await;
        assert_eq!(ready[*place].seen(told).await.status(), Status::PendingOnlineConfirmation);
    }

    let operator = checks::operator(&cluster).await;
    checks::everything_catches_up(&cluster, &operator).await;
    checks::every_log_verifies(&cluster, &operator).await;
    for service in Service::ALL {
        checks::the_stream_equals_the_log(&cluster, service).await;
    }
    checks::views_rebuild_alike(&cluster, &operator, Service::Applications).await;

    let county = call::sign_in(cluster.layout(), "county").await.unwrap();
    let listed: BTreeSet<String> = submissions::listed(&county).await.into_keys().collect();
    assert_eq!(listed, numbers.into_iter().map(str::to_owned).collect(), "list and acknowledgements differ");
}
