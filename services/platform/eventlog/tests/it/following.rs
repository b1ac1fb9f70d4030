//! Following the log from memory: the same events in the same order as in the table, whoever appended them.

use std::sync::Arc;

use cluster::wait;
use eventlog::{Append, EventLog, Recorded};
use lifecycle::ids;

use crate::fixture::{Fixture, PATIENCE, anew, event, request, to};

const START: [u8; 32] = [0; 32];

/// Everything behind the start of the log, as a follower gets it, two at a time.
async fn followed(log: &EventLog) -> Vec<Arc<Recorded>> {
    let (mut events, mut hash) = (Vec::<Arc<Recorded>>::new(), START);
    loop {
        let after = i64::try_from(events.len()).unwrap();
        let page = log.follow(after, &hash, 2).await.unwrap();
        let Some(last) = page.last() else { return events };
        hash = last.hash;
        events.extend(page);
    }
}

async fn stored(log: &EventLog) -> Vec<Arc<Recorded>> {
    log.read(0, 10_000).await.unwrap().into_iter().map(Arc::new).collect()
}

/// Whether these events come from memory: then they are not made anew.
async fn from_memory(log: &EventLog, after: &Recorded) -> bool {
    let one = log.follow(after.position, &after.hash, 1).await.unwrap();
    let other = log.follow(after.position, &after.hash, 1).await.unwrap();
    Arc::ptr_eq(&one[0], &other[0])
}

#[tokio::test]
async fn what_is_followed_is_what_stands_in_the_table() {
    let fixture = Fixture::start().await;
    let log = &fixture.log;
    let (stream, id) = (ids::random(), ids::random());
    let several = Append { events: vec![event("one"), event(""), event("three")], ..to(stream, 0) };
    log.append(several).await.unwrap();
    let asked = || Append { request: Some(request(id, "body", "answer")), ..to(stream, 3) };
    log.append(asked()).await.unwrap();
    assert!(log.append(asked()).await.unwrap().repeated);
    log.append(to(stream, 1)).await.unwrap_err();
    log.append_in(log.pool().begin().await.unwrap(), to(stream, 4)).await.unwrap();
    log.append(Append { events: Vec::new(), ..to(stream, 5) }).await.unwrap();
    log.append(anew()).await.unwrap();

    let events = followed(log).await;
    assert_eq!((events.len(), &events), (6, &stored(log).await));
    assert!(from_memory(log, &events[0]).await, "nothing was read back");
}

#[tokio::test]
async fn what_another_replica_appends_between_is_followed_in_its_place() {
    let fixture = Fixture::start().await;
    let (log, other) = (&fixture.log, fixture.replica().await);
    for round in 0..20 {
        let by = if round % 3 == 0 { &other } else { log };
        by.append(anew()).await.unwrap();
        assert_eq!(followed(log).await, stored(log).await);
    }
    let at_once = (0..200).map(|n| if n % 2 == 0 { &other } else { log }.append(anew()));
    futures::future::try_join_all(at_once).await.unwrap();
    for log in [log, &other] {
        assert_eq!(followed(log).await, stored(log).await);
    }
}

#[tokio::test]
async fn a_follower_behind_another_event_reads_the_table() {
    let fixture = Fixture::start().await;
    fixture.log.append(anew()).await.unwrap();
    fixture.log.append(anew()).await.unwrap();
    let mut first = fixture.log.read(0, 1).await.unwrap().remove(0);
    assert!(from_memory(&fixture.log, &first).await);
    first.hash = [7; 32];
    assert!(!from_memory(&fixture.log, &first).await);
}

#[tokio::test]
async fn what_a_restored_database_has_lost_is_followed_no_more() {
    let fixture = Fixture::start().await;
    for _ in 0..3 {
        fixture.log.append(anew()).await.unwrap();
    }
    let first = fixture.log.read(0, 1).await.unwrap().remove(0);
    fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER; DELETE FROM event_log WHERE position > 1").await;
    wait::until("the lost events to be forgotten", PATIENCE, async || {
        fixture.log.follow(1, &first.hash, 10).await.unwrap().is_empty().then_some(())
    })
    .await
    .unwrap();
    fixture.log.append(anew()).await.unwrap();
    assert_eq!(followed(&fixture.log).await, stored(&fixture.log).await);
}
