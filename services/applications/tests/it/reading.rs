//! Who sees what: own and scope, masked and clear, now and then, lists and histories.

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::as_of::Moment;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::{self as wire, Status as State};
use proto::identity::v1::{DocumentType, Role};
use proto::types::v1::{CertificateKind, Conclusion};
use uuid::Uuid;

use crate::neighbours::{CERTIFICATE_NUMBER, NUMBER};
use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, Stage, confirm, eventually, facts, reason, record_facts, refused,
    request_id,
};

fn get(key: &wire::ApplicationKey) -> wire::GetApplicationRequest {
    wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() }
}

#[tokio::test]
async fn the_applicant_sees_everything_staff_see_it_masked_and_strangers_nothing() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    let own = stage.applications(&teacher).get_application(get(&key)).await.unwrap().into_inner().application.unwrap();
    // Rows 1 to 6 of DOMAIN 4.1.
    let from_account_and_certificate = wire::Applicant {
        certificate_kind: CertificateKind::Junior.into(),
        certificate_subject: "物理".to_owned(),
        certificate_number: CERTIFICATE_NUMBER.to_owned(),
        issue_date: "2015-07-01".to_owned(),
        issuing_agency: "示范教育局".to_owned(),
        person_id: teacher.person.to_string(),
        name: "测试教师".to_owned(),
        sex: "1".to_owned(),
        birth_date: "1990-01-01".to_owned(),
        ethnicity: "01".to_owned(),
        document_type: DocumentType::ResidentId.into(),
        number: NUMBER.to_owned(),
    };
    assert_eq!(own.applicant.as_ref(), Some(&from_account_and_certificate));
    assert_eq!(own.form.unwrap().personal.unwrap().address, "徐州市云龙区示范路1号");
    assert_eq!(own.facts.unwrap().note, "表现良好");

    for channel in [stage.liaison().await, stage.clerk(POINT).await, stage.reviewer(CITY).await] {
        let mut staff = ApplicationsClient::new(channel);
        let seen = staff.get_application(get(&key)).await.unwrap().into_inner().application.unwrap();
        let applicant = seen.applicant.unwrap();
        assert_eq!((applicant.number.as_str(), applicant.name.as_str()), ("320*************18", "测试教*"));
        assert_ne!(applicant.certificate_number, CERTIFICATE_NUMBER);
        let of_the_certificate = |seen: &wire::Applicant| {
            (
                seen.certificate_kind,
                seen.certificate_subject.clone(),
                seen.issue_date.clone(),
                seen.issuing_agency.clone(),
            )
        };
        assert_eq!(of_the_certificate(&applicant), of_the_certificate(&from_account_and_certificate));
        assert_eq!(seen.form.unwrap().personal.unwrap().address, "***");
        let reveal = wire::GetApplicationRequest { reveal_purpose: "核对申请表".to_owned(), ..get(&key) };
        let clear = staff.get_application(reveal).await.unwrap().into_inner().application.unwrap();
        assert_eq!(clear.applicant.as_ref(), Some(&from_account_and_certificate));
    }
    let recorded = stage.reveals.recorded.lock().unwrap().clone();
    assert_eq!(recorded.len(), 3, "each look in clear is recorded with identity, a masked one is not");
    let (purpose, person) = ("核对申请表".to_owned(), teacher.person.to_string());
    assert!(recorded.iter().all(|one| one.purpose == purpose && one.person_id == person));
    stage.reveals.away.store(true, std::sync::atomic::Ordering::Relaxed);
    let reveal = wire::GetApplicationRequest { reveal_purpose: purpose, ..get(&key) };
    let mut clerk = ApplicationsClient::new(stage.clerk(POINT).await);
    assert_eq!(reason(clerk.get_application(reveal).await), "DEPENDENCY_UNAVAILABLE", "no record, no look");
    clerk.get_application(get(&key)).await.unwrap();
    let long = wire::GetApplicationRequest { reveal_purpose: "长".repeat(101), ..get(&key) };
    assert_eq!(reason(clerk.get_application(long).await), "INVALID_FIELDS");
    let not_plain = wire::GetApplicationRequest { reveal_purpose: "核对\u{0}申请表".to_owned(), ..get(&key) };
    let refusal = refused(clerk.get_application(not_plain).await);
    assert_eq!(refusal.violation("reveal_purpose").unwrap().reason, "NOT_PLAIN_TEXT");
    let other = stage.teacher().await;
    assert_eq!(reason(stage.applications(&other).get_application(get(&key)).await), "NOT_FOUND");
    for channel in [stage.clerk(OTHER_POINT).await, stage.reviewer(Uuid::from_u128(404)).await] {
        let mut stranger = ApplicationsClient::new(channel);
        assert_eq!(reason(stranger.get_application(get(&key)).await), "NOT_FOUND");
        let history = wire::GetHistoryRequest { key: Some(key.clone()), as_of: None };
        assert_eq!(reason(stranger.get_history(history).await), "NOT_FOUND");
    }
    assert_eq!(
        reason(ApplicationsClient::new(stage.running.anyone()).get_application(get(&key)).await),
        "SIGN_IN_REQUIRED"
    );
}

#[tokio::test]
async fn a_look_in_clear_is_recorded_with_the_grant_that_let_the_viewer_in() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    // A liaison of another school, who is a clerk of this point.
    let viewer = lifecycle::ids::random();
    stage.running.staff(viewer, Role::Liaison, "320303", Some(Uuid::from_u128(404))).await;
    let channel = stage.running.staff(viewer, Role::Clerk, "320303", Some(POINT)).await;
    let reveal = wire::GetApplicationRequest { reveal_purpose: "核对申请表".to_owned(), ..get(&key) };
    ApplicationsClient::new(channel).get_application(reveal).await.unwrap();
    let known = stage.running.service.ground.authority.now().unwrap();
    let clerk = known.grants[&viewer].iter().find(|grant| grant.role == Role::Clerk).unwrap();
    let recorded: Vec<String> = stage.reveals.recorded.lock().unwrap().iter().map(|one| one.grant_id.clone()).collect();
    assert_eq!(recorded, [clerk.id.to_string()]);
}

fn at(moment: Moment) -> wire::AsOf {
    wire::AsOf { moment: Some(moment) }
}

#[tokio::test]
async fn an_application_is_shown_as_it_was_at_a_version_a_time_or_a_position() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    stage.prior(&teacher, 1, Conclusion::Deferred, "2015-07-01").await;
    let key = stage.confirmed(&teacher).await;
    let recorded = stage.running.service.ground.log.load(teacher.certificate).await.unwrap();
    let [prior, submitted, with_facts, confirmed] = recorded.as_slice() else { panic!("four events") };
    let mut applicant = stage.applications(&teacher);
    let mut shown = async |as_of: Option<wire::AsOf>| {
        let then = applicant.get_application(wire::GetApplicationRequest { as_of, ..get(&key) }).await;
        let history = wire::GetHistoryRequest { key: Some(key.clone()), as_of };
        let entries = applicant.get_history(history).await;
        match (then, entries) {
            (Ok(then), Ok(entries)) => Ok((then.into_inner().application.unwrap(), entries.into_inner().entries.len())),
            (Err(then), Err(entries)) => {
                assert_eq!(reason(Err::<tonic::Response<()>, _>(entries)), "NOT_FOUND");
                Err(reason(Err::<tonic::Response<()>, _>(then)))
            }
            differ => panic!("{differ:?}"),
        }
    };
    let moments = |event: &eventlog::Recorded| {
        [
            Moment::Version(event.version),
            Moment::Position(event.position),
            Moment::Time(rpc::timestamp(event.recorded_at)),
        ]
    };
    for moment in moments(submitted) {
        let (then, entries) = shown(Some(at(moment))).await.unwrap();
        assert_eq!(
            (then.status(), then.turn(), then.facts, then.version, entries),
            (State::PendingOnlineConfirmation, wire::Turn::School, None, 2, 1)
        );
        assert_eq!(then.update_time, then.submit_time);
    }
    for moment in moments(with_facts) {
        let (then, entries) = shown(Some(at(moment))).await.unwrap();
        assert_eq!((then.turn(), then.facts.unwrap().note.as_str(), entries), (wire::Turn::Point, "表现良好", 2));
    }
    let later = [Moment::Version(99), Moment::Position(i64::MAX), Moment::Time(crate::stage::at(3_600))];
    for moment in moments(confirmed).into_iter().chain(later).map(at).map(Some).chain([None]) {
        let (now, entries) = shown(moment).await.unwrap();
        assert_eq!((now.status(), now.version, entries), (State::Confirmed, 4, 3));
    }
    let before = [Moment::Version(0), Moment::Position(0), Moment::Time(crate::stage::at(-3_600))];
    for moment in moments(prior).into_iter().chain(before) {
        assert_eq!(shown(Some(at(moment))).await.unwrap_err(), "NOT_FOUND", "{moment:?}");
    }
}

#[tokio::test]
async fn a_moment_that_is_none_is_refused() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut applicant = stage.applications(&teacher);
    let nanos = prost_types::Timestamp { seconds: 0, nanos: -1 };
    for (as_of, field, why) in [
        (Some(wire::AsOf { moment: None }), "as_of.moment", "REQUIRED"),
        (Some(at(Moment::Version(-1))), "as_of.version", "NEGATIVE"),
        (Some(at(Moment::Position(-1))), "as_of.position", "NEGATIVE"),
        (Some(at(Moment::Time(nanos))), "as_of.time", "NOT_A_TIME"),
    ] {
        let refusal = refused(applicant.get_application(wire::GetApplicationRequest { as_of, ..get(&key) }).await);
        assert_eq!(refusal.violation(field).unwrap().reason, why);
        let history = wire::GetHistoryRequest { key: Some(key.clone()), as_of };
        assert_eq!(refused(applicant.get_history(history).await).violation(field).unwrap().reason, why);
    }
}

#[tokio::test]
async fn the_history_says_who_did_what_and_staff_ids_only_to_staff() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    let history = || wire::GetHistoryRequest { key: Some(key.clone()), as_of: None };
    let own = stage.applications(&teacher).get_history(history()).await.unwrap().into_inner().entries;
    let actors: Vec<&str> = own.iter().map(|entry| entry.actor.as_str()).collect();
    assert_eq!(actors, ["applicant", "staff:clerk", "staff:clerk"]);
    assert!(own[0].summary.contains(&key.enrolment_number));
    assert_eq!(own[2].r#type, "dingzhu.applications.v1.ApplicationConfirmed");
    let mut staff = ApplicationsClient::new(stage.reviewer(PROVINCE).await);
    let seen = staff.get_history(history()).await.unwrap().into_inner().entries;
    assert_eq!(seen[0].actor, "applicant");
    assert!(seen[2].actor.starts_with("staff:clerk:"));
    let units = |entries: &[wire::HistoryEntry]| entries.iter().map(|entry| entry.unit_id.clone()).collect::<Vec<_>>();
    assert_eq!(units(&seen), [String::new(), POINT.to_string(), POINT.to_string()]);
    assert_eq!(units(&own), [""; 3]);
}

#[tokio::test]
async fn lists_hold_the_own_and_the_scopes_applications_in_stable_pages() {
    let stage = Stage::start().await;
    let mut keys = Vec::new();
    let mut teachers = Vec::new();
    for _ in 0..5 {
        let teacher = stage.teacher().await;
        keys.push(stage.filed(&teacher).await);
        teachers.push(teacher);
    }
    let head = *stage.running.service.ground.log.head().borrow();
    let list = |page_size, page_token: &str| wire::ListApplicationsRequest {
        page_size,
        page_token: page_token.to_owned(),
        min_position: head,
        ..Default::default()
    };
    let mut own = stage.applications(&teachers[2]);
    let mine = own.list_applications(list(0, "")).await.unwrap().into_inner();
    assert_eq!(mine.applications.len(), 1);
    assert_eq!(mine.applications[0].key.as_ref(), Some(&keys[2]));

    for channel in [stage.liaison().await, stage.clerk(POINT).await, stage.reviewer(PROVINCE).await] {
        let mut staff = ApplicationsClient::new(channel);
        let first = staff.list_applications(list(2, "")).await.unwrap().into_inner();
        let second = staff.list_applications(list(2, &first.next_page_token)).await.unwrap().into_inner();
        let last = staff.list_applications(list(2, &second.next_page_token)).await.unwrap().into_inner();
        assert_eq!(last.next_page_token, "");
        let pages = [first.applications, second.applications, last.applications].concat();
        let seen: Vec<_> = pages.into_iter().filter_map(|summary| summary.key).rev().collect();
        assert_eq!(seen, keys);
    }
    for channel in [stage.clerk(OTHER_POINT).await, stage.reviewer(Uuid::from_u128(404)).await] {
        let nothing = ApplicationsClient::new(channel).list_applications(list(0, "")).await.unwrap().into_inner();
        assert_eq!(nothing.applications, []);
    }
    let mut staff = ApplicationsClient::new(stage.reviewer(COUNTY).await);
    let by_status = |status: State| {
        let filter = Some(wire::ApplicationFilter { statuses: vec![status.into()], ..Default::default() });
        wire::ListApplicationsRequest { filter, ..list(0, "") }
    };
    let pending = staff.list_applications(by_status(State::PendingOnlineConfirmation)).await.unwrap().into_inner();
    assert_eq!(pending.applications.len(), 5);
    assert_eq!(staff.list_applications(by_status(State::Concluded)).await.unwrap().into_inner().applications, []);
    assert_eq!(reason(staff.list_applications(list(2, "rubbish")).await), "INVALID_FIELDS");
}

#[tokio::test]
async fn a_list_follows_every_step_and_a_rebuild_gives_the_same_rows() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
    confirmation.confirm_application(confirm(&key)).await.unwrap();
    let mut applicant = stage.applications(&teacher);
    let row = eventually("the confirmed row", || {
        let mut applicant = applicant.clone();
        async move {
            let page = applicant.list_applications(wire::ListApplicationsRequest::default()).await.unwrap();
            page.into_inner().applications.pop().filter(|row| row.status() == State::Confirmed)
        }
    })
    .await;
    assert_eq!((row.level(), row.turn(), row.version), (wire::ReviewLevel::County, wire::Turn::County, 3));
    let rebuilt = stage.running.service.bus.rebuild("applications", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    let again = applicant.list_applications(wire::ListApplicationsRequest::default()).await.unwrap().into_inner();
    assert_eq!(again.applications, [row]);
}

#[tokio::test]
async fn only_the_role_for_it_may_act() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut as_applicant = ConfirmationClient::new(stage.running.person(teacher.person));
    assert_eq!(reason(as_applicant.confirm_application(confirm(&key)).await), "ROLE_REQUIRED");
    let mut as_liaison = ConfirmationClient::new(stage.liaison().await);
    assert_eq!(reason(as_liaison.confirm_application(confirm(&key)).await), "ROLE_REQUIRED");
    let mut stranger = ConfirmationClient::new(stage.clerk(OTHER_POINT).await);
    assert_eq!(reason(stranger.confirm_application(confirm(&key)).await), "NOT_FOUND");
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key) };
    let other = stage.teacher().await;
    assert_eq!(reason(stage.applications(&other).withdraw_application(withdraw).await), "NOT_FOUND");
}
