//! The metrics that every service has: durations of calls, by method and code; records that were lost, by kind.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;

static CALLS: OnceLock<Histogram<f64>> = OnceLock::new();
static LOST: OnceLock<Counter<u64>> = OnceLock::new();

/// Upper bounds in seconds: fine where an interactive call should be, coarse up to the deadline.
const BOUNDARIES: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

pub(crate) fn install(provider: &SdkMeterProvider) {
    let meter = provider.meter("dingzhu");
    let histogram = meter
        .f64_histogram("rpc.server.call.duration")
        .with_unit("s")
        .with_description("How long calls took, until their last byte was handed over.")
        .with_boundaries(BOUNDARIES.to_vec())
        .build();
    // A second `init` in one process is refused before it comes here.
    let _ = CALLS.set(histogram);
    let counter =
        meter.u64_counter("records.lost").with_description("Records that could not be written behind an answer.");
    let _ = LOST.set(counter.build());
}

/// Counts one finished call; does nothing while OTLP is off. `method` must come from the API's own list of methods,
/// never from the wire, so that the number of series stays small.
pub fn record_call(method: &'static str, code: &'static str, duration: Duration) {
    if let Some(calls) = CALLS.get() {
        let attributes = [KeyValue::new("rpc.method", method), KeyValue::new("rpc.response.status_code", code)];
        calls.record(duration.as_secs_f64(), &attributes);
    }
}

/// Counts records of this kind that could not be written; does nothing while OTLP is off.
pub fn count_lost(kind: &'static str, records: u64) {
    if let Some(lost) = LOST.get() {
        lost.add(records, &[KeyValue::new("kind", kind)]);
    }
}
