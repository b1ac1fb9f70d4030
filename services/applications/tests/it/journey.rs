//! One teacher, from draft to conclusion and beyond, by everybody's own calls.

use std::sync::atomic::Ordering;

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::applications::v1::{self as wire, Status as State, Turn};
use proto::certificates::v1::{CertificateDeleted, CertificateMerged, CertificateUnmatched, RestrictionKind};
use proto::types::v1::Conclusion;

use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, Stage, confirm, facts, form, reason, record_facts, refused, request_id,
};

fn pass(key: &wire::ApplicationKey) -> wire::PassReviewRequest {
    wire::PassReviewRequest { request_id: request_id(), key: Some(key.clone()), opinion: "同意".to_owned() }
}

fn conclude(key: &wire::ApplicationKey, conclusion: Conclusion, reason: &str) -> wire::ConcludeApplicationRequest {
    let (request_id, key) = (request_id(), Some(key.clone()));
    wire::ConcludeApplicationRequest { request_id, key, conclusion: conclusion.into(), reason: reason.to_owned() }
}

fn send_back(key: &wire::ApplicationKey) -> wire::SendBackRequest {
    wire::SendBackRequest { request_id: request_id(), key: Some(key.clone()), reason: "材料不全".to_owned() }
}

#[tokio::test]
async fn a_teacher_goes_from_draft_to_qualified() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let filed = stage.applications(&teacher).submit_application(submission).await.unwrap().into_inner();
    assert_eq!(filed.enrolment_number.len(), 17);
    assert_eq!(&filed.enrolment_number[4..10], "320303");
    assert_eq!((filed.status(), filed.ordinal, filed.version), (State::PendingOnlineConfirmation, 1, 1));
    let key = wire::ApplicationKey { certificate_id: filed.certificate_id, enrolment_number: filed.enrolment_number };

    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    assert_eq!(reason(confirmation.confirm_application(confirm(&key)).await), "FACTS_MISSING");
    let recorded = confirmation.record_facts(record_facts(&key, facts())).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(recorded.turn(), Turn::Point);
    let confirmed = confirmation.confirm_application(confirm(&key)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((confirmed.status(), confirmed.level()), (State::Confirmed, wire::ReviewLevel::County));

    let (mut county, mut city) = (stage.review(COUNTY).await, stage.review(CITY).await);
    let mut province = stage.review(PROVINCE).await;
    assert_eq!(reason(city.pass_review(pass(&key)).await), "NOT_YOUR_TURN");
    county.pass_review(pass(&key)).await.unwrap();
    let back = city.send_back(send_back(&key)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(back.level(), wire::ReviewLevel::County);
    county.pass_review(pass(&key)).await.unwrap();
    let passed = city.pass_review(pass(&key)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(passed.turn(), Turn::Province);
    assert_eq!(reason(province.pass_review(pass(&key)).await), "LAST_LEVEL");

    let assess = wire::AssessApplicationRequest { key: Some(key.clone()) };
    let assessed = province.assess_application(assess).await.unwrap().into_inner();
    assert_eq!(assessed.assessment.unwrap().proposal(), wire::Proposal::Qualified);
    assert_eq!((assessed.rule_set_id.as_str(), assessed.rule_set_version), ("00", 1));
    let against = province.conclude_application(conclude(&key, Conclusion::Deferred, "")).await;
    assert_eq!(reason(against), "REASON_REQUIRED");
    let concluded =
        province.conclude_application(conclude(&key, Conclusion::Qualified, "")).await.unwrap().into_inner();
    let outcome = concluded.outcome.unwrap();
    assert_eq!(
        (outcome.status(), outcome.conclusion(), outcome.turn()),
        (State::Concluded, Conclusion::Qualified, Turn::Nobody)
    );

    // The next one waits 54 months, whoever asks.
    let mut submission = stage.submission(&teacher).await;
    submission.request_id = request_id();
    let refusal = refused(stage.applications(&teacher).submit_application(submission).await);
    assert_eq!(refusal.reason, "REGISTERED_RECENTLY");
    assert!(refusal.sentence.contains("5年内无需再注册"), "{}", refusal.sentence);
}

#[tokio::test]
async fn an_open_application_stands_still_while_its_certificate_is_restricted_and_goes_on_once_it_is_lifted() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
    stage.restrict(&teacher, RestrictionKind::Forfeited).await;
    let refusal = refused(confirmation.confirm_application(confirm(&key)).await);
    assert_eq!(refusal.reason, "CERTIFICATE_RESTRICTED");
    assert!(refusal.sentence.contains("该教师资格已被依法注销"), "{}", refusal.sentence);
    stage.lift(&teacher).await;
    confirmation.confirm_application(confirm(&key)).await.unwrap();

    let (mut county, mut city) = (stage.review(COUNTY).await, stage.review(CITY).await);
    stage.restrict(&teacher, RestrictionKind::RevokedConduct).await;
    let refusal = refused(county.pass_review(pass(&key)).await);
    assert_eq!(refusal.reason, "CERTIFICATE_RESTRICTED");
    assert!(refusal.sentence.contains("该教师资格已被依法撤销"), "{}", refusal.sentence);
    stage.lift(&teacher).await;
    county.pass_review(pass(&key)).await.unwrap();
    city.pass_review(pass(&key)).await.unwrap();

    let mut province = stage.review(PROVINCE).await;
    stage.restrict(&teacher, RestrictionKind::Unspecified).await;
    let refusal = refused(province.conclude_application(conclude(&key, Conclusion::Qualified, "")).await);
    assert_eq!(refusal.reason, "CERTIFICATE_RESTRICTED");
    assert!(refusal.sentence.contains("该证书受到限制，不允许注册"), "{}", refusal.sentence);
    // Sending back stays possible.
    province.send_back(send_back(&key)).await.unwrap();
    stage.lift(&teacher).await;
    city.pass_review(pass(&key)).await.unwrap();
    let concluded = province.conclude_application(conclude(&key, Conclusion::Qualified, "")).await.unwrap();
    assert_eq!(concluded.into_inner().outcome.unwrap().conclusion(), Conclusion::Qualified);
}

#[tokio::test]
async fn whoever_lost_a_certificate_registers_it_no_more() {
    let stage = Stage::start().await;
    let (of_deleted, of_merged, former) = (stage.teacher().await, stage.teacher().await, stage.teacher().await);
    let mut submissions = Vec::new();
    for teacher in [&of_deleted, &of_merged, &former] {
        submissions.push(stage.submission(teacher).await);
    }
    let register = stage.running.neighbour("certificates");
    let certificate_id = of_deleted.certificate.to_string();
    register.publish(of_deleted.certificate, "00", &CertificateDeleted { certificate_id }).await;
    let certificate_id = of_merged.certificate.to_string();
    let merged = CertificateMerged { certificate_id, into_certificate_id: request_id(), ..Default::default() };
    register.publish(of_merged.certificate, "00", &merged).await;
    let certificate_id = former.certificate.to_string();
    register.publish(former.certificate, "00", &CertificateUnmatched { certificate_id }).await;
    let sql = "SELECT count(*) FROM views.certificate WHERE person_id IS NULL";
    stage.until_known("the losses", sql, 3).await;
    for (teacher, submission) in [of_deleted, of_merged, former].iter().zip(submissions) {
        let refused = reason(stage.applications(teacher).submit_application(submission).await);
        assert_eq!(refused, "CERTIFICATE_UNKNOWN");
    }
}

#[tokio::test]
async fn what_follows_a_conclusion_and_its_reversal_by_two_officers() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    let (mut county, mut city) = (stage.review(COUNTY).await, stage.review(CITY).await);
    let (mut province, mut second) = (stage.review(PROVINCE).await, stage.review(PROVINCE).await);
    county.pass_review(pass(&key)).await.unwrap();
    city.pass_review(pass(&key)).await.unwrap();
    province.conclude_application(conclude(&key, Conclusion::Qualified, "")).await.unwrap();

    let record = |fact: Fact, text: &str| wire::RecordConclusionFactRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        fact: fact.into(),
        text: text.to_owned(),
        ..Default::default()
    };
    province.record_conclusion_fact(record(Fact::PublicityBegun, "")).await.unwrap();
    assert_eq!(reason(province.record_conclusion_fact(record(Fact::PublicityBegun, "")).await), "ALREADY_SO");
    province.record_conclusion_fact(record(Fact::PublicityEnded, "")).await.unwrap();
    let violations = refused(province.record_conclusion_fact(record(Fact::ObjectionRecorded, "")).await).violations;
    assert_eq!(violations[0].field, "text");
    province.record_conclusion_fact(record(Fact::ObjectionRecorded, "对结论有异议")).await.unwrap();
    province.record_conclusion_fact(record(Fact::ObjectionSettled, "经核实维持")).await.unwrap();
    province.record_conclusion_fact(record(Fact::NotePrinted, "")).await.unwrap();

    let approve = |proposal_version| wire::ApproveReversalRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        proposal_version,
    };
    let propose = |revoke| wire::ProposeReversalRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        revoke,
        reason: "经查不实".to_owned(),
        file_reference: "示范〔2026〕1号".to_owned(),
    };
    let proposer = province.clone();
    let proposed = async |revoke| {
        proposer.clone().propose_reversal(propose(revoke)).await.unwrap().into_inner().outcome.unwrap().version
    };
    assert_eq!(reason(second.approve_reversal(approve(0)).await), "NO_PROPOSAL");
    let harmless = proposed(false).await;
    assert_eq!(reason(province.approve_reversal(approve(harmless)).await), "SECOND_PERSON_NEEDED");
    // What is looked at is what is approved.
    let grave = proposed(true).await;
    assert_eq!(reason(second.approve_reversal(approve(harmless)).await), "OTHER_PROPOSAL");
    let get = wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let mut looking = ApplicationsClient::new(stage.reviewer(PROVINCE).await);
    let found = looking.get_application(get.clone()).await.unwrap().into_inner().application.unwrap();
    let looked_at = found.conclusion_record.unwrap().proposal.unwrap();
    assert_eq!((looked_at.version, looked_at.revoke, looked_at.reason.as_str()), (grave, true, "经查不实"));
    assert_eq!(looked_at.file_reference, "示范〔2026〕1号");
    let own = stage.applications(&teacher).get_application(get).await.unwrap().into_inner().application.unwrap();
    let own = own.conclusion_record.unwrap();
    assert!(own.reversal_proposed && own.proposal.is_none(), "who proposes what is the officers' own");
    let harmless = proposed(false).await;
    let reversed = second.approve_reversal(approve(harmless)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((reversed.status(), reversed.level()), (State::Confirmed, wire::ReviewLevel::Province));

    province.conclude_application(conclude(&key, Conclusion::Qualified, "")).await.unwrap();
    let grave = proposed(true).await;
    let revoked = second.approve_reversal(approve(grave)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((revoked.status(), revoked.conclusion()), (State::Concluded, Conclusion::Revoked));
    let submission = stage.submission(&teacher).await;
    assert_eq!(reason(stage.applications(&teacher).submit_application(submission).await), "REVOKED_RECENTLY");
}

#[tokio::test]
async fn what_was_refused_or_returned_is_mended_by_the_applicant() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    let mut school = ConfirmationClient::new(stage.liaison().await);
    school.record_facts(record_facts(&key, facts())).await.unwrap();
    let refuse = |reason: &str| wire::RefuseConfirmationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        reason: reason.to_owned(),
    };
    assert_eq!(refused(confirmation.refuse_confirmation(refuse(" ")).await).violations[0].field, "reason");
    let refusal = confirmation.refuse_confirmation(refuse("照片不清晰")).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(refusal.turn(), Turn::Applicant);
    assert_eq!(reason(confirmation.confirm_application(confirm(&key)).await), "CONFIRMATION_REFUSED");

    let amend = |form, pledge| wire::AmendApplicationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        form: Some(form),
        pledge,
    };
    let mut applicant = stage.applications(&teacher);
    let no = Some(wire::Pledge { accepted: false, ..Default::default() });
    assert_eq!(reason(applicant.amend_application(amend(form(), no)).await), "PLEDGE_REFUSED");
    let mut wrong = form();
    wrong.coded.as_mut().unwrap().subject = "科学".to_owned();
    let violations = refused(applicant.amend_application(amend(wrong, stage.pledge(&teacher).await)).await).violations;
    assert_eq!(violations[0].field, "form.coded.subject");
    // Nothing of the form is changed: name and certificate are asked for anew all the same.
    stage.reveals.renamed.store(true, Ordering::Relaxed);
    let amended = applicant.amend_application(amend(form(), stage.pledge(&teacher).await)).await.unwrap().into_inner();
    assert_eq!(amended.outcome.unwrap().turn(), Turn::Point);
    let get = wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let found = applicant.get_application(get).await.unwrap().into_inner().application.unwrap();
    assert!(found.applicant.unwrap().name.starts_with("测试改"));
    confirmation.confirm_application(confirm(&key)).await.unwrap();
    assert_eq!(reason(applicant.amend_application(amend(form(), stage.pledge(&teacher).await)).await), "WRONG_STATE");

    let back = wire::ReturnApplicationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        reason: "职称有误".to_owned(),
    };
    let returned = school.return_application(back).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((returned.status(), returned.turn()), (State::PendingOnlineConfirmation, Turn::Applicant));
    let mut moved = form();
    moved.coded.as_mut().unwrap().point_id = OTHER_POINT.to_string();
    applicant.amend_application(amend(moved, stage.pledge(&teacher).await)).await.unwrap();
    assert_eq!(reason(confirmation.confirm_application(confirm(&key)).await), "NOT_FOUND");
    ConfirmationClient::new(stage.clerk(OTHER_POINT).await).confirm_application(confirm(&key)).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_application_makes_room_for_another() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut applicant = stage.applications(&teacher);
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key.clone()) };
    let first = applicant.withdraw_application(withdraw.clone()).await.unwrap().into_inner();
    assert_eq!(first.outcome.unwrap().status(), State::Withdrawn);
    let again = applicant.withdraw_application(withdraw).await.unwrap().into_inner();
    assert_eq!(first.outcome, again.outcome);
    let once_more = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key.clone()) };
    assert_eq!(reason(applicant.withdraw_application(once_more).await), "WRONG_STATE");
    let other = stage.filed(&teacher).await;
    assert_ne!(other.enrolment_number, key.enrolment_number);
}
