//! `SecondFactor`: staff without it are applicants; codes count once; a lost one is reset.

use identity::domain::role::Role;
use identity::domain::totp::step_at;
use identity::totp::Secret;
use proto::identity::v1 as api;
use proto::identity::v1::staff_client::StaffClient;
use tonic::Code;
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, retry_within, violations};

fn present() -> i64 {
    step_at(lifecycle::clock::now())
}

/// A code that is none of those that count now.
fn wrong(secret: &Secret) -> String {
    let counting: Vec<String> = (-2..=2).map(|away| secret.code(present() + away)).collect();
    (0..10).map(|n| format!("00000{n}")).find(|code| !counting.contains(code)).unwrap()
}

async fn listed(desk: &Desk, token: &str) -> Result<(), (Code, String)> {
    let mut staff = StaffClient::new(desk.identity.with_token(token));
    match staff.list_grants(api::ListGrantsRequest::default()).await {
        Ok(_) => Ok(()),
        Err(status) => {
            let refused = refusal::<()>(Err(status));
            Err((refused.code, refused.reason))
        }
    }
}

async fn verify(desk: &Desk, token: &str, code: String) -> Result<api::Tokens, (Code, String)> {
    match desk.second_factor(token).verify_totp(api::VerifyTotpRequest { code }).await {
        Ok(answer) => Ok(answer.into_inner().tokens.unwrap()),
        Err(status) => {
            let refused = refusal::<()>(Err(status));
            Err((refused.code, refused.reason))
        }
    }
}

fn refused(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

fn totp_required() -> Result<(), (Code, String)> {
    Err((Code::PermissionDenied, "TOTP_REQUIRED".to_owned()))
}

/// An auditor with a complete profile, with the second factor of the entry or without one.
async fn auditor(desk: &Desk, teacher: &Teacher, with_totp: bool) -> Uuid {
    let person = enrolled(desk, teacher, with_totp).await;
    let token = desk.sign_in(teacher).await.access_token;
    desk.complete_profile(&token).await;
    person
}

/// An auditor by enrolment.
async fn enrolled(desk: &Desk, teacher: &Teacher, with_totp: bool) -> Uuid {
    let member = teacher.member(Role::Auditor, "320000", None);
    let totp = with_totp.then(|| teacher.totp());
    desk.handle().await.enrol(&[identity::handle::Member { totp, ..member }]).await.unwrap();
    let person = desk.person_id(&desk.sign_in(teacher).await.access_token).await;
    let authority = &desk.identity.service.ground.authority;
    let known = || authority.now().is_some_and(|known| known.grants.contains_key(&person));
    service::testing::until("the role to be known", known).await;
    person
}

#[tokio::test]
async fn a_role_admits_nobody_whose_profile_is_incomplete() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    enrolled(&desk, &teacher, true).await;
    let token = desk.sign_in(&teacher).await.access_token;
    let tokens = verify(&desk, &token, teacher.totp().code(present())).await.unwrap();
    let incomplete = Err((Code::PermissionDenied, "PROFILE_INCOMPLETE".to_owned()));
    assert_eq!(listed(&desk, &tokens.access_token).await, incomplete);
    desk.complete_profile(&tokens.access_token).await;
    assert_eq!(listed(&desk, &tokens.access_token).await, incomplete, "the next token says so");
    let refresh = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    let renewed = desk.sessions().refresh_session(refresh).await.unwrap().into_inner().tokens.unwrap();
    assert_eq!(listed(&desk, &renewed.access_token).await, Ok(()));
}

#[tokio::test]
async fn staff_without_the_second_factor_may_what_an_applicant_may_and_enrol() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, false).await;
    let request = desk.start_sign_in(&teacher).await;
    let signed_in = desk.sessions().complete_sign_in(request).await.unwrap().into_inner();
    assert_eq!(signed_in.second_factor(), api::SecondFactorStep::Enrol);
    let tokens = signed_in.tokens.unwrap();
    assert_eq!(listed(&desk, &tokens.access_token).await, totp_required());
    desk.profiles(&tokens.access_token).get_profile(api::GetProfileRequest {}).await.unwrap();

    let mut second_factor = desk.second_factor(&tokens.access_token);
    let enrolled = second_factor.enrol_totp(api::EnrolTotpRequest {}).await.unwrap().into_inner();
    let secret = Secret::parse(&enrolled.secret).unwrap();
    assert_eq!(enrolled.otpauth_uri, secret.uri(&vault::mask::number(&teacher.number)));
    assert_eq!(listed(&desk, &tokens.access_token).await, totp_required(), "a secret alone is no factor");
    let early = verify(&desk, &tokens.access_token, secret.code(present())).await;
    assert_eq!(early.unwrap_err(), refused("TOTP_NOT_ENROLLED"));

    let request = api::ConfirmTotpRequest { code: wrong(&secret) };
    assert_eq!(refusal(second_factor.confirm_totp(request).await).reason, "WRONG_TOTP");
    let request = api::ConfirmTotpRequest { code: secret.code(present()) };
    let passed = second_factor.confirm_totp(request).await.unwrap().into_inner().tokens.unwrap();
    assert_eq!(listed(&desk, &passed.access_token).await, Ok(()));
    assert_eq!(listed(&desk, &tokens.access_token).await, totp_required(), "the older token stays what it was");

    let refresh = api::RefreshSessionRequest { refresh_token: passed.refresh_token };
    let next = desk.sessions().refresh_session(refresh).await.unwrap().into_inner().tokens.unwrap();
    assert_eq!(listed(&desk, &next.access_token).await, Ok(()), "the session has passed, not the token");
    let again = refusal(desk.second_factor(&next.access_token).enrol_totp(api::EnrolTotpRequest {}).await);
    assert_eq!((again.code, again.reason.as_str()), (Code::FailedPrecondition, "TOTP_ALREADY_ENROLLED"));
}

#[tokio::test]
async fn every_new_session_has_to_pass_and_an_older_refresh_token_ends_it() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, true).await;
    let request = desk.puzzle(&teacher).await;
    let signed_in = desk.puzzles().sign_in(request).await.unwrap().into_inner();
    assert_eq!(signed_in.second_factor(), api::SecondFactorStep::Verify);
    let tokens = signed_in.tokens.unwrap();
    assert_eq!(listed(&desk, &tokens.access_token).await, totp_required());
    let passed = verify(&desk, &tokens.access_token, teacher.totp().code(present())).await.unwrap();
    assert_eq!(listed(&desk, &passed.access_token).await, Ok(()));
    let stolen = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    assert_eq!(refusal(desk.sessions().refresh_session(stolen).await).reason, "SESSION_ENDED");
    let own = api::RefreshSessionRequest { refresh_token: passed.refresh_token };
    assert_eq!(refusal(desk.sessions().refresh_session(own).await).reason, "SESSION_ENDED");
    let other = desk.sign_in(&teacher).await;
    assert_eq!(listed(&desk, &other.access_token).await, totp_required());
}

#[tokio::test]
async fn a_code_counts_once_and_one_step_to_either_side() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, true).await;
    let secret = teacher.totp();
    let token = desk.sign_in(&teacher).await.access_token;
    let step = present();
    verify(&desk, &token, secret.code(step)).await.unwrap();
    assert_eq!(verify(&desk, &token, secret.code(step)).await.unwrap_err(), refused("TOTP_SPENT"), "replayed");
    let other = desk.sign_in(&teacher).await.access_token;
    assert_eq!(verify(&desk, &other, secret.code(step)).await.unwrap_err(), refused("TOTP_SPENT"), "in any session");
    verify(&desk, &other, secret.code(step + 1)).await.unwrap();
    desk.sql("UPDATE totp SET last_step = 0").await;
    assert_eq!(verify(&desk, &other, secret.code(present() + 3)).await.unwrap_err(), refused("WRONG_TOTP"));
    assert_eq!(verify(&desk, &other, secret.code(present() - 2)).await.unwrap_err(), refused("WRONG_TOTP"));
}

#[tokio::test]
async fn ten_of_the_same_code_at_once_are_one() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, true).await;
    let token = desk.sign_in(&teacher).await.access_token;
    let code = teacher.totp().code(present());
    let all = futures::future::join_all((0..10).map(|_| verify(&desk, &token, code.clone()))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1);
}

#[tokio::test]
async fn five_wrong_codes_lock_the_second_factor_for_fifteen_minutes() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, true).await;
    let (secret, token) = (teacher.totp(), desk.sign_in(&teacher).await.access_token);
    let guesses = (0..10).map(|_| verify(&desk, &token, wrong(&secret)));
    let answers = futures::future::join_all(guesses).await;
    let wrong = answers.iter().filter(|answer| **answer == Err(refused("WRONG_TOTP"))).count();
    assert_eq!(wrong, 5, "tries are counted before they are judged: {answers:?}");
    let request = api::VerifyTotpRequest { code: secret.code(present()) };
    let locked = refusal(desk.second_factor(&token).verify_totp(request).await);
    assert_eq!((locked.code, locked.reason.as_str()), (Code::ResourceExhausted, "TOTP_LOCKED"));
    assert!(retry_within(&locked, std::time::Duration::from_secs(901)), "{locked:?}");
    desk.sql("UPDATE totp SET tried_at = tried_at - interval '15 minutes'").await;
    verify(&desk, &token, secret.code(present())).await.unwrap();
}

#[tokio::test]
async fn a_stolen_password_enrols_nothing() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, false).await;
    let request = desk.puzzle(&teacher).await;
    let tokens = desk.puzzles().sign_in(request).await.unwrap().into_inner().tokens.unwrap();
    let refused = refusal(desk.second_factor(&tokens.access_token).enrol_totp(api::EnrolTotpRequest {}).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "CODE_SIGN_IN_REQUIRED"));
}

#[tokio::test]
async fn whoever_is_no_staff_has_no_second_factor() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let request = desk.start_sign_in(&teacher).await;
    let signed_in = desk.sessions().complete_sign_in(request).await.unwrap().into_inner();
    assert_eq!(signed_in.second_factor(), api::SecondFactorStep::None);
    let token = signed_in.tokens.unwrap().access_token;
    let refused = refusal(desk.second_factor(&token).enrol_totp(api::EnrolTotpRequest {}).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "ONLY_FOR_STAFF"));
    let malformed = refusal(desk.second_factor(&token).verify_totp(api::VerifyTotpRequest::default()).await);
    assert_eq!(violations(&malformed), [("code", "MALFORMED")]);
    let unknown = verify(&desk, &token, "123456".to_owned()).await.unwrap_err();
    assert_eq!(unknown.1, "TOTP_NOT_ENROLLED");
}

#[tokio::test]
async fn a_lost_second_factor_is_reset_and_every_session_ends() {
    let desk = Desk::open().await;
    let (lost, chief) = (Teacher::new(1), Teacher::new(2));
    let person = auditor(&desk, &lost, true).await;
    let session = desk.sign_in_as_staff(&lost).await;
    let (administrator, token) = desk.staff(&chief, Role::SecurityAdmin, "320000", None).await;
    let mut second_factor = desk.second_factor(&token);
    let request = |person: Uuid| api::ResetTotpRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id: person.to_string(),
    };
    let own = refusal(second_factor.reset_totp(request(administrator)).await);
    assert_eq!((own.code, own.reason.as_str()), (Code::PermissionDenied, "OWN_TOTP"));
    let nobody = refusal(second_factor.reset_totp(request(Uuid::from_u128(9))).await);
    assert_eq!(nobody.reason, "UNKNOWN_PERSON");
    let forbidden = refusal(desk.second_factor(&session.access_token).reset_totp(request(administrator)).await);
    assert_eq!((forbidden.code, forbidden.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
    let malformed = refusal(second_factor.reset_totp(api::ResetTotpRequest::default()).await);
    assert_eq!(violations(&malformed), [("request_id", "REQUIRED"), ("person_id", "REQUIRED")]);

    let reset = request(person);
    let first = second_factor.reset_totp(reset.clone()).await.unwrap().into_inner();
    let again = second_factor.reset_totp(reset).await.unwrap().into_inner();
    assert_eq!(first, again, "a repeated request has one effect");
    let refresh = api::RefreshSessionRequest { refresh_token: session.refresh_token };
    assert_eq!(refusal(desk.sessions().refresh_session(refresh).await).reason, "SESSION_ENDED");
    assert_eq!(refusal(second_factor.reset_totp(request(person)).await).reason, "TOTP_NOT_ENROLLED");

    let token = desk.sign_in(&lost).await.access_token;
    assert_eq!(listed(&desk, &token).await, totp_required());
    let mut own = desk.second_factor(&token);
    let secret = own.enrol_totp(api::EnrolTotpRequest {}).await.unwrap().into_inner().secret;
    let code = Secret::parse(&secret).unwrap().code(present());
    let passed = own.confirm_totp(api::ConfirmTotpRequest { code }).await.unwrap().into_inner().tokens.unwrap();
    assert_eq!(listed(&desk, &passed.access_token).await, Ok(()));
}

#[tokio::test]
async fn a_secret_is_nowhere_in_clear() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    auditor(&desk, &teacher, true).await;
    let pool = &desk.identity.service.ground.pool;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT secret FROM totp").fetch_one(pool).await.unwrap();
    let secret = teacher.totp();
    assert!(!stored.windows(secret.bytes().len()).any(|window| window == secret.bytes()));
    let parts = "SELECT payload || \"inner\" || sealed FROM public.event_log";
    let events: Vec<Vec<u8>> = sqlx::query_scalar(parts).fetch_all(pool).await.unwrap();
    assert!(events.iter().all(|event| !event.windows(20).any(|window| window == &secret.bytes()[..20])));
}
