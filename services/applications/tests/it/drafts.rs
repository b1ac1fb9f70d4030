//! 填写注册信息: start, save, check, drop.

use applications::config::Settings;
use applications::store::drafts::Drafts;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::drafts_client::DraftsClient;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Entry;
use service::testing::person_token;
use uuid::Uuid;

use crate::neighbours::{CERTIFICATE_NUMBER, NUMBER};
use crate::stage::{Stage, eventually, form, reason, refused, request_id};

fn start(certificate: Uuid) -> wire::StartDraftRequest {
    wire::StartDraftRequest { request_id: request_id(), certificate_id: certificate.to_string() }
}

#[tokio::test]
async fn a_draft_is_saved_step_by_step_and_resumed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut drafts = stage.drafts(&teacher);
    let started = drafts.start_draft(start(teacher.certificate)).await.unwrap().into_inner();
    assert_eq!(drafts.start_draft(start(teacher.certificate)).await.unwrap().into_inner(), started);
    let draft_id = started.draft_id;
    let mut half = form();
    half.personal.as_mut().unwrap().address = String::new();
    half.coded.as_mut().unwrap().title = String::new();
    let save =
        wire::SaveDraftRequest { draft_id: draft_id.clone(), revision: 1, form: Some(half), ..Default::default() };
    let saved = drafts.save_draft(save.clone()).await.unwrap().into_inner();
    let fields: Vec<&str> = saved.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!((saved.revision, fields), (2, vec!["coded.title", "personal.address"]));
    let refusal = refused(drafts.save_draft(save).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["revision"].as_str()), ("REVISION_CONFLICT", "2"));
    let get = wire::GetDraftRequest { draft_id: draft_id.clone() };
    let draft = drafts.get_draft(get).await.unwrap().into_inner();
    let kept = draft.form.unwrap();
    assert_eq!(kept.coded.unwrap().subject, "物理");
    assert_eq!(kept.personal.unwrap().mobile, "10000000000");
    assert!(!draft.agreement_accepted);
    let check = wire::CheckDraftRequest { draft_id: draft_id.clone() };
    let checked = drafts.check_draft(check).await.unwrap().into_inner();
    assert_eq!((checked.problems.len(), checked.warnings.len()), (2, 0));
    drafts.drop_draft(wire::DropDraftRequest { draft_id: draft_id.clone() }).await.unwrap();
    assert_eq!(reason(drafts.get_draft(wire::GetDraftRequest { draft_id }).await), "NOT_FOUND");
}

#[tokio::test]
async fn what_is_malformed_is_not_saved_and_everything_is_named() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut drafts = stage.drafts(&teacher);
    let draft_id = drafts.start_draft(start(teacher.certificate)).await.unwrap().into_inner().draft_id;
    let mut wrong = form();
    wrong.coded.as_mut().unwrap().education = "08".to_owned();
    wrong.personal.as_mut().unwrap().postcode = "22100".to_owned();
    let save = |form| wire::SaveDraftRequest {
        draft_id: draft_id.clone(),
        revision: 1,
        form: Some(form),
        ..Default::default()
    };
    let violations = refused(drafts.save_draft(save(wrong)).await).violations;
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["form.coded.education", "form.personal.postcode"]);
    let mut unreadable = form();
    unreadable.coded.as_mut().unwrap().stage = 9;
    unreadable.coded.as_mut().unwrap().point_id = "here".to_owned();
    assert_eq!(refused(drafts.save_draft(save(unreadable)).await).violations.len(), 2);
    let get = wire::GetDraftRequest { draft_id };
    assert_eq!(drafts.get_draft(get).await.unwrap().into_inner().revision, 1);
}

#[tokio::test]
async fn drafts_are_the_persons_own() {
    let stage = Stage::start().await;
    let (teacher, other) = (stage.teacher().await, stage.teacher().await);
    let draft_id = stage.ready_draft(&teacher).await.0;
    let mut drafts = stage.drafts(&other);
    assert_eq!(reason(drafts.get_draft(wire::GetDraftRequest { draft_id: draft_id.clone() }).await), "NOT_FOUND");
    assert_eq!(reason(drafts.drop_draft(wire::DropDraftRequest { draft_id: draft_id.clone() }).await), "NOT_FOUND");
    assert_eq!(reason(drafts.check_draft(wire::CheckDraftRequest { draft_id }).await), "NOT_FOUND");
    assert_eq!(reason(drafts.start_draft(start(teacher.certificate)).await), "CERTIFICATE_UNKNOWN");
    assert_eq!(reason(drafts.start_draft(start(Uuid::from_u128(9))).await), "CERTIFICATE_UNKNOWN");
}

#[tokio::test]
async fn the_wrong_entry_and_an_incomplete_profile_do_not_start() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let recognition = person_token(teacher.person, Entry::Recognition, true);
    let mut drafts = DraftsClient::new(stage.running.with_token(&recognition));
    assert_eq!(reason(drafts.start_draft(start(teacher.certificate)).await), "WRONG_ENTRY");
    let incomplete = person_token(teacher.person, Entry::Registration, false);
    let mut drafts = DraftsClient::new(stage.running.with_token(&incomplete));
    assert_eq!(reason(drafts.start_draft(start(teacher.certificate)).await), "PROFILE_INCOMPLETE");
}

#[tokio::test]
async fn a_session_of_the_other_entry_changes_no_draft_and_no_application() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let (draft_id, revision) = (submission.draft_id.clone(), submission.revision);
    let recognition = person_token(teacher.person, Entry::Recognition, true);
    let mut drafts = DraftsClient::new(stage.running.with_token(&recognition));
    let mut applications = ApplicationsClient::new(stage.running.with_token(&recognition));
    let agreement = stage.text(&teacher, "agreement").await;
    let accept = wire::AcceptAgreementRequest {
        draft_id: draft_id.clone(),
        text_version: agreement.version,
        text_digest: agreement.digest,
    };
    assert_eq!(reason(drafts.accept_agreement(accept).await), "WRONG_ENTRY");
    let save =
        wire::SaveDraftRequest { draft_id: draft_id.clone(), revision, form: Some(form()), ..Default::default() };
    assert_eq!(reason(drafts.save_draft(save).await), "WRONG_ENTRY");
    let ticket = wire::TakeGraceTicketRequest { draft_id: draft_id.clone() };
    assert_eq!(reason(drafts.take_grace_ticket(ticket).await), "WRONG_ENTRY");
    assert_eq!(reason(drafts.drop_draft(wire::DropDraftRequest { draft_id: draft_id.clone() }).await), "WRONG_ENTRY");
    assert_eq!(reason(applications.submit_application(submission.clone()).await), "WRONG_ENTRY");
    assert_eq!(drafts.get_draft(wire::GetDraftRequest { draft_id }).await.unwrap().into_inner().revision, revision);
    let filed = stage.applications(&teacher).submit_application(submission).await.unwrap().into_inner();
    let key = wire::ApplicationKey { certificate_id: filed.certificate_id, enrolment_number: filed.enrolment_number };
    let pledge = stage.pledge(&teacher).await;
    let amend = wire::AmendApplicationRequest { request_id: request_id(), key: Some(key), form: Some(form()), pledge };
    assert_eq!(reason(applications.amend_application(amend).await), "WRONG_ENTRY");
}

#[tokio::test]
async fn a_filed_draft_is_neither_saved_nor_thrown_away() {
    // The sweep does not come by.
    let stage = Stage::with_settings(Settings { draft_sweep_seconds: 3_600, ..Settings::default() }).await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let (draft_id, revision) = (submission.draft_id.clone(), submission.revision);
    let (mut drafts, mut applicant) = (stage.drafts(&teacher), stage.applications(&teacher));
    let filed = applicant.submit_application(submission.clone()).await.unwrap().into_inner();
    let save =
        wire::SaveDraftRequest { draft_id: draft_id.clone(), revision, form: Some(form()), ..Default::default() };
    let drop = wire::DropDraftRequest { draft_id: draft_id.clone() };
    let refuse = wire::SubmitApplicationRequest {
        request_id: request_id(),
        pledge: Some(wire::Pledge { accepted: false, ..wire::Pledge::default() }),
        ..submission
    };
    let heard = [
        refused(drafts.save_draft(save.clone()).await),
        refused(drafts.drop_draft(drop.clone()).await),
        refused(applicant.submit_application(refuse.clone()).await),
    ];
    for refusal in heard {
        assert_eq!(refusal.reason, "ALREADY_APPLIED");
        assert_eq!(refusal.metadata["enrolment_number"], filed.enrolment_number);
    }
    let key = wire::ApplicationKey { certificate_id: filed.certificate_id, enrolment_number: filed.enrolment_number };
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key) };
    applicant.withdraw_application(withdraw).await.unwrap();
    assert_eq!(reason(drafts.save_draft(save).await), "NOT_FOUND");
    assert_eq!(reason(drafts.drop_draft(drop).await), "NOT_FOUND");
    assert_eq!(reason(applicant.submit_application(refuse).await), "NOT_FOUND");
    stage.until_known("that all is told", "SELECT count(*) FROM untold_draft_event", 0).await;
    let told = stage.running.service.ground.log.load(Uuid::parse_str(&draft_id).unwrap()).await.unwrap();
    assert!(told.iter().all(|event| !event.kind.ends_with("DraftDropped")));
}

#[tokio::test]
async fn a_live_application_leaves_no_room_for_a_draft_and_filed_drafts_are_closed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    stage.filed(&teacher).await;
    assert_eq!(reason(stage.drafts(&teacher).start_draft(start(teacher.certificate)).await), "ALREADY_APPLIED");
    stage.until_known("the closed draft", "SELECT count(*) FROM draft", 0).await;
}

#[tokio::test]
async fn filed_drafts_are_found_among_all_or_by_what_the_log_tells() {
    // Sweeps at its start, when there is none.
    let stage = Stage::with_settings(Settings { draft_sweep_seconds: 3_600, ..Settings::default() }).await;
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    let (first, second, third) = (stage.teacher().await, stage.teacher().await, stage.teacher().await);
    stage.submission(&third).await;
    stage.filed(&first).await;
    let closed =
        eventually("the first one", async || drafts.close_filed(None).await.ok().filter(|closed| closed.drafts > 0));
    let closed = closed.await;
    assert_eq!((closed.drafts, closed.more), (1, false));
    let up_to = closed.up_to.unwrap();
    stage.filed(&second).await;
    let next = async || drafts.close_filed(Some(up_to)).await.ok().filter(|closed| closed.drafts > 0);
    let closed = eventually("the second one, told of since", next).await;
    assert_eq!((closed.drafts, closed.more), (1, false));
    assert!(closed.up_to.unwrap() > up_to);
    assert_eq!(drafts.close_filed(closed.up_to).await.unwrap().drafts, 0);
    stage.until_known("that one is left, which is not filed", "SELECT count(*) FROM draft", 1).await;
}

#[tokio::test]
async fn the_agreement_is_the_one_that_is_shown() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut drafts = stage.drafts(&teacher);
    let draft_id = drafts.start_draft(start(teacher.certificate)).await.unwrap().into_inner().draft_id;
    let accept = wire::AcceptAgreementRequest { draft_id, text_version: 1, text_digest: "0".repeat(64) };
    assert_eq!(reason(drafts.accept_agreement(accept.clone()).await), "TEXT_CHANGED");
    let garbage = wire::AcceptAgreementRequest { text_digest: "x".to_owned(), ..accept };
    assert_eq!(refused(drafts.accept_agreement(garbage).await).violations.len(), 1);
}

#[tokio::test]
async fn nothing_personal_stands_in_the_tables_in_clear() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    stage.ready_draft(&teacher).await;
    stage.filed(&stage.teacher().await).await;
    let pool = &stage.running.service.ground.pool;
    eventually("rows of both", || async {
        let dump: Vec<String> = sqlx::query_scalar(
            "SELECT draft::text FROM draft UNION ALL SELECT event_log::text FROM event_log \
             UNION ALL SELECT application::text FROM views.application",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        (dump.len() >= 3).then_some(dump)
    })
    .await
    .iter()
    .for_each(|row| {
        for secret in [NUMBER, CERTIFICATE_NUMBER, "测试教师", "示范路", "3213012345678", "10000000000", "teacher@"]
        {
            let hex = hex::encode(secret);
            assert!(!row.contains(secret) && !row.contains(&hex), "{secret} in {row}");
        }
    });
}
