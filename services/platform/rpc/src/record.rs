//! The record of one call: its span, its place among the calls in hand, and what became of it.

use http::HeaderMap;
use telemetry::Trace;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Span;

use crate::methods::Method;

/// Ends, and is counted, when the last byte of the answer was handed over, or when the caller has gone.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) method: &'static Method,
    pub(crate) span: Span,
    trace: Trace,
    started: Instant,
    code: Option<Code>,
    /// Given back at the end.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl Record {
    pub(crate) fn begin(method: &'static Method, headers: &HeaderMap) -> Self {
        let (span, trace) = telemetry::begin(&method.name, telemetry::extract(headers));
        Self { method, span, trace, started: Instant::now(), code: None, permit: None }
    }

    /// What the caller may quote to the operators.
    pub(crate) fn request_id(&self) -> String {
        self.trace.trace_id()
    }

    /// Notes the outcome where headers or trailers have it.
    pub(crate) fn note(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(Status::GRPC_STATUS) {
            self.code = Some(Code::from_bytes(code.as_bytes()));
        }
    }

    pub(crate) fn note_code(&mut self, code: Code) {
        self.code = Some(code);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // No code was ever sent: the caller went away.
        let code = code_name(self.code.unwrap_or(Code::Cancelled));
        let took = self.started.elapsed();
        telemetry::record_call(&self.method.name, code, took);
        tracing::debug!(parent: &self.span, code, took_us = took.as_micros(), "call ended");
    }
}

/// The code as the gRPC specification writes it: `PERMISSION_DENIED`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
