//! A canary person goes through every flow of the whole cluster: afterwards nothing of theirs is found in clear where it does not
//! belong, and after an erasure nothing at all can be read any more.

mod collector;
mod flows;
mod places;

use std::collections::BTreeMap;

use cluster::register::Teacher;
use cluster::{Cluster, Service, seed};
use proto::identity::v1 as identity;

use crate::checks;
use flows::Canary;
use places::Hit;

/// Where personal data stands in clear, below the cluster's folder, and why.
const ALLOWED: [(&str, &str); 5] = [
    ("sms/", "delivered messages"),
    ("mail/", "delivered messages"),
    ("wechat/", "what a gateway to WeChat would have been told"),
    ("real-names.csv", "the register that real names are checked against, in place of a provider"),
    ("legacy.csv", "an input register: accounts of the old system"),
];

/// In the register; a number and a phone that are not all zeros, so that nothing else looks like them.
const CANARY: u32 = 759;

#[tokio::test]
async fn a_canary_is_found_in_clear_only_where_it_belongs_and_nowhere_once_erased() {
    let collected = collector::start().await;
    let mut cluster = Cluster::servers_only().await.unwrap();
    for (name, value) in [
        ("DINGZHU_LOG", places::EVERYTHING),
        ("DINGZHU_OTLP_ENDPOINT", collected.endpoint.as_str()),
        // Papers that need not be kept: whoever is concluded may be forgotten at once.
        ("DINGZHU_ARCHIVE_YEARS", "0"),
    ] {
        cluster.set(name, value);
    }
    cluster.start_services().await.unwrap();
    let seeded = seed::fill(&cluster, CANARY + 1, &|_| {}).await.unwrap();
    let mut canary = Canary::arrive(&cluster, Teacher::new(CANARY)).await;
    let refused = canary.go_through_everything(&cluster, &seeded.place).await;
    assert!(refused.len() >= 6, "{refused:?}");
    let operator = checks::operator(&cluster).await;
    checks::everything_catches_up(&cluster, &operator).await;

    let secrets = canary.secrets();
    let mut found: Vec<Hit> = places::search("refusals", &refused.join("\n"), &secrets);
    for service in Service::ALL {
        found.extend(places::in_databases(&cluster, service, &secrets).await);
        found.extend(places::in_stream(&cluster, service, &secrets).await);
    }
    assert_eq!(found, [], "in refusals, databases and streams");
    let readable = places::unsealed(&cluster, &secrets).await;
    assert!(readable.len() >= 6, "with the keys it can be read: {readable:?}");

    let erasure = canary.erase().await;
    let receipt = canary.receipt(&erasure).await;
    let kinds = |service: &identity::ServiceReceipt| {
        service.erased.iter().map(|erased| (erased.kind.clone(), erased.count)).collect::<BTreeMap<_, _>>()
    };
    for service in &receipt.services {
        assert!(
            kinds(service).values().sum::<i64>() > 0,
            "{} says what became unreadable: {receipt:?}",
            service.service
        );
    }
    checks::everything_catches_up(&cluster, &operator).await;
    assert_eq!(
        places::unsealed(&cluster, &secrets).await,
        [] as [String; 0],
        "no key of any service opens anything of the canary"
    );
    for service in Service::ALL {
        checks::views_rebuild_alike(&cluster, &operator, service).await;
        assert_eq!(places::in_views(&cluster, service, &canary.person_id).await, [] as [String; 0], "{service}");
    }
    checks::every_log_verifies(&cluster, &operator).await;

    cluster.stop().await.unwrap();
    let traces = collected.bytes();
    assert!(traces.windows(15).any(|bytes| bytes == b"RegisterAccount"), "the traces were listened to");
    assert_eq!(places::search_bytes("traces", &traces, &secrets), []);
    let mut hits = BTreeMap::<&str, usize>::new();
    let mut leaks = Vec::new();
    for hit in places::in_files(cluster.layout(), &secrets) {
        match ALLOWED.iter().find(|(path, _)| hit.place.starts_with(path)) {
            Some((path, _)) => *hits.entry(path).or_default() += 1,
            None => leaks.push(hit),
        }
    }
    assert_eq!(leaks, [], "in files");
    // The search finds what is there.
    assert_eq!(hits.len(), ALLOWED.len(), "{hits:?}");
}
