//! Connections cut at the worst moment, sessions ended, a database that stops, crashes and comes back.

use std::time::Duration;

use cluster::postgres::Server;
use cluster::proxy::{ChaosProxy, Mode};
use cluster::wait;
use eventlog::{Append, AppendError, EventLog, Settings, pool};
use futures::future::join_all;
use lifecycle::{CancellationToken, ids};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::fixture::{Answer, Fixture, PATIENCE, anew, request, take};
use crate::history::{Acknowledged, check_all};

/// A log whose connections can be cut, beside the fixture's own.
async fn cuttable(fixture: &Fixture) -> (ChaosProxy, EventLog) {
    let port = fixture.url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0;
    let proxy = ChaosProxy::start(port.parse().unwrap()).await.unwrap();
    let url = proxy.in_front_of(&fixture.url).unwrap();
    let log = fixture.log_by(&url, Settings::default()).await;
    (proxy, log)
}

/// The statement `COMMIT` and its end, nothing that begins so.
fn at_commit(forward: bool) -> Mode {
    Mode::CutAt { pattern: b"COMMIT\0".to_vec(), forward }
}

/// Cuts the connection at the commit of ten commands. They are one batch, because the test has one thread.
async fn batch_cut_at_commit(forward: bool, command: impl Fn() -> Append) -> (Fixture, Vec<Answer>) {
    let fixture = Fixture::start().await;
    let (proxy, log) = cuttable(&fixture).await;
    log.append(anew()).await.unwrap();
    proxy.set(at_commit(forward));
    let answers = join_all((0..10).map(|_| log.append(command()))).await;
    assert_eq!(proxy.cuts(), 1);
    assert!(log.append(anew()).await.is_ok(), "the writer goes on");
    (fixture, answers)
}

#[tokio::test]
async fn a_commit_that_never_arrives_is_made_again_and_one_whose_answer_is_lost_is_not() {
    for forward in [false, true] {
        let ask = || Append { request: Some(request(ids::random(), "body", "answer")), ..anew() };
        let (fixture, answers) = batch_cut_at_commit(forward, ask).await;
        let mut positions: Vec<i64> = Vec::new();
        for answer in answers {
            let appended = answer.unwrap();
            assert_eq!((appended.version, appended.repeated), (1, false), "forward: {forward}");
            positions.push(appended.position);
        }
        assert_eq!(positions, (2..=11).collect::<Vec<i64>>(), "forward: {forward}");
        assert_eq!(fixture.events().await, 12);
        check_all(&fixture.log, &[]).await;
    }
}

#[tokio::test]
async fn a_lost_commit_is_recognised_by_its_requests_where_it_has_no_events() {
    for forward in [false, true] {
        let ask = || Append { request: Some(request(ids::random(), "body", "answer")), events: Vec::new(), ..anew() };
        let (fixture, answers) = batch_cut_at_commit(forward, ask).await;
        assert!(answers.iter().flatten().all(|appended| !appended.repeated && appended.position == 1));
        assert_eq!(answers.iter().flatten().count(), 10, "forward: {forward}");
        assert_eq!(fixture.value("SELECT count(*) FROM request").await, 10);
    }
}

#[tokio::test]
async fn a_lost_commit_that_cannot_be_recognised_is_called_unknown() {
    for forward in [false, true] {
        let claim = || Append { claims: vec![take(&ids::random().to_string())], events: Vec::new(), ..anew() };
        let (fixture, answers) = batch_cut_at_commit(forward, claim).await;
        assert!(answers.iter().all(|answer| *answer == Err(AppendError::Unavailable)));
        assert_eq!(fixture.value("SELECT count(*) FROM claim").await, if forward { 10 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_records_that_is_lost_is_told_as_it_ended() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id uuid PRIMARY KEY)").await;
    let (proxy, log) = cuttable(&fixture).await;
    let append_in = async |forward: bool| {
        let append = anew();
        let mut transaction = log.pool().begin().await.unwrap();
        let query = sqlx::query("INSERT INTO note VALUES ($1)").bind(append.events[0].event_id);
        query.execute(&mut *transaction).await.unwrap();
        proxy.set(at_commit(forward));
        log.append_in(transaction, append).await
    };
    assert_eq!(append_in(false).await, Err(AppendError::Unavailable));
    assert_eq!((fixture.value("SELECT count(*) FROM note").await, fixture.events().await), (0, 0));
    assert_eq!(append_in(true).await.unwrap().position, 1);
    assert_eq!((fixture.value("SELECT count(*) FROM note").await, fixture.events().await), (1, 1));
    assert_eq!(proxy.cuts(), 2);
}

/// Callers who append until they are told to stop.
struct Load {
    stop: CancellationToken,
    callers: JoinSet<Vec<Result<Acknowledged, AppendError>>>,
}

impl Load {
    fn start(log: &EventLog, number: usize) -> Self {
        let (stop, mut callers) = (CancellationToken::new(), JoinSet::new());
        for _ in 0..number {
            let (log, stop) = (log.clone(), stop.clone());
            callers.spawn(async move {
                let mut answers = Vec::new();
                while !stop.is_cancelled() {
                    let append = Append { request: Some(request(ids::random(), "body", "answer")), ..anew() };
                    let event_id = append.events[0].event_id;
                    let answer = log.append(append).await;
                    answers.push(answer.map(|appended| Acknowledged { event_id, position: appended.position }));
                }
                answers
            });
        }
        Self { stop, callers }
    }

    /// What they were told; every one of them succeeded, and nothing else was recorded.
    async fn stop(self, fixture: &Fixture) {
        self.stop.cancel();
        let acknowledged = self.callers.join_all().await;
        let acknowledged: Vec<Acknowledged> = acknowledged.into_iter().flatten().map(Result::unwrap).collect();
        assert_eq!(fixture.events().await, i64::try_from(acknowledged.len()).unwrap());
        check_all(&fixture.log, &acknowledged).await;
    }
}

/// Waits until this many more events are in the log.
async fn more_events(fixture: &Fixture, number: i64) {
    let count = async || {
        let query = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM event_log");
        query.fetch_one(fixture.log.pool()).await.unwrap_or_default()
    };
    let enough = count().await + number;
    wait::until("load", PATIENCE, async || (count().await >= enough).then_some(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_notice_that_the_sessions_of_writers_are_ended() {
    let fixture = Fixture::start().await;
    let load = Load::start(&fixture.log, 16);
    for _ in 0..10 {
        more_events(&fixture, 20).await;
        let end = async || {
            // What the writer says last in a session is one of these.
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE datname = current_database() AND (query LIKE 'BEGIN%' OR query LIKE '%INTO event_log%' OR query = 'COMMIT')
                         AND pid <> pg_backend_pid()";
            (fixture.value(sql).await > 0).then_some(())
        };
        wait::until("the writer's session", PATIENCE, end).await.unwrap();
    }
    load.stop(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stops_and_crashes_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = Server::start().await.unwrap();
    let fixture = Fixture::at(&server.url("postgres")).await;
    let log = fixture.log_with(Settings { give_up_after: Duration::from_secs(60), ..Settings::default() }).await;
    let load = Load::start(&log, 32);
    for crash in [false, true] {
        more_events(&fixture, 100).await;
        let stopped = if crash { server.stop_immediately().await } else { server.stop().await };
        stopped.unwrap();
        server.restart().await.unwrap();
        let back = wait::until("the database", PATIENCE, async || fixture.log.read(0, 1).await.ok().map(drop));
        back.await.unwrap();
    }
    more_events(&fixture, 100).await;
    load.stop(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stays_away_is_told_in_time() {
    let fixture = Fixture::start().await;
    let (proxy, _) = cuttable(&fixture).await;
    let url = proxy.in_front_of(&fixture.url).unwrap();
    let settings = Settings { give_up_after: Duration::from_secs(1), ..Settings::default() };
    let log = fixture.log_by(&url, settings).await;
    log.append(anew()).await.unwrap();
    for mode in [Mode::Reset, Mode::Blackhole] {
        proxy.set(mode.clone());
        let begin = Instant::now();
        let answers: Vec<Answer> = join_all((0..300).map(|_| log.append(anew()))).await;
        assert!(answers.iter().all(|answer| *answer == Err(AppendError::Unavailable)), "{mode:?}");
        assert!(begin.elapsed() < Duration::from_millis(2_500), "{mode:?}: {:?}", begin.elapsed());
    }
    proxy.set(Mode::Reset);
    proxy.set(Mode::Pass);
    let back = wait::until("the writer", PATIENCE, async || log.append(anew()).await.ok());
    back.await.unwrap();
    check_all(&fixture.log, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_silently_keep_no_place_in_the_pool() {
    let fixture = Fixture::start().await;
    let (proxy, _) = cuttable(&fixture).await;
    let pool = pool(&proxy.in_front_of(&fixture.url).unwrap(), "cut", 4).unwrap();
    let slow = || sqlx::query("SELECT pg_sleep(0.2)").execute(&pool);
    assert!(join_all((0..4).map(|_| slow())).await.iter().all(Result::is_ok));
    // Two are in hand and two wait for somebody when no byte passes any more, and nobody is told so.
    let hands: Vec<_> = (0..2).map(|_| timeout(Duration::from_millis(100), slow())).collect();
    proxy.set(Mode::Blackhole);
    assert!(join_all(hands).await.iter().all(Result::is_err));
    proxy.set(Mode::Pass);
    let all = async || join_all((0..4).map(|_| slow())).await.iter().all(Result::is_ok).then_some(());
    wait::until("the whole pool", PATIENCE, all).await.unwrap();
}
