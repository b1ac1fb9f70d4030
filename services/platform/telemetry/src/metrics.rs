//! The metrics that every service has: durations of calls, by method and code.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;

static CALLS: OnceLock<Histogram<f64>> = OnceLock::new();

/// Upper bounds in seconds: fine where an interactive call should be, coarse up to the deadline.
const BOUNDARIES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

pub(crate) fn install(provider: &SdkMeterProvider) {
    let histogram = provider
        .meter("dingzhu")
        .f64_histogram("rpc.server.call.duration")
        .with_unit("s")
        .with_description("How long calls took, until their last byte was handed over.")
        .with_boundaries(BOUNDARIES.to_vec())
        .build();
    // A second `init` in one process is refused before it comes here.
    let _ = CALLS.set(histogram);
}

/// Counts one finished call; does nothing while OTLP is off. `method` must come from the API's own list of methods,
/// never from the wire, so that the number of series stays small.
pub fn record_call(method: &'static str, code: &'static str, duration: Duration) {
    if let Some(calls) = CALLS.get() {
        let attributes = [KeyValue::new("rpc.method", method), KeyValue::new("rpc.response.status_code", code)];
        calls.record(duration.as_secs_f64(), &attributes);
    }
}
