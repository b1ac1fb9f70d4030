//! `Accounts`: codes of phone and mail address, and registrations.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use proto::identity::v1 as api;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, retry_within, violations};
use crate::legacy;

/// Events of a registration: the account, and its mail address as verified.
const REGISTERED: i64 = 2;

#[tokio::test]
async fn a_teacher_with_codes_of_phone_and_mail_gets_an_account_with_both_verified() {
    let desk = Desk::open().await;
    let head = desk.head().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let answer = desk.accounts().register_account(request).await.unwrap().into_inner();
    assert_eq!(answer.masked_number, format!("320*************{}", &Teacher::new(1).number[16..]));
    assert_eq!(desk.head().await, head + REGISTERED);
    let token = desk.sign_in(&Teacher::new(1)).await.access_token;
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!((profile.masked_email.as_str(), profile.email_verified), ("1***@mail.example", true));
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once_and_the_code_stays_good() {
    let desk = Desk::open().await;
    let good = desk.registration(&Teacher::new(1)).await;
    let wrong = api::RegisterAccountRequest {
        request_id: "1".to_owned(),
        number: "320399199001010019".to_owned(),
        name: "示".to_owned(),
        phone: "123".to_owned(),
        phone_challenge_id: String::new(),
        phone_code: "12".to_owned(),
        password: "password".to_owned(),
        email: "nowhere".to_owned(),
        email_challenge_id: "2".to_owned(),
        email_code: "1234567".to_owned(),
        ..good.clone()
    };
    let refused = refusal(desk.accounts().register_account(wrong).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
    let expected = [
        ("request_id", "NOT_A_UUID"),
        ("number", "WRONG_CHECK_DIGIT"),
        ("name", "MALFORMED"),
        ("phone", "MALFORMED"),
        ("phone_challenge_id", "REQUIRED"),
        ("phone_code", "MALFORMED"),
        ("password", "PASSWORD_RULE"),
        ("email", "MALFORMED"),
        ("email_challenge_id", "NOT_A_UUID"),
        ("email_code", "MALFORMED"),
    ];
    assert_eq!(violations(&refused), expected);
    let without = api::RegisterAccountRequest {
        email: String::new(),
        email_challenge_id: String::new(),
        email_code: String::new(),
        ..good.clone()
    };
    let refused = refusal(desk.accounts().register_account(without).await);
    let expected = [("email", "REQUIRED"), ("email_challenge_id", "REQUIRED"), ("email_code", "MALFORMED")];
    assert_eq!(violations(&refused), expected, "there is no account without a mail address");
    desk.accounts().register_account(good).await.unwrap();
}

#[tokio::test]
async fn every_flaw_of_a_number_has_its_reason() {
    let desk = Desk::open().await;
    for (document_type, number, reason) in [
        (0, "320399199001010018", None),
        (1, "", Some("REQUIRED")),
        (1, "3203991990010100", Some("MALFORMED")),
        (1, "990399199001010018", Some("UNKNOWN_PROVINCE")),
        (1, "320399199002300018", Some("IMPOSSIBLE_DATE")),
        (1, "810000199408230021", Some("OTHER_DOCUMENT_TYPE")),
        (2, "320399199001010018", Some("OTHER_DOCUMENT_TYPE")),
        (3, "HA1234567", Some("NON_CHINESE_RESIDENT")),
        (4, "H12345678", Some("MALFORMED")),
    ] {
        let request = api::RegisterAccountRequest { document_type, number: number.to_owned(), ..Default::default() };
        let refused = refusal(desk.accounts().register_account(request).await);
        let expected = reason.map_or(("document_type", "UNKNOWN_VALUE"), |reason| ("number", reason));
        assert!(violations(&refused).contains(&expected), "{number}: {refused:?}");
    }
}

#[tokio::test]
async fn the_same_request_is_answered_alike_and_has_one_effect() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let first = desk.accounts().register_account(request.clone()).await.unwrap().into_inner();
    let head = desk.head().await;
    for _ in 0..7 {
        let again = desk.accounts().register_account(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, first);
    }
    assert_eq!(desk.head().await, head);
    let other = api::RegisterAccountRequest { password: "another1#".to_owned(), ..request };
    let refused = refusal(desk.accounts().register_account(other).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn the_same_request_three_times_at_once_makes_one_account() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let head = desk.head().await;
    let (mut one, mut two, mut three) = (desk.accounts(), desk.accounts(), desk.accounts());
    let answers = tokio::join!(
        one.register_account(request.clone()),
        two.register_account(request.clone()),
        three.register_account(request)
    );
    for answer in [answers.0, answers.1, answers.2] {
        answer.unwrap();
    }
    assert_eq!(desk.head().await, head + REGISTERED);
}

#[tokio::test]
async fn a_number_with_an_account_is_answered_alike_and_its_owner_is_told() {
    let desk = Desk::open().await;
    let owner = Teacher::new(1);
    desk.register(&owner).await;
    let head = desk.head().await;
    let stranger = Teacher {
        phone: Teacher::new(2).phone,
        password: "stranger1#".to_owned(),
        name: "陌生人".to_owned(),
        ..owner.clone()
    };
    let request = desk.registration(&stranger).await;
    let first = desk.accounts().register_account(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.masked_number, format!("320*************{}", &owner.number[16..]));
    assert_eq!(desk.accounts().register_account(request).await.unwrap().into_inner(), first);
    assert_eq!(desk.head().await, head, "nothing was recorded");
    service::testing::until("the owner to be told", || desk.outbox.count(&owner.phone, "account_exists") == 1).await;
    assert_eq!(desk.outbox.count(&stranger.phone, "account_exists"), 0);
    let refused = refusal(desk.sessions().start_sign_in(stranger.credentials()).await);
    assert_eq!(refused.reason, "WRONG_CREDENTIALS");
    desk.sign_in(&owner).await;
}

/// Processor time that this process has used until now, of all threads, in ticks of 10 ms.
fn worked() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program may hold blanks; utime and stime are the 12th and 13th of what stands behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// Records of registrations beside the log: what was asked for, what was answered, what is remembered.
async fn recorded(desk: &Desk) -> (i64, i64, i64) {
    let query = "SELECT (SELECT sum(count)::bigint FROM attempt WHERE kind IN (3, 103)),
        (SELECT count(*) FROM one_time_code WHERE answered_at IS NOT NULL), (SELECT count(*) FROM request)";
    sqlx::query_as(query).fetch_one(&desk.identity.service.ground.pool).await.unwrap()
}

#[tokio::test]
async fn free_taken_and_old_numbers_cost_the_same_work_and_the_same_time() {
    const EACH: u32 = 8;
    let desk = Desk::open().await;
    let (taken, old, free) = (0..EACH, EACH..2 * EACH, 2 * EACH..3 * EACH);
    for n in taken.clone() {
        desk.register(&Teacher::new(n)).await;
    }
    let lines: String = old.clone().map(|n| legacy::line(&Teacher::new(n))).collect();
    legacy::imported(&desk, &lines, false).await;
    let mut costs = Vec::new();
    for numbers in [taken, old, free] {
        let mut requests = Vec::new();
        for n in numbers {
            let stranger = Teacher { phone: Teacher::new(100 + n).phone, ..Teacher::new(n) };
            requests.push(desk.registration(&stranger).await);
        }
        let (before, begun) = (recorded(&desk).await, worked());
        for request in requests {
            let asked = Instant::now();
            desk.accounts().register_account(request).await.unwrap();
            assert!(asked.elapsed() >= Duration::from_millis(300), "longer than the work takes");
        }
        let work = worked() - begun;
        let after = recorded(&desk).await;
        costs.push((work, (after.0 - before.0, after.1 - before.1, after.2 - before.2)));
    }
    assert!(costs.iter().all(|(_, records)| *records == costs[0].1), "{costs:?}");
    let (least, most) =
        (costs.iter().map(|cost| cost.0).min().unwrap(), costs.iter().map(|cost| cost.0).max().unwrap());
    assert!(10 * least >= 7 * most, "each hashes a password, which is most of the work: {costs:?} ticks and records");
}

#[tokio::test]
async fn two_registrations_of_one_number_at_once_make_one_account() {
    let desk = Desk::open().await;
    let (one, two) = (Teacher::new(1), Teacher { phone: Teacher::new(2).phone, ..Teacher::new(1) });
    let (first, second) = (desk.registration(&one).await, desk.registration(&two).await);
    let head = desk.head().await;
    let (mut left, mut right) = (desk.accounts(), desk.accounts());
    let (first, second) = tokio::join!(left.register_account(first), right.register_account(second));
    assert_eq!(first.unwrap().into_inner(), second.unwrap().into_inner());
    assert_eq!(desk.head().await, head + REGISTERED);
}

#[tokio::test]
async fn a_code_is_good_for_its_own_phone_once() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let other_phone = api::RegisterAccountRequest { phone: Teacher::new(2).phone, ..request.clone() };
    assert_eq!(refusal(desk.accounts().register_account(other_phone).await).reason, "WRONG_CODE");
    desk.accounts().register_account(request.clone()).await.unwrap();
    let again = api::RegisterAccountRequest {
        request_id: lifecycle::ids::random().to_string(),
        number: Teacher::new(3).number,
        ..request
    };
    let refused = refusal(desk.accounts().register_account(again).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "CODE_EXPIRED"));
}

#[tokio::test]
async fn a_mail_code_is_good_for_its_own_address_once() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let wrong = if request.email_code == "000000" { "000001" } else { "000000" };
    for wrong in [
        api::RegisterAccountRequest { email: Teacher::new(2).email(), ..request.clone() },
        api::RegisterAccountRequest { email_code: wrong.to_owned(), ..request.clone() },
    ] {
        assert_eq!(refusal(desk.accounts().register_account(wrong).await).reason, "WRONG_EMAIL_CODE");
    }
    desk.accounts().register_account(request.clone()).await.unwrap();
    let again = api::RegisterAccountRequest {
        email: request.email,
        email_challenge_id: request.email_challenge_id,
        email_code: request.email_code,
        ..desk.registration(&Teacher::new(3)).await
    };
    let refused = refusal(desk.accounts().register_account(again).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "EMAIL_CODE_EXPIRED"));
}

#[tokio::test]
async fn the_right_code_after_five_wrong_ones_comes_too_late() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    let wrong = if request.phone_code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let wrong = api::RegisterAccountRequest { phone_code: wrong.to_owned(), ..request.clone() };
        assert_eq!(refusal(desk.accounts().register_account(wrong).await).reason, "WRONG_CODE");
    }
    assert_eq!(refusal(desk.accounts().register_account(request).await).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_code_counts_for_five_minutes() {
    let desk = Desk::open().await;
    let request = desk.registration(&Teacher::new(1)).await;
    desk.sql("UPDATE one_time_code SET expires_at = expires_at - interval '5 minutes' WHERE purpose = 5").await;
    assert_eq!(refusal(desk.accounts().register_account(request.clone()).await).reason, "EMAIL_CODE_EXPIRED");
    desk.sql("UPDATE one_time_code SET expires_at = expires_at - interval '5 minutes'").await;
    assert_eq!(refusal(desk.accounts().register_account(request).await).reason, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_phone_waits_sixty_seconds_for_the_next_code() {
    let desk = Desk::open().await;
    let phone = Teacher::new(1).phone;
    desk.phone_code(&phone).await;
    let request = api::SendPhoneCodeRequest { phone: phone.clone() };
    let refused = refusal(desk.accounts().send_phone_code(request).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_SOON"));
    assert!(retry_within(&refused, Duration::from_secs(61)), "{refused:?}");
    assert_eq!(desk.outbox.count(&phone, "register_code"), 1);
    desk.sql("UPDATE code_wait SET until = until - interval '60 seconds'").await;
    desk.phone_code(&phone).await;
}

#[tokio::test]
async fn a_phone_that_is_none_gets_no_code() {
    let desk = Desk::open().await;
    let refused = refusal(desk.accounts().send_phone_code(api::SendPhoneCodeRequest { phone: "12".to_owned() }).await);
    assert_eq!(violations(&refused), [("phone", "MALFORMED")]);
}

#[tokio::test]
async fn a_code_that_nobody_took_is_said_to_be_unsent_and_can_be_asked_for_again_at_once() {
    let desk = Desk::open().await;
    let phone = Teacher::new(1).phone;
    desk.outbox.broken.store(true, Ordering::Relaxed);
    let refused = refusal(desk.accounts().send_phone_code(api::SendPhoneCodeRequest { phone: phone.clone() }).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
    assert_eq!(refused.metadata["dependency"], "notifications");
    desk.outbox.broken.store(false, Ordering::Relaxed);
    desk.phone_code(&phone).await;
}
