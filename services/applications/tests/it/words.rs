//! What is written with a decision: sealed in the log, read by staff in scope, and by the applicant where it answers them.

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::explanations_client::ExplanationsClient;
use proto::applications::v1::export_client::ExportClient;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::applications::v1::{self as wire};
use proto::types::v1::Conclusion;

use crate::stage::{
    CITY, COUNTY, POINT, PROVINCE, Stage, Teacher, confirm, facts, form, record_facts, refused, request_id,
};

const FILE: &str = "示范〔2026〕2号";

/// Everything that can be said, each time in other words.
async fn much_is_said(stage: &Stage, teacher: &Teacher) -> wire::ApplicationKey {
    let key = stage.filed(teacher).await;
    let (id, at) = (request_id, || Some(key.clone()));
    let mut clerk = ConfirmationClient::new(stage.clerk(POINT).await);
    let noted = wire::Facts { note: "事实备注".to_owned(), ..facts() };
    clerk.record_facts(record_facts(&key, noted)).await.unwrap();
    let refuse = wire::RefuseConfirmationRequest { request_id: id(), key: at(), reason: "照片不清晰".to_owned() };
    clerk.refuse_confirmation(refuse).await.unwrap();
    let amend = wire::AmendApplicationRequest {
        request_id: id(),
        key: at(),
        form: Some(form()),
        pledge: stage.pledge(teacher).await,
    };
    stage.applications(teacher).amend_application(amend).await.unwrap();
    clerk.confirm_application(confirm(&key)).await.unwrap();
    let back = wire::ReturnApplicationRequest { request_id: id(), key: at(), reason: "请核对岗位".to_owned() };
    clerk.return_application(back).await.unwrap();
    clerk.confirm_application(confirm(&key)).await.unwrap();
    let send_back = |reason: &str| wire::SendBackRequest { request_id: id(), key: at(), reason: reason.to_owned() };
    let pass = |opinion: &str| wire::PassReviewRequest { request_id: id(), key: at(), opinion: opinion.to_owned() };
    let mut county = stage.review(COUNTY).await;
    county.send_back(send_back("县级请补充材料")).await.unwrap();
    clerk.confirm_application(confirm(&key)).await.unwrap();
    county.pass_review(pass("县级同意")).await.unwrap();
    stage.review(CITY).await.send_back(send_back("市级请县级复核")).await.unwrap();
    county.pass_review(pass("县级复核同意")).await.unwrap();
    stage.review(CITY).await.pass_review(pass("市级同意")).await.unwrap();
    let conclude = wire::ConcludeApplicationRequest {
        request_id: id(),
        key: at(),
        conclusion: Conclusion::Deferred.into(),
        reason: "培训材料存疑".to_owned(),
    };
    stage.review(PROVINCE).await.conclude_application(conclude).await.unwrap();
    for (fact, text) in [(Fact::ObjectionRecorded, "群众反映"), (Fact::ObjectionSettled, "查无实据")] {
        let (text, publicity_end_date) = (text.to_owned(), String::new());
        let recorded = wire::RecordConclusionFactRequest {
            request_id: id(),
            key: at(),
            fact: fact.into(),
            text,
            publicity_end_date,
        };
        stage.review(PROVINCE).await.record_conclusion_fact(recorded).await.unwrap();
    }
    let propose = wire::ProposeReversalRequest {
        request_id: id(),
        key: at(),
        revoke: false,
        reason: "结论依据有误".to_owned(),
        file_reference: FILE.to_owned(),
    };
    let proposed = stage.review(PROVINCE).await.propose_reversal(propose).await.unwrap().into_inner();
    let proposal_version = proposed.outcome.unwrap().version;
    let approve = wire::ApproveReversalRequest { request_id: id(), key: at(), proposal_version };
    stage.review(PROVINCE).await.approve_reversal(approve).await.unwrap();
    key
}

/// The words of a history, each with the event's short name.
fn words(entries: &[wire::HistoryEntry]) -> Vec<(&str, &str)> {
    let said = entries.iter().filter(|entry| !entry.text.is_empty());
    said.map(|entry| (entry.r#type.rsplit('.').next().unwrap(), entry.text.as_str())).collect()
}

#[tokio::test]
async fn staff_read_all_that_was_written_and_the_applicant_what_answers_them() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = much_is_said(&stage, &teacher).await;
    let history = wire::GetHistoryRequest { key: Some(key.clone()), as_of: None };
    let mut reviewer = ApplicationsClient::new(stage.reviewer(CITY).await);
    let seen = reviewer.get_history(history.clone()).await.unwrap().into_inner().entries;
    let all = [
        ("FactsRecorded", "事实备注"),
        ("ConfirmationRefused", "照片不清晰"),
        ("ApplicationReturned", "请核对岗位"),
        ("ReviewSentBack", "县级请补充材料"),
        ("ReviewPassed", "县级同意"),
        ("ReviewSentBack", "市级请县级复核"),
        ("ReviewPassed", "县级复核同意"),
        ("ReviewPassed", "市级同意"),
        ("ApplicationConcluded", "培训材料存疑"),
        ("ObjectionRecorded", "群众反映"),
        ("ObjectionSettled", "查无实据"),
        ("ReversalProposed", "结论依据有误"),
        ("ConclusionReversed", "结论依据有误"),
    ];
    assert_eq!(words(&seen), all);
    let filed: Vec<&str> =
        seen.iter().map(|entry| entry.file_reference.as_str()).filter(|file| !file.is_empty()).collect();
    assert_eq!(filed, [FILE; 2]);
    let units = |kind: &str| {
        let of_kind = seen.iter().filter(|entry| entry.r#type.ends_with(kind));
        of_kind.map(|entry| entry.unit_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(units("ReviewSentBack"), [COUNTY, CITY].map(|agency| agency.to_string()));
    assert_eq!(units("ApplicationConcluded"), [PROVINCE.to_string()]);
    assert_eq!(units("ApplicationReturned"), [POINT.to_string()]);

    // Who objects, and what is proposed against a conclusion, is no business of the school's.
    let mut school = ApplicationsClient::new(stage.liaison().await);
    let local = school.get_history(history.clone()).await.unwrap().into_inner().entries;
    let withheld = ["ObjectionRecorded", "ObjectionSettled", "ReversalProposed"];
    assert_eq!(words(&local), all.into_iter().filter(|(kind, _)| !withheld.contains(kind)).collect::<Vec<_>>());

    let own = stage.applications(&teacher).get_history(history).await.unwrap().into_inner().entries;
    let answers = ["照片不清晰", "请核对岗位", "县级请补充材料", "培训材料存疑", "结论依据有误"];
    assert_eq!(words(&own).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), answers);
    assert!(own.iter().all(|entry| entry.file_reference.is_empty() && entry.unit_id.is_empty()));
    let mut exports = ExportClient::new(stage.running.person(teacher.person));
    let exported = exports.export_my_data(wire::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    for (_, text) in all {
        assert_eq!(exported.contains(text), answers.contains(&text) || text == "事实备注", "{text}");
    }
}

#[tokio::test]
async fn what_was_refused_is_explained_in_the_words_of_the_refusal() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut clerk = ConfirmationClient::new(stage.clerk(POINT).await);
    let reason = "照片不清晰".to_owned();
    let refuse = wire::RefuseConfirmationRequest { request_id: request_id(), key: Some(key.clone()), reason };
    clerk.refuse_confirmation(refuse).await.unwrap();
    let mut explanations = ExplanationsClient::new(stage.clerk(POINT).await);
    let explain = wire::ExplainApplicationRequest { key: Some(key) };
    let explained = explanations.explain_application(explain).await.unwrap().into_inner();
    let confirming = explained.actions.iter().find(|verdict| verdict.action() == wire::Action::Confirm).unwrap();
    assert_eq!(confirming.reason, "CONFIRMATION_REFUSED");
    assert_eq!(confirming.cause.as_ref().unwrap().text, "照片不清晰");
}

#[tokio::test]
async fn once_the_person_is_erased_nothing_that_was_written_is_read() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = much_is_said(&stage, &teacher).await;
    stage.running.erase(teacher.person).await;
    let mut reviewer = ApplicationsClient::new(stage.reviewer(CITY).await);
    let history = wire::GetHistoryRequest { key: Some(key), as_of: None };
    let seen = reviewer.get_history(history).await.unwrap().into_inner().entries;
    assert!(seen.len() > 10);
    assert_eq!(words(&seen), []);
}

#[tokio::test]
async fn what_is_said_is_text_in_lines_and_a_file_reference_one_line() {
    let stage = Stage::start().await;
    let key = stage.filed(&stage.teacher().await).await;
    let mut province = stage.review(PROVINCE).await;
    let mut propose = async |reason: &str, file_reference: &str| {
        let request = wire::ProposeReversalRequest {
            request_id: request_id(),
            key: Some(key.clone()),
            revoke: false,
            reason: reason.to_owned(),
            file_reference: file_reference.to_owned(),
        };
        let refusal = refused(province.propose_reversal(request).await);
        let named = refusal.violations.into_iter().map(|one| format!("{} {}", one.field, one.reason));
        (refusal.reason, named.collect::<Vec<_>>())
    };
    let wrong = |fields: &[&str]| {
        ("INVALID_FIELDS".to_owned(), fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(propose("\u{0}", " ").await, wrong(&["reason NOT_PLAIN_TEXT", "file_reference REQUIRED"]));
    assert_eq!(
        propose("有误\t", &"长".repeat(101)).await,
        wrong(&["reason NOT_PLAIN_TEXT", "file_reference TOO_LONG"])
    );
    assert_eq!(
        propose(&"长".repeat(1_001), "示范\n1").await,
        wrong(&["reason TOO_LONG", "file_reference NOT_PLAIN_TEXT"])
    );
    assert_eq!(propose("一、有误\n二、已核实", FILE).await, ("WRONG_STATE".to_owned(), Vec::new()));
}
