//! How a service stops: in order, in time, and with the right exit code.
#![expect(clippy::disallowed_methods, reason = "a test spawns what it then awaits or stops")]

use std::future::pending;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, stream};
use lifecycle::{Lifecycle, OnDeath, Stage};
use tokio::sync::oneshot;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);
const DIED: u8 = 70;
const UNFINISHED: u8 = 75;

/// Two signals, one after the other.
fn two_signals() -> impl Stream<Item = ()> + Send {
    stream::iter([(), ()])
}

async fn stopped(lifecycle: Lifecycle) -> ExitCode {
    timeout(LONG, lifecycle.until_stopped()).await.expect("stops in time")
}

#[tokio::test]
async fn each_stage_waits_for_the_one_before() {
    let lifecycle = Lifecycle::new(LONG);
    let order = Arc::new(Mutex::new(Vec::new()));
    for stage in Stage::ALL.into_iter().rev() {
        let (begun, ended) = (Arc::clone(&order), Arc::clone(&order));
        lifecycle.at(stage, "watched", async move {
            begun.lock().unwrap().push((stage, "begins"));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            ended.lock().unwrap().push((stage, "ends"));
        });
    }
    lifecycle.stop();
    assert_eq!(stopped(lifecycle).await, ExitCode::SUCCESS);
    let expected: Vec<_> = Stage::ALL.into_iter().flat_map(|stage| [(stage, "begins"), (stage, "ends")]).collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_first_signal_lets_tasks_finish_what_they_do() {
    let lifecycle = Lifecycle::new(LONG);
    let (finish, finished) = oneshot::channel::<()>();
    let stopping = lifecycle.stopping(Stage::Work);
    let task = lifecycle.spawn("batch", OnDeath::StopsTheService, async move {
        stopping.cancelled().await;
        finished.await.unwrap();
    });
    let soft = lifecycle.soft();
    let end = tokio::task::spawn(lifecycle.until_stopped_by(stream::once(async {})));
    soft.cancelled().await;
    assert!(!end.is_finished());
    finish.send(()).unwrap();
    assert_eq!(timeout(LONG, end).await.unwrap().unwrap(), ExitCode::SUCCESS);
    task.await.unwrap();
}

#[tokio::test]
async fn a_second_signal_drops_what_does_not_finish() {
    let lifecycle = Lifecycle::new(LONG);
    let stuck = lifecycle.spawn("stuck", OnDeath::StopsTheService, pending::<()>());
    let code =
        timeout(LONG / 2, lifecycle.until_stopped_by(two_signals())).await.expect("does not wait for the grace to end");
    assert_eq!(code, ExitCode::from(UNFINISHED));
    stuck.await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_grace_drops_what_does_not_finish() {
    let lifecycle = Lifecycle::new(Duration::from_millis(20));
    let hard = lifecycle.hard();
    let stuck = lifecycle.spawn("stuck", OnDeath::StopsTheService, pending::<()>());
    lifecycle.stop();
    assert_eq!(stopped(lifecycle).await, ExitCode::from(UNFINISHED));
    assert!(hard.is_cancelled());
    stuck.await.unwrap();
}

#[tokio::test]
async fn a_task_that_ends_by_itself_stops_the_service_with_a_failure() {
    let lifecycle = Lifecycle::new(LONG);
    lifecycle.spawn("returns", OnDeath::StopsTheService, async {});
    assert_eq!(stopped(lifecycle).await, ExitCode::from(DIED));

    let lifecycle = Lifecycle::new(LONG);
    lifecycle.spawn("fails", OnDeath::StopsTheService, async { Err(std::io::Error::other("broken")) });
    assert_eq!(stopped(lifecycle).await, ExitCode::from(DIED));

    let lifecycle = Lifecycle::new(LONG);
    lifecycle.spawn("panics", OnDeath::StopsTheService, async { panic!("on purpose, in a test") as () });
    assert_eq!(stopped(lifecycle).await, ExitCode::from(DIED));
}

#[tokio::test]
async fn a_finite_task_may_end_in_any_way() {
    let lifecycle = Lifecycle::new(LONG);
    let ends = lifecycle.spawn("ends", OnDeath::IsItsEnd, async {});
    let fails = lifecycle.spawn("fails", OnDeath::IsItsEnd, async { Err(std::io::Error::other("broken")) });
    let panics = lifecycle.spawn("panics", OnDeath::IsItsEnd, async { panic!("on purpose, in a test") as () });
    for task in [ends, fails, panics] {
        task.await.unwrap();
    }
    assert!(!lifecycle.soft().is_cancelled());
    lifecycle.stop();
    assert_eq!(stopped(lifecycle).await, ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_task_that_ends_because_of_the_stop_has_not_died() {
    let lifecycle = Lifecycle::new(LONG);
    let stopping = lifecycle.stopping(Stage::Work);
    lifecycle.spawn("relay", OnDeath::StopsTheService, async move { stopping.cancelled().await });
    lifecycle.stop();
    assert_eq!(stopped(lifecycle).await, ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_command_outlives_its_caller_and_the_stop_waits_for_it() {
    let lifecycle = Lifecycle::new(LONG);
    let (begun, has_begun) = oneshot::channel();
    let (finish, may_finish) = oneshot::channel::<()>();
    let done = Arc::new(Mutex::new(false));
    let caller = {
        let (lifecycle, done) = (lifecycle.clone(), Arc::clone(&done));
        tokio::task::spawn(async move {
            let body = async move {
                begun.send(()).unwrap();
                may_finish.await.unwrap();
                *done.lock().unwrap() = true;
            };
            lifecycle.run_command(body).await;
        })
    };
    has_begun.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    let work = lifecycle.stopping(Stage::Work);
    lifecycle.stop();
    let calls = lifecycle.stopping(Stage::Calls);
    let end = tokio::task::spawn(lifecycle.until_stopped());
    calls.cancelled().await;
    assert!(!work.is_cancelled(), "the next stage begins only after the command");
    finish.send(()).unwrap();
    assert_eq!(timeout(LONG, end).await.unwrap().unwrap(), ExitCode::SUCCESS);
    assert!(*done.lock().unwrap());
}

#[tokio::test]
async fn a_command_answers_its_caller_and_a_panic_goes_on_in_it() {
    let lifecycle = Lifecycle::new(LONG);
    assert_eq!(lifecycle.run_command(async { 7 }).await, 7);
    let caller =
        tokio::task::spawn(async move { lifecycle.run_command(async { panic!("on purpose, in a test") as () }).await });
    assert!(caller.await.unwrap_err().is_panic());
}
