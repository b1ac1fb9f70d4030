//! Places to wait for a core, and the cores: who takes one, and who does not.

use std::time::Duration;

use access::Origin;
use futures::FutureExt as _;
use identity::domain::session::Entry;
use identity::error::Error;
use identity::handle::{Answered, Asked, Handle, LinkToken, NewContact, Registration};
use identity::hashing::{Password, Waiting};
use proto::identity::v1 as api;
use tokio::time::timeout;
use tonic::{Code, Request, Status};

use crate::desk::{Desk, Teacher, refusal, retry_within};

fn origin() -> Origin {
    let request = Request::new(());
    Origin::of(request.extensions(), request.metadata().as_ref(), &[])
}

fn password(teacher: &Teacher) -> Password {
    Password::new(teacher.password.clone())
}

/// Every place that there is.
fn every_place(handle: &Handle) -> Vec<Waiting> {
    std::iter::from_fn(|| handle.hasher.enter().ok()).collect()
}

/// Signs in by a puzzle that was answered so.
async fn answer(handle: &Handle, teacher: &Teacher, puzzle: &api::SignInRequest, miss: i32) -> Result<(), Error> {
    let document = handle.document_types.recognise(&teacher.number).unwrap();
    let answered = Answered { id: puzzle.puzzle_id.parse().unwrap(), offset: puzzle.offset + miss };
    let signing_in = handle.sign_in(&document, password(teacher), Entry::Registration, answered, origin());
    Box::pin(signing_in).await.map(drop)
}

#[tokio::test]
async fn a_puzzle_is_judged_before_it_takes_a_place_and_a_right_one_that_finds_none_is_given_back() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let handle = desk.handle().await;
    let (solved, missed) = (desk.puzzle(&teacher).await, desk.puzzle(&teacher).await);
    let invented = api::SignInRequest { puzzle_id: lifecycle::ids::random().to_string(), ..solved.clone() };
    let places = every_place(&handle);
    assert!(matches!(answer(&handle, &teacher, &invented, 0).await, Err(Error::PuzzleExpired)));
    assert!(matches!(answer(&handle, &teacher, &missed, 50).await, Err(Error::PuzzleWrong)));
    for _ in 0..2 {
        assert!(matches!(answer(&handle, &teacher, &solved, 0).await, Err(Error::Busy)));
    }
    drop(places);
    answer(&handle, &teacher, &solved, 0).await.unwrap();
    assert!(matches!(answer(&handle, &teacher, &solved, 0).await, Err(Error::PuzzleExpired)));
}

#[tokio::test]
async fn more_at_once_than_the_cores_can_serve_are_refused_early_and_whoever_comes_too_often_takes_no_place() {
    let desk = Desk::open().await;
    let handle = desk.handle().await;
    let teacher = Teacher::new(1);
    let document = handle.document_types.recognise(&teacher.number).unwrap();
    let start = async || {
        let starting = handle.start_sign_in(&document, password(&teacher), Entry::Registration, origin());
        refusal(Box::pin(starting).await.map_err(Status::from))
    };
    let places = every_place(&handle);
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(places.len(), 33 * cores, "one at each core and 32 that wait for it are served");
    let refused = start().await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "BUSY"));
    assert!(retry_within(&refused, Duration::from_secs(10)));
    desk.sql("UPDATE attempt SET count = 600 WHERE kind = 102").await;
    assert_eq!(start().await.reason, "THROTTLED");
    drop(places);
    desk.sql("UPDATE attempt SET began_at = began_at - interval '10 minutes'").await;
    assert_eq!(start().await.reason, "WRONG_CREDENTIALS");
}

#[tokio::test]
async fn a_code_or_link_that_is_none_waits_for_no_core() {
    let desk = Desk::open().await;
    let handle = desk.handle().await;
    let teacher = Teacher::new(1);
    let _cores: Vec<_> = std::iter::from_fn(|| handle.hasher.admit().now_or_never()).collect();
    let asked = || Asked { actor: "nobody".to_owned(), id: lifecycle::ids::random(), fingerprint: [0; 32] };
    let contact = |address: String| {
        let (challenge, code) = (lifecycle::ids::random(), "123456".to_owned());
        NewContact { address, challenge, code }
    };
    let registration = Registration {
        document: handle.document_types.recognise(&teacher.number).unwrap(),
        name: teacher.name.clone(),
        phone: contact(teacher.phone.clone()),
        email: contact(teacher.email()),
        password: password(&teacher),
    };
    let patience = Duration::from_secs(20);
    let registered = timeout(patience, Box::pin(handle.register(&asked(), &registration))).await;
    assert!(matches!(registered, Ok(Err(Error::CodeExpired))), "{registered:?}");
    let (asked_by_code, challenge) = (asked(), lifecycle::ids::random());
    let by_code = handle.reset_by_code(&asked_by_code, challenge, "123456", password(&teacher));
    assert!(matches!(timeout(patience, Box::pin(by_code)).await, Ok(Err(Error::CodeExpired))));
    let (asked_by_link, token) = (asked(), LinkToken::parse(&"ab".repeat(32)).unwrap());
    let by_link = handle.reset_by_link(&asked_by_link, &token, password(&teacher));
    assert!(matches!(timeout(patience, Box::pin(by_link)).await, Ok(Err(Error::LinkExpired))));
}
