//! What the service says no with is what the caller reads.

use std::time::Duration;

use rpc::{ReadRefusal, Refusal, Violations};
use tonic::{Code, Status};

use crate::harness;

/// Sends a status through a real connection and reads it on the other side.
async fn through(status: impl Into<Status>) -> ReadRefusal {
    let status = status.into();
    let running = harness::start(&harness::settings(), move |_| {
        let status = status.clone();
        async move { Err(status) }
    })
    .await;
    let answer = running.client().deliver(proto::notifications::v1::DeliverRequest::default()).await;
    Refusal::from_status(&answer.unwrap_err())
}

#[tokio::test]
async fn all_wrong_fields_arrive_at_once_each_with_its_reason_and_sentence() {
    let mut violations = Violations::new();
    violations
        .check("phone", false, "NOT_A_PHONE", "手机号应为 11 位数字。")
        .check("name", true, "EMPTY", "姓名不能为空。")
        .check("profile.mail", false, "NOT_A_MAIL", "邮箱格式不正确。");
    let refusal = through(violations.into_result().unwrap_err()).await;
    assert_eq!(refusal.code, Code::InvalidArgument);
    assert_eq!(refusal.reason, "INVALID_FIELDS");
    assert_eq!(refusal.violations.len(), 2);
    assert_eq!(refusal.violation("phone").unwrap().reason, "NOT_A_PHONE");
    assert_eq!(refusal.violation("profile.mail").unwrap().sentence, "邮箱格式不正确。");
    assert_eq!(refusal.violation("name"), None);
}

#[tokio::test]
async fn a_rejection_arrives_with_its_reason_its_sentence_and_its_facts() {
    let refused =
        Refusal::rejected("WINDOW_CLOSED", "网上申报已于 2026年11月30日 结束。").with("closed_at", "2026-11-30");
    let status: Status = refused.clone().into();
    let precondition = tonic_types::StatusExt::get_details_precondition_failure(&status).unwrap();
    assert_eq!(precondition.violations[0].r#type, "WINDOW_CLOSED");

    let refusal = through(refused).await;
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.reason, "WINDOW_CLOSED");
    assert_eq!(refusal.sentence, "网上申报已于 2026年11月30日 结束。");
    assert_eq!(refusal.metadata["closed_at"], "2026-11-30");
}

#[tokio::test]
async fn what_may_be_tried_again_says_when() {
    for (refusal, code, reason) in [
        (Refusal::conflict(), Code::Aborted, "CONFLICT"),
        (Refusal::throttled(Duration::from_millis(1500)), Code::ResourceExhausted, "THROTTLED"),
        (Refusal::overloaded(Duration::from_secs(1)), Code::ResourceExhausted, "OVERLOADED"),
        (Refusal::unavailable("postgres"), Code::Unavailable, "DEPENDENCY_UNAVAILABLE"),
        (Refusal::deadline_exceeded(), Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        (Refusal::shutting_down(), Code::Unavailable, "SHUTTING_DOWN"),
    ] {
        let refusal = through(refusal).await;
        assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason));
        assert!(refusal.retry_after.unwrap() > Duration::ZERO, "{reason}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_and_who_may_not_is_told_why() {
    let refusal = through(Refusal::not_found("notice", "n1")).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    assert_eq!(refusal.resource, Some(("notice".to_owned(), "n1".to_owned())));

    let refusal = through(Refusal::unauthenticated("SESSION_ENDED", "登录已失效,请重新登录。")).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::Unauthenticated, "SESSION_ENDED"));
    let refusal = through(Refusal::forbidden("NOT_YOUR_SCHOOL", "只能处理本校教师的申请。")).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::PermissionDenied, "NOT_YOUR_SCHOOL"));
}

#[tokio::test]
async fn an_internal_error_tells_a_request_id_and_nothing_else() {
    let refusal = through(Refusal::internal("4bf92f3577b34da6a3ce929d0e0e4736")).await;
    assert_eq!(refusal.code, Code::Internal);
    assert_eq!(refusal.request_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(refusal.reason, "");
    assert!(refusal.metadata.is_empty() && refusal.violations.is_empty() && refusal.resource.is_none());
}

#[tokio::test]
async fn very_many_wrong_fields_still_fit_into_the_answer() {
    let mut violations = Violations::new();
    for row in 0..1_000 {
        violations.add(
            format!("rows[{row}].certificate_number"),
            "BAD_CHECK_DIGIT",
            "证书编号有误,请与证书核对后重新填写。",
        );
    }
    let refusal = through(violations).await;
    assert_eq!(refusal.code, Code::InvalidArgument);
    assert_eq!(refusal.violations.len(), 64);
    assert_eq!(refusal.violations[63].field, "rows[63].certificate_number");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_an_internal_error_and_keeps_its_words_to_itself() {
    let running = harness::start(&harness::settings(), |_| async { panic!("on purpose, in a test") }).await;
    let status = running.client().deliver(proto::notifications::v1::DeliverRequest::default()).await.unwrap_err();
    let refusal = Refusal::from_status(&status);
    assert_eq!(refusal.code, Code::Internal);
    assert_eq!(refusal.request_id.unwrap().len(), 32);
    assert!(!format!("{status:?}").contains("on purpose"));
}
