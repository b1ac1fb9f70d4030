//! `Sessions`, steps one and two.

use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::identity::v1 as api;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, retry_within, violations};

#[tokio::test]
async fn a_teacher_signs_in_right_after_registering() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let started = desk.sessions().start_sign_in(teacher.credentials()).await.unwrap().into_inner();
    assert_eq!(started.masked_phone, "100****0001");
    let code = desk.outbox.last(&teacher.phone, "sign_in_code");
    let request = api::CompleteSignInRequest { attempt_id: started.attempt_id, code };
    let before = lifecycle::clock::now().unix_timestamp();
    let signed_in = desk.sessions().complete_sign_in(request).await.unwrap().into_inner();
    let after = lifecycle::clock::now().unix_timestamp();
    assert!(!signed_in.profile_complete);
    let tokens = signed_in.tokens.unwrap();
    let expires_at = tokens.access_expire_time.unwrap().seconds;
    assert!((before + 600..=after + 600).contains(&expires_at), "ten minutes: {expires_at}");
    let profile = desk.profiles(&tokens.access_token).get_profile(api::GetProfileRequest {}).await.unwrap();
    assert_eq!(profile.into_inner().masked_name, "示例*");
}

#[tokio::test]
async fn the_number_may_be_typed_in_small_letters_with_blanks() {
    let desk = Desk::open().await;
    let teacher = (1..100).map(Teacher::new).find(|teacher| teacher.number.ends_with('X')).unwrap();
    desk.register(&teacher).await;
    let typed = Teacher { number: format!(" {} ", teacher.number.to_lowercase()), ..teacher.clone() };
    desk.sign_in(&typed).await;
}

#[tokio::test]
async fn an_unknown_number_and_a_wrong_password_are_refused_alike() {
    let desk = Desk::open().await;
    let known = Teacher::new(1);
    desk.register(&known).await;
    let wrong = Teacher { password: "wrong123#".to_owned(), ..known };
    let of_known = desk.sessions().start_sign_in(wrong.credentials()).await.unwrap_err();
    let of_unknown = desk.sessions().start_sign_in(Teacher::new(2).credentials()).await.unwrap_err();
    assert_eq!(of_known.code(), Code::Unauthenticated);
    assert_eq!(refusal::<()>(Err(of_known.clone())), refusal::<()>(Err(of_unknown.clone())));
    assert_eq!(of_known.details(), of_unknown.details());
    assert_eq!(refusal::<()>(Err(of_known)).reason, "WRONG_CREDENTIALS");
}

#[tokio::test]
async fn five_failures_lock_a_number_for_fifteen_minutes_known_or_not() {
    let desk = Desk::open().await;
    let known = Teacher::new(1);
    desk.register(&known).await;
    let mut refusals = Vec::new();
    for teacher in [Teacher { password: "wrong123#".to_owned(), ..known.clone() }, Teacher::new(2)] {
        for _ in 0..5 {
            let refused = refusal(desk.sessions().start_sign_in(teacher.credentials()).await);
            assert_eq!(refused.reason, "WRONG_CREDENTIALS");
        }
        let refused = refusal(desk.sessions().start_sign_in(teacher.credentials()).await);
        assert!(retry_within(&refused, Duration::from_secs(901)), "{refused:?}");
        refusals.push((refused.code, refused.reason, refused.sentence));
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!((refusals[0].0, refusals[0].1.as_str()), (Code::ResourceExhausted, "LOCKED_OUT"));
    let right = refusal(desk.sessions().start_sign_in(known.credentials()).await);
    assert_eq!(right.reason, "LOCKED_OUT", "the right password comes too late");
    desk.sql("UPDATE sign_in_failure SET last_at = last_at - interval '15 minutes'").await;
    desk.sign_in(&known).await;
}

#[tokio::test]
async fn twenty_guesses_at_once_get_five_tries() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let guesses = (0..20).map(|_| {
        let (mut sessions, credentials) = (desk.sessions(), teacher.credentials());
        async move { refusal(sessions.start_sign_in(credentials).await).reason }
    });
    let reasons = futures::future::join_all(guesses).await;
    assert_eq!(reasons.iter().filter(|reason| *reason == "WRONG_CREDENTIALS").count(), 5);
    assert_eq!(reasons.iter().filter(|reason| *reason == "LOCKED_OUT").count(), 15);
}

#[tokio::test]
async fn the_right_password_forgives_earlier_failures() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let wrong = Teacher { password: "wrong123#".to_owned(), ..teacher.clone() };
    for _ in 0..2 {
        for _ in 0..4 {
            let refused = refusal(desk.sessions().start_sign_in(wrong.credentials()).await);
            assert_eq!(refused.reason, "WRONG_CREDENTIALS");
        }
        desk.sign_in(&teacher).await;
    }
}

#[tokio::test]
async fn wrong_fields_of_step_one_and_two_are_named_at_once() {
    let desk = Desk::open().await;
    let request = api::StartSignInRequest {
        document_type: 1,
        number: "1".to_owned(),
        password: "a".repeat(65),
        entry: api::Entry::Unspecified.into(),
    };
    let refused = refusal(desk.sessions().start_sign_in(request).await);
    let expected = [("number", "MALFORMED"), ("password", "TOO_LONG"), ("entry", "UNKNOWN_VALUE")];
    assert_eq!(violations(&refused), expected);
    let request = api::CompleteSignInRequest { attempt_id: String::new(), code: "12345x".to_owned() };
    let refused = refusal(desk.sessions().complete_sign_in(request).await);
    assert_eq!(violations(&refused), [("attempt_id", "REQUIRED"), ("code", "MALFORMED")]);
}

#[tokio::test]
async fn a_sign_in_code_bears_five_wrong_answers_and_is_good_once() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let request = desk.start_sign_in(&teacher).await;
    let wrong = if request.code == "000000" { "000001" } else { "000000" };
    for _ in 0..4 {
        let wrong = api::CompleteSignInRequest { code: wrong.to_owned(), ..request.clone() };
        let refused = refusal(desk.sessions().complete_sign_in(wrong).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "WRONG_CODE"));
    }
    desk.sessions().complete_sign_in(request.clone()).await.unwrap();
    let refused = refusal(desk.sessions().complete_sign_in(request).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "CODE_EXPIRED"));
    let request = desk.start_sign_in(&teacher).await;
    for _ in 0..5 {
        let wrong = if request.code == "000000" { "000001" } else { "000000" };
        let wrong = api::CompleteSignInRequest { code: wrong.to_owned(), ..request.clone() };
        assert_eq!(refusal(desk.sessions().complete_sign_in(wrong).await).reason, "WRONG_CODE");
    }
    assert_eq!(refusal(desk.sessions().complete_sign_in(request).await).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_code_of_one_purpose_or_attempt_is_none_for_another() {
    let desk = Desk::open().await;
    let (teacher, newcomer) = (Teacher::new(1), Teacher::new(2));
    desk.register(&teacher).await;
    let attempt = desk.start_sign_in(&teacher).await;
    let registration = desk.registration(&newcomer).await;
    let crossed = api::CompleteSignInRequest {
        attempt_id: registration.phone_challenge_id.clone(),
        code: registration.phone_code.clone(),
    };
    assert_eq!(refusal(desk.sessions().complete_sign_in(crossed).await).reason, "CODE_EXPIRED");
    let crossed = api::RegisterAccountRequest {
        phone: teacher.phone.clone(),
        phone_challenge_id: attempt.attempt_id.clone(),
        phone_code: attempt.code.clone(),
        ..registration
    };
    assert_eq!(refusal(desk.accounts().register_account(crossed).await).reason, "CODE_EXPIRED");
    desk.sessions().complete_sign_in(attempt).await.unwrap();
}

#[tokio::test]
async fn without_notifications_nobody_signs_in_and_everybody_is_told_so() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    desk.outbox.broken.store(true, Ordering::Relaxed);
    let refused = refusal(desk.sessions().start_sign_in(teacher.credentials()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
    desk.outbox.broken.store(false, Ordering::Relaxed);
    desk.sign_in(&teacher).await;
}

#[tokio::test]
async fn codes_that_anyone_has_sent_to_a_phone_keep_its_person_from_no_sign_in() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    desk.phone_code(&teacher.phone).await;
    desk.sql("UPDATE attempt SET count = 30 WHERE kind = 4").await;
    let more = api::SendPhoneCodeRequest { phone: teacher.phone.clone() };
    assert_eq!(refusal(desk.accounts().send_phone_code(more).await).reason, "THROTTLED");
    desk.sign_in(&teacher).await;
}

#[tokio::test]
async fn a_second_code_within_a_minute_is_sent_only_when_the_first_was_answered() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let first = desk.start_sign_in(&teacher).await;
    let refused = refusal(desk.sessions().start_sign_in(teacher.credentials()).await);
    assert_eq!(refused.reason, "TOO_SOON");
    desk.sessions().complete_sign_in(first).await.unwrap();
    desk.sign_in(&teacher).await;
}
