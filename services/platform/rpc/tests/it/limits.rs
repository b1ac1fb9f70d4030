//! Room, sizes and time are bounded.

use std::sync::Arc;
use std::time::Duration;

use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use rpc::{Refusal, Settings};
use tokio::sync::Semaphore;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{self, LONG};

#[tokio::test]
async fn a_call_without_room_is_refused_at_once_with_a_retry_delay_and_probes_still_answer() {
    let gate = Arc::new(Semaphore::new(0));
    let arrived = Arc::new(Semaphore::new(0));
    let settings = Settings { max_concurrent: 1, ..harness::settings() };
    let running = {
        let (gate, arrived) = (Arc::clone(&gate), Arc::clone(&arrived));
        harness::start(&settings, move |_| {
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
    let first = tokio::task::spawn({
        let mut client = client.clone();
        async move { client.deliver(DeliverRequest::default()).await }
    });
    arrived.acquire().await.unwrap().forget();

    let refusal = Refusal::from_status(&client.deliver(DeliverRequest::default()).await.unwrap_err());
    assert_eq!(refusal.code, Code::ResourceExhausted);
    assert_eq!(refusal.reason, "OVERLOADED");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    HealthClient::new(running.channel()).check(HealthCheckRequest::default()).await.unwrap();

    gate.add_permits(2);
    first.await.unwrap().unwrap();
    // The place is given back with the last byte of the answer, which may be a moment after the client has it.
    let again = async {
        while let Err(status) = client.deliver(DeliverRequest::default()).await {
            assert_eq!(status.code(), Code::ResourceExhausted);
        }
    };
    tokio::time::timeout(LONG, again).await.expect("there is room again");
}

#[tokio::test]
async fn a_message_too_large_is_refused_before_the_handler_sees_it() {
    let running = harness::start(&harness::settings(), |request| async move {
        assert!(request.secret.len() < rpc::MAX_DECODE);
        Ok(DeliverResponse {})
    })
    .await;
    let mut client = running.client();
    let of = |size| DeliverRequest { secret: "x".repeat(size), ..DeliverRequest::default() };
    client.deliver(of(rpc::MAX_DECODE - 100)).await.unwrap();
    assert_eq!(client.deliver(of(rpc::MAX_DECODE + 1)).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn headers_too_large_are_refused() {
    let running = harness::start(&harness::settings(), |_| async { Ok(DeliverResponse {}) }).await;
    let mut request = tonic::Request::new(DeliverRequest::default());
    request.metadata_mut().insert("x-large", "x".repeat(20 * 1024).parse().unwrap());
    running.client().deliver(request).await.unwrap_err();
    running.client().deliver(DeliverRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_ended_by_the_deadline() {
    let settings = Settings { max_call_ms: 50, ..harness::settings() };
    let running = harness::start(&settings, |_| std::future::pending()).await;
    let status = running.client().deliver(DeliverRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(Refusal::from_status(&status).reason, "DEADLINE_EXCEEDED");
}
