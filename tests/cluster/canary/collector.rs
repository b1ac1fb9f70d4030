//! A collector of traces and metrics that keeps every byte it is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What has been sent, and where to.
pub struct Collected {
    pub endpoint: String,
    kept: Kept,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Collected {
    /// Everything so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.kept.0.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().extend(request.into_inner().encode_to_vec());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().extend(request.into_inner().encode_to_vec());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// Listens until the test ends.
pub async fn start() -> Collected {
    const LARGEST: usize = 64 << 20;
    let kept = Kept::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder()
        .add_service(TraceServiceServer::new(kept.clone()).max_decoding_message_size(LARGEST))
        .add_service(MetricsServiceServer::new(kept.clone()).max_decoding_message_size(LARGEST))
        .serve_with_incoming(TcpIncoming::from(listener));
    Lifecycle::new(Duration::ZERO).spawn("collector", OnDeath::StopsTheService, server);
    Collected { endpoint, kept }
}
