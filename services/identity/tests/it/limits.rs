//! What is asked for too often, and what is too large.

use std::time::Duration;

use proto::identity::v1 as api;
use tonic::{Code, Request};

use crate::desk::{Desk, Teacher, refusal, retry_within};

/// Sets the counters of addresses or accounts to their limits.
async fn exhaust(desk: &Desk, by_address: bool) {
    desk.sql(if by_address {
        "UPDATE attempt SET count = 600 WHERE kind > 100"
    } else {
        "UPDATE attempt SET count = CASE kind WHEN 3 THEN 10 ELSE 30 END WHERE kind < 100"
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
