//! The queue and its batches: many callers, vanishing callers, bad commands, and more than fits.

use std::time::Duration;

use cluster::wait;
use eventlog::{Append, AppendError, NewEvent, Settings};
use futures::FutureExt as _;
use futures::future::join_all;
use lifecycle::ids;
use tokio::task::JoinSet;

use crate::fixture::{Answer, Fixture, PATIENCE, anew, event, to};
use crate::history::{Acknowledged, check_all};

#[tokio::test(flavor = "multi_thread")]
async fn of_64_callers_on_one_stream_each_gets_its_version() {
    let fixture = Fixture::start().await;
    let second = fixture.replica().await;
    let stream = ids::random();
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let log = if caller % 2 == 0 { fixture.log.clone() } else { second.clone() };
        callers.spawn(async move {
            loop {
                // Load, decide, append; again on a conflict.
                let version = log.load(stream).await.unwrap().last().map_or(0, |event| event.version);
                let append = to(stream, version);
                let event_id = append.events[0].event_id;
                match log.append(append).await {
                    Ok(appended) => return (appended.version, Acknowledged { event_id, position: appended.position }),
                    Err(AppendError::VersionConflict { expected, actual }) => assert!(actual > expected),
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let (mut versions, acknowledged): (Vec<i64>, Vec<Acknowledged>) = callers.join_all().await.into_iter().unzip();
    versions.sort_unstable();
    assert_eq!(versions, (1..=64).collect::<Vec<i64>>());
    check_all(&fixture.log, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_vanish_change_nothing() {
    let fixture = Fixture::start().await;
    let (mut vanished, mut stayed) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let append = anew();
        let event_id = append.events[0].event_id;
        if number % 3 == 0 {
            let log = fixture.log.clone();
            let answer = async move { (event_id, log.append(append).await.unwrap().position) };
            stayed.push(tokio::spawn(answer));
        } else {
            // Polled once, which puts the command in the queue, and dropped.
            assert!(fixture.log.append(append).now_or_never().is_none());
            vanished.push(event_id);
        }
    }
    let stayed: Vec<_> = join_all(stayed).await.into_iter().map(Result::unwrap).collect();
    let acknowledged: Vec<_> =
        stayed.into_iter().map(|(event_id, position)| Acknowledged { event_id, position }).collect();
    let all = wait::until("the queue to be empty", PATIENCE, async || (fixture.events().await == 300).then_some(()));
    all.await.unwrap();
    check_all(&fixture.log, &acknowledged).await;
    let events = fixture.log.read(0, 1_000).await.unwrap();
    assert!(vanished.iter().all(|id| events.iter().any(|event| event.event_id == *id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_vanish_while_they_append_records_leave_all_or_nothing() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id uuid PRIMARY KEY)").await;
    for round in 0..60 {
        let log = fixture.log.clone();
        let appending = async move {
            let append = anew();
            let mut transaction = log.pool().begin().await.unwrap();
            let query = sqlx::query("INSERT INTO note VALUES ($1)").bind(append.events[0].event_id);
            query.execute(&mut *transaction).await.unwrap();
            log.append_in(transaction, append).await.unwrap();
        };
        // Dropped at some point on the way, a later one each time.
        let _ = tokio::time::timeout(Duration::from_micros(150 * round), appending).await;
    }
    // The sessions are usable, and nobody holds the lock.
    assert!(fixture.log.append(anew()).await.is_ok());
    check_all(&fixture.log, &[]).await;
    let alone = "SELECT (SELECT count(*) FROM note) - (SELECT count(*) - 1 FROM event_log)";
    assert_eq!(fixture.value(alone).await, 0);
    assert_eq!(fixture.value("SELECT count(*) FROM note WHERE id NOT IN (SELECT event_id FROM event_log)").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_command_among_255_good_ones_is_refused_alone() {
    let fixture = Fixture::start().await;
    // PostgreSQL has no text with a zero byte in it.
    let bad = || NewEvent { kind: "test.v1.\0".to_owned(), ..event("bad") };
    let commands: Vec<Append> =
        (0..256).map(|number| if number == 100 { Append { events: vec![bad()], ..anew() } } else { anew() }).collect();
    let answers: Vec<Answer> = join_all(commands.into_iter().map(|command| fixture.log.append(command))).await;
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Err(AppendError::Refused(reason)) => assert_eq!((number, reason.as_str()), (100, "SQLSTATE 22021")),
            answer => assert!(answer.is_ok() && number != 100, "{number}: {answer:?}"),
        }
    }
    assert_eq!(fixture.events().await, 255);
    check_all(&fixture.log, &[]).await;
    // Also where it is the reading that PostgreSQL refuses.
    let actor = Append {
        actor: "person:\0".to_owned(),
        request: Some(crate::fixture::request(ids::random(), "", "")),
        ..anew()
    };
    assert!(matches!(fixture.log.append(actor).await, Err(AppendError::Refused(_))));
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_queued() {
    let fixture = Fixture::start().await;
    let limit = 256 * 1_024;
    let exactly = NewEvent { payload: vec![0; limit - 11], ..event("") };
    assert!(fixture.log.append(Append { events: vec![exactly], ..anew() }).await.is_ok());
    let more = NewEvent { payload: vec![0; limit - 10], ..event("") };
    let refused = fixture.log.append(Append { events: vec![event(""), more], ..anew() }).await;
    assert_eq!(refused, Err(AppendError::TooLarge { bytes: limit + 1, limit }));
    let answer = "x".repeat(limit + 1);
    let append = Append { request: Some(crate::fixture::request(ids::random(), "", &answer)), ..anew() };
    assert_eq!(fixture.log.append(append).await, Err(AppendError::TooLarge { bytes: limit + 1, limit }));
    assert_eq!(fixture.events().await, 1);
}

#[tokio::test]
async fn many_large_events_at_once_are_recorded_in_smaller_batches() {
    let fixture = Fixture::start().await;
    let large = || Append { events: vec![NewEvent { payload: vec![7; 200_000], ..event("") }], ..anew() };
    let answers: Vec<Answer> = join_all((0..100).map(|_| fixture.log.append(large()))).await;
    assert!(answers.iter().all(Result::is_ok));
    // One batch is one instant of recording.
    let batches = fixture.value("SELECT count(DISTINCT recorded_at) FROM event_log").await;
    assert!((3..=20).contains(&batches), "{batches} batches");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let fixture = Fixture::start().await;
    let log = fixture.log_with(Settings { queue: 8, ..Settings::default() }).await;
    // One thread: nothing is taken out of the queue while the commands are put in.
    let answers: Vec<Answer> = join_all((0..20).map(|_| log.append(anew()))).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(AppendError::Overloaded { .. }))).count();
    assert_eq!((refused, answers.iter().filter(|answer| answer.is_ok()).count()), (12, 8));
    assert_eq!(log.queued(), 0);
    assert!(log.append(anew()).await.is_ok());
}

#[tokio::test]
async fn a_batch_takes_what_waits() {
    let fixture = Fixture::start().await;
    let answers: Vec<Answer> = join_all((0..600).map(|_| fixture.log.append(anew()))).await;
    assert!(answers.iter().all(Result::is_ok));
    let sizes: Vec<i64> =
        sqlx::query_scalar("SELECT count(*) FROM event_log GROUP BY recorded_at ORDER BY recorded_at")
            .fetch_all(fixture.log.pool())
            .await
            .unwrap();
    assert_eq!(sizes, [256, 256, 88]);
}

#[tokio::test]
async fn what_is_queued_when_the_service_stops_is_recorded_and_what_comes_later_is_refused() {
    let fixture = Fixture::start().await;
    let answers = join_all((0..300).map(|_| fixture.log.append(anew())));
    let stopping = async {
        fixture.lifecycle.stop();
        fixture.lifecycle.clone().until_stopped().await
    };
    let (answers, _) = tokio::join!(answers, stopping);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fixture.log.append(anew()).await, Err(AppendError::Unavailable));
    assert_eq!(fixture.events().await, 300);
}

#[tokio::test]
async fn the_stream_of_the_log_itself_is_nobody_elses() {
    let fixture = Fixture::start().await;
    let refused = fixture.log.append(to(uuid::Uuid::nil(), 0)).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))));
}
