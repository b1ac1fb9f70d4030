//! `Credentials`: password, phone and mail address, changed by their person.

use std::sync::atomic::Ordering;

use proto::identity::v1 as api;
use service::testing::until;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, violations};

const NEW: &str = "another99#";

pub fn password_change(teacher: &Teacher) -> api::ChangePasswordRequest {
    api::ChangePasswordRequest {
        request_id: lifecycle::ids::random().to_string(),
        password: teacher.password.clone(),
        new_password: NEW.to_owned(),
    }
}

/// A change of phone with a fresh code, not sent yet.
pub async fn phone_change(desk: &Desk, token: &str, teacher: &Teacher, phone: &str) -> api::ChangePhoneRequest {
    let request = api::SendNewPhoneCodeRequest { phone: phone.to_owned() };
    let sent = desk.credentials(token).send_new_phone_code(request).await.unwrap().into_inner();
    api::ChangePhoneRequest {
        request_id: lifecycle::ids::random().to_string(),
        password: teacher.password.clone(),
        phone: phone.to_owned(),
        challenge_id: sent.challenge_id,
        code: desk.outbox.last(phone, "new_phone_code"),
    }
}

/// A change of mail address with a fresh code, not sent yet.
pub async fn email_change(desk: &Desk, token: &str, teacher: &Teacher, email: &str) -> api::ChangeEmailRequest {
    let request = api::SendEmailCodeRequest { email: email.to_owned() };
    let sent = desk.credentials(token).send_email_code(request).await.unwrap().into_inner();
    api::ChangeEmailRequest {
        request_id: lifecycle::ids::random().to_string(),
        password: teacher.password.clone(),
        email: email.to_owned(),
        challenge_id: sent.challenge_id,
        code: desk.outbox.last(email, "email_code"),
    }
}

fn wrong(code: &str) -> String {
    if code == "000000" { "000001" } else { "000000" }.to_owned()
}

#[tokio::test]
async fn a_new_password_takes_the_old_ones_place_and_ends_every_other_session() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let elsewhere = desk.newcomer(&teacher).await;
    let here = desk.sign_in(&teacher).await;
    let begun = desk.start_sign_in(&teacher).await;
    desk.credentials(&here.access_token).change_password(password_change(&teacher)).await.unwrap();

    let refresh = |tokens: &api::Tokens| api::RefreshSessionRequest { refresh_token: tokens.refresh_token.clone() };
    assert_eq!(refusal(desk.sessions().refresh_session(refresh(&elsewhere)).await).reason, "SESSION_ENDED");
    desk.sessions().refresh_session(refresh(&here)).await.unwrap();
    let refused = refusal(desk.sessions().complete_sign_in(begun).await);
    assert_eq!(refused.reason, "CODE_EXPIRED", "a sign-in that had begun with the old password ends with it");
    let refused = refusal(desk.sessions().start_sign_in(teacher.credentials()).await);
    assert_eq!(refused.reason, "WRONG_CREDENTIALS");
    desk.sql("DELETE FROM code_wait").await;
    desk.sign_in(&Teacher { password: NEW.to_owned(), ..teacher.clone() }).await;
    until("the person to be told", || desk.outbox.count(&teacher.phone, "password_changed") == 1).await;
}

#[tokio::test]
async fn a_password_changes_once_however_often_the_request_comes() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let request = password_change(&teacher);
    let head = desk.head().await;
    let (mut one, mut two) = (desk.credentials(&token), desk.credentials(&token));
    let (first, second) = tokio::join!(one.change_password(request.clone()), two.change_password(request.clone()));
    first.unwrap();
    second.unwrap();
    one.change_password(request.clone()).await.unwrap();
    assert_eq!(desk.head().await, head + 1);
    let other = api::ChangePasswordRequest { new_password: "different99#".to_owned(), ..request };
    assert_eq!(refusal(one.change_password(other).await).reason, "REQUEST_ID_REUSED");
}

/// How many wait for the sessions of somebody whose sessions are being ended.
async fn waiting(desk: &Desk) -> i64 {
    let query = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                 WHERE locktype = 'advisory' AND NOT granted AND (query LIKE '%hashtextextended%' OR query LIKE '%begin_session%')
                   AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query_scalar(query).fetch_one(&desk.identity.service.ground.pool).await.unwrap()
}

#[tokio::test]
async fn a_sign_in_by_puzzle_with_the_old_password_does_not_slip_past_a_change() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let puzzle = desk.puzzle(&teacher).await;
    // Both have checked the old password and wait: the change first, then the sign-in.
    let mut transaction = desk.identity.service.ground.pool.begin().await.unwrap();
    identity::store::sessions::hold_in(&mut transaction, person).await.unwrap();
    let (mut credentials, mut puzzles) = (desk.credentials(&token), desk.puzzles());
    let request = password_change(&teacher);
    let (changed, signed_in, ()) = tokio::join!(
        credentials.change_password(request),
        async {
            wait_for(&desk, 1).await;
            puzzles.sign_in(puzzle).await
        },
        async {
            wait_for(&desk, 2).await;
            transaction.rollback().await.unwrap();
        }
    );
    changed.unwrap();
    assert_eq!(refusal(signed_in).reason, "WRONG_CREDENTIALS");
}

/// Step one of a sign-in whose password has been compared and whose code is recorded only after `meanwhile`, and that code.
async fn start_around(
    desk: &Desk,
    teacher: &Teacher,
    meanwhile: impl Future<Output = ()>,
) -> api::CompleteSignInRequest {
    let ground = &desk.identity.service.ground;
    let mut place = ground.pool.begin().await.unwrap();
    sqlx::query("INSERT INTO code_wait (phone_hash, until) VALUES ($1, now())")
        .bind(ground.vault.index("phone").hash(&format!("2:{}", teacher.phone)).as_slice())
        .execute(&mut *place)
        .await
        .unwrap();
    let recording = async || -> Option<()> {
        let query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                     AND wait_event_type = 'Lock' AND query LIKE '%INTO one_time_code%')";
        let waits: bool = sqlx::query_scalar(query).fetch_one(&ground.pool).await.unwrap();
        waits.then_some(())
    };
    let (started, ()) = tokio::join!(desk.start_sign_in(teacher), async {
        cluster::wait::until("the code to be recorded", std::time::Duration::from_secs(20), recording).await.unwrap();
        meanwhile.await;
        place.rollback().await.unwrap();
    });
    started
}

#[tokio::test]
async fn a_code_that_comes_after_a_change_of_password_or_phone_opens_nothing() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let started = start_around(&desk, &teacher, async {
        desk.credentials(&token).change_password(password_change(&teacher)).await.unwrap();
    });
    let completed = desk.sessions().complete_sign_in(started.await).await;
    assert_eq!(refusal(completed).reason, "CODE_EXPIRED", "the password was the old one");

    desk.sql("DELETE FROM code_wait").await;
    let teacher = Teacher { password: NEW.to_owned(), ..teacher };
    let started = start_around(&desk, &teacher, async {
        let change = phone_change(&desk, &token, &teacher, &Teacher::new(2).phone).await;
        desk.credentials(&token).change_phone(change).await.unwrap();
    });
    let completed = desk.sessions().complete_sign_in(started.await).await;
    assert_eq!(refusal(completed).reason, "CODE_EXPIRED", "the code went to the old phone");
    desk.sign_in(&Teacher { phone: Teacher::new(2).phone, ..teacher }).await;
}

#[tokio::test]
async fn a_sign_in_by_code_with_the_old_password_does_not_slip_past_a_change() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let mut transaction = desk.identity.service.ground.pool.begin().await.unwrap();
    identity::store::sessions::hold_in(&mut transaction, person).await.unwrap();
    let (mut credentials, mut sessions) = (desk.credentials(&token), desk.sessions());
    let request = password_change(&teacher);
    let (changed, signed_in, ()) = tokio::join!(
        credentials.change_password(request),
        async {
            // The change has voided the codes that there are, and waits; a code that it cannot know of follows.
            wait_for(&desk, 1).await;
            let started = desk.start_sign_in(&teacher).await;
            sessions.complete_sign_in(started).await
        },
        async {
            wait_for(&desk, 2).await;
            transaction.rollback().await.unwrap();
        }
    );
    changed.unwrap();
    assert_eq!(refusal(signed_in).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn another_change_of_the_account_keeps_nobody_from_completing_a_sign_in() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let started = desk.start_sign_in(&teacher).await;
    let profile = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        ..Default::default()
    };
    desk.profiles(&token).complete_profile(profile).await.unwrap();
    let signed_in = desk.sessions().complete_sign_in(started).await.unwrap().into_inner();
    assert!(signed_in.profile_complete, "as the account stands now");
}

async fn wait_for(desk: &Desk, count: i64) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while waiting(desk).await < count {
        assert!(std::time::Instant::now() < deadline, "nobody waits");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn five_wrong_passwords_lock_a_change_like_a_sign_in() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let guess = || api::ChangePasswordRequest { password: "guessed99#".to_owned(), ..password_change(&teacher) };
    for _ in 0..5 {
        let refused = refusal(desk.credentials(&token).change_password(guess()).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "WRONG_PASSWORD"));
    }
    let refused = refusal(desk.credentials(&token).change_password(password_change(&teacher)).await);
    assert_eq!(refused.reason, "LOCKED_OUT");
    assert_eq!(refusal(desk.sessions().start_sign_in(teacher.credentials()).await).reason, "LOCKED_OUT");
}

#[tokio::test]
async fn wrong_fields_are_named_at_once_and_nobody_changes_anything_without_signing_in() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let mut credentials = desk.credentials(&token);
    let refused = refusal(credentials.change_password(api::ChangePasswordRequest::default()).await);
    let expected = [("request_id", "REQUIRED"), ("password", "REQUIRED"), ("new_password", "REQUIRED")];
    assert_eq!(violations(&refused), expected);
    let refused = refusal(credentials.change_phone(api::ChangePhoneRequest::default()).await);
    let fields: Vec<&str> = violations(&refused).iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["request_id", "password", "phone", "challenge_id", "code"]);
    let refused = refusal(credentials.change_email(api::ChangeEmailRequest::default()).await);
    let fields: Vec<&str> = violations(&refused).iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["request_id", "password", "email", "challenge_id", "code"]);
    let refused = refusal(credentials.send_new_phone_code(api::SendNewPhoneCodeRequest::default()).await);
    assert_eq!(violations(&refused), [("phone", "REQUIRED")]);
    let refused = refusal(credentials.send_email_code(api::SendEmailCodeRequest { email: "nowhere".to_owned() }).await);
    assert_eq!(violations(&refused), [("email", "MALFORMED")]);
    let mut nobody = desk.credentials("");
    assert_eq!(refusal(nobody.change_password(password_change(&Teacher::new(1))).await).code, Code::Unauthenticated);
    let refused = refusal(nobody.change_phone(api::ChangePhoneRequest::default()).await);
    assert_eq!(refused.code, Code::Unauthenticated);
    let refused = refusal(nobody.change_email(api::ChangeEmailRequest::default()).await);
    assert_eq!(refused.code, Code::Unauthenticated);
}

#[tokio::test]
async fn a_new_phone_takes_the_old_ones_place_and_the_old_one_is_told() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let moved = Teacher { phone: Teacher::new(2).phone, ..teacher.clone() };
    let request = phone_change(&desk, &token, &teacher, &moved.phone).await;
    let begun = desk.start_sign_in(&teacher).await;
    desk.credentials(&token).change_phone(request.clone()).await.unwrap();
    let head = desk.head().await;
    desk.credentials(&token).change_phone(request).await.unwrap();
    assert_eq!(desk.head().await, head, "a repeated request has one effect");
    let refused = refusal(desk.sessions().complete_sign_in(begun).await);
    assert_eq!(refused.reason, "CODE_EXPIRED", "what was sent to the old phone counts no more");
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!(profile.masked_phone, "100****0002");
    desk.sign_in(&moved).await;
    until("the old phone to be told", || desk.outbox.count(&teacher.phone, "phone_changed") == 1).await;
    assert_eq!(desk.outbox.count(&moved.phone, "phone_changed"), 0);
}

#[tokio::test]
async fn a_code_for_a_new_phone_counts_for_that_phone_and_that_person_only() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let (token, others) = (desk.newcomer(&teacher).await.access_token, desk.newcomer(&other).await.access_token);
    let request = phone_change(&desk, &token, &teacher, &Teacher::new(3).phone).await;
    let other_phone = api::ChangePhoneRequest { phone: Teacher::new(4).phone, ..request.clone() };
    assert_eq!(refusal(desk.credentials(&token).change_phone(other_phone).await).reason, "WRONG_CODE");
    let stolen = api::ChangePhoneRequest { password: other.password.clone(), ..request.clone() };
    assert_eq!(refusal(desk.credentials(&others).change_phone(stolen).await).reason, "WRONG_CODE");
    let without_password = api::ChangePhoneRequest { password: "guessed99#".to_owned(), ..request.clone() };
    assert_eq!(refusal(desk.credentials(&token).change_phone(without_password).await).reason, "WRONG_PASSWORD");
    for _ in 0..3 {
        let guess = api::ChangePhoneRequest { code: wrong(&request.code), ..request.clone() };
        assert_eq!(refusal(desk.credentials(&token).change_phone(guess).await).reason, "WRONG_CODE");
    }
    let refused = refusal(desk.credentials(&token).change_phone(request).await);
    assert_eq!(refused.reason, "CODE_EXPIRED", "the sixth answer comes too late, right or wrong");
}

#[tokio::test]
async fn a_mail_address_is_the_persons_when_the_code_came_back() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let email = "teacher@school.example";
    let request = email_change(&desk, &token, &teacher, email).await;
    let other = api::ChangeEmailRequest { email: "other@school.example".to_owned(), ..request.clone() };
    assert_eq!(refusal(desk.credentials(&token).change_email(other).await).reason, "WRONG_EMAIL_CODE");
    let guess = api::ChangeEmailRequest { code: wrong(&request.code), ..request.clone() };
    assert_eq!(refusal(desk.credentials(&token).change_email(guess).await).reason, "WRONG_EMAIL_CODE");
    desk.credentials(&token).change_email(request.clone()).await.unwrap();
    desk.credentials(&token).change_email(request.clone()).await.unwrap();
    let again = api::ChangeEmailRequest { request_id: lifecycle::ids::random().to_string(), ..request };
    assert_eq!(refusal(desk.credentials(&token).change_email(again).await).reason, "EMAIL_CODE_EXPIRED");
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!((profile.masked_email.as_str(), profile.email_verified), ("t***@school.example", true));
    until("the person to be told", || desk.outbox.count(&teacher.phone, "email_changed") == 1).await;

    let form = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        email: "unverified@school.example".to_owned(),
        ..Default::default()
    };
    desk.profiles(&token).complete_profile(form).await.unwrap();
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!(profile.masked_email, "t***@school.example", "an unverified address takes no verified one's place");
}

#[tokio::test]
async fn a_mail_code_that_nobody_took_can_be_asked_for_again_at_once() {
    let desk = Desk::open().await;
    let request = || api::SendEmailCodeRequest { email: "teacher@school.example".to_owned() };
    desk.outbox.broken.store(true, Ordering::Relaxed);
    let refused = refusal(desk.credentials("").send_email_code(request()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
    desk.outbox.broken.store(false, Ordering::Relaxed);
    desk.credentials("").send_email_code(request()).await.unwrap();
    assert_eq!(refusal(desk.credentials("").send_email_code(request()).await).reason, "TOO_SOON");
}
