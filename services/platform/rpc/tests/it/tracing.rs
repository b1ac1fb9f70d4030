//! A trace goes through a service: in with the call, into its command, out with the next call.

use std::sync::{Arc, Mutex};

use lifecycle::Lifecycle;
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use tonic::Request;

use crate::harness::{self, LONG};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Telemetry is one per process; whichever test is first starts it.
fn telemetry_runs() {
    static GUARD: Mutex<Option<telemetry::Guard>> = Mutex::new(None);
    let mut guard = GUARD.lock().unwrap();
    if guard.is_none() {
        let settings = telemetry::Settings { log: "off".to_owned(), ..telemetry::Settings::default() };
        *guard = Some(telemetry::init(&settings, "test").unwrap());
    }
}

/// What the second of two services sees when the first, called with `traceparent`, calls it from within a command.
async fn seen_at_the_end(traceparent: Option<&str>) -> Option<String> {
    telemetry_runs();
    let seen = Arc::new(Mutex::new(None));
    let second = {
        let seen = Arc::clone(&seen);
        harness::start(&harness::settings(), move |_| {
            *seen.lock().unwrap() = telemetry::current_traceparent();
            async { Ok(DeliverResponse {}) }
        })
        .await
    };
    let first = {
        let lifecycle = Lifecycle::new(LONG);
        let onward = second.client();
        harness::start(&harness::settings(), move |request| {
            let (lifecycle, mut onward) = (lifecycle.clone(), onward.clone());
            async move {
                let body = async move { onward.deliver(request).await.map(tonic::Response::into_inner) };
                rpc::run(&lifecycle, body).await
            }
        })
        .await
    };
    let mut request = Request::new(DeliverRequest::default());
    if let Some(traceparent) = traceparent {
        request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    }
    first.client().deliver(request).await.unwrap();
    seen.lock().unwrap().take()
}

#[tokio::test]
async fn the_callers_trace_goes_on_to_the_next_service() {
    assert_eq!(seen_at_the_end(Some(CALLER)).await.as_deref(), Some(CALLER));
}

#[tokio::test]
async fn without_a_trace_or_with_rubbish_a_fresh_one_begins() {
    for traceparent in [None, Some("rubbish")] {
        let seen: telemetry::Trace = seen_at_the_end(traceparent).await.unwrap().parse().unwrap();
        let other = seen_at_the_end(traceparent).await.unwrap().parse().unwrap();
        assert_ne!(seen, other);
    }
}

#[tokio::test]
async fn an_internal_error_names_the_trace_as_its_request_id() {
    telemetry_runs();
    let running =
        harness::start(&harness::settings(), |_| async { Err(rpc::Refusal::internal(rpc::request_id()).into()) }).await;
    let mut request = Request::new(DeliverRequest::default());
    request.metadata_mut().insert("traceparent", CALLER.parse().unwrap());
    let status = running.client().deliver(request).await.unwrap_err();
    let request_id = rpc::Refusal::from_status(&status).request_id.unwrap();
    assert_eq!(request_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}
