//! The opening and the closing instant, and PostgreSQL's clock as the only one that counts.

use std::time::Duration;

use cluster::wait;
use eventlog::{Append, AppendError, Settings};
use time::OffsetDateTime;

use crate::fixture::{Fixture, PATIENCE, anew};

async fn database_time(fixture: &Fixture) -> OffsetDateTime {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(fixture.log.pool()).await.unwrap()
}

#[tokio::test]
async fn a_command_at_the_closing_instant_is_too_late_and_the_others_of_its_batch_are_not() {
    let fixture = Fixture::start().await;
    let closed = database_time(&fixture).await;
    let open = closed + Duration::from_secs(3_600);
    let append = |not_after| fixture.log.append(Append { not_after, ..anew() });
    let (before, late, after) = tokio::join!(append(Some(open)), append(Some(closed)), append(None));
    assert!(before.is_ok() && after.is_ok());
    assert!(matches!(late, Err(AppendError::TooLate { now, not_after }) if now >= not_after && not_after == closed));
    assert_eq!(fixture.events().await, 2);
}

#[tokio::test]
async fn a_command_before_the_opening_instant_is_too_early_and_the_others_of_its_batch_are_not() {
    let fixture = Fixture::start().await;
    let opened = database_time(&fixture).await;
    let coming = opened + Duration::from_secs(3_600);
    let append = |not_before| fixture.log.append(Append { not_before, ..anew() });
    let (after, early, whenever) = tokio::join!(append(Some(opened)), append(Some(coming)), append(None));
    assert!(after.is_ok() && whenever.is_ok());
    assert!(
        matches!(early, Err(AppendError::TooEarly { now, not_before }) if now < not_before && not_before == coming)
    );
    assert_eq!(fixture.events().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_in_time_when_sent_is_too_late_when_the_database_stalls_past_the_closing_instant() {
    let fixture = Fixture::start().await;
    // Somebody holds the lock of the log past the closing instant and longer than the writer's `lock_timeout`.
    let mut stall = fixture.log.pool().begin().await.unwrap();
    let limits = "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(7308332183942328167)";
    sqlx::raw_sql(limits).execute(&mut *stall).await.unwrap();
    let now = database_time(&fixture).await;
    let (closing, later) = (now + Duration::from_secs(4), now + Duration::from_secs(3_600));
    let append = |not_after| {
        let log = fixture.log.clone();
        async move { log.append(Append { not_after: Some(not_after), ..anew() }).await }
    };
    let releasing = async {
        let closed = async || (database_time(&fixture).await > closing).then_some(());
        wait::until("the closing instant", PATIENCE, closed).await.unwrap();
        stall.rollback().await.unwrap();
    };
    let (late, in_time, ()) = tokio::join!(append(closing), append(later), releasing);
    assert!(matches!(late, Err(AppendError::TooLate { .. })), "{late:?}");
    assert!(in_time.is_ok(), "{in_time:?}");
    assert_eq!(fixture.events().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_times_never_go_back() {
    let fixture = Fixture::start().await;
    // The last event was recorded by a clock that ran ahead.
    let sql = "INSERT INTO event_log VALUES (1, 1, gen_random_uuid(), 1, 'test.v1.Happened', '', '', '', '',
                                             gen_random_uuid(), clock_timestamp() + interval '1 hour', sha256(''))";
    fixture.execute(sql).await;
    let second = fixture.log_with(Settings { batch: 1, ..Settings::default() }).await;
    let (first, second) = tokio::join!(fixture.log.append(anew()), second.append(anew()));
    assert_eq!(first.unwrap().recorded_at, second.unwrap().recorded_at);
    let back = "SELECT count(*) FROM event_log a JOIN event_log b ON b.position = a.position + 1
                WHERE b.recorded_at < a.recorded_at";
    assert_eq!(fixture.value(back).await, 0);
}

#[tokio::test]
async fn recorded_times_are_what_the_caller_is_told() {
    let fixture = Fixture::start().await;
    let append = anew();
    let stream = append.stream;
    let before = database_time(&fixture).await;
    let appended = fixture.log.append(append).await.unwrap();
    let events = fixture.log.load(stream).await.unwrap();
    assert_eq!(events[0].recorded_at, appended.recorded_at);
    assert!(before < appended.recorded_at && appended.recorded_at < database_time(&fixture).await);
}
