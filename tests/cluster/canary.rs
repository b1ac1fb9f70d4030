//! Canary persons with documents of all types go through every flow of the whole cluster: afterwards nothing of theirs is found in clear where
//! it does not belong, and after their erasure nothing at all can be read any more.

mod account;
mod api;
mod calls;
mod collector;
mod desk;
mod filing;
mod papers;
mod person;
mod places;
mod sealed;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use cluster::journey::Place;
use cluster::{Cluster, Service, call, seed};
use proto::identity::v1 as identity;
use uuid::Uuid;

use crate::checks;
use crate::matrix::callers;
use api::Api;
use calls::Logs;
use filing::Office;
use papers::Register;
use person::{Canary, Papers};
use places::{Hit, Secrets};
use source::Source;

/// Where personal data stands in clear, below the cluster's folder, and why.
const ALLOWED: [(&str, &str); 5] = [
    ("sms/", "delivered messages"),
    ("mail/", "delivered messages"),
    ("wechat/", "what a gateway to WeChat would have been told"),
    ("real-names.csv", "the register that real names are checked against, in place of a provider"),
    ("legacy.csv", "an input register: accounts of the old system"),
];

/// Columns in which something is sealed under keys of people, or of certificates with an owner.
const SEALED: [&str; 10] = [
    "applications public.draft.sealed",
    "applications public.event_log.sealed",
    "certificates public.event_log.sealed",
    "certificates views.conflict.sealed",
    "certificates views.correction.answer",
    "certificates views.correction.sealed",
    "certificates views.register.sealed",
    "identity public.access_record.purpose",
    "identity public.event_log.sealed",
    "identity public.totp.secret",
];
/// Every log has room for what is sealed: these services keep nothing of a person.
const EMPTY: [&str; 2] = ["notifications public.event_log.sealed", "scheduling public.event_log.sealed"];

/// What the canary with the permit of Taiwan is called from some day on.
const NEW_NAME: &str = "夜莺歌丁";

/// A cluster whose registers know of the canaries.
async fn open(collected: &collector::Collected, source: &Source) -> Cluster {
    let mut cluster = Cluster::servers_only().await.unwrap();
    let token = cluster.layout().folder.join("register-token");
    std::fs::write(&token, "token-of-the-source\n").unwrap();
    for (name, value) in [
        ("DINGZHU_LOG", places::EVERYTHING),
        ("DINGZHU_OTLP_ENDPOINT", collected.endpoint.as_str()),
        // Papers that need not be kept: whoever is concluded may be forgotten at once.
        ("DINGZHU_ARCHIVE_YEARS", "0"),
        ("DINGZHU_REGISTER_URL", source.url.as_str()),
        ("DINGZHU_REGISTER_TOKEN_FILE", token.to_str().unwrap()),
        ("DINGZHU_REGISTER_DIVISION", "320000"),
    ] {
        cluster.set(name, value);
    }
    cluster.start_services().await.unwrap();
    cluster
}

/// The canaries with their accounts: residents, of Macau, of Hong Kong, of Taiwan.
async fn arrive(cluster: &Cluster, api: &Api) -> [Canary; 4] {
    let papers = [Papers::resident(), Papers::residence_permit(), Papers::hong_kong_permit(), Papers::taiwan_permit()];
    let mut names = std::fs::OpenOptions::new().append(true).open(cluster.layout().real_names()).unwrap();
    for one in &papers {
        writeln!(names, "{},{}", one.number, one.name).unwrap();
    }
    let mut nth = 70;
    let mut canaries = papers.map(|papers| {
        nth += 1;
        Canary::new(api, papers, nth)
    });
    desk::import_from_the_old_system(cluster, &mut canaries[1]).await;
    for canary in &mut canaries {
        Box::pin(canary.arrive()).await;
    }
    let mut names = std::fs::OpenOptions::new().append(true).open(cluster.layout().real_names()).unwrap();
    writeln!(names, "{},{NEW_NAME}", canaries[3].papers.number).unwrap();
    canaries
}

/// Everything but the end.
async fn go_through_everything(cluster: &Cluster, api: &Api, place: &Place, source: &Source, all: &mut [Canary; 4]) {
    let chief = callers::chief(cluster).await;
    let officer = call::sign_in(cluster.layout(), "register").await.unwrap();
    let operator = checks::operator(cluster).await;
    let school = desk::another_school(api, &chief, place).await;

    let [resident, _, hong_kong, taiwan] = all.each_mut();
    desk::list_as_staff(api, &chief, hong_kong, &school).await;
    desk::pass_second_factors(api, &chief, hong_kong).await;
    desk::grant_review(api, &chief, hong_kong).await;

    resident.sign_in_wrongly().await;
    resident.have_the_name_checked().await;
    resident.recover_by_code().await;
    resident.bind_wechats(cluster).await;
    resident.change_credentials().await;
    let revealed = desk::help(api, hong_kong.actor(), resident).await;
    taiwan.change_name(NEW_NAME).await;
    taiwan.recover_by_link().await;
    taiwan.sign_in_by_puzzle(cluster).await;
    taiwan.end_sessions().await;

    let register = Register { api, officer: &officer };
    let certificates = register.bring(all).await;
    let [resident, macau, hong_kong, taiwan] = all.each_mut();
    register.contradict(resident, macau).await;
    register.correct(resident, &certificates[0]).await;
    register.restrict_and_lift(macau, &certificates[1]).await;
    register.enter_by_hand(taiwan).await;
    source.hold(taiwan);
    register.read_the_source(taiwan, 4).await;

    let office = Office::open(api, cluster.layout(), place).await;
    let looked = Box::pin(office.go_every_way(resident, &certificates[0], hong_kong.actor())).await;
    Box::pin(office.go_in_bulk(macau, &certificates[1])).await;
    office.file_and_withdraw(taiwan, &certificates[3]).await;
    office.leave_a_draft(taiwan, &certificates[3]).await;
    office.read_notices(resident, 6, &operator).await;
    resident.read_everything(&[revealed, looked]).await;
    desk::end_roles(api, &chief, hong_kong, &school).await;
}

/// All of them are forgotten, once every service has confirmed it.
async fn erase(canaries: &mut [Canary; 4]) {
    for canary in canaries {
        let erasure = canary.erase().await;
        let receipt = canary.receipt(&erasure).await;
        let erased = |service: &identity::ServiceReceipt| service.erased.iter().map(|erased| erased.count).sum::<i64>();
        // The others have not done everything.
        if canary.papers.document_type == 1 {
            for service in &receipt.services {
                assert!(erased(service) > 0, "{} says what became unreadable: {receipt:?}", service.service);
            }
        }
    }
}

#[tokio::test]
async fn canaries_are_found_in_clear_only_where_they_belong_and_nowhere_once_erased() {
    let (collected, source) = (collector::start().await, Source::start().await);
    let mut cluster = open(&collected, &source).await;
    let place = seed::fill(&cluster, 1, &|_| {}).await.unwrap().place;
    let (api, logs) = (Api::of(&cluster), Logs::now(&cluster));
    let mut canaries = Box::pin(arrive(&cluster, &api)).await;
    Box::pin(go_through_everything(&cluster, &api, &place, &source, &mut canaries)).await;
    let operator = checks::operator(&cluster).await;
    checks::everything_catches_up(&cluster, &operator).await;

    let secrets = Secrets::new(canaries.iter().flat_map(|canary| canary.secrets.clone()));
    let people: Vec<Uuid> = canaries.iter().map(|canary| canary.person_id.parse().unwrap()).collect();
    let mut found = Vec::new();
    for service in Service::ALL {
        found.extend(places::in_databases(&cluster, service, &secrets).await);
        found.extend(places::in_stream(&cluster, service, &secrets).await);
    }
    assert_eq!(found, [], "in databases and streams");
    let opened = sealed::opened(&cluster, &secrets, &people).await;
    assert_eq!(
        opened.unknown,
        EMPTY.map(str::to_owned).into(),
        "columns that are neither sealed nor known to be plain"
    );
    assert_eq!(opened.columns, SEALED.map(str::to_owned).into(), "columns that the keys open");
    assert!(opened.telling.len() >= 20, "with the keys it can be read: {:?}", opened.telling);

    erase(&mut canaries).await;
    let refused: Vec<String> = canaries.iter_mut().flat_map(|canary| std::mem::take(&mut canary.refused)).collect();
    assert!(refused.len() >= 40, "{}", refused.len());
    assert_eq!(secrets.search("refusals", refused.join("\n").as_bytes()), []);
    checks::everything_catches_up(&cluster, &operator).await;
    let opened = sealed::opened(&cluster, &secrets, &people).await;
    assert_eq!(opened.telling, BTreeSet::new(), "no key of any service opens anything of the canaries");
    for service in Service::ALL {
        checks::views_rebuild_alike(&cluster, &operator, service).await;
        for canary in &canaries {
            assert_eq!(places::in_views(&cluster, service, &canary.person_id).await, [] as [String; 0], "{service}");
        }
    }
    checks::every_log_verifies(&cluster, &operator).await;
    assert_eq!(logs.lacking(&cluster), [] as [String; 0], "RPCs that no canary went through");

    cluster.stop().await.unwrap();
    let traces = collected.bytes();
    assert!(traces.windows(15).any(|bytes| bytes == b"RegisterAccount"), "the traces were listened to");
    assert_eq!(secrets.search("traces", &traces), []);
    let mut hits = BTreeMap::<&str, usize>::new();
    let mut leaks: Vec<Hit> = Vec::new();
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
