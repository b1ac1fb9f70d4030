//! Due dates: what follows from the conclusions that stand and today's rules, for the holder and for those who look after them.

use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::due_dates_client::DueDatesClient;
use proto::applications::v1::rules_client::RulesClient;
use proto::applications::v1::{self as wire, DueState};
use proto::certificates::v1 as register;
use proto::identity::v1::Role;
use proto::types::v1::Conclusion;
use service::testing::Channel;
use time::{Date, Duration, OffsetDateTime};

use crate::lists::{pass, qualify};
use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, SCHOOL, Stage, Teacher, eventually, facts, reason, record_facts,
    refused, request_id,
};

fn today() -> Date {
    lifecycle::clock::now().to_offset(time::UtcOffset::from_hms(8, 0, 0).unwrap()).date()
}

/// A day so many months ago, on the first.
fn months_ago(months: i32) -> String {
    let today = today();
    let month = today.year() * 12 + i32::from(u8::from(today.month())) - 1 - months;
    format!("{:04}-{:02}-01", month.div_euclid(12), month.rem_euclid(12) + 1)
}

async fn due(stage: &Stage, channel: Channel, filter: wire::DueFilter) -> Vec<wire::DueCertificate> {
    let min_position = *stage.running.service.ground.log.head().borrow();
    let filter = Some(filter);
    let request = wire::ListDueCertificatesRequest { filter, min_position, ..Default::default() };
    DueDatesClient::new(channel).list_due_certificates(request).await.unwrap().into_inner().certificates
}

async fn count(stage: &Stage, channel: Channel, filter: wire::DueFilter) -> wire::CountDueResponse {
    let min_position = *stage.running.service.ground.log.head().borrow();
    let request = wire::CountDueRequest { filter: Some(filter), min_position };
    DueDatesClient::new(channel).count_due(request).await.unwrap().into_inner()
}

fn all() -> wire::DueFilter {
    wire::DueFilter::default()
}

/// The register told of 注册合格 so many months ago, and the teacher has filed here since.
async fn filed_after(stage: &Stage, months: i32) -> (Teacher, wire::ApplicationKey) {
    let teacher = stage.teacher().await;
    stage.prior(&teacher, 1, Conclusion::Qualified, &months_ago(months)).await;
    (teacher.clone(), stage.filed(&teacher).await)
}

/// Facts with which a later registration qualifies.
fn later_facts() -> wire::Facts {
    let years = today().year() - 6..=today().year();
    let year_grades = years.map(|year| wire::YearGrade { year, grade: "2".to_owned() }).collect();
    wire::Facts { year_grades, training_total: Some(400.0), ..facts() }
}

/// Through all levels to 注册合格.
async fn qualified(stage: &Stage, key: &wire::ApplicationKey, facts: wire::Facts) {
    let conclude = wire::ConcludeApplicationRequest { reason: "已核实".to_owned(), ..qualify(key) };
    concluded(stage, key, facts, conclude).await;
}

/// Through all levels to this conclusion.
async fn concluded(
    stage: &Stage,
    key: &wire::ApplicationKey,
    facts: wire::Facts,
    conclude: wire::ConcludeApplicationRequest,
) {
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(key, facts)).await.unwrap();
    confirmation.confirm_application(crate::stage::confirm(key)).await.unwrap();
    for agency in [COUNTY, CITY] {
        stage.review(agency).await.pass_review(pass(key)).await.unwrap();
    }
    stage.review(PROVINCE).await.conclude_application(conclude).await.unwrap();
}

/// The conclusion is taken back by two persons, or the registration revoked.
async fn reversed(stage: &Stage, key: &wire::ApplicationKey, revoke: bool) {
    let (reason, file_reference, key) = ("复核有误".to_owned(), "示例2026-1".to_owned(), Some(key.clone()));
    let propose =
        wire::ProposeReversalRequest { request_id: request_id(), key: key.clone(), revoke, reason, file_reference };
    let proposed = stage.review(PROVINCE).await.propose_reversal(propose).await.unwrap().into_inner();
    let proposal_version = proposed.outcome.unwrap().version;
    let approve = wire::ApproveReversalRequest { request_id: request_id(), key, proposal_version };
    stage.review(PROVINCE).await.approve_reversal(approve).await.unwrap();
}

/// Whether the view computes due dates of a certificate, and that a rebuild gives the same.
async fn is_kept(stage: &Stage, teacher: &Teacher) -> bool {
    let ground = &stage.running.service;
    let rebuilt = ground.bus.rebuild("applications", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    let sql = "SELECT EXISTS (SELECT FROM views.registration_due WHERE certificate_id = $1)";
    sqlx::query_scalar(sql).bind(teacher.certificate).fetch_one(&ground.ground.pool).await.unwrap()
}

#[tokio::test]
async fn a_first_submission_is_told_to_its_holder_and_writes_nothing_before_its_conclusion() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let own = async || due(&stage, stage.running.person(teacher.person), all()).await.pop().unwrap();
    let filed = own().await;
    assert_eq!((filed.last_application.as_ref(), filed.application_open), (Some(&key), true));
    assert_eq!((filed.state(), filed.school_id.as_str()), (DueState::First, SCHOOL.to_string().as_str()));
    assert!(!is_kept(&stage, &teacher).await);

    qualified(&stage, &key, facts()).await;
    let concluded = own().await;
    assert_eq!((concluded.last_application.as_ref(), concluded.application_open), (Some(&key), false));
    assert_eq!((concluded.qualified_date.clone(), concluded.ordinal), (rpc::render_date(today()), 2));
    assert_eq!(due(&stage, stage.reviewer(COUNTY).await, all()).await, [concluded]);
    assert!(is_kept(&stage, &teacher).await);

    reversed(&stage, &key, false).await;
    let back = own().await;
    assert_eq!((back.qualified_date.as_str(), back.application_open), ("", true));
    assert!(!is_kept(&stage, &teacher).await, "as if it had never been concluded");
}

#[tokio::test]
async fn the_holder_sees_every_own_certificate_also_what_only_the_register_told_and_what_was_never_registered() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let second = stage.certified(teacher.person).await;
    stage.prior(&second, 2, Conclusion::Qualified, &months_ago(59)).await;
    let listed = due(&stage, stage.running.person(teacher.person), all()).await;
    let of = |certificate: uuid::Uuid| listed.iter().find(|due| due.certificate_id == certificate.to_string()).unwrap();
    assert_eq!(listed.len(), 2);
    let first = of(teacher.certificate);
    assert_eq!((first.state(), first.ordinal, first.expiry_date.as_str()), (DueState::First, 1, ""));
    let known = of(second.certificate);
    assert_eq!((known.state(), known.ordinal, known.last_application.as_ref()), (DueState::Advised, 3, None));
    assert_eq!((known.qualified_date.clone(), known.expiry_date.clone()), (months_ago(59), months_ago(-1)));
    assert_eq!(known.earliest_date, months_ago(5));

    // It belongs to no school: nobody else sees it.
    for channel in [stage.liaison().await, stage.clerk(POINT).await, stage.reviewer(PROVINCE).await] {
        assert_eq!(due(&stage, channel.clone(), all()).await, []);
        assert_eq!(count(&stage, channel, all()).await, wire::CountDueResponse::default());
    }
    assert_eq!(due(&stage, stage.running.person(lifecycle::ids::random()), all()).await, []);

    // Whoever holds a role asks for their own.
    let elsewhere = Some(uuid::Uuid::from_u128(404));
    let channel = stage.running.staff(teacher.person, Role::Reviewer, "320303", elsewhere).await;
    assert_eq!(due(&stage, channel.clone(), all()).await, []);
    let request = wire::ListDueCertificatesRequest { own: true, ..Default::default() };
    let own = DueDatesClient::new(channel).list_due_certificates(request).await.unwrap().into_inner();
    assert_eq!(own.certificates, listed);
}

#[tokio::test]
async fn school_point_and_agencies_see_who_falls_due_and_who_has_applied() {
    let stage = Stage::start().await;
    let (_, waiting) = filed_after(&stage, 70).await;
    let (withdrawing, withdrawn) = filed_after(&stage, 58).await;
    let request_id = request_id();
    let withdraw = wire::WithdrawApplicationRequest { request_id, key: Some(withdrawn.clone()) };
    stage.applications(&withdrawing).withdraw_application(withdraw).await.unwrap();
    // Never registered: nothing falls due.
    stage.filed(&stage.teacher().await).await;
    for channel in
        [stage.liaison().await, stage.clerk(POINT).await, stage.reviewer(COUNTY).await, stage.reviewer(PROVINCE).await]
    {
        let listed = due(&stage, channel.clone(), all()).await;
        let seen: Vec<_> = listed
            .iter()
            .map(|due| (due.last_application.clone().unwrap(), due.state(), due.application_open))
            .collect();
        let after_58 = if months_ago(-2) <= rpc::render_date(today() + Duration::days(60)) {
            DueState::Advised
        } else {
            DueState::MayApply
        };
        assert_eq!(seen, [(waiting.clone(), DueState::Overdue, true), (withdrawn.clone(), after_58, false)]);
        assert_eq!(
            (listed[0].school_id.clone(), listed[0].agency_id.clone()),
            (SCHOOL.to_string(), COUNTY.to_string())
        );
        let counted = count(&stage, channel, all()).await;
        assert_eq!(counted.total, 2);
        assert_eq!(
            counted
                .counts
                .iter()
                .map(|count| (count.overdue, count.applied))
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
            (1, 1)
        );
    }
    for channel in [stage.clerk(OTHER_POINT).await, stage.reviewer(uuid::Uuid::from_u128(404)).await] {
        assert_eq!(due(&stage, channel, all()).await, []);
    }
    let county = stage.reviewer(COUNTY).await;
    let overdue = wire::DueFilter { expiry_before_date: rpc::render_date(today()), ..all() };
    assert_eq!(due(&stage, county.clone(), overdue.clone()).await.len(), 1);
    assert_eq!(count(&stage, county.clone(), overdue).await.total, 1);
    let upcoming = wire::DueFilter { expiry_from_date: rpc::render_date(today()), ..all() };
    assert_eq!(due(&stage, county.clone(), upcoming).await[0].last_application, Some(withdrawn));
    let idle = wire::DueFilter { without_application: true, ..all() };
    assert_eq!(count(&stage, county.clone(), idle).await.total, 1);
    let elsewhere = wire::DueFilter { agency_id: CITY.to_string(), without_below: true, ..all() };
    assert_eq!(due(&stage, county.clone(), elsewhere.clone()).await, []);
    let below = wire::DueFilter { without_below: false, ..elsewhere };
    assert_eq!(count(&stage, county.clone(), below).await.total, 2);
    let counted = count(&stage, county, all()).await;
    let expiries = [months_ago(10), months_ago(-2)];
    let halves = expiries.map(|day| (day[..4].parse().unwrap(), if day[5..7] <= *"06" { 1 } else { 2 }));
    let told: Vec<(i32, i32)> = counted.counts.iter().map(|count| (count.year, count.half)).collect();
    assert!(counted.counts.iter().all(|count| count.agency_id == COUNTY.to_string()));
    assert!(halves.iter().all(|half| told.contains(half)), "{told:?} {halves:?}");
}

#[tokio::test]
async fn a_conclusion_a_reversal_and_a_revocation_move_the_due_date() {
    let stage = Stage::start().await;
    let (teacher, key) = filed_after(&stage, 58).await;
    let own = async || due(&stage, stage.running.person(teacher.person), all()).await.pop().unwrap();
    assert_eq!(own().await.qualified_date, months_ago(58));
    qualified(&stage, &key, later_facts()).await;
    let now = own().await;
    assert_eq!(
        (now.qualified_date.clone(), now.state(), now.ordinal),
        (rpc::render_date(today()), DueState::NotYet, 3)
    );

    reversed(&stage, &key, false).await;
    let back = own().await;
    assert_eq!((back.qualified_date.clone(), back.ordinal), (months_ago(58), 2), "as before the conclusion");
    let conclude = wire::ConcludeApplicationRequest { reason: "已核实".to_owned(), ..qualify(&key) };
    stage.review(PROVINCE).await.conclude_application(conclude).await.unwrap();
    reversed(&stage, &key, true).await;
    let revoked = own().await;
    assert_eq!((revoked.qualified_date.clone(), revoked.state()), (months_ago(58), DueState::NotYet));
    let barred: OffsetDateTime = lifecycle::clock::now();
    assert_eq!(revoked.earliest_date[..4], (barred.year() + 5).to_string());

    let rebuilt = stage.running.service.bus.rebuild("applications", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    assert_eq!(own().await, revoked);
}

#[tokio::test]
async fn an_application_whose_conclusion_is_reversed_is_the_open_one_whatever_was_withdrawn_since() {
    let stage = Stage::start().await;
    let (teacher, key) = filed_after(&stage, 58).await;
    let reason = "材料不全，暂缓注册".to_owned();
    let deferred =
        wire::ConcludeApplicationRequest { conclusion: Conclusion::Deferred.into(), reason, ..qualify(&key) };
    concluded(&stage, &key, later_facts(), deferred).await;
    let second = stage.filed(&teacher).await;
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(second.clone()) };
    stage.applications(&teacher).withdraw_application(withdraw).await.unwrap();
    let told = async |channel: Channel| {
        let due = due(&stage, channel, all()).await.pop().unwrap();
        (due.last_application.unwrap(), due.application_open)
    };
    for channel in [stage.running.person(teacher.person), stage.reviewer(COUNTY).await] {
        assert_eq!(told(channel).await, (second.clone(), false));
    }
    reversed(&stage, &key, false).await;
    for channel in [stage.running.person(teacher.person), stage.reviewer(COUNTY).await] {
        assert_eq!(told(channel).await, (key.clone(), true));
    }
    assert!(is_kept(&stage, &teacher).await);
}

#[tokio::test]
async fn the_rules_of_today_apply_to_what_happened_before_them() {
    let stage = Stage::start().await;
    let (teacher, _) = filed_after(&stage, 58).await;
    let county = stage.reviewer(COUNTY).await;
    let before = due(&stage, county.clone(), all()).await.pop().unwrap();
    assert_eq!((before.earliest_date, before.expiry_date), (months_ago(4), months_ago(-2)));
    let officer = stage.running.staff(lifecycle::ids::random(), Role::RuleOfficer, "32", None).await;
    let rule_set = wire::RuleSet {
        province: "32".to_owned(),
        interval_months: 30,
        cycle_months: 36,
        revocation_bar_years: 5,
        training_unit: "1".to_owned(),
        training_per_cycle_min: 216.0,
        interruption_semesters: 1.0,
        ..Default::default()
    };
    let publish = wire::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(rule_set) };
    RulesClient::new(officer).publish_rule_set(publish).await.unwrap();
    let after = eventually("the rules in memory", || async {
        due(&stage, county.clone(), all())
            .await
            .pop()
            .filter(|due| due.expiry_date != before.qualified_date && due.expiry_date == months_ago(22))
    })
    .await;
    assert_eq!((after.earliest_date.clone(), after.state()), (months_ago(28), DueState::Overdue));
    let overdue = wire::DueFilter { expiry_before_date: rpc::render_date(today()), ..all() };
    assert_eq!(count(&stage, county, overdue).await.counts[0].overdue, 1);
    assert_eq!(due(&stage, stage.running.person(teacher.person), all()).await, [after]);
}

#[tokio::test]
async fn what_nobody_holds_any_more_is_nobodys_to_register() {
    let stage = Stage::start().await;
    let (teacher, _) = filed_after(&stage, 58).await;
    let county = stage.reviewer(COUNTY).await;
    assert_eq!(due(&stage, county.clone(), all()).await.len(), 1);
    let forgotten =
        register::CertificateForgotten { certificate_id: teacher.certificate.to_string(), ..Default::default() };
    stage.running.neighbour("certificates").publish(teacher.certificate, "00", &forgotten).await;
    eventually("the holder to be forgotten", || async {
        due(&stage, county.clone(), all()).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(count(&stage, county, all()).await.total, 0);
}

#[tokio::test]
async fn due_certificates_come_in_pages_whose_tokens_belong_to_the_filter() {
    let stage = Stage::start().await;
    let mut keys = Vec::new();
    for months in [70, 61, 66, 58, 61] {
        keys.push(filed_after(&stage, months).await.1);
    }
    let mut county = DueDatesClient::new(stage.reviewer(COUNTY).await);
    let min_position = *stage.running.service.ground.log.head().borrow();
    let mut request = wire::ListDueCertificatesRequest { page_size: 2, min_position, ..Default::default() };
    let mut days = Vec::new();
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = county.list_due_certificates(request.clone()).await.unwrap().into_inner();
        days.extend(page.certificates.iter().map(|due| due.qualified_date.clone()));
        seen.extend(page.certificates.into_iter().filter_map(|due| due.last_application));
        if page.next_page_token.is_empty() {
            break;
        }
        token.clone_from(&page.next_page_token);
        request.page_token = page.next_page_token;
    }
    assert_eq!(days, [70, 66, 61, 61, 58].map(months_ago));
    seen.sort_by(|one, other| one.certificate_id.cmp(&other.certificate_id));
    keys.sort_by(|one, other| one.certificate_id.cmp(&other.certificate_id));
    assert_eq!(seen, keys);

    let filter = Some(wire::DueFilter { without_application: true, ..all() });
    let other = wire::ListDueCertificatesRequest { filter, page_token: token, ..Default::default() };
    let short = wire::ListDueCertificatesRequest { page_token: rpc::page_token(b"1234567"), ..Default::default() };
    for request in [other, short] {
        let refusal = refused(county.list_due_certificates(request).await);
        assert_eq!(refusal.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");
    }
    let wrong = wire::DueFilter { expiry_from_date: "2026-2-1".to_owned(), school_id: "no id".to_owned(), ..all() };
    let refusal = refused(county.count_due(wire::CountDueRequest { filter: Some(wrong), ..Default::default() }).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["filter.expiry_from_date", "filter.school_id"]);
    let nobody = DueDatesClient::new(stage.running.person(lifecycle::ids::random()));
    let mut nobody = nobody;
    assert_eq!(reason(nobody.count_due(wire::CountDueRequest::default()).await), "ROLE_REQUIRED");
}
