//! A certificate's number was mistyped: what was concluded under it counts for the certificate that it is, and for no other.

use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::{self as wire};
use proto::certificates::v1 as register;
use proto::types::v1::{CertificateKind, Conclusion};
use uuid::Uuid;

use crate::stage::{CITY, COUNTY, POINT, PROVINCE, Stage, Teacher, confirm, eventually, reason, refused, request_id};

/// An officer of the register merges one certificate into another one, and the record of the first has ended.
async fn merge(stage: &Stage, merged: &Teacher, into: &Teacher) {
    let event = register::CertificateMerged {
        certificate_id: merged.certificate.to_string(),
        into_certificate_id: into.certificate.to_string(),
        ..register::CertificateMerged::default()
    };
    stage.running.neighbour("certificates").publish(merged.certificate, "00", &event).await;
    until(stage, merged.certificate, "RecordMerged").await;
}

async fn until(stage: &Stage, certificate: Uuid, kind: &str) {
    let log = &stage.running.service.ground.log;
    eventually(kind, || async {
        let events = log.load(certificate).await.unwrap();
        events.last().is_some_and(|event| event.kind.ends_with(kind)).then_some(())
    })
    .await;
}

/// Files, confirms and concludes.
async fn qualified(stage: &Stage, teacher: &Teacher) -> wire::ApplicationKey {
    let key = stage.confirmed(teacher).await;
    let pass = || wire::PassReviewRequest { request_id: request_id(), key: Some(key.clone()), ..Default::default() };
    stage.review(COUNTY).await.pass_review(pass()).await.unwrap();
    stage.review(CITY).await.pass_review(pass()).await.unwrap();
    let conclude = wire::ConcludeApplicationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        conclusion: Conclusion::Qualified.into(),
        ..Default::default()
    };
    stage.review(PROVINCE).await.conclude_application(conclude).await.unwrap();
    key
}

#[tokio::test]
async fn what_was_concluded_under_a_mistyped_number_counts_for_the_right_certificate() {
    let stage = Stage::start().await;
    let mistyped = stage.teacher().await;
    stage.prior(&mistyped, 1, Conclusion::Deferred, "2015-06-01").await;
    let right = stage.certified(mistyped.person).await;
    let key = qualified(&stage, &mistyped).await;
    let (again, anew) = (stage.submission(&mistyped).await, stage.submission(&right).await);
    merge(&stage, &mistyped, &right).await;
    until(&stage, right.certificate, "PriorRegistrationRecorded").await;

    // Both conclusions, in their order, once.
    eventually("both", || async {
        let events = stage.running.service.ground.log.load(right.certificate).await.unwrap();
        (events.len() == 2).then_some(())
    })
    .await;
    assert_eq!(reason(stage.applications(&right).submit_application(anew).await), "REGISTERED_RECENTLY");
    assert_eq!(reason(stage.applications(&mistyped).submit_application(again).await), "CERTIFICATE_UNKNOWN");
    let propose = wire::ProposeReversalRequest {
        request_id: request_id(),
        key: Some(key),
        revoke: true,
        reason: "经查不实".to_owned(),
        file_reference: "示范〔2026〕1号".to_owned(),
    };
    let refusal = refused(stage.review(PROVINCE).await.propose_reversal(propose).await);
    assert_eq!(refusal.reason, "NUMBER_MISTYPED");
}

#[tokio::test]
async fn what_is_under_way_under_a_mistyped_number_is_withdrawn_and_filed_anew() {
    let stage = Stage::start().await;
    let mistyped = stage.teacher().await;
    let right = stage.certified(mistyped.person).await;
    let key = stage.filed(&mistyped).await;
    let anew = stage.submission(&right).await;
    merge(&stage, &mistyped, &right).await;
    let mut clerk = ConfirmationClient::new(stage.clerk(POINT).await);
    let refusal = refused(clerk.confirm_application(confirm(&key)).await);
    assert_eq!(refusal.reason, "NUMBER_MISTYPED");
    assert!(refusal.sentence.contains("撤回"), "{}", refusal.sentence);
    let mut applicant = stage.applications(&mistyped);
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key) };
    applicant.withdraw_application(withdraw).await.unwrap();
    assert_eq!(applicant.submit_application(anew).await.unwrap().into_inner().ordinal, 1);
    let events = stage.running.service.ground.log.load(right.certificate).await.unwrap();
    assert_eq!(events.len(), 1, "nothing was concluded");
}

#[tokio::test]
async fn whoever_bears_the_mistyped_number_in_truth_begins_anew() {
    let stage = Stage::start().await;
    let mistyped = stage.teacher().await;
    stage.prior(&mistyped, 1, Conclusion::Qualified, "2025-06-01").await;
    let right = stage.certified(mistyped.person).await;
    merge(&stage, &mistyped, &right).await;
    let bearer = Teacher { person: lifecycle::ids::random(), certificate: mistyped.certificate };
    let certificate_id = bearer.certificate.to_string();
    let neighbour = stage.running.neighbour("certificates");
    let kind = CertificateKind::Junior.into();
    let changed = register::CertificateChanged { certificate_id: certificate_id.clone(), kind, ..Default::default() };
    neighbour.publish(bearer.certificate, "00", &changed).await;
    let person_id = bearer.person.to_string();
    let evidence = "NUMBER_AND_NAME".to_owned();
    let matched = register::CertificateMatched { certificate_id, person_id, evidence };
    neighbour.publish(bearer.certificate, "00", &matched).await;
    // … beside the right one and that of the probe.
    let known = "SELECT count(*) FROM views.certificate WHERE person_id IS NOT NULL";
    stage.until_known("the bearer", known, 3).await;
    let submission = stage.submission(&bearer).await;
    let filed = stage.applications(&bearer).submit_application(submission).await.unwrap().into_inner();
    assert_eq!(filed.ordinal, 1);
    let rebuilt = stage.running.service.bus.rebuild("certificates", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}
