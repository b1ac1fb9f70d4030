//! What the stop of a service means for its callers, and a caller's going for its command.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifecycle::{Lifecycle, Stage};
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use proto::operations::v1::{ReadEventsRequest, ReadEventsResponse};
use rpc::Refusal;
use tokio::sync::Semaphore;
use tonic::Code;

use crate::harness::{self, LONG, end};

#[tokio::test]
async fn a_stop_finishes_the_calls_in_hand_and_takes_no_new_ones() {
    let gate = Arc::new(Semaphore::new(0));
    let arrived = Arc::new(Semaphore::new(0));
    let running = {
        let (gate, arrived) = (Arc::clone(&gate), Arc::clone(&arrived));
        harness::start(&harness::settings(), move |_| {
            let (gate, arrived) = (Arc::clone(&gate), Arc::clone(&arrived));
            async move {
                arrived.add_permits(1);
                gate.acquire().await.unwrap().forget();
                Ok(DeliverResponse {})
            }
        })
        .await
    };
    let mut client = running.client();
    let in_hand = tokio::task::spawn({
        let mut client = client.clone();
        async move { client.deliver(DeliverRequest::default()).await }
    });
    arrived.acquire().await.unwrap().forget();

    let stop = running.stop();
    running.lifecycle.stopping(Stage::Calls).cancelled().await;
    // The listener closes as soon as the server's task has seen it.
    let closed = async { while tokio::net::TcpStream::connect(running.address).await.is_ok() {} };
    tokio::time::timeout(LONG, closed).await.expect("the listener closes");
    let refused = running.client().deliver(DeliverRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(client.deliver(DeliverRequest::default()).await.is_err(), "nor over a connection that is still open");
    assert_eq!(arrived.available_permits(), 0, "no handler saw the new calls");

    assert!(!running.lifecycle.stopping(Stage::Work).is_cancelled());
    gate.add_permits(1);
    in_hand.await.unwrap().unwrap();
    assert_eq!(end(stop).await, ExitCode::SUCCESS);
}

#[tokio::test]
async fn open_streams_are_ended_politely_so_that_they_do_not_hold_up_the_stop() {
    let running = harness::start(&harness::settings(), |_| async { Ok(DeliverResponse {}) }).await;
    let mut stream = running.feed().read_events(ReadEventsRequest::default()).await.unwrap().into_inner();
    running.events.send(ReadEventsResponse::default()).unwrap();
    stream.message().await.unwrap().unwrap();

    let stop = running.stop();
    let status = tokio::time::timeout(LONG, stream.message()).await.expect("the stream ends").unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(Refusal::from_status(&status).reason, "SHUTTING_DOWN");
    assert_eq!(end(stop).await, ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_stop_without_streams_does_not_wait_for_any() {
    let running = harness::start(&harness::settings(), |_| async { Ok(DeliverResponse {}) }).await;
    running.client().deliver(DeliverRequest::default()).await.unwrap();
    let stop = tokio::time::timeout(std::time::Duration::from_millis(2_500), running.stop());
    assert_eq!(stop.await.expect("sooner than streams would be ended").unwrap(), ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_command_goes_on_when_its_caller_goes() {
    let lifecycle = Lifecycle::new(LONG);
    let gate = Arc::new(Semaphore::new(0));
    let arrived = Arc::new(Semaphore::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let running = {
        let (lifecycle, gate, arrived, done) =
            (lifecycle.clone(), Arc::clone(&gate), Arc::clone(&arrived), Arc::clone(&done));
        harness::start_in(lifecycle.clone(), &harness::settings(), move |_| {
            let (lifecycle, gate, arrived, done) =
                (lifecycle.clone(), Arc::clone(&gate), Arc::clone(&arrived), Arc::clone(&done));
            async move {
                let left = Left(Arc::clone(&arrived));
                let body = async move {
                    gate.acquire().await.unwrap().forget();
                    done.store(true, Ordering::Release);
                };
                arrived.add_permits(1);
                rpc::run(&lifecycle, body).await;
                drop(left);
                Ok(DeliverResponse {})
            }
        })
        .await
    };
    let call = tokio::task::spawn({
        let mut client = running.client();
        async move { client.deliver(DeliverRequest::default()).await }
    });
    arrived.acquire().await.unwrap().forget();
    call.abort();
    // The handler's future is dropped in the middle of the command …
    tokio::time::timeout(LONG, arrived.acquire()).await.expect("the handler is dropped").unwrap().forget();
    assert!(!done.load(Ordering::Acquire));
    // … and the command ends all the same, and the stop waits for it.
    gate.add_permits(1);
    assert_eq!(end(running.stop()).await, ExitCode::SUCCESS);
    assert!(done.load(Ordering::Acquire));
}

/// Tells when it is dropped.
struct Left(Arc<Semaphore>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}
