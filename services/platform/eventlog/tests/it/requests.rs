//! One effect per request, however often it comes and whoever takes it.

use eventlog::{Append, AppendError, EventLog, Remembered, digest};
use futures::future::join_all;
use lifecycle::ids;

use crate::fixture::{Answer, Fixture, anew, request, take, to};
use crate::history::{Broken, check_all};

/// 40 requests, each three times at once over two replicas, every time with another answer to give.
pub async fn three_at_once(log: &EventLog, replicas: [EventLog; 2]) -> Broken {
    let mut broken = Broken::new();
    let before = log.read(0, 1_000).await.unwrap().len();
    for round in 0..40 {
        let id = ids::random();
        let ask = |number: usize| {
            let request = request(id, "body", &format!("answer {number}"));
            replicas[number % 2].append(Append { request: Some(request), ..anew() })
        };
        let answers: Vec<Answer> = join_all((0..3).map(ask)).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        if answers.iter().any(|appended| appended.answer != answers[0].answer) {
            broken.push(format!("round {round} has different answers"));
        }
        if answers.iter().any(|appended| appended.position != answers[0].position) {
            broken.push(format!("round {round} has different positions"));
        }
        let events = log.read(0, 1_000).await.unwrap().len() - before;
        if events != round + 1 {
            broken.push(format!("{events} effects of {} requests", round + 1));
        }
    }
    broken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_three_times_at_once_over_two_replicas_has_one_effect() {
    let fixture = Fixture::start().await;
    let replicas = [fixture.log.clone(), fixture.replica().await];
    assert_eq!(three_at_once(&fixture.log, replicas).await, Broken::new());
    check_all(&fixture.log, &[]).await;
}

#[tokio::test]
async fn a_request_that_comes_twice_in_one_batch_has_one_effect() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let ask = |answer: &str| fixture.log.append(Append { request: Some(request(id, "body", answer)), ..anew() });
    // A batch of its own keeps the writer busy, so that the two wait together.
    let (_, first, second) = tokio::join!(fixture.log.append(anew()), ask("first"), ask("second"));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.repeated, second.repeated), (false, true));
    assert_eq!((second.answer.as_slice(), second.position), (b"first".as_slice(), first.position));
    assert_eq!(fixture.events().await, 2);
}

#[tokio::test]
async fn a_request_repeated_after_success_gets_the_first_answer() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let append = Append { request: Some(request(id, "body", "first")), ..anew() };
    let stream = append.stream;
    let first = fixture.log.append(append).await.unwrap();
    fixture.log.append(to(stream, 1)).await.unwrap();
    // Even where the repetition alone would be a conflict, too late, or without its claim.
    fixture.log.append(Append { claims: vec![take("key")], ..anew() }).await.unwrap();
    let repetition = Append {
        request: Some(request(id, "body", "second")),
        not_after: Some(first.recorded_at),
        claims: vec![take("key")],
        ..to(stream, 0)
    };
    let second = fixture.log.append(repetition).await.unwrap();
    assert!(second.repeated);
    assert_eq!(second.answer, b"first");
    assert_eq!((second.position, second.recorded_at), (first.position, first.recorded_at));
    assert_eq!(fixture.events().await, 3);
}

#[tokio::test]
async fn a_request_id_with_another_body_is_refused() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    fixture.log.append(Append { request: Some(request(id, "body", "first")), ..anew() }).await.unwrap();
    let other = fixture.log.append(Append { request: Some(request(id, "other body", "second")), ..anew() }).await;
    assert_eq!(other, Err(AppendError::RequestIdReused));
    assert_eq!(fixture.events().await, 1);
}

#[tokio::test]
async fn the_same_request_id_of_another_actor_is_another_request() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    for actor in ["person:one", "person:two"] {
        let append = Append { request: Some(request(id, "body", actor)), actor: actor.to_owned(), ..anew() };
        let appended = fixture.log.append(append).await.unwrap();
        assert!(!appended.repeated);
        assert_eq!(appended.answer, actor.as_bytes());
    }
    assert_eq!(fixture.events().await, 2);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let append = anew();
    let stream = append.stream;
    fixture.log.append(append).await.unwrap();
    let ask = |version| Append { request: Some(request(id, "body", "answer")), ..to(stream, version) };
    let refused = fixture.log.append(ask(0)).await;
    assert_eq!(refused, Err(AppendError::VersionConflict { expected: 0, actual: 1 }));
    assert!(!fixture.log.append(ask(1)).await.unwrap().repeated);
}

#[tokio::test]
async fn a_request_without_events_is_remembered() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let ask = |answer: &str| Append { request: Some(request(id, "body", answer)), events: Vec::new(), ..anew() };
    let first = fixture.log.append(ask("first")).await.unwrap();
    assert_eq!((first.position, first.version, first.repeated), (0, 0, false));
    let second = fixture.log.append(ask("second")).await.unwrap();
    assert_eq!((second.answer.as_slice(), second.repeated), (b"first".as_slice(), true));
    assert_eq!(fixture.events().await, 0);
}

#[tokio::test]
async fn what_is_remembered_can_be_asked_before_deciding() {
    let fixture = Fixture::start().await;
    let id = ids::random();
    let asked = async |actor, body: &str| fixture.log.remembered(actor, id, &digest(body.as_bytes())).await.unwrap();
    assert_eq!(asked("person:one", "body").await, None);
    fixture.log.append(Append { request: Some(request(id, "body", "answer")), ..anew() }).await.unwrap();
    let answer = Remembered::Answer { answer: b"answer".to_vec(), position: 1 };
    assert_eq!(asked("person:one", "body").await, Some(answer));
    assert_eq!(asked("person:one", "other body").await, Some(Remembered::Reused));
    assert_eq!(asked("person:two", "body").await, None);
}

#[tokio::test]
async fn a_repeated_request_leaves_no_record_behind() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id uuid PRIMARY KEY)").await;
    let id = ids::random();
    for repeated in [false, true] {
        let mut transaction = fixture.log.pool().begin().await.unwrap();
        sqlx::query("INSERT INTO note VALUES ($1)").bind(ids::random()).execute(&mut *transaction).await.unwrap();
        let append = Append { request: Some(request(id, "body", "answer")), ..anew() };
        assert_eq!(fixture.log.append_in(transaction, append).await.unwrap().repeated, repeated);
    }
    assert_eq!(fixture.value("SELECT count(*) FROM note").await, 1);
    assert_eq!(fixture.events().await, 1);
}
