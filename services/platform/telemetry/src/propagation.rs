//! How a trace crosses borders: in from headers and event metadata, along the spans, out again.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan as _;

use crate::Trace;

/// The header of the W3C trace context, in HTTP, gRPC and NATS alike.
pub const TRACEPARENT: &str = "traceparent";
const HEADER: HeaderName = HeaderName::from_static(TRACEPARENT);

/// The span in which work from outside is done, be it a call or an event. It continues the trace of `caller`, or
/// begins a new one. `name` is what it is called in traces; logs inside it carry its `trace_id`. It exists whatever
/// the log filter says.
pub fn begin(name: &'static str, caller: Option<Trace>) -> (Span, Trace) {
    if caller.is_none() && crate::output::exporting() {
        let span = span(name, None);
        if let Some(trace) = Trace::from_otel(span.context().span().span_context()) {
            span.record("trace_id", trace.trace_id());
            return (span, trace);
        }
    }
    let trace = caller.unwrap_or_else(Trace::fresh);
    let span = span(name, Some(trace));
    adopt(&span, trace);
    (span, trace)
}

fn span(name: &'static str, trace: Option<Trace>) -> Span {
    let trace_id = trace.map(|trace| tracing::field::display(trace.id()));
    tracing::info_span!(target: crate::output::ALWAYS, "work", otel.name = name, trace_id)
}

/// Makes `span` continue the trace that `traceparent` names; text that names none changes nothing.
/// Only before the span is first entered.
pub fn set_parent(span: &Span, traceparent: &str) {
    if let Ok(trace) = traceparent.parse() {
        adopt(span, trace);
    }
}

/// The trace that the current span belongs to, for handing on.
pub fn current() -> Option<Trace> {
    let span = Span::current();
    if crate::output::exporting()
        && let Some(trace) = Trace::from_otel(span.context().span().span_context())
    {
        return Some(trace);
    }
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        span.scope().find_map(|span| span.extensions().get::<Trace>().copied())
    })?
}

/// [`current`] as text.
pub fn current_traceparent() -> Option<String> {
    current().map(|trace| trace.to_string())
}

/// The trace that came with a request.
pub fn extract(headers: &HeaderMap) -> Option<Trace> {
    headers.get(HEADER)?.to_str().ok()?.parse().ok()
}

/// Puts the current trace into the headers of an outgoing request.
pub fn inject(headers: &mut HeaderMap) {
    if let Some(trace) = current() {
        let value = HeaderValue::try_from(trace.to_string()).expect("a traceparent is plain ASCII");
        headers.insert(HEADER, value);
    }
}

/// Keeps the trace beside the span (read back by [`current`]) and, with OTLP on, makes it the span's remote parent.
fn adopt(span: &Span, trace: Trace) {
    span.with_subscriber(|(id, dispatch)| {
        if let Some(span) = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id)) {
            span.extensions_mut().replace(trace);
        }
    });
    if crate::output::exporting() {
        // Fails only for a span that has begun already or that the log filter removed: then it keeps what it has.
        let _ = span.set_parent(Context::new().with_remote_span_context(trace.to_otel()));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn with_subscriber(test: impl FnOnce()) {
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(crate::output::filter("error").unwrap()),
            test,
        );
    }

    #[test]
    fn a_callers_trace_goes_in_and_out_with_otlp_off_whatever_the_log_filter() {
        with_subscriber(|| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_static(CALLER));
            let (span, trace) = begin("test", extract(&headers));
            assert_eq!(trace.to_string(), CALLER);
            span.in_scope(|| {
                assert_eq!(current_traceparent().as_deref(), Some(CALLER));
                let mut onward = HeaderMap::new();
                inject(&mut onward);
                assert_eq!(onward[HEADER], CALLER);
            });
            assert_eq!(current_traceparent(), None);
        });
    }

    #[test]
    fn without_a_caller_a_new_trace_begins_and_inner_spans_belong_to_it() {
        with_subscriber(|| {
            let (span, trace) = begin("test", None);
            span.in_scope(|| {
                let inner = tracing::error_span!("inner");
                assert_eq!(inner.in_scope(current), Some(trace));
            });
        });
    }

    #[test]
    fn the_parent_of_a_span_can_be_set_from_text_and_rubbish_changes_nothing() {
        with_subscriber(|| {
            let span = tracing::error_span!("event");
            set_parent(&span, "rubbish");
            assert_eq!(span.in_scope(current_traceparent), None);
            set_parent(&span, CALLER);
            assert_eq!(span.in_scope(current_traceparent).as_deref(), Some(CALLER));
        });
    }

    #[test]
    fn rubbish_in_the_header_is_no_trace() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("rubbish"));
        assert_eq!(extract(&headers), None);
    }
}
