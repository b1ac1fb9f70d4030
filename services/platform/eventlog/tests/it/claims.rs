//! What only one can have: raced for, released, taken again.

use eventlog::{Append, AppendError};
use futures::future::join_all;
use lifecycle::ids;

use crate::fixture::{Answer, Fixture, anew, release, request, take, to};

const TAKEN: AppendError = AppendError::ClaimTaken { kind: "account" };

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_race_for_a_claim_over_two_replicas_one_gets_it() {
    let fixture = Fixture::start().await;
    let second = fixture.replica().await;
    for round in 0..10 {
        let key = format!("number {round}");
        let race = |racer: usize| {
            let log = if racer.is_multiple_of(2) { &fixture.log } else { &second };
            log.append(Append { claims: vec![take(&key)], ..anew() })
        };
        let answers: Vec<Answer> = join_all((0..16).map(race)).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "round {round}");
        assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| *error == TAKEN));
    }
    assert_eq!(fixture.events().await, 10);
}

#[tokio::test]
async fn a_claim_that_is_released_can_be_taken_again() {
    let fixture = Fixture::start().await;
    let holder = Append { claims: vec![take("seat")], ..anew() };
    let stream = holder.stream;
    fixture.log.append(holder).await.unwrap();
    let another = async || fixture.log.append(Append { claims: vec![take("seat")], ..anew() }).await;
    assert_eq!(another().await, Err(TAKEN));
    fixture.log.append(Append { claims: vec![release("seat")], ..to(stream, 1) }).await.unwrap();
    assert!(another().await.is_ok());
    assert_eq!(another().await, Err(TAKEN));
}

#[tokio::test]
async fn claims_of_one_batch_see_each_other() {
    let fixture = Fixture::start().await;
    let append = |claims| fixture.log.append(Append { claims, ..anew() });
    // All of it waits together: taken, refused, given back, taken again.
    let (first, second, back, third) = tokio::join!(
        append(vec![take("seat")]),
        append(vec![take("seat")]),
        append(vec![release("seat")]),
        append(vec![take("seat")]),
    );
    assert!(first.is_ok() && back.is_ok());
    assert_eq!(second, Err(TAKEN));
    assert_eq!(fixture.value("SELECT position FROM claim").await, third.unwrap().position);
    // The other way round: what the database holds is given back and taken anew in one statement.
    let (back, again) = tokio::join!(append(vec![release("seat")]), append(vec![take("seat")]));
    assert!(back.is_ok());
    assert_eq!(fixture.value("SELECT position FROM claim").await, again.unwrap().position);
}

#[tokio::test]
async fn a_command_moves_all_of_its_claims_or_none() {
    let fixture = Fixture::start().await;
    fixture.log.append(Append { claims: vec![take("taken")], ..anew() }).await.unwrap();
    let refused = fixture.log.append(Append { claims: vec![take("free"), take("taken")], ..anew() }).await;
    assert_eq!(refused, Err(TAKEN));
    fixture.log.append(Append { claims: vec![take("free")], ..anew() }).await.unwrap();
    let moved = Append { claims: vec![release("taken"), take("taken"), take("other")], ..anew() };
    fixture.log.append(moved).await.unwrap();
    let twice = fixture.log.append(Append { claims: vec![take("new"), take("new")], ..anew() }).await;
    assert_eq!(twice, Err(TAKEN));
    assert_eq!(fixture.value("SELECT count(*) FROM claim").await, 3);
}

#[tokio::test]
async fn releasing_what_nobody_holds_changes_nothing() {
    let fixture = Fixture::start().await;
    assert!(fixture.log.append(Append { claims: vec![release("seat")], ..anew() }).await.is_ok());
    assert_eq!(fixture.value("SELECT count(*) FROM claim").await, 0);
}

#[tokio::test]
async fn a_repeated_request_does_not_ask_for_its_claim_again() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let ask = || Append { claims: vec![take("seat")], request: Some(request(id, "body", "answer")), ..anew() };
    fixture.log.append(ask()).await.unwrap();
    assert!(fixture.log.append(ask()).await.unwrap().repeated);
}

#[tokio::test]
async fn a_claim_of_the_same_key_but_another_kind_is_another_claim() {
    let fixture = Fixture::start().await;
    let of = |kind| eventlog::Claim::Take { kind, key: b"key".to_vec() };
    fixture.log.append(Append { claims: vec![of("account"), of("slot")], ..anew() }).await.unwrap();
    let refused = fixture.log.append(Append { claims: vec![of("slot")], ..anew() }).await;
    assert_eq!(refused, Err(AppendError::ClaimTaken { kind: "slot" }));
}

#[tokio::test]
async fn claims_and_requests_alone_need_no_event() {
    let fixture = Fixture::start().await;
    let append = Append { claims: vec![take("seat")], events: Vec::new(), ..anew() };
    assert_eq!(fixture.log.append(append).await.unwrap().position, 0);
    assert_eq!(fixture.value("SELECT count(*) FROM claim").await, 1);
}
