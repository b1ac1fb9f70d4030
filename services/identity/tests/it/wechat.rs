//! `WechatBindings`: a WeChat is bound once, by who scans and knows the password, and a forgotten password is reset through it.

use std::time::Duration;

use proto::identity::v1 as api;
use proto::identity::v1::recovery_client::RecoveryClient;
use proto::identity::v1::wechat_bindings_client::WechatBindingsClient;
use service::testing::until;
use tonic::Code;

use crate::credentials::{password_change, phone_change};
use crate::desk::{Desk, Teacher, refusal, retry_within, violations};
use crate::erasure::{erase, registry};
use crate::recovery;

const OPENID: &str = "oExample-WeChat_0001";
const NEW: &str = "another99#";

pub fn wechat(desk: &Desk, token: &str) -> WechatBindingsClient<service::testing::Channel> {
    WechatBindingsClient::new(desk.identity.with_token(token))
}

fn anyone(desk: &Desk) -> WechatBindingsClient<tonic::transport::Channel> {
    WechatBindingsClient::new(desk.identity.anyone())
}

fn begin(teacher: &Teacher) -> api::BeginWechatBindingRequest {
    api::BeginWechatBindingRequest { password: teacher.password.clone() }
}

fn complete(ticket_id: String) -> api::CompleteWechatBindingRequest {
    api::CompleteWechatBindingRequest { request_id: lifecycle::ids::random().to_string(), ticket_id }
}

fn unbind(teacher: &Teacher) -> api::UnbindWechatRequest {
    let request_id = lifecycle::ids::random().to_string();
    api::UnbindWechatRequest { request_id, password: teacher.password.clone() }
}

async fn ticket(desk: &Desk, token: &str, teacher: &Teacher) -> String {
    wechat(desk, token).begin_wechat_binding(begin(teacher)).await.unwrap().into_inner().ticket_id
}

/// A ticket that this WeChat has scanned, not completed yet.
async fn scanned(desk: &Desk, token: &str, teacher: &Teacher, openid: &str) -> api::CompleteWechatBindingRequest {
    let ticket_id = ticket(desk, token, teacher).await;
    desk.wechat.scan(&ticket_id, openid);
    complete(ticket_id)
}

pub async fn bind(desk: &Desk, token: &str, teacher: &Teacher, openid: &str) {
    let request = scanned(desk, token, teacher, openid).await;
    wechat(desk, token).complete_wechat_binding(request).await.unwrap();
}

async fn bound(desk: &Desk, token: &str) -> Option<prost_types::Timestamp> {
    let known = wechat(desk, token).get_wechat_binding(api::GetWechatBindingRequest {}).await.unwrap().into_inner();
    assert_eq!(known.bound, known.bind_time.is_some());
    known.bind_time
}

async fn started(desk: &Desk, teacher: &Teacher) -> api::SendRecoveryWechatCodeRequest {
    let begun = RecoveryClient::new(desk.identity.anyone()).start_recovery(recovery::start(teacher)).await.unwrap();
    api::SendRecoveryWechatCodeRequest { recovery_id: begun.into_inner().recovery_id }
}

/// A reset with a code that arrived in WeChat, where these are; not sent yet.
pub async fn reset_by_wechat(
    desk: &Desk,
    teacher: &Teacher,
    codes: impl Fn() -> Vec<String>,
) -> api::ResetPasswordByCodeRequest {
    let request = started(desk, teacher).await;
    let before = codes().len();
    let sent = anyone(desk).send_recovery_wechat_code(request).await.unwrap().into_inner();
    until("the code to arrive", || codes().len() > before).await;
    let code = codes().pop().unwrap();
    let (request_id, challenge_id) = (lifecycle::ids::random().to_string(), sent.challenge_id);
    api::ResetPasswordByCodeRequest { request_id, challenge_id, code, new_password: NEW.to_owned() }
}

#[tokio::test]
async fn whoever_scans_is_bound_once_and_the_person_is_told() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    assert_eq!(bound(&desk, &token).await, None);
    let begun = wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await.unwrap().into_inner();
    assert_eq!(begun.qr_text, format!("dingzhu-wechat:{}", begun.ticket_id));
    let head = desk.head().await;
    let request = complete(begun.ticket_id.clone());
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(request.clone()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "WECHAT_NOT_SCANNED"));
    desk.wechat.scan(&begun.ticket_id, OPENID);
    wechat(&desk, &token).complete_wechat_binding(request.clone()).await.unwrap();
    assert!(bound(&desk, &token).await.is_some());
    assert_eq!(desk.head().await, head + 1);
    until("the person to be told", || desk.outbox.count(&teacher.phone, "wechat_bound") == 1).await;

    wechat(&desk, &token).complete_wechat_binding(request.clone()).await.unwrap();
    assert_eq!(desk.head().await, head + 1, "a repeated request has one effect");
    let other = api::CompleteWechatBindingRequest { ticket_id: lifecycle::ids::random().to_string(), ..request };
    assert_eq!(refusal(wechat(&desk, &token).complete_wechat_binding(other).await).reason, "REQUEST_ID_REUSED");
    let again = complete(begun.ticket_id);
    assert_eq!(refusal(wechat(&desk, &token).complete_wechat_binding(again).await).reason, "WECHAT_TICKET_EXPIRED");
    let refused = refusal(wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await);
    assert_eq!(refused.reason, "WECHAT_ALREADY_BOUND");
}

#[tokio::test]
async fn a_ticket_is_its_persons_only_and_counts_for_five_minutes() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    let others = desk.newcomer(&other).await.access_token;
    let unscanned = complete(ticket(&desk, &token, &teacher).await);
    let refused = refusal(wechat(&desk, &others).complete_wechat_binding(unscanned).await);
    assert_eq!(refused.reason, "WECHAT_TICKET_EXPIRED", "another person's ticket");
    let request = scanned(&desk, &token, &teacher, OPENID).await;
    let refused = refusal(wechat(&desk, &others).complete_wechat_binding(request.clone()).await);
    assert_eq!((refused.reason.as_str(), bound(&desk, &others).await), ("WECHAT_TICKET_EXPIRED", None));
    desk.sql("UPDATE wechat_ticket SET expires_at = expires_at - interval '5 minutes'").await;
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(request).await);
    assert_eq!(refused.reason, "WECHAT_TICKET_EXPIRED");
    assert_eq!(bound(&desk, &token).await, None);
    let in_time = scanned(&desk, &token, &teacher, OPENID).await;
    desk.sql("UPDATE wechat_ticket SET expires_at = expires_at - interval '4 minutes 50 seconds'").await;
    wechat(&desk, &token).complete_wechat_binding(in_time).await.unwrap();
}

#[tokio::test]
async fn a_ticket_is_not_asked_for_more_often_than_every_two_seconds_of_its_life() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let ticket_id = ticket(&desk, &token, &teacher).await;
    desk.sql("UPDATE wechat_ticket SET polls = 149").await;
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(complete(ticket_id.clone())).await);
    assert_eq!(refused.reason, "WECHAT_NOT_SCANNED");
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(complete(ticket_id)).await);
    assert_eq!(refused.reason, "WECHAT_TICKET_EXPIRED");
}

#[tokio::test]
async fn one_wechat_belongs_to_one_account_until_it_is_unbound() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    let others = desk.newcomer(&other).await.access_token;
    bind(&desk, &token, &teacher, OPENID).await;
    let request = scanned(&desk, &others, &other, OPENID).await;
    let refused = refusal(wechat(&desk, &others).complete_wechat_binding(request).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "WECHAT_TAKEN"));
    assert_eq!(bound(&desk, &others).await, None);

    let request = unbind(&teacher);
    wechat(&desk, &token).unbind_wechat(request.clone()).await.unwrap();
    let head = desk.head().await;
    wechat(&desk, &token).unbind_wechat(request).await.unwrap();
    assert_eq!((desk.head().await, bound(&desk, &token).await), (head, None));
    until("the person to be told", || desk.outbox.count(&teacher.phone, "wechat_unbound") == 1).await;
    assert_eq!(refusal(wechat(&desk, &token).unbind_wechat(unbind(&teacher)).await).reason, "WECHAT_NOT_BOUND");
    bind(&desk, &others, &other, OPENID).await;
    bind(&desk, &token, &teacher, "oExample-WeChat_0002").await;
}

#[tokio::test]
async fn two_accounts_that_bring_one_wechat_at_once_do_not_both_have_it() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    let others = desk.newcomer(&other).await.access_token;
    let one = scanned(&desk, &token, &teacher, OPENID).await;
    let two = scanned(&desk, &others, &other, OPENID).await;
    let (mut left, mut right) = (wechat(&desk, &token), wechat(&desk, &others));
    let (first, second) = tokio::join!(left.complete_wechat_binding(one), right.complete_wechat_binding(two));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(refusal(if first.is_err() { first } else { second }).reason, "WECHAT_TAKEN");
}

#[tokio::test]
async fn two_uses_of_one_ticket_at_once_are_one() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let one = scanned(&desk, &token, &teacher, OPENID).await;
    let two = complete(one.ticket_id.clone());
    let head = desk.head().await;
    let (mut left, mut right) = (wechat(&desk, &token), wechat(&desk, &token));
    let (first, second) = tokio::join!(left.complete_wechat_binding(one), right.complete_wechat_binding(two));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(refusal(if first.is_err() { first } else { second }).reason, "WECHAT_TICKET_EXPIRED");
    assert_eq!(desk.head().await, head + 1);
}

#[tokio::test]
async fn neither_binding_nor_unbinding_goes_without_the_password() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let guess = Teacher { password: "guessed99#".to_owned(), ..teacher.clone() };
    assert_eq!(refusal(wechat(&desk, &token).begin_wechat_binding(begin(&guess)).await).reason, "WRONG_PASSWORD");
    bind(&desk, &token, &teacher, OPENID).await;
    for _ in 0..5 {
        assert_eq!(refusal(wechat(&desk, &token).unbind_wechat(unbind(&guess)).await).reason, "WRONG_PASSWORD");
    }
    let refused = refusal(wechat(&desk, &token).unbind_wechat(unbind(&teacher)).await);
    assert_eq!(refused.reason, "LOCKED_OUT", "guesses are counted like those of a sign-in");
    assert!(bound(&desk, &token).await.is_some());
}

#[tokio::test]
async fn a_change_of_the_password_voids_tickets_that_were_begun_with_the_old_one() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let request = scanned(&desk, &token, &teacher, OPENID).await;
    desk.credentials(&token).change_password(password_change(&teacher)).await.unwrap();
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(request).await);
    assert_eq!(refused.reason, "WECHAT_TICKET_EXPIRED");
}

#[tokio::test]
async fn a_person_does_not_begin_more_than_ten_bindings_an_hour() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    for _ in 0..10 {
        ticket(&desk, &token, &teacher).await;
    }
    let refused = refusal(wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "THROTTLED"));
    assert!(retry_within(&refused, Duration::from_secs(3601)), "{refused:?}");
}

#[tokio::test]
async fn one_address_begins_bindings_and_asks_for_codes_so_often_and_no_more() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    ticket(&desk, &token, &teacher).await;
    let begun = started(&desk, &teacher).await;
    anyone(&desk).send_recovery_wechat_code(begun.clone()).await.unwrap();
    desk.sql("UPDATE attempt SET count = 1200 WHERE kind > 100").await;
    assert_eq!(refusal(wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await).reason, "THROTTLED");
    assert_eq!(refusal(anyone(&desk).send_recovery_wechat_code(begun).await).reason, "THROTTLED");
}

#[tokio::test]
async fn a_code_in_wechat_sets_a_new_password() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    bind(&desk, &token, &teacher, OPENID).await;
    let request = reset_by_wechat(&desk, &teacher, || desk.wechat.codes(OPENID)).await;
    RecoveryClient::new(desk.identity.anyone()).reset_password_by_code(request).await.unwrap();
    assert_eq!(desk.outbox.count(&teacher.phone, "recovery_code"), 0, "nothing went to the phone");
    until("the person to be told", || desk.outbox.count(&teacher.phone, "password_changed") == 1).await;
    let teacher = Teacher { password: NEW.to_owned(), ..teacher };
    desk.sql("DELETE FROM code_wait").await;
    let token = desk.sign_in(&teacher).await.access_token;
    assert!(bound(&desk, &token).await.is_some(), "the binding outlives the password");
}

#[tokio::test]
async fn a_code_counts_no_more_once_its_wechat_is_unbound() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    bind(&desk, &token, &teacher, OPENID).await;
    let request = reset_by_wechat(&desk, &teacher, || desk.wechat.codes(OPENID)).await;
    let begun = started(&desk, &teacher).await;
    wechat(&desk, &token).unbind_wechat(unbind(&teacher)).await.unwrap();
    let mut client = RecoveryClient::new(desk.identity.anyone());
    assert_eq!(refusal(client.reset_password_by_code(request).await).reason, "CODE_EXPIRED");
    let refused = refusal(anyone(&desk).send_recovery_wechat_code(begun).await);
    assert_eq!(refused.reason, "RECOVERY_EXPIRED");
    desk.sql("DELETE FROM code_wait").await;
    let sent = desk.wechat.codes(OPENID).len();
    anyone(&desk).send_recovery_wechat_code(started(&desk, &teacher).await).await.unwrap();
    // A code to the phone goes the same way behind its answer, and later: once it is there, the other would be, too.
    recovery::reset_by_code(&desk, &teacher).await;
    assert_eq!(desk.wechat.codes(OPENID).len(), sent);
}

#[tokio::test]
async fn who_has_a_wechat_who_has_none_and_a_stranger_are_answered_alike() {
    let desk = Desk::open().await;
    let (teacher, without) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    bind(&desk, &token, &teacher, OPENID).await;
    desk.register(&without).await;
    let stranger = Teacher { name: "陌生人".to_owned(), ..Teacher::new(3) };
    let mut seen = Vec::new();
    for who in [&teacher, &without, &stranger] {
        let sent = anyone(&desk).send_recovery_wechat_code(started(&desk, who).await).await.unwrap().into_inner();
        let too_soon = refusal(anyone(&desk).send_recovery_wechat_code(started(&desk, who).await).await);
        assert!(retry_within(&too_soon, Duration::from_secs(61)), "{too_soon:?}");
        let mut refused = vec![(too_soon.code, too_soon.reason, too_soon.sentence)];
        for _ in 0..6 {
            let (request_id, challenge_id) = (lifecycle::ids::random().to_string(), sent.challenge_id.clone());
            // No code is that: the right one is one of a million, and it is looked at to be sure.
            let code = if desk.wechat.codes(OPENID).contains(&"000000".to_owned()) { "000001" } else { "000000" };
            let (code, new_password) = (code.to_owned(), NEW.to_owned());
            let guess = api::ResetPasswordByCodeRequest { request_id, challenge_id, code, new_password };
            let answer = RecoveryClient::new(desk.identity.anyone()).reset_password_by_code(guess).await;
            let read = refusal(answer);
            refused.push((read.code, read.reason, read.sentence));
        }
        seen.push((sent.challenge_id.len(), sent.expire_time.is_some(), sent.resend_time.is_some(), refused));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    assert_eq!((seen[0].3[1].1.as_str(), seen[0].3[6].1.as_str()), ("WRONG_CODE", "CODE_EXPIRED"));
}

#[tokio::test]
async fn what_was_begun_before_a_change_of_phone_counts_no_more() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    bind(&desk, &token, &teacher, OPENID).await;
    let request = reset_by_wechat(&desk, &teacher, || desk.wechat.codes(OPENID)).await;
    let change = phone_change(&desk, &token, &teacher, &Teacher::new(9).phone).await;
    desk.credentials(&token).change_phone(change).await.unwrap();
    let mut client = RecoveryClient::new(desk.identity.anyone());
    assert_eq!(refusal(client.reset_password_by_code(request).await).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn fields_are_judged_and_nobody_binds_without_signing_in() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let refused = refusal(wechat(&desk, &token).begin_wechat_binding(api::BeginWechatBindingRequest::default()).await);
    assert_eq!(violations(&refused), [("password", "REQUIRED")]);
    let wrong = api::CompleteWechatBindingRequest { request_id: "1".to_owned(), ticket_id: String::new() };
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(wrong).await);
    assert_eq!(violations(&refused), [("request_id", "NOT_A_UUID"), ("ticket_id", "REQUIRED")]);
    let refused = refusal(wechat(&desk, &token).unbind_wechat(api::UnbindWechatRequest::default()).await);
    assert_eq!(violations(&refused), [("request_id", "REQUIRED"), ("password", "REQUIRED")]);
    let empty = api::SendRecoveryWechatCodeRequest::default();
    let refused = refusal(anyone(&desk).send_recovery_wechat_code(empty).await);
    assert_eq!(violations(&refused), [("recovery_id", "REQUIRED")]);
    let refused = refusal(anyone(&desk).get_wechat_binding(api::GetWechatBindingRequest {}).await);
    assert_eq!(refused.code, Code::Unauthenticated);
}

#[tokio::test]
async fn the_wechat_of_a_forgotten_person_is_free() {
    let desk = registry().await;
    let (forgotten, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&forgotten).await.access_token;
    bind(&desk, &token, &forgotten, "oForgotten_1").await;
    erase(&desk, &token, &forgotten).await;
    let token = desk.newcomer(&other).await.access_token;
    bind(&desk, &token, &other, "oForgotten_1").await;
    assert!(bound(&desk, &token).await.is_some());
}
