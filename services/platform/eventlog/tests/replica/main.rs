//! A replica as a process of its own, for tests that freeze or race one: `replica URL SEED COMMANDS CALLERS`.
//!
//! Says `ready`, waits for a line, then sends the requests `SEED + 1 ..= SEED + COMMANDS`, each to a stream of its own, and prints a line for each that is
//! acknowledged: number of the request, position, `new` or `repeated`, answer.
#![expect(clippy::print_stdout, reason = "a command prints what was acknowledged")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eventlog::{Append, AppendError, Division, EventLog, NewEvent, RequestKey, Settings, digest, pool};
use lifecycle::{Lifecycle, ids};
use tokio::task::JoinSet;
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, seed, commands, callers] = arguments.as_slice() else { return Err("URL SEED COMMANDS CALLERS".into()) };
    let (seed, commands, callers): (u32, u32, u32) = (seed.parse()?, commands.parse()?, callers.parse()?);
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let settings = Settings { give_up_after: Duration::from_secs(30), ..Settings::default() };
    let log = EventLog::start(pool(url, "replica", 2)?, settings, &lifecycle).await?;
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;
    let next = Arc::new(AtomicU32::new(1));
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (log, next) = (log.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > commands {
                    return Ok::<(), AppendError>(());
                }
                let appended = log.append(command(seed + number)).await?;
                let what = if appended.repeated { "repeated" } else { "new" };
                let answer = String::from_utf8_lossy(&appended.answer).into_owned();
                println!("{} {} {what} {answer}", seed + number, appended.position);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

fn command(request: u32) -> Append {
    let event = NewEvent {
        event_id: ids::random(),
        kind: "test.v1.Happened".to_owned(),
        payload: vec![1; 300],
        inner: Vec::new(),
        sealed: Vec::new(),
        division: Division::NONE,
    };
    Append {
        stream: ids::random(),
        expected_version: 0,
        events: vec![event],
        actor: "person:replica".to_owned(),
        request: Some(RequestKey {
            id: Uuid::from_u128(request.into()),
            fingerprint: digest(&request.to_be_bytes()),
            answer: ids::random().to_string().into_bytes(),
        }),
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}
