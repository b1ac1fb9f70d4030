//! `Recovery`: what whoever has forgotten the password is told, and what a stranger is told, which is the same.

use std::time::{Duration, Instant};

use identity::domain::role::Role;
use proto::identity::v1 as api;
use proto::identity::v1::recovery_client::RecoveryClient;
use service::testing::until;
use tonic::Code;

use crate::credentials::{email_change, phone_change};
use crate::desk::{Desk, Teacher, refusal, violations};

const NEW: &str = "another99#";
const EMAIL: &str = "teacher@school.example";

fn recovery(desk: &Desk) -> RecoveryClient<tonic::transport::Channel> {
    RecoveryClient::new(desk.identity.anyone())
}

pub fn start(teacher: &Teacher) -> api::StartRecoveryRequest {
    api::StartRecoveryRequest {
        document_type: api::DocumentType::ResidentId.into(),
        number: teacher.number.clone(),
        name: teacher.name.clone(),
    }
}

async fn started(desk: &Desk, teacher: &Teacher) -> api::StartRecoveryResponse {
    recovery(desk).start_recovery(start(teacher)).await.unwrap().into_inner()
}

fn code_for(begun: &api::StartRecoveryResponse) -> api::SendRecoveryCodeRequest {
    api::SendRecoveryCodeRequest { recovery_id: begun.recovery_id.clone() }
}

fn link_for(begun: &api::StartRecoveryResponse) -> api::SendRecoveryLinkRequest {
    api::SendRecoveryLinkRequest { recovery_id: begun.recovery_id.clone() }
}

fn by_code(challenge_id: String, code: String) -> api::ResetPasswordByCodeRequest {
    let request_id = lifecycle::ids::random().to_string();
    api::ResetPasswordByCodeRequest { request_id, challenge_id, code, new_password: NEW.to_owned() }
}

fn by_link(token: String) -> api::ResetPasswordByLinkRequest {
    let request_id = lifecycle::ids::random().to_string();
    api::ResetPasswordByLinkRequest { request_id, token, new_password: NEW.to_owned() }
}

/// A reset with a fresh code, not sent yet.
pub async fn reset_by_code(desk: &Desk, teacher: &Teacher) -> api::ResetPasswordByCodeRequest {
    let begun = started(desk, teacher).await;
    let before = desk.outbox.count(&teacher.phone, "recovery_code");
    let sent = recovery(desk).send_recovery_code(code_for(&begun)).await.unwrap().into_inner();
    until("the code to arrive", || desk.outbox.count(&teacher.phone, "recovery_code") > before).await;
    by_code(sent.challenge_id, desk.outbox.last(&teacher.phone, "recovery_code"))
}

/// A reset with a fresh link, not sent yet.
pub async fn reset_by_link(desk: &Desk, teacher: &Teacher, email: &str) -> api::ResetPasswordByLinkRequest {
    let begun = started(desk, teacher).await;
    let before = desk.outbox.count(email, "recovery_link");
    recovery(desk).send_recovery_link(link_for(&begun)).await.unwrap();
    until("the link to arrive", || desk.outbox.count(email, "recovery_link") > before).await;
    by_link(desk.outbox.last(email, "recovery_link"))
}

/// Somebody with a verified mail address, and the tokens of a session.
async fn newcomer_with_mail(desk: &Desk, teacher: &Teacher) -> api::Tokens {
    let tokens = desk.newcomer(teacher).await;
    let change = email_change(desk, &tokens.access_token, teacher, EMAIL).await;
    desk.credentials(&tokens.access_token).change_email(change).await.unwrap();
    tokens
}

fn with_new_password(teacher: &Teacher) -> Teacher {
    Teacher { password: NEW.to_owned(), ..teacher.clone() }
}

fn wrong(code: &str) -> String {
    if code == "000000" { "000001" } else { "000000" }.to_owned()
}

#[tokio::test]
async fn a_code_sets_a_new_password_and_ends_every_session() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let tokens = desk.newcomer(&teacher).await;
    let signing_in = desk.start_sign_in(&teacher).await;
    let begun = started(&desk, &teacher).await;
    assert_eq!((begun.masked_phone.as_str(), begun.masked_email.as_str()), ("*******0001", "1***@***"));
    let request = reset_by_code(&desk, &teacher).await;
    recovery(&desk).reset_password_by_code(request.clone()).await.unwrap();
    let head = desk.head().await;
    recovery(&desk).reset_password_by_code(request.clone()).await.unwrap();
    assert_eq!(desk.head().await, head, "a repeated request has one effect");

    let refresh = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    assert_eq!(refusal(desk.sessions().refresh_session(refresh).await).reason, "SESSION_ENDED");
    assert_eq!(refusal(desk.sessions().complete_sign_in(signing_in).await).reason, "CODE_EXPIRED");
    assert_eq!(refusal(desk.sessions().start_sign_in(teacher.credentials()).await).reason, "WRONG_CREDENTIALS");
    desk.sql("DELETE FROM code_wait").await;
    desk.sign_in(&with_new_password(&teacher)).await;
    until("the person to be told", || desk.outbox.count(&teacher.phone, "password_changed") == 1).await;
    let again = by_code(request.challenge_id, request.code);
    assert_eq!(refusal(recovery(&desk).reset_password_by_code(again).await).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_reset_opens_a_number_that_guesses_have_locked() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let guess = Teacher { password: "guessed99#".to_owned(), ..teacher.clone() };
    for _ in 0..5 {
        refusal(desk.sessions().start_sign_in(guess.credentials()).await);
    }
    let request = reset_by_code(&desk, &teacher).await;
    recovery(&desk).reset_password_by_code(request).await.unwrap();
    desk.sign_in(&with_new_password(&teacher)).await;
}

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    newcomer_with_mail(&desk, &teacher).await;
    assert_eq!(started(&desk, &teacher).await.masked_email, "t***@***");
    let request = reset_by_link(&desk, &teacher, EMAIL).await;
    assert_eq!(request.token.len(), 64, "256 bits in hexadecimal digits");
    recovery(&desk).reset_password_by_link(request.clone()).await.unwrap();
    recovery(&desk).reset_password_by_link(request.clone()).await.unwrap();
    let again = by_link(request.token);
    let refused = refusal(recovery(&desk).reset_password_by_link(again).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "LINK_EXPIRED"));
    desk.sign_in(&with_new_password(&teacher)).await;
}

#[tokio::test]
async fn a_link_counts_for_twenty_four_hours_and_not_a_second_longer() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    newcomer_with_mail(&desk, &teacher).await;
    let late = reset_by_link(&desk, &teacher, EMAIL).await;
    desk.sql("UPDATE recovery_link SET expires_at = expires_at - interval '24 hours 1 second'").await;
    assert_eq!(refusal(recovery(&desk).reset_password_by_link(late).await).reason, "LINK_EXPIRED");
    desk.sql("DELETE FROM code_wait").await;
    let in_time = reset_by_link(&desk, &teacher, EMAIL).await;
    desk.sql("UPDATE recovery_link SET expires_at = expires_at - interval '23 hours 59 minutes'").await;
    recovery(&desk).reset_password_by_link(in_time).await.unwrap();
}

#[tokio::test]
async fn two_uses_of_one_link_at_once_set_one_password() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    newcomer_with_mail(&desk, &teacher).await;
    let one = reset_by_link(&desk, &teacher, EMAIL).await;
    let other =
        api::ResetPasswordByLinkRequest { new_password: "different99#".to_owned(), ..by_link(one.token.clone()) };
    let head = desk.head().await;
    let (mut left, mut right) = (recovery(&desk), recovery(&desk));
    let (first, second) = tokio::join!(left.reset_password_by_link(one), right.reset_password_by_link(other));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let refused = refusal(if first.is_err() { first } else { second });
    assert_eq!(refused.reason, "LINK_EXPIRED");
    assert_eq!(desk.head().await, head + 1);
}

#[tokio::test]
async fn two_uses_of_one_code_at_once_set_one_password() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let one = reset_by_code(&desk, &teacher).await;
    let other = by_code(one.challenge_id.clone(), one.code.clone());
    let head = desk.head().await;
    let (mut left, mut right) = (recovery(&desk), recovery(&desk));
    let (first, second) = tokio::join!(left.reset_password_by_code(one), right.reset_password_by_code(other));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(desk.head().await, head + 1);
}

#[tokio::test]
async fn whoever_has_just_registered_gets_back_in_by_a_link() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let link = reset_by_link(&desk, &teacher, &teacher.email()).await;
    recovery(&desk).reset_password_by_link(link).await.unwrap();
    desk.sign_in(&Teacher { password: NEW.to_owned(), ..teacher }).await;
}

#[tokio::test]
async fn a_mail_address_that_nobody_verified_gets_no_link() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    // Whoever registers has a verified one; the first staff say one in their profile.
    desk.handle().await.enrol(&[teacher.member(Role::Helpdesk, "320000", None)]).await.unwrap();
    let token = desk.sign_in(&teacher).await.access_token;
    let form = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        email: EMAIL.to_owned(),
        ..Default::default()
    };
    desk.profiles(&token).complete_profile(form).await.unwrap();
    let begun = started(&desk, &teacher).await;
    assert_eq!(&begun.masked_email[1..], "***@***", "nobody learns that there is none");
    recovery(&desk).send_recovery_link(link_for(&begun)).await.unwrap();
    // The code goes the same way behind its answer, and later: once it is there, the link would be, too.
    reset_by_code(&desk, &teacher).await;
    assert_eq!(desk.outbox.count(EMAIL, "recovery_link"), 0);
}

/// Type, number and name of an account with one thing wrong, and of nobody.
fn strangers(teacher: &Teacher) -> Vec<api::StartRecoveryRequest> {
    let nobody = Teacher { name: "别的人".to_owned(), ..Teacher::new(500) };
    let other_type = api::StartRecoveryRequest {
        document_type: api::DocumentType::HkMacauPermit.into(),
        number: "H12345678".to_owned(),
        ..start(teacher)
    };
    vec![
        api::StartRecoveryRequest { name: "陌生人".to_owned(), ..start(teacher) },
        api::StartRecoveryRequest { number: nobody.number.clone(), ..start(teacher) },
        other_type,
        start(&nobody),
    ]
}

#[tokio::test]
async fn whichever_is_wrong_the_answer_is_of_one_kind_and_comes_again() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    newcomer_with_mail(&desk, &teacher).await;
    let own = started(&desk, &teacher).await;
    let mut shown = vec![(own.masked_phone, own.masked_email)];
    for request in strangers(&teacher) {
        let answer = recovery(&desk).start_recovery(request.clone()).await.unwrap().into_inner();
        assert_eq!((answer.masked_phone.len(), &answer.masked_phone[..7]), (11, &shown[0].0[..7]));
        assert_eq!(answer.masked_email[1..], shown[0].1[1..]);
        let again = recovery(&desk).start_recovery(request).await.unwrap().into_inner();
        assert_eq!((&again.masked_phone, &again.masked_email), (&answer.masked_phone, &answer.masked_email));
        assert_ne!(again.recovery_id, answer.recovery_id);
        shown.push((answer.masked_phone, answer.masked_email));
    }
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 5, "each number and name has its own, so that the right one does not stand out");
}

#[tokio::test]
async fn a_stranger_waits_as_long_as_the_person_and_longer_than_the_work_takes() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    for request in [strangers(&teacher), vec![start(&teacher)]].concat() {
        let asked = Instant::now();
        recovery(&desk).start_recovery(request).await.unwrap();
        assert!(asked.elapsed() >= Duration::from_millis(300));
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM recovery")
        .fetch_one(&desk.identity.service.ground.pool)
        .await
        .unwrap();
    assert_eq!(rows, 5, "each has its row, found or not");
}

#[tokio::test]
async fn codes_and_links_of_strangers_are_asked_for_and_refused_like_those_of_the_person() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    newcomer_with_mail(&desk, &teacher).await;
    let stranger = Teacher { name: "陌生人".to_owned(), ..Teacher::new(2) };
    let mut seen = Vec::new();
    for who in [&teacher, &stranger] {
        let mut client = recovery(&desk);
        let begun = started(&desk, who).await;
        let sent = client.send_recovery_code(code_for(&begun)).await.unwrap().into_inner();
        let too_soon = refusal(client.send_recovery_code(code_for(&started(&desk, who).await)).await);
        client.send_recovery_link(link_for(&begun)).await.unwrap();
        let link_too_soon = refusal(client.send_recovery_link(link_for(&begun)).await);
        let code = if who.number == teacher.number {
            until("the code to arrive", || desk.outbox.count(&who.phone, "recovery_code") == 1).await;
            wrong(&desk.outbox.last(&who.phone, "recovery_code"))
        } else {
            "123456".to_owned()
        };
        let mut refused = Vec::new();
        for _ in 0..6 {
            let guess = by_code(sent.challenge_id.clone(), code.clone());
            let answer = client.reset_password_by_code(guess).await.unwrap_err();
            let read = refusal::<()>(Err(answer.clone()));
            refused.push((read.code, read.reason, read.sentence));
        }
        assert_eq!(refused[4].1, "WRONG_CODE");
        assert_eq!(refused[5].1, "CODE_EXPIRED", "the sixth answer comes too late");
        seen.push((too_soon.reason, too_soon.sentence, link_too_soon.reason, refused));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!((seen[0].0.as_str(), seen[0].2.as_str()), ("TOO_SOON", "TOO_SOON"));
    assert_eq!(desk.outbox.count(&stranger.phone, "recovery_code"), 0);
    desk.sql("DELETE FROM code_wait").await;
    desk.sign_in(&teacher).await;
}

#[tokio::test]
async fn the_code_of_nobody_is_never_right() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let own = reset_by_code(&desk, &teacher).await;
    // As if it had gone nowhere, and somebody had guessed it.
    sqlx::query("UPDATE one_time_code SET person = NULL WHERE id = $1::uuid")
        .bind(&own.challenge_id)
        .execute(&desk.identity.service.ground.pool)
        .await
        .unwrap();
    assert_eq!(refusal(recovery(&desk).reset_password_by_code(own).await).reason, "WRONG_CODE");
}

#[tokio::test]
async fn a_changed_phone_or_password_voids_what_was_sent_for_a_recovery() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let tokens = newcomer_with_mail(&desk, &teacher).await;
    let (code, link) = (reset_by_code(&desk, &teacher).await, reset_by_link(&desk, &teacher, EMAIL).await);
    let begun = started(&desk, &teacher).await;
    let change = phone_change(&desk, &tokens.access_token, &teacher, &Teacher::new(9).phone).await;
    desk.credentials(&tokens.access_token).change_phone(change).await.unwrap();
    assert_eq!(refusal(recovery(&desk).reset_password_by_code(code).await).reason, "CODE_EXPIRED");
    assert_eq!(refusal(recovery(&desk).reset_password_by_link(link).await).reason, "LINK_EXPIRED");
    let refused = refusal(recovery(&desk).send_recovery_code(code_for(&begun)).await);
    assert_eq!(refused.reason, "RECOVERY_EXPIRED", "what was begun before shows another phone");
}

#[tokio::test]
async fn a_recovery_counts_for_half_an_hour() {
    let desk = Desk::open().await;
    let begun = started(&desk, &Teacher::new(1)).await;
    desk.sql("UPDATE recovery SET expires_at = expires_at - interval '30 minutes'").await;
    assert_eq!(refusal(recovery(&desk).send_recovery_code(code_for(&begun)).await).reason, "RECOVERY_EXPIRED");
    assert_eq!(refusal(recovery(&desk).send_recovery_link(link_for(&begun)).await).reason, "RECOVERY_EXPIRED");
}

#[tokio::test]
async fn wrong_fields_are_named_at_once_and_a_token_of_no_shape_is_no_link() {
    let desk = Desk::open().await;
    let mut client = recovery(&desk);
    let request = api::StartRecoveryRequest { document_type: 1, number: "1".to_owned(), name: String::new() };
    let refused = refusal(client.start_recovery(request).await);
    assert_eq!(violations(&refused), [("number", "MALFORMED"), ("name", "REQUIRED")]);
    let refused = refusal(client.send_recovery_code(api::SendRecoveryCodeRequest::default()).await);
    assert_eq!(violations(&refused), [("recovery_id", "REQUIRED")]);
    let refused = refusal(client.send_recovery_link(api::SendRecoveryLinkRequest::default()).await);
    assert_eq!(violations(&refused), [("recovery_id", "REQUIRED")]);
    let weak = api::ResetPasswordByCodeRequest { new_password: "weak".to_owned(), ..Default::default() };
    let refused = refusal(client.reset_password_by_code(weak).await);
    let fields: Vec<&str> = violations(&refused).iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["request_id", "challenge_id", "code", "new_password"]);
    let refused = refusal(client.reset_password_by_link(api::ResetPasswordByLinkRequest::default()).await);
    assert_eq!(violations(&refused), [("request_id", "REQUIRED"), ("new_password", "REQUIRED")]);
    for token in ["", "zz", &"ab".repeat(31), &"ab".repeat(32)] {
        let refused = refusal(client.reset_password_by_link(by_link(token.to_owned())).await);
        assert_eq!(refused.reason, "LINK_EXPIRED", "{token}");
    }
}
