//! 提交申报: what is accepted once, and everything that is refused with nothing written.

use std::collections::HashSet;

use applications::Applications;
use applications::config::Settings;
use futures::future::join_all;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::{self as wire};
use proto::certificates::v1 as register;
use proto::types::v1::Conclusion;
use tonic::Code;
use uuid::Uuid;

use crate::stage::{POINT, Stage, Teacher, confirm, eventually, facts, reason, record_facts, refused, request_id};

async fn events(stage: &Stage, teacher: &Teacher) -> usize {
    stage.running.service.ground.log.load(teacher.certificate).await.unwrap().len()
}

#[tokio::test]
async fn the_same_request_has_one_effect_and_one_answer() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let mut applicant = stage.applications(&teacher);
    let answers = join_all((0..3).map(|_| {
        let (mut applicant, submission) = (applicant.clone(), submission.clone());
        async move { applicant.submit_application(submission).await.unwrap().into_inner() }
    }));
    let answers = answers.await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(applicant.submit_application(submission.clone()).await.unwrap().into_inner(), answers[0]);
    assert_eq!(events(&stage, &teacher).await, 1);
    let other_body = wire::SubmitApplicationRequest { revision: submission.revision + 1, ..submission.clone() };
    assert_eq!(reason(applicant.submit_application(other_body).await), "REQUEST_ID_REUSED");
    let other_request = wire::SubmitApplicationRequest { request_id: request_id(), ..submission };
    let refusal = refused(applicant.submit_application(other_request).await);
    assert_eq!(refusal.reason, "ALREADY_APPLIED");
    assert_eq!(refusal.metadata["enrolment_number"], answers[0].enrolment_number);
}

#[tokio::test]
async fn many_teachers_at_once_get_numbers_of_their_own() {
    let stage = Stage::start().await;
    let mut submissions = Vec::new();
    for _ in 0..40 {
        let teacher = stage.teacher().await;
        submissions.push((stage.applications(&teacher), stage.submission(&teacher).await));
    }
    let filed = join_all(submissions.into_iter().map(|(mut applicant, submission)| async move {
        applicant.submit_application(submission).await.unwrap().into_inner().enrolment_number
    }));
    let numbers: HashSet<String> = filed.await.into_iter().collect();
    assert_eq!(numbers.len(), 40);
    let ground = &stage.running.service.ground;
    assert!(matches!(ground.log.verify(1, |_, _| ()).await.unwrap(), eventlog::Verdict::Intact { .. }));
}

#[tokio::test]
async fn an_unready_draft_hears_of_every_field_at_once() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let draft = stage.drafts(&teacher).start_draft(start).await.unwrap().into_inner();
    let submission = wire::SubmitApplicationRequest {
        request_id: request_id(),
        draft_id: draft.draft_id,
        revision: draft.revision,
        pledge: stage.pledge(&teacher).await,
    };
    let refusal = refused(stage.applications(&teacher).submit_application(submission).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
    // Mobile and mail came from the account.
    assert_eq!(refusal.violations.len(), 23, "{:?}", refusal.violations);
    assert!(refusal.violation("form.coded.agency_id").is_some());
    assert_eq!(events(&stage, &teacher).await, 0);
}

#[tokio::test]
async fn agreement_pledge_and_revision_are_what_the_person_confirmed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut applicant = stage.applications(&teacher);
    let submission = stage.submission(&teacher).await;
    let old = wire::SubmitApplicationRequest { revision: submission.revision - 1, ..submission.clone() };
    assert_eq!(reason(applicant.submit_application(old).await), "REVISION_CONFLICT");
    let mut other_text = submission.clone();
    other_text.pledge.as_mut().unwrap().text_digest = "0".repeat(64);
    assert_eq!(reason(applicant.submit_application(other_text).await), "TEXT_CHANGED");
    let without = wire::SubmitApplicationRequest { pledge: None, ..submission.clone() };
    assert_eq!(refused(applicant.submit_application(without).await).violations[0].field, "pledge");
    let pool = &stage.running.service.ground.pool;
    sqlx::query("UPDATE draft SET agreement_version = NULL, agreement_digest = NULL").execute(pool).await.unwrap();
    assert_eq!(reason(applicant.submit_application(submission.clone()).await), "AGREEMENT_MISSING");
    let mut refusing = submission.clone();
    refusing.pledge.as_mut().unwrap().accepted = false;
    assert_eq!(reason(applicant.submit_application(refusing).await), "PLEDGE_REFUSED");
    assert_eq!(reason(applicant.submit_application(submission).await), "NOT_FOUND");
    assert_eq!(events(&stage, &teacher).await, 0);
}

#[tokio::test]
async fn nobody_submits_the_draft_of_another() {
    let stage = Stage::start().await;
    let (teacher, other) = (stage.teacher().await, stage.teacher().await);
    let submission = stage.submission(&teacher).await;
    assert_eq!(reason(stage.applications(&other).submit_application(submission).await), "NOT_FOUND");
    let malformed =
        wire::SubmitApplicationRequest { request_id: "1".into(), draft_id: "2".into(), ..Default::default() };
    let refusal = refused(stage.applications(&teacher).submit_application(malformed).await);
    assert_eq!(refusal.violations.len(), 3);
}

#[tokio::test]
async fn before_and_after_the_window_the_refusal_names_its_dates() {
    let before = Stage::with_window(3_600, 7_200).await;
    let teacher = before.teacher().await;
    let submission = before.submission(&teacher).await;
    let refusal = refused(before.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!(refusal.reason, "WINDOW_NOT_OPEN");
    assert!(refusal.sentence.starts_with("320303教育局网报时间：20"), "{}", refusal.sentence);
    assert!(refusal.sentence.contains("（还未到网报时间）"), "{}", refusal.sentence);
    // Taken back before it began, it was never there.
    before.cancel_window().await;
    let again = wire::SubmitApplicationRequest { request_id: request_id(), ..submission };
    eventually("the window to be gone", || async {
        let heard = reason(before.applications(&teacher).submit_application(again.clone()).await);
        (heard == "NO_WINDOW").then_some(())
    })
    .await;

    let after = Stage::with_window(-7_200, -3_600).await;
    let teacher = after.teacher().await;
    let submission = after.submission(&teacher).await;
    let refusal = refused(after.applications(&teacher).submit_application(submission).await);
    assert_eq!(refusal.reason, "WINDOW_CLOSED");
    assert!(refusal.sentence.contains("（网报时间已截止）"), "{}", refusal.sentence);
    let serials = "SELECT count(*) FROM enrolment_serial WHERE next > 101";
    after.until_known("serials", serials, 0).await;
}

#[tokio::test]
async fn just_after_the_end_the_databases_clock_decides() {
    let stage = Stage::with_window(-3_600, -1).await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    assert_eq!(reason(stage.applications(&teacher).submit_application(submission.clone()).await), "WINDOW_CLOSED");
    assert_eq!(events(&stage, &teacher).await, 0);
    // A ticket is not to be had any more.
    let ticket = wire::TakeGraceTicketRequest { draft_id: submission.draft_id };
    assert_eq!(reason(stage.drafts(&teacher).take_grace_ticket(ticket).await), "WINDOW_CLOSED");
}

#[tokio::test]
async fn a_ticket_taken_before_the_end_admits_after_it() {
    let stage = Stage::with_window(-3_600, 4).await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let ticket = wire::TakeGraceTicketRequest { draft_id: submission.draft_id.clone() };
    let mut drafts = stage.drafts(&teacher);
    let until = drafts.take_grace_ticket(ticket).await.unwrap().into_inner().valid_until_time.unwrap();
    let pool = &stage.running.service.ground.pool;
    eventually("the end of the window", || async {
        let sql = "SELECT clock_timestamp() >= end_at FROM views.filing_window";
        let over: bool = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        over.then_some(())
    })
    .await;
    assert!(until.seconds > lifecycle::clock::now().unix_timestamp() + 1_700);
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    let recorded = stage.running.service.ground.log.load(teacher.certificate).await.unwrap();
    let message: wire::ApplicationSubmitted = prost::Message::decode(recorded[0].payload.as_slice()).unwrap();
    assert!(message.with_grace_ticket);
}

#[tokio::test]
async fn prior_registrations_of_the_register_count() {
    let stage = Stage::start().await;
    let (recent, due) = (stage.teacher().await, stage.teacher().await);
    stage.prior(&recent, 1, Conclusion::Qualified, "2025-06-01").await;
    stage.prior(&due, 2, Conclusion::Qualified, "2021-01-01").await;
    let refusal = refused(stage.applications(&recent).submit_application(stage.submission(&recent).await).await);
    assert_eq!(refusal.reason, "REGISTERED_RECENTLY");
    assert_eq!(refusal.metadata["date"], "2025-06-01");
    assert_eq!(refusal.metadata["earliest_date"], "2029-12-01");
    let filed = stage.applications(&due).submit_application(stage.submission(&due).await).await.unwrap().into_inner();
    assert_eq!((filed.ordinal, filed.version), (3, 2));
}

#[tokio::test]
async fn a_registration_that_the_register_corrects_counts_as_corrected() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    stage.prior(&teacher, 1, Conclusion::Qualified, "2025-11-30").await;
    let submission = stage.submission(&teacher).await;
    let mut applicant = stage.applications(&teacher);
    assert_eq!(reason(applicant.submit_application(submission.clone()).await), "REGISTERED_RECENTLY");
    stage.prior(&teacher, 1, Conclusion::Deferred, "2021-11-30").await;
    let filed = eventually("the correction", || {
        let (mut applicant, submission) = (applicant.clone(), submission.clone());
        async move { applicant.submit_application(submission).await.ok() }
    });
    assert_eq!(filed.await.into_inner().ordinal, 1);
    let deferred = i32::from(Conclusion::Deferred);
    for (what, sql, expected) in [
        (
            "what the register says",
            "SELECT priors FROM views.certificate WHERE certificate_id = $1",
            format!("1/{deferred}/2021-11-30"),
        ),
        (
            "due dates",
            "SELECT standings FROM views.registration_due WHERE certificate_id = $1",
            format!("2021-11-30/1/{deferred}/"),
        ),
    ] {
        eventually(what, || async {
            let query = sqlx::query_scalar(sql).bind(teacher.certificate);
            let known: Vec<String> = query.fetch_one(&stage.running.service.ground.pool).await.unwrap();
            (known == [expected.as_str()]).then_some(())
        })
        .await;
    }
    for view in ["certificates", "applications"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test]
async fn a_restricted_certificate_is_refused_until_the_restriction_is_lifted() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    stage.restrict(&teacher, register::RestrictionKind::ExamCheating).await;
    let refusal = refused(stage.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!(refusal.reason, "CERTIFICATE_RESTRICTED");
    assert!(refusal.sentence.contains("您的教师资格无效"));
    stage.lift(&teacher).await;
    let restricted = register::CertificateRestricted {
        certificate_id: teacher.certificate.to_string(),
        kind: register::RestrictionKind::RevokedFraud.into(),
        end_date: "2020-01-31".to_owned(),
        ..Default::default()
    };
    stage.running.neighbour("certificates").publish(teacher.certificate, "00", &restricted).await;
    stage.until_known("its end", "SELECT count(*) FROM views.certificate WHERE restricted_until IS NOT NULL", 1).await;
    let refusal = refused(stage.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!(refusal.reason, "CERTIFICATE_RESTRICTED", "the day alone ends nothing");
    assert!(refusal.sentence.contains("期限至2020年1月31日"), "{}", refusal.sentence);
    stage.lift(&teacher).await;
    stage.applications(&teacher).submit_application(submission).await.unwrap();
}

#[tokio::test]
async fn while_sources_disagree_about_a_certificate_nothing_of_it_is_filed_or_confirmed() {
    let stage = Stage::start().await;
    let (teacher, filed) = (stage.teacher().await, stage.teacher().await);
    let key = stage.filed(&filed).await;
    let mut clerk = ConfirmationClient::new(stage.clerk(POINT).await);
    clerk.record_facts(record_facts(&key, facts())).await.unwrap();
    stage.contradict(&filed, 1).await;
    assert_eq!(reason(clerk.confirm_application(confirm(&key)).await), "RECORDS_DISAGREE");
    stage.settle(&filed, 1).await;
    clerk.confirm_application(confirm(&key)).await.unwrap();

    stage.contradict(&teacher, 1).await;
    stage.contradict(&teacher, 2).await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let warned = stage.drafts(&teacher).start_draft(start.clone()).await.unwrap().into_inner().warnings;
    assert_eq!(warned.iter().map(|warning| warning.reason.as_str()).collect::<Vec<_>>(), ["RECORDS_DISAGREE"]);
    let submission = stage.submission(&teacher).await;
    let refusal = refused(stage.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!(refusal.reason, "RECORDS_DISAGREE");
    assert!(refusal.sentence.starts_with("证书数据存在异常"), "{}", refusal.sentence);
    stage.settle(&teacher, 1).await;
    assert_eq!(
        reason(stage.applications(&teacher).submit_application(submission.clone()).await),
        "RECORDS_DISAGREE",
        "one is open"
    );
    stage.settle(&teacher, 2).await;
    assert_eq!(stage.drafts(&teacher).start_draft(start).await.unwrap().into_inner().warnings, []);
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    assert_eq!(events(&stage, &teacher).await, 1);
    let rebuilt = stage.running.service.bus.rebuild("certificates", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn submitting_asks_no_other_service() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let Stage { mut running, .. } = stage;
    running.neighbours.clear();
    let mut applicant =
        proto::applications::v1::applications_client::ApplicationsClient::new(running.person(teacher.person));
    applicant.submit_application(submission).await.unwrap();
}

#[tokio::test]
async fn before_scheduling_was_ever_read_there_is_no_business_refusal() {
    let running = service::testing::start::<Applications>(Settings::default(), Vec::new()).await;
    let person = Uuid::from_u128(7);
    let mut drafts = proto::applications::v1::drafts_client::DraftsClient::new(running.person(person));
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: Uuid::from_u128(8).to_string() };
    let refusal = refused(drafts.start_draft(start).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::Unavailable, "REFERENCE_NOT_READY"));
}
