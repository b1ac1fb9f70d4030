//! A service that relays its log and appends to it without end: what the tests freeze and kill.
//!
//! `replica DATABASE_URL NATS_URL`
#![allow(clippy::print_stdout, reason = "the tests read what it says")]

use std::process::ExitCode;
use std::time::Duration;

use eventbus::{Bus, NatsSettings};
use eventlog::{Append, Division, EventLog, NewEvent, Settings};
use lifecycle::{Lifecycle, OnDeath, Stage, ids};
use proto::operations::v1::relay_status::State;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (database, url) = arguments.next().zip(arguments.next()).expect("replica DATABASE_URL NATS_URL");
    tracing_subscriber::fmt().with_ansi(false).init();
    let lifecycle = Lifecycle::new(Duration::from_secs(5));
    let pool = eventlog::pool(&database, "replica", 4).expect("an address of PostgreSQL");
    let log = EventLog::start(pool.clone(), Settings::default(), &lifecycle).await.expect("a log");
    let nats = NatsSettings { url, user: None, password_file: None, replicas: 1 };
    let bus = Bus::new("certificates", pool, log.clone(), nats).start(&lifecycle).await.expect("a bus");

    let stopping = lifecycle.stopping(Stage::Calls);
    lifecycle.spawn_in(Stage::Calls, "appending", OnDeath::StopsTheService, async move {
        let mut told = false;
        while !stopping.is_cancelled() {
            // Refused while the database cannot be reached: the next one may succeed.
            let _ = log.append(command()).await;
            if !told {
                let status = bus.status().await.expect("a status");
                told = status.relay.is_some_and(|relay| relay.state() == State::Running && relay.published > 0);
                if told {
                    println!("publishing");
                }
            }
        }
    });
    lifecycle.until_stopped().await
}

fn command() -> Append {
    let event = NewEvent {
        event_id: ids::random(),
        kind: "dingzhu.certificates.v1.SyncStarted".to_owned(),
        payload: Vec::new(),
        inner: Vec::new(),
        sealed: Vec::new(),
        division: Division::NONE,
    };
    Append {
        stream: ids::random(),
        expected_version: 0,
        events: vec![event],
        actor: "system".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}
