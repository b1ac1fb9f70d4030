//! What comes back is what was appended: streams, the log in order, the head, epochs, sessions of the pool.

use cluster::wait;
use eventlog::{Append, AppendError, Division, Link, Metadata, NewEvent, ReadError, Settings, digest, is_away, pool};
use lifecycle::ids;
use prost::Message as _;
use proto::operations::v1::EpochStarted;
use uuid::Uuid;

use crate::fixture::{Fixture, PATIENCE, anew, event, request, to};
use crate::history::{check_all, check_chain};

#[tokio::test]
async fn a_stream_comes_back_as_it_was_appended() {
    let fixture = Fixture::start().await;
    let (stream, id, cause) = (ids::random(), ids::random(), ids::random());
    let events = vec![event("one"), NewEvent { inner: Vec::new(), sealed: vec![0, 255], ..event("two") }];
    let append = Append {
        events: events.clone(),
        request: Some(request(id, "body", "answer")),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        cause: Some(cause),
        ..to(stream, 0)
    };
    let appended = fixture.log.append(append.clone()).await.unwrap();
    assert_eq!((appended.position, appended.version, appended.repeated), (2, 2, false));
    assert_eq!(appended.answer, b"answer");
    let metadata = Metadata {
        actor: "person:one".to_owned(),
        request_id: Some(id),
        traceparent: append.traceparent,
        cause: Some(cause),
        division: Division::parse("320302").unwrap(),
    };
    let loaded = fixture.log.load(stream).await.unwrap();
    assert_eq!(loaded.len(), 2);
    let mut previous = [0; 32];
    for (number, (new, event)) in (1..).zip(events.iter().zip(&loaded)) {
        assert_eq!((event.position, event.version, event.epoch, event.stream), (number, number, 1, stream));
        assert_eq!((&event.kind, &event.payload), (&new.kind, &new.payload));
        assert_eq!((&event.inner, &event.sealed, event.event_id), (&new.inner, &new.sealed, new.event_id));
        assert_eq!((&event.metadata, event.recorded_at), (&metadata, appended.recorded_at));
        // What a consumer can compute from a published event's headers.
        let link = Link {
            previous: &previous,
            position: event.position,
            epoch: event.epoch,
            stream,
            version: event.version,
            kind: &event.kind,
            payload: &digest(&event.payload),
            inner: &digest(&event.inner),
            sealed: &digest(&event.sealed),
            metadata: &digest(&event.metadata_bytes),
            event_id: event.event_id,
            recorded_at: event.recorded_at,
        };
        assert_eq!(link.hash(), event.hash);
        assert_eq!(fixture.log.previous_hash(event.position).await.unwrap(), previous);
        previous = event.hash;
    }
    assert_eq!(fixture.log.load_after(stream, 1).await.unwrap(), loaded[1..]);
    assert_eq!(fixture.log.load(ids::random()).await.unwrap(), []);
}

#[tokio::test]
async fn streams_are_loaded_together_and_the_log_in_order() {
    let fixture = Fixture::start().await;
    let (one, two, none) = (ids::random(), ids::random(), ids::random());
    for (stream, version) in [(one, 0), (two, 0), (one, 1), (two, 1), (one, 2)] {
        fixture.log.append(to(stream, version)).await.unwrap();
    }
    let loaded = fixture.log.load_many(&[one, none, two]).await.unwrap();
    assert_eq!((loaded.len(), loaded[&one].len(), loaded[&two].len()), (2, 3, 2));
    assert_eq!(loaded[&one], fixture.log.load(one).await.unwrap());
    let positions = async |after, limit| {
        let events = fixture.log.read(after, limit).await.unwrap();
        events.iter().map(|event| event.position).collect::<Vec<i64>>()
    };
    assert_eq!(positions(0, 100).await, [1, 2, 3, 4, 5]);
    assert_eq!(positions(2, 2).await, [3, 4]);
    assert_eq!(positions(5, 100).await, [0; 0]);
}

#[tokio::test]
async fn a_gap_in_the_log_is_an_error_and_not_skipped() {
    let fixture = Fixture::start().await;
    for _ in 0..3 {
        fixture.log.append(anew()).await.unwrap();
    }
    fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER; DELETE FROM event_log WHERE position = 2").await;
    assert!(matches!(fixture.log.read(0, 10).await, Err(ReadError::Missing { position: 2 })));
    assert!(matches!(fixture.log.previous_hash(3).await, Err(ReadError::Missing { position: 2 })));
}

#[tokio::test]
async fn metadata_that_cannot_be_decoded_is_an_error() {
    let fixture = Fixture::start().await;
    let append = anew();
    let stream = append.stream;
    fixture.log.append(append).await.unwrap();
    fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER; UPDATE event_log SET metadata = '\\xff'").await;
    assert!(matches!(fixture.log.load(stream).await, Err(ReadError::Corrupt { position: 1 })));
}

#[tokio::test]
async fn the_head_is_known_at_once_after_an_own_append_and_soon_after_anothers() {
    let fixture = Fixture::start().await;
    let second = fixture.replica().await;
    let (mut own, mut others) = (fixture.log.head(), second.head());
    assert_eq!(*own.borrow_and_update(), 0);
    fixture.log.append(anew()).await.unwrap();
    assert_eq!(*own.borrow_and_update(), 1);
    tokio::time::timeout(PATIENCE, others.wait_for(|head| *head == 1)).await.unwrap().unwrap();
    let transaction = second.pool().begin().await.unwrap();
    second.append_in(transaction, anew()).await.unwrap();
    assert_eq!(*second.head().borrow(), 2);
    // A log that starts later knows it from the start.
    assert!(*fixture.replica().await.head().borrow() >= 2);
}

#[tokio::test]
async fn a_new_epoch_begins_with_its_own_record() {
    let fixture = Fixture::start().await;
    fixture.log.append(anew()).await.unwrap();
    let started =
        EpochStarted { fork_digest: "digest".to_owned(), reason: "restored".to_owned(), ..Default::default() };
    let appended = fixture.log.start_epoch("staff:one", started.clone()).await.unwrap();
    fixture.log.append(anew()).await.unwrap();
    let other = EpochStarted { fork_digest: "another".to_owned(), ..started.clone() };
    fixture.log.start_epoch("staff:two", other).await.unwrap();
    // Whoever did not hear that it has begun asks again.
    let again = fixture.log.start_epoch("staff:three", started.clone()).await.unwrap();
    assert_eq!((again.position, again.repeated), (appended.position, true));
    // A replica that knows nothing of it goes on in the new epoch, too.
    fixture.replica().await.append(anew()).await.unwrap();
    let events = fixture.log.read(0, 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.epoch).collect::<Vec<_>>(), [1, 2, 2, 3, 3]);
    let first = &fixture.log.load(Uuid::nil()).await.unwrap()[0];
    assert_eq!((first.position, first.kind.as_str()), (appended.position, "dingzhu.operations.v1.EpochStarted"));
    let reason = EpochStarted { reason: started.reason.clone(), ..EpochStarted::default() };
    assert_eq!(EpochStarted::decode(first.inner.as_slice()).unwrap(), reason, "what a person wrote is not published");
    let published = EpochStarted { epoch: 2, reason: String::new(), ..started };
    assert_eq!(EpochStarted::decode(first.payload.as_slice()).unwrap(), published);
    check_all(&fixture.log, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_epochs_cannot_begin_at_once() {
    let fixture = Fixture::start().await;
    let second = fixture.replica().await;
    let start = |log: eventlog::EventLog| async move { log.start_epoch("staff:one", EpochStarted::default()).await };
    let (one, two) = tokio::join!(start(fixture.log.clone()), start(second));
    let mut begun: Vec<_> = [&one, &two].into_iter().flatten().map(|appended| appended.position).collect();
    begun.dedup();
    let refused = [&one, &two].into_iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.clone().all(|error| matches!(error, AppendError::VersionConflict { .. })));
    let epoch = fixture.value("SELECT max(epoch) FROM event_log").await;
    assert_eq!((begun.len(), epoch), (1, 2), "one fork, one epoch");
    assert_eq!(check_chain(&fixture.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_is_left_in_a_transaction_is_rolled_back_before_the_next_has_it() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id int)").await;
    let pool = pool(&fixture.url, "one", 1).unwrap();
    let mut session = pool.acquire().await.unwrap();
    // What a caller leaves behind who vanishes between BEGIN and its answer: sqlx does not know of the transaction.
    sqlx::raw_sql("BEGIN; INSERT INTO note VALUES (1)").execute(&mut *session).await.unwrap();
    drop(session);
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM note").fetch_one(&pool).await.unwrap();
    assert_eq!(seen, 0);
}

#[tokio::test]
async fn a_log_does_not_show_its_password() {
    let fixture = Fixture::start().await;
    let log = fixture.log_by(&format!("{}?password=hunter2", fixture.url), Settings::default()).await;
    assert!(!format!("{log:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_pool_is_limited_in_every_session() {
    let fixture = Fixture::start().await;
    let pool = pool(&fixture.url, "limited", 1).unwrap();
    for (name, value) in [
        ("application_name", "limited"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "3s"),
        ("statement_timeout", "15s"),
        ("synchronous_commit", "on"),
    ] {
        let setting: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&pool).await.unwrap();
        assert_eq!(setting, value, "{name}");
    }
    let session = pool.acquire().await.unwrap();
    let none = pool.acquire().await.unwrap_err();
    assert!(matches!(none, sqlx::Error::PoolTimedOut));
    assert!(is_away(&ReadError::from(none)), "whatever it is wrapped in");
    drop(session);
    wait::until("the session", PATIENCE, async || pool.acquire().await.ok()).await.unwrap();
    let nonsense = sqlx::query("SELECT 1 / 0").execute(&pool).await.unwrap_err();
    assert!(!is_away(&nonsense), "the database is there, the question is wrong");
}
