//! Replicas as processes of their own: appending at once, with the same requests, and one that is frozen under the lock.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use cluster::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;

use crate::fixture::{Fixture, PATIENCE, anew};
use crate::history::{Acknowledged, check_all};

/// A process that sends requests and prints what is acknowledged.
struct Replica {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// One printed line.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    request: u32,
    position: i64,
    repeated: bool,
    answer: String,
}

impl Replica {
    /// Ready to send its requests.
    async fn start(url: &str, seed: u32, commands: u32, callers: u32) -> Self {
        let numbers = [seed, commands, callers].map(|number| number.to_string());
        let mut command = Command::new(env!("CARGO_BIN_EXE_replica"));
        command.arg(url).args(numbers).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        Self { process, lines }
    }

    async fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    async fn next(&mut self) -> Option<Line> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()?;
        let words: Vec<&str> = line.split(' ').collect();
        Some(Line {
            request: words[0].parse().unwrap(),
            position: words[1].parse().unwrap(),
            repeated: words[2] == "repeated",
            answer: words[3].to_owned(),
        })
    }

    /// Everything it still has to say; it must end well.
    async fn rest(mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(line);
        }
        assert!(self.process.wait().await.unwrap().success());
        lines
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_append_to_one_log_at_once() {
    let fixture = Fixture::start().await;
    let mut one = Replica::start(&fixture.url, 0, 2_000, 32).await;
    let mut two = Replica::start(&fixture.url, 10_000, 2_000, 32).await;
    tokio::join!(one.go(), two.go());
    let (one, two) = tokio::join!(one.rest(), two.rest());
    assert_eq!((one.len(), two.len()), (2_000, 2_000));
    assert_eq!(fixture.events().await, 4_000);
    let mut positions: Vec<i64> = one.iter().chain(&two).map(|line| line.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=4_000).collect::<Vec<i64>>());
    let ends = |lines: &[Line]| {
        let positions = || lines.iter().map(|line| line.position);
        (positions().min().unwrap(), positions().max().unwrap())
    };
    let (one, two) = (ends(&one), ends(&two));
    assert!(one.0 < two.1 && two.0 < one.1, "the processes did not run at once");
    check_all(&fixture.log, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_requests_over_two_processes_have_one_effect_each() {
    let fixture = Fixture::start().await;
    let mut one = Replica::start(&fixture.url, 0, 1_000, 16).await;
    let mut two = Replica::start(&fixture.url, 0, 1_000, 16).await;
    tokio::join!(one.go(), two.go());
    let (one, two) = tokio::join!(one.rest(), two.rest());
    assert_eq!(fixture.events().await, 1_000);
    let one: HashMap<u32, Line> = one.into_iter().map(|line| (line.request, line)).collect();
    for second in two {
        let first = &one[&second.request];
        assert_eq!((first.position, &first.answer), (second.position, &second.answer));
        assert_ne!(first.repeated, second.repeated, "request {}", first.request);
    }
    check_all(&fixture.log, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_frozen_under_the_lock_stops_the_others_for_3_seconds_at_most() {
    let fixture = Fixture::start().await;
    let mut replica = Replica::start(&fixture.url, 0, 100_000, 64).await;
    replica.go().await;
    let mut lines = vec![replica.next().await.unwrap()];
    // Frozen again and again, until it is found between two statements of a transaction that holds the lock.
    let holds = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                 WHERE locktype = 'advisory' AND granted AND application_name = 'replica'
                   AND state = 'idle in transaction' AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let frozen = wait::until("a freeze under the lock", PATIENCE, async || {
        replica.signal(Signal::SIGSTOP);
        if fixture.value(holds).await == 1 {
            return Some(());
        }
        replica.signal(Signal::SIGCONT);
        None
    });
    frozen.await.unwrap();
    let begin = Instant::now();
    let append = anew();
    let event_id = append.events[0].event_id;
    let appended = fixture.log.append(append).await.unwrap();
    let waited = begin.elapsed();
    assert!(waited < Duration::from_secs(5), "another replica waited {waited:?}");
    assert!(waited > Duration::from_millis(500), "the frozen replica did not hold the lock: {waited:?}");

    // The frozen one comes back, finds its session gone, and nobody who called it is the worse for it.
    replica.signal(Signal::SIGCONT);
    while lines.last().is_none_or(|line| line.position < appended.position + 1_000) {
        lines.push(replica.next().await.unwrap());
    }
    replica.process.kill().await.unwrap();
    let acknowledged = Acknowledged { event_id, position: appended.position };
    check_all(&fixture.log, &[acknowledged]).await;
    let rows: Vec<(i64, uuid::Uuid)> =
        sqlx::query_as("SELECT position, request_id FROM request").fetch_all(fixture.log.pool()).await.unwrap();
    let kept: HashMap<u128, i64> = rows.into_iter().map(|(position, id)| (id.as_u128(), position)).collect();
    assert!(lines.iter().all(|line| kept[&line.request.into()] == line.position && !line.repeated));
}
