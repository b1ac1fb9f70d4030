//! With an endpoint set, traces and metrics reach the collector, the last ones with the shutdown.
//! One test, because telemetry is one per process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use telemetry::Trace;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
    metrics: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let named = attributes.into_iter().filter(|attribute| attribute.key == "service.name");
            self.services.lock().unwrap().extend(named.map(|attribute| format!("{:?}", attribute.value)));
            self.spans.lock().unwrap().extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        let names = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name);
        self.metrics.lock().unwrap().extend(names);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_and_metrics_reach_the_collector_and_traces_join_across_services() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .add_service(MetricsServiceServer::new(collector.clone()))
        .serve_with_incoming(TcpIncoming::from(listener));
    Lifecycle::new(Duration::ZERO).spawn("collector", OnDeath::StopsTheService, server);

    let settings = telemetry::Settings {
        log: "error".to_owned(),
        otlp_endpoint: Some(endpoint),
        ..telemetry::Settings::default()
    };
    let guard = telemetry::init(&settings, "notifications").unwrap();

    let (continued, _) = telemetry::begin("notifications/Deliver", Some(CALLER.parse().unwrap()));
    let handed_on: Trace = async { telemetry::current().unwrap() }.instrument(continued.clone()).await;
    drop(continued);
    let (begun, trace) = telemetry::begin("notifications/Begin", None);
    let begun_handed_on = begun.in_scope(telemetry::current).unwrap();
    drop(begun);
    telemetry::record_call("notifications/Deliver", "OK", Duration::from_millis(3));
    guard.shutdown().await;

    let spans = collector.spans.lock().unwrap();
    let named = |name| spans.iter().find(|span: &&Span| span.name == name).unwrap();

    let continued = named("notifications/Deliver");
    assert_eq!(hex(&continued.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&continued.parent_span_id), "00f067aa0ba902b7");
    let onward = format!("00-{}-{}-01", hex(&continued.trace_id), hex(&continued.span_id));
    assert_eq!(handed_on.to_string(), onward, "the next service hangs below this span");

    let begun = named("notifications/Begin");
    assert_eq!(hex(&begun.trace_id), trace.trace_id(), "the trace that the logs name");
    assert_eq!(begun_handed_on.trace_id(), trace.trace_id());
    assert!(begun.parent_span_id.is_empty(), "it is the root");

    assert!(collector.services.lock().unwrap()[0].contains("notifications"));
    assert_eq!(*collector.metrics.lock().unwrap(), ["rpc.server.call.duration"]);

    assert!(matches!(telemetry::init(&settings, "again"), Err(telemetry::InitError::Twice(_))));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
