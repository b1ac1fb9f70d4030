//! `WatchApplications`: state, changes and departures; whoever is cut off goes on, at any replica; who may no longer is sent away.

use std::time::Duration;

use applications::config::Settings;
use applications::domain::enrolment_number::EnrolmentNumber;
use applications::domain::registration::Event;
use applications::store::record::new_event;
use eventlog::{Append, Division};
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::watch_applications_response::News;
use proto::applications::v1::{self as wire};
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use service::testing::{Channel, person_token, root_key};
use tokio::time::timeout;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use crate::crowd::Crowd;
use crate::lists::{Standings, pass};
use crate::stage::{
    COUNTY, OTHER_POINT, POINT, PROVINCE, SCHOOL, Stage, Teacher, confirm, eventually, facts, form, reason,
    record_facts, refused, request_id,
};

const PATIENCE: Duration = Duration::from_secs(20);

type Answers = Streaming<wire::WatchApplicationsResponse>;

fn of(filter: wire::ApplicationFilter) -> wire::WatchApplicationsRequest {
    wire::WatchApplicationsRequest { filter: Some(filter), ..Default::default() }
}

fn everything() -> wire::WatchApplicationsRequest {
    of(wire::ApplicationFilter::default())
}

async fn watch(channel: &Channel, request: wire::WatchApplicationsRequest) -> Answers {
    ApplicationsClient::new(channel.clone()).watch_applications(request).await.unwrap().into_inner()
}

async fn answer(watch: &mut Answers) -> Result<wire::WatchApplicationsResponse, Status> {
    let answer = timeout(PATIENCE, watch.message()).await.expect("waited in vain for an answer");
    answer.map(|answer| answer.expect("a watch ends with a reason"))
}

async fn next(watch: &mut Answers) -> News {
    answer(watch).await.unwrap().news.expect("news come before a sign of life")
}

async fn changed(watch: &mut Answers) -> wire::ApplicationSummary {
    match next(watch).await {
        News::Changed(summary) => summary,
        other => panic!("{other:?}"),
    }
}

async fn gone(watch: &mut Answers) -> wire::ApplicationKey {
    match next(watch).await {
        News::Gone(key) => key,
        other => panic!("{other:?}"),
    }
}

/// The whole state of a watch, newest first.
async fn state(watch: &mut Answers) -> Vec<wire::ApplicationSummary> {
    let mut all = Vec::new();
    loop {
        match next(watch).await {
            News::State(page) => {
                all.extend(page.applications);
                if page.last {
                    return all;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Why a watch ended, after whatever came before.
async fn end(watch: &mut Answers) -> String {
    let ended = async {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a watch ends with a reason"),
                Err(status) => return rpc::Refusal::from_status(&status).reason,
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("waited in vain for the end")
}

/// So many more events of an application: each makes its version rise by one.
async fn stir(stage: &Stage, key: &wire::ApplicationKey, count: usize) {
    let log = &stage.running.service.ground.log;
    let stream = Uuid::parse_str(&key.certificate_id).unwrap();
    let number = EnrolmentNumber::parse(&key.enrolment_number).unwrap();
    let mut version = i64::try_from(log.load(stream).await.unwrap().len()).unwrap();
    let mut left = count;
    while left > 0 {
        let events: Vec<_> = (version + 1..)
            .take(left.min(500))
            .map(|version| {
                let (event, division) = (Event::ObjectionRecorded(number), Division::NONE);
                new_event(stream, version, event, lifecycle::ids::random(), division, None)
            })
            .collect();
        let expected_version = version;
        version += i64::try_from(events.len()).unwrap();
        left -= events.len();
        let append = Append {
            stream,
            expected_version,
            events,
            actor: "system".to_owned(),
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        log.append(append).await.unwrap();
    }
}

#[tokio::test]
async fn a_watch_tells_what_the_list_holds_and_then_each_change() {
    let stage = Stage::start().await;
    let standings = Standings::of(&stage).await;
    let clerk = stage.clerk(POINT).await;
    let mut all = watch(&clerk, wire::WatchApplicationsRequest { with_state: true, ..everything() }).await;
    let held = state(&mut all).await;
    assert_eq!(held.len(), 7);
    assert_eq!(held[0].key.as_ref(), Some(&standings.withdrawn));
    let waiting = wire::ApplicationFilter { turn: wire::Turn::School.into(), ..Default::default() };
    let mut waiting = watch(&clerk, wire::WatchApplicationsRequest { with_state: true, ..of(waiting) }).await;
    assert_eq!(state(&mut waiting).await.len(), 1);
    let mut changes = watch(&clerk, everything()).await;

    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    for one in [&mut all, &mut waiting, &mut changes] {
        let summary = changed(one).await;
        assert_eq!((summary.key.as_ref(), summary.turn(), summary.version), (Some(&key), wire::Turn::School, 1));
    }
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
    assert_eq!(gone(&mut waiting).await, key, "it is the point's turn now");
    confirmation.confirm_application(confirm(&key)).await.unwrap();
    stage.review(COUNTY).await.pass_review(pass(&key)).await.unwrap();
    for one in [&mut all, &mut changes] {
        let turns = [changed(one).await.turn(), changed(one).await.turn(), changed(one).await.turn()];
        assert_eq!(turns, [wire::Turn::Point, wire::Turn::County, wire::Turn::City]);
    }
    // What does not concern a filter is not told.
    let other = stage.teacher().await;
    let other = stage.filed(&other).await;
    assert_eq!(changed(&mut waiting).await.key, Some(other));
}

#[tokio::test]
async fn nobody_hears_of_others_applications_and_of_one_that_leaves_only_that_it_is_gone() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut here = watch(&stage.clerk(POINT).await, everything()).await;
    let mut there = watch(&stage.clerk(OTHER_POINT).await, everything()).await;
    let mut own = watch(&stage.running.person(teacher.person), everything()).await;
    let mut stranger = watch(&stage.reviewer(Uuid::from_u128(404)).await, everything()).await;
    let key = stage.filed(&teacher).await;
    let mut moved = form();
    moved.coded.as_mut().unwrap().point_id = OTHER_POINT.to_string();
    let pledge = stage.pledge(&teacher).await;
    let amend =
        wire::AmendApplicationRequest { request_id: request_id(), key: Some(key.clone()), form: Some(moved), pledge };
    stage.applications(&teacher).amend_application(amend).await.unwrap();
    assert_eq!(changed(&mut here).await.point_id, POINT.to_string());
    assert_eq!(gone(&mut here).await, key);
    assert_eq!(changed(&mut there).await.point_id, OTHER_POINT.to_string());
    assert_eq!([changed(&mut own).await.version, changed(&mut own).await.version], [1, 2]);
    let nothing = timeout(Duration::from_millis(300), stranger.message()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

/// Cuts the connection again and again, and goes on at either replica with the newest token that was acknowledged.
#[tokio::test]
async fn whoever_is_cut_off_goes_on_at_any_replica_and_misses_and_repeats_nothing() {
    let stage = Stage::start().await;
    let clerk = lifecycle::ids::random();
    let first = stage.running.staff(clerk, Role::Clerk, "320303", Some(POINT)).await;
    let again = stage.running.start_again(&stage.running.settings, Settings::default()).await.unwrap();
    let second = again.person(clerk);
    let keys = [stage.filed(&stage.teacher().await).await, stage.filed(&stage.teacher().await).await];
    eventually("the second replica", || async {
        let answer = ApplicationsClient::new(second.clone()).watch_applications(everything()).await;
        answer.ok().map(|_| ())
    })
    .await;
    let mut told: Vec<(String, i64)> = Vec::new();
    let mut token =
        answer(&mut watch(&first, wire::WatchApplicationsRequest { with_state: true, ..everything() }).await)
            .await
            .unwrap()
            .resume_token;
    for turn in 0..12 {
        // Some are recorded while nobody watches, some while somebody does.
        stir(&stage, &keys[turn % 2], 3 + turn * 40).await;
        let replica = if turn % 3 == 0 { &first } else { &second };
        let mut going_on =
            watch(replica, wire::WatchApplicationsRequest { resume_token: token.clone(), ..everything() }).await;
        stir(&stage, &keys[(turn + 1) % 2], 2).await;
        for message in 0..3 + turn * 15 {
            let answer = answer(&mut going_on).await.unwrap();
            let Some(News::Changed(summary)) = answer.news else { panic!("{answer:?}") };
            // The last one is read, and lost before it was acknowledged: it comes again.
            if message < 2 + turn * 15 {
                told.push((summary.key.unwrap().enrolment_number, summary.version));
                token = answer.resume_token;
            }
        }
    }
    let expected: Vec<(String, i64)> = stage
        .running
        .service
        .ground
        .log
        .read(0, 10_000)
        .await
        .unwrap()
        .into_iter()
        .filter(|event| event.kind.ends_with("ObjectionRecorded"))
        .map(|event| {
            let key = keys.iter().find(|key| key.certificate_id == event.stream.to_string()).unwrap();
            (key.enrolment_number.clone(), event.version)
        })
        .collect();
    assert!(told.len() > 900 && expected.len() > told.len(), "{} of {}", told.len(), expected.len());
    assert_eq!(told, expected[..told.len()]);
}

#[tokio::test]
async fn a_state_that_was_cut_off_is_told_to_its_end() {
    let stage = Stage::start().await;
    let crowd = Crowd::settle(&stage, 700).await;
    let province = stage.reviewer(PROVINCE).await;
    let begin = wire::WatchApplicationsRequest { with_state: true, ..everything() };
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let request = wire::WatchApplicationsRequest { resume_token: token, ..begin.clone() };
        let answer = answer(&mut watch(&province, request).await).await.unwrap();
        let Some(News::State(page)) = answer.news else { panic!("{answer:?}") };
        token = answer.resume_token;
        pages.push(page.applications.len());
        if page.last {
            break;
        }
        // Newer than all that was to be told: a change.
        stage.filed(&stage.teacher().await).await;
    }
    assert_eq!((pages.iter().sum::<usize>(), pages.len()), (crowd.of_the_province().len(), 3));
    let mut changes = watch(&province, wire::WatchApplicationsRequest { resume_token: token, ..begin }).await;
    assert_eq!([changed(&mut changes).await.version, changed(&mut changes).await.version], [1, 1]);
}

#[tokio::test]
async fn a_token_counts_for_its_caller_its_filter_and_its_history_only() {
    let stage = Stage::start().await;
    let key = stage.filed(&stage.teacher().await).await;
    let clerk = stage.clerk(POINT).await;
    let token = answer(&mut watch(&clerk, wire::WatchApplicationsRequest { with_state: true, ..everything() }).await)
        .await
        .unwrap()
        .resume_token;
    let resume = |filter: wire::ApplicationFilter, token: &str| wire::WatchApplicationsRequest {
        resume_token: token.to_owned(),
        ..of(filter)
    };
    let narrower = wire::ApplicationFilter { mending: Some(false), ..Default::default() };
    let refuse = async |channel: Channel, request: wire::WatchApplicationsRequest| {
        refused(ApplicationsClient::new(channel).watch_applications(request).await)
    };
    for (channel, request) in [
        (clerk.clone(), resume(narrower, &token)),
        (stage.clerk(POINT).await, resume(wire::ApplicationFilter::default(), &token)),
        (clerk.clone(), resume(wire::ApplicationFilter::default(), "rubbish")),
        (clerk.clone(), resume(wire::ApplicationFilter::default(), &rpc::page_token(b"1234567"))),
    ] {
        let refusal = refuse(channel, request).await;
        assert_eq!(refusal.violation("resume_token").unwrap().reason, "NOT_A_RESUME_TOKEN");
    }

    // A token of a history that has gone on otherwise, and of one that was longer.
    let mut parts = rpc::parse_page_token("", &token, &mut rpc::Violations::new()).unwrap();
    parts[8] ^= 1;
    let of_another_history = rpc::page_token(&parts);
    parts[8] ^= 1;
    parts[..8].copy_from_slice(&i64::MAX.to_be_bytes());
    let of_a_longer_one = rpc::page_token(&parts);
    for token in [of_another_history, of_a_longer_one] {
        let refusal = refuse(clerk.clone(), resume(wire::ApplicationFilter::default(), &token)).await;
        assert_eq!(refusal.reason, "RESUME_LOST");
    }
    let mut good = watch(&clerk, resume(wire::ApplicationFilter::default(), &token)).await;
    stir(&stage, &key, 1).await;
    assert_eq!(changed(&mut good).await.version, 2);
}

#[tokio::test]
async fn a_role_that_is_taken_back_ends_the_watch_and_its_tokens() {
    let stage = Stage::start().await;
    let clerk = lifecycle::ids::random();
    let channel = stage.running.staff(clerk, Role::Clerk, "320303", Some(POINT)).await;
    stage.running.staff(clerk, Role::Liaison, "320303", Some(SCHOOL)).await;
    let (mut one, mut other) =
        (watch(&channel, everything()).await, watch(&stage.clerk(POINT).await, everything()).await);
    let key = stage.filed(&stage.teacher().await).await;
    let token = answer(&mut one).await.unwrap().resume_token;
    let known = stage.running.service.ground.authority.now().unwrap();
    let grant = known.grants[&clerk].iter().find(|grant| grant.role == Role::Liaison).unwrap();
    let mut revoked = identity::StaffRoleRevoked {
        grant_id: grant.id.to_string(),
        person_id: clerk.to_string(),
        ..Default::default()
    };
    revoked.root_signature = root_key().sign_revocation(&revoked).into();
    stage.running.neighbour("identity").publish(clerk, "00", &revoked).await;
    let ended = timeout(Duration::from_secs(10), end(&mut one)).await.expect("within ten seconds");
    assert_eq!(ended, "RIGHTS_CHANGED");
    let resume = wire::WatchApplicationsRequest { resume_token: token, ..everything() };
    assert_eq!(reason(ApplicationsClient::new(channel).watch_applications(resume).await), "INVALID_FIELDS");
    // Nobody else is disturbed.
    changed(&mut other).await;
    stir(&stage, &key, 1).await;
    assert_eq!(changed(&mut other).await.version, 2);
}

#[tokio::test]
async fn a_watch_has_an_end_and_goes_on_after_it() {
    let stage = Stage::with_settings(Settings { watch_seconds: 1, ..Settings::default() }).await;
    let key = stage.filed(&stage.teacher().await).await;
    let clerk = stage.clerk(POINT).await;
    let mut first = watch(&clerk, wire::WatchApplicationsRequest { with_state: true, ..everything() }).await;
    let token = answer(&mut first).await.unwrap().resume_token;
    assert_eq!(end(&mut first).await, "WATCH_OVER");
    stir(&stage, &key, 1).await;
    let resume = wire::WatchApplicationsRequest { resume_token: token, ..everything() };
    assert_eq!(changed(&mut watch(&clerk, resume).await).await.version, 2);
}

#[tokio::test]
async fn a_service_that_stops_ends_its_watches() {
    let stage = Stage::start().await;
    let mut waiting = watch(&stage.clerk(POINT).await, everything()).await;
    stage.running.stop().await;
    assert_eq!(end(&mut waiting).await, "SHUTTING_DOWN");
}

#[tokio::test]
async fn one_person_watches_four_times_at_once_and_whoever_leaves_makes_room() {
    let stage = Stage::start().await;
    let clerk = stage.clerk(POINT).await;
    let mut watches = Vec::new();
    for _ in 0..4 {
        watches.push(watch(&clerk, everything()).await);
    }
    let refusal = refused(ApplicationsClient::new(clerk.clone()).watch_applications(everything()).await);
    assert_eq!(refusal.reason, "TOO_MANY_WATCHERS");
    watch(&stage.clerk(POINT).await, everything()).await;
    watches.pop();
    eventually("a free place", || async {
        ApplicationsClient::new(clerk.clone()).watch_applications(everything()).await.ok().map(|_| ())
    })
    .await;
}

/// Reads with the smallest window that HTTP/2 has, and not at all for a while.
#[tokio::test]
async fn whoever_reads_too_slowly_is_told_so_and_goes_on() {
    let stage = Stage::start().await;
    let teacher: Teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let clerk = lifecycle::ids::random();
    stage.running.staff(clerk, Role::Clerk, "320303", Some(POINT)).await;
    let address = stage.running.service.address;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let slow = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535).connect_lazy();
    let bearer = format!("Bearer {}", person_token(clerk, identity::Entry::Registration, true));
    let ask = async |resume_token: String| {
        let mut request =
            Request::new(wire::WatchApplicationsRequest { with_state: true, resume_token, ..everything() });
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        ApplicationsClient::new(slow.clone()).watch_applications(request).await.unwrap().into_inner()
    };
    let mut slowly = ask(String::new()).await;
    let mut token = answer(&mut slowly).await.unwrap().resume_token;
    stir(&stage, &key, 1).await;
    token.clone_from(&answer(&mut slowly).await.unwrap().resume_token);
    let mut versions = vec![2];
    stir(&stage, &key, 6_000).await;
    // Another one who watches has heard of all: then the slow one was told as much as fits.
    let mut prompt = watch(&stage.clerk(POINT).await, everything()).await;
    stir(&stage, &key, 1).await;
    assert_eq!(changed(&mut prompt).await.version, 6_003);
    let ended = loop {
        match answer(&mut slowly).await {
            Ok(answer) => {
                let Some(News::Changed(summary)) = answer.news else { panic!("{:?}", answer.news) };
                versions.push(summary.version);
                token = answer.resume_token;
            }
            Err(status) => break rpc::Refusal::from_status(&status).reason,
        }
    };
    assert_eq!(ended, "WATCH_TOO_SLOW");
    assert!(versions.len() < 6_000);
    let mut going_on = ask(token).await;
    while versions.len() < 6_002 {
        versions.push(changed(&mut going_on).await.version);
    }
    assert_eq!(versions, (2..=6_003).collect::<Vec<_>>());
}
