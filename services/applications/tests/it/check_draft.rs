//! `CheckDraft` names everything for which a submission would be refused, at once; when it names nothing, one succeeds.

use proto::applications::v1 as wire;
use proto::certificates::v1 as register;
use proto::scheduling::v1 as scheduling;
use proto::types::v1::Conclusion;

use crate::stage::{Stage, Teacher, at, eventually, form, reason, request_id};

async fn check(stage: &Stage, teacher: &Teacher, draft_id: &str) -> wire::CheckDraftResponse {
    let check = wire::CheckDraftRequest { draft_id: draft_id.to_owned() };
    stage.drafts(teacher).check_draft(check).await.unwrap().into_inner()
}

async fn obstacles(stage: &Stage, teacher: &Teacher, draft_id: &str) -> Vec<(String, String)> {
    let found = check(stage, teacher, draft_id).await.obstacles;
    found.into_iter().map(|obstacle| (obstacle.field, obstacle.reason)).collect()
}

fn named(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, reason)| ((*field).to_owned(), (*reason).to_owned())).collect()
}

/// A draft with a complete form and nothing else.
async fn filled_in(stage: &Stage, teacher: &Teacher) -> (String, i32) {
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let draft_id = stage.drafts(teacher).start_draft(start).await.unwrap().into_inner().draft_id;
    let save = wire::SaveDraftRequest { draft_id: draft_id.clone(), revision: 1, form: Some(form()), section: 0 };
    let revision = stage.drafts(teacher).save_draft(save).await.unwrap().into_inner().revision;
    (draft_id, revision)
}

async fn submit(stage: &Stage, teacher: &Teacher, draft_id: &str, revision: i32) -> Result<(), String> {
    let (draft_id, pledge) = (draft_id.to_owned(), stage.pledge(teacher).await);
    let submission = wire::SubmitApplicationRequest { request_id: request_id(), draft_id, revision, pledge };
    let answer = stage.applications(teacher).submit_application(submission).await;
    if answer.is_ok() { Ok(()) } else { Err(reason(answer)) }
}

#[tokio::test]
async fn when_nothing_is_named_a_submission_succeeds() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let (draft_id, revision) = filled_in(&stage, &teacher).await;
    let found = check(&stage, &teacher, &draft_id).await;
    assert_eq!((found.problems, found.warnings), (Vec::new(), Vec::new()));
    assert_eq!(obstacles(&stage, &teacher, &draft_id).await, named(&[("agreement", "AGREEMENT_MISSING")]));
    assert_eq!(submit(&stage, &teacher, &draft_id, revision).await, Err("AGREEMENT_MISSING".to_owned()));
    stage.ready_draft(&teacher).await;
    let (draft_id, revision) = stage.ready_draft(&teacher).await;
    assert_eq!(check(&stage, &teacher, &draft_id).await, wire::CheckDraftResponse::default());
    assert_eq!(submit(&stage, &teacher, &draft_id, revision).await, Ok(()));
}

#[tokio::test]
async fn everything_that_speaks_against_a_submission_is_named_at_once() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let (draft_id, revision) = filled_in(&stage, &teacher).await;
    stage.prior(&teacher, 1, Conclusion::Qualified, "2026-01-01").await;
    stage.restrict(&teacher, register::RestrictionKind::RevokedConduct).await;
    stage.close_in(-60).await;
    let assignment = scheduling::PointAssignment {
        point_id: crate::stage::POINT.to_string(),
        confirm_begin_time: Some(at(-7_200)),
        confirm_end_time: Some(at(-3_600)),
        ..Default::default()
    };
    stage.assign(assignment).await;
    let expected = named(&[
        ("certificate", "CERTIFICATE_RESTRICTED"),
        ("certificate", "REGISTERED_RECENTLY"),
        ("coded.agency_id", "WINDOW_CLOSED"),
        ("coded.point_id", "POINT_CLOSED"),
        ("agreement", "AGREEMENT_MISSING"),
    ]);
    eventually("all of it", || async { (obstacles(&stage, &teacher, &draft_id).await == expected).then_some(()) })
        .await;
    let found = check(&stage, &teacher, &draft_id).await;
    let sentences: Vec<&str> = found.obstacles.iter().map(|obstacle| obstacle.message.as_str()).collect();
    assert!(sentences[1].contains("该证书已于2026年1月1日注册，5年内无需再注册"), "{sentences:?}");
    assert!(sentences[2].contains("网报时间已截止"), "{sentences:?}");
    // Each in its turn keeps a submission out.
    assert_eq!(submit(&stage, &teacher, &draft_id, revision).await, Err("CERTIFICATE_RESTRICTED".to_owned()));
    stage.lift(&teacher).await;
    assert_eq!(submit(&stage, &teacher, &draft_id, revision).await, Err("REGISTERED_RECENTLY".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_is_lost_or_applied_for_is_named() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let (draft_id, _) = stage.ready_draft(&teacher).await;
    // Another account files for the same certificate.
    let other = Teacher { person: lifecycle::ids::random(), ..teacher.clone() };
    stage.rematch(&teacher, other.person).await;
    assert_eq!(obstacles(&stage, &teacher, &draft_id).await, named(&[("certificate", "CERTIFICATE_UNKNOWN")]));
    stage.filed(&other).await;
    let expected = named(&[("certificate", "ALREADY_APPLIED"), ("certificate", "CERTIFICATE_UNKNOWN")]);
    assert_eq!(obstacles(&stage, &teacher, &draft_id).await, expected);
}

#[tokio::test]
async fn without_an_agency_there_is_no_window_to_judge() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let draft_id = stage.drafts(&teacher).start_draft(start).await.unwrap().into_inner().draft_id;
    let found = check(&stage, &teacher, &draft_id).await;
    assert!(found.problems.iter().any(|problem| problem.field == "coded.agency_id"));
    assert_eq!(found.obstacles.len(), 1, "{:?}", found.obstacles);
}
