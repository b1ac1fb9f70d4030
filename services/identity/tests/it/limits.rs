//! What is asked for too often, and what is too large.

use std::time::Duration;

use proto::identity::v1 as api;
use proto::identity::v1::credentials_client::CredentialsClient;
use proto::identity::v1::phone_fixes_client::PhoneFixesClient;
use proto::identity::v1::recovery_client::RecoveryClient;
use proto::identity::v1::wechat_bindings_client::WechatBindingsClient;
use tonic::{Code, Request};

use crate::desk::{Desk, Teacher, refusal, retry_within};
use crate::phone_fixes;

/// Sets the counters of addresses or accounts to their limits.
async fn exhaust(desk: &Desk, by_address: bool) {
    desk.sql(if by_address {
        "UPDATE attempt SET count = CASE WHEN kind = 104 THEN 1200 ELSE 600 END WHERE kind > 100"
    } else {
        "UPDATE attempt SET count = CASE WHEN kind IN (3, 5, 7) THEN 10 ELSE 30 END WHERE kind < 100"
    })
    .await;
}

#[track_caller]
fn throttled<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) {
    let refused = refusal(answer);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "THROTTLED"));
    assert!(retry_within(&refused, Duration::from_secs(3601)), "{refused:?}");
}

#[tokio::test]
async fn one_address_registers_asks_for_codes_and_tries_passwords_so_often_and_no_more() {
    let desk = Desk::open().await;
    let (one, other) = (Teacher::new(1), Teacher::new(2));
    desk.register(&one).await;
    let waiting = desk.registration(&other).await;
    let attempt = desk.start_sign_in(&one).await;
    exhaust(&desk, true).await;
    throttled(desk.accounts().register_account(waiting.clone()).await);
    throttled(desk.accounts().send_phone_code(api::SendPhoneCodeRequest { phone: Teacher::new(3).phone }).await);
    throttled(desk.sessions().start_sign_in(Teacher::new(4).credentials()).await);
    desk.sessions().complete_sign_in(attempt).await.expect("what was begun is ended");
    desk.sql("UPDATE attempt SET began_at = began_at - interval '1 hour'").await;
    desk.accounts().register_account(waiting).await.unwrap();
}

#[tokio::test]
async fn one_address_asks_for_lost_access_so_often_and_no_more() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let mut recovery = RecoveryClient::new(desk.identity.anyone());
    let start = api::StartRecoveryRequest {
        document_type: api::DocumentType::ResidentId.into(),
        number: teacher.number.clone(),
        name: teacher.name.clone(),
    };
    let begun = recovery.start_recovery(start.clone()).await.unwrap().into_inner();
    let mut fixes = PhoneFixesClient::new(desk.identity.anyone());
    let phone = Teacher::new(3).phone;
    let fix = phone_fixes::request(&desk, &teacher, &phone).await;
    fixes.request_phone_fix(fix.clone()).await.unwrap();
    exhaust(&desk, true).await;
    throttled(recovery.start_recovery(start).await);
    let recovery_id = begun.recovery_id;
    let code = api::SendRecoveryCodeRequest { recovery_id: recovery_id.clone() };
    throttled(recovery.send_recovery_code(code).await);
    throttled(recovery.send_recovery_link(api::SendRecoveryLinkRequest { recovery_id }).await);
    let id = || lifecycle::ids::random().to_string();
    let by_code = api::ResetPasswordByCodeRequest {
        request_id: id(),
        challenge_id: id(),
        code: "123456".to_owned(),
        new_password: "another#2026".to_owned(),
    };
    throttled(recovery.reset_password_by_code(by_code).await);
    let by_link = api::ResetPasswordByLinkRequest {
        request_id: id(),
        token: "0".repeat(64),
        new_password: "another#2026".to_owned(),
    };
    throttled(recovery.reset_password_by_link(by_link).await);
    throttled(fixes.send_phone_fix_code(api::SendPhoneFixCodeRequest { phone }).await);
    throttled(fixes.request_phone_fix(fix).await);
    let mut credentials = CredentialsClient::new(desk.identity.anyone());
    let email = "teacher@school.example".to_owned();
    throttled(credentials.send_email_code(api::SendEmailCodeRequest { email }).await);
}

#[tokio::test]
async fn one_number_and_one_phone_are_asked_for_so_often_and_no_more() {
    let desk = Desk::open().await;
    let (known, other) = (Teacher::new(1), Teacher::new(2));
    desk.register(&known).await;
    desk.sign_in(&known).await;
    // A try by a number of nobody is counted as well.
    let unknown = Teacher::new(4);
    assert_eq!(refusal(desk.sessions().start_sign_in(unknown.credentials()).await).reason, "WRONG_CREDENTIALS");
    let again = desk.registration(&Teacher { phone: other.phone.clone(), ..known.clone() }).await;
    exhaust(&desk, false).await;
    throttled(desk.sessions().start_sign_in(known.credentials()).await);
    throttled(desk.sessions().start_sign_in(unknown.credentials()).await);
    throttled(desk.accounts().register_account(again).await);
    throttled(desk.accounts().send_phone_code(api::SendPhoneCodeRequest { phone: known.phone }).await);
    desk.register(&Teacher::new(5)).await;
}

#[tokio::test]
async fn lost_access_to_one_number_is_asked_for_so_often_and_no_more() {
    let desk = Desk::open().await;
    let (known, unknown) = (Teacher::new(1), Teacher::new(2));
    desk.register(&known).await;
    let mut recovery = RecoveryClient::new(desk.identity.anyone());
    let mut wechat = WechatBindingsClient::new(desk.identity.anyone());
    let mut fixes = PhoneFixesClient::new(desk.identity.anyone());
    for (teacher, phone) in [(&known, 10), (&unknown, 20)] {
        let fix = phone_fixes::request(&desk, teacher, &Teacher::new(phone).phone).await;
        fixes.request_phone_fix(fix).await.unwrap();
        let another_fix = phone_fixes::request(&desk, teacher, &Teacher::new(phone + 1).phone).await;
        let start = api::StartRecoveryRequest {
            document_type: api::DocumentType::ResidentId.into(),
            number: teacher.number.clone(),
            name: teacher.name.clone(),
        };
        let begun = recovery.start_recovery(start.clone()).await.unwrap().into_inner();
        let recovery_id = begun.recovery_id;
        let code = api::SendRecoveryCodeRequest { recovery_id: recovery_id.clone() };
        recovery.send_recovery_code(code.clone()).await.unwrap();
        exhaust(&desk, false).await;
        throttled(recovery.start_recovery(start).await);
        throttled(recovery.send_recovery_code(code).await);
        throttled(recovery.send_recovery_link(api::SendRecoveryLinkRequest { recovery_id: recovery_id.clone() }).await);
        throttled(wechat.send_recovery_wechat_code(api::SendRecoveryWechatCodeRequest { recovery_id }).await);
        throttled(fixes.request_phone_fix(another_fix).await);
    }
}

#[tokio::test]
async fn requests_for_another_phone_that_a_stranger_makes_keep_nobody_from_recovering() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let mut fixes = PhoneFixesClient::new(desk.identity.anyone());
    let fix = phone_fixes::request(&desk, &teacher, &Teacher::new(2).phone).await;
    for _ in 0..11 {
        let id = || lifecycle::ids::random().to_string();
        let made_up = api::RequestPhoneFixRequest { request_id: id(), challenge_id: id(), ..fix.clone() };
        assert_eq!(refusal(fixes.request_phone_fix(made_up).await).reason, "CODE_EXPIRED");
    }
    fixes.request_phone_fix(fix).await.unwrap();
    let another_fix = phone_fixes::request(&desk, &teacher, &Teacher::new(3).phone).await;
    desk.sql("UPDATE attempt SET count = 600 WHERE kind IN (7, 107)").await;
    throttled(fixes.request_phone_fix(another_fix).await);
    let start = crate::recovery::start(&teacher);
    RecoveryClient::new(desk.identity.anyone()).start_recovery(start).await.unwrap();
}

#[tokio::test]
async fn one_person_and_one_address_send_codes_to_new_phones_so_often_and_no_more() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let mut credentials = desk.credentials(&token);
    let to = |n| api::SendNewPhoneCodeRequest { phone: Teacher::new(n).phone };
    credentials.send_new_phone_code(to(2)).await.unwrap();
    exhaust(&desk, false).await;
    throttled(credentials.send_new_phone_code(to(3)).await);
    desk.sql("UPDATE attempt SET count = 1 WHERE kind < 100").await;
    credentials.send_new_phone_code(to(3)).await.unwrap();
    exhaust(&desk, true).await;
    throttled(credentials.send_new_phone_code(to(4)).await);
}

#[tokio::test]
async fn a_header_and_a_body_beyond_their_limits_are_refused() {
    let desk = Desk::open().await;
    let mut request = Request::new(Teacher::new(1).puzzle());
    request.metadata_mut().insert("x-large", "x".repeat(20 * 1024).parse().unwrap());
    desk.puzzles().make_puzzle(request).await.unwrap_err();

    let of = |size: usize| api::MakePuzzleRequest { document_type: 1, number: "1".repeat(size) };
    let too_large = desk.puzzles().make_puzzle(of(256 * 1024)).await.unwrap_err();
    assert_eq!(too_large.code(), Code::OutOfRange);
    assert_eq!(refusal(desk.puzzles().make_puzzle(of(255 * 1024)).await).reason, "INVALID_FIELDS");
    desk.puzzles().make_puzzle(Teacher::new(1).puzzle()).await.expect("the connection goes on");
}
