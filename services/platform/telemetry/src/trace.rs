//! A W3C trace context as a value: parsing and rendering `traceparent`.

use std::fmt;
use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Where a piece of work belongs: the trace, the span that caused it, and whether that span was sampled.
/// Displays as `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    sampled: bool,
}

/// The text is no valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct NotATraceparent;

impl Trace {
    /// A new trace, of random ids, that nobody samples.
    pub fn fresh() -> Self {
        // Zero is no valid id, and does not come up once in 2^64.
        let span = u64::try_from(lifecycle::ids::bits() >> 64).expect("64 bits are left");
        Self { id: lifecycle::ids::bits(), span, sampled: false }
    }

    /// 32 hexadecimal digits: what joins the logs of one piece of work, and the request id that callers are told.
    pub fn trace_id(&self) -> String {
        self.id().to_string()
    }

    pub(crate) fn id(self) -> TraceId {
        TraceId::from_bytes(self.id.to_be_bytes())
    }

    pub(crate) fn from_otel(context: &SpanContext) -> Option<Self> {
        context.is_valid().then(|| Self {
            id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        })
    }

    pub(crate) fn to_otel(self) -> SpanContext {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let span_id = SpanId::from_bytes(self.span.to_be_bytes());
        SpanContext::new(self.id(), span_id, flags, true, TraceState::default())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.id, self.span, u8::from(self.sampled))
    }
}

impl FromStr for Trace {
    type Err = NotATraceparent;

    /// Any version but `ff`; later versions may append fields, version `00` may not.
    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let mut parts = text.splitn(5, '-');
        let mut field = |digits| hex(parts.next(), digits);
        let (version, id, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let too_long = version == 0 && parts.next().is_some();
        if version == 0xff || too_long || id == 0 || span == 0 {
            return Err(NotATraceparent);
        }
        let span = u64::try_from(span).expect("16 hexadecimal digits are 64 bits");
        Ok(Self { id, span, sampled: flags & 1 == 1 })
    }
}

/// Exactly `digits` lower-case hexadecimal digits.
fn hex(field: Option<&str>, digits: usize) -> Result<u128, NotATraceparent> {
    let field = field.ok_or(NotATraceparent)?;
    if field.len() != digits || !field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(NotATraceparent);
    }
    u128::from_str_radix(field, 16).map_err(|_| NotATraceparent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_survives_the_round_trip() {
        let trace: Trace = EXAMPLE.parse().unwrap();
        assert_eq!(trace.to_string(), EXAMPLE);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(Trace::from_otel(&trace.to_otel()), Some(trace));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = EXAMPLE.replacen("00", "42", 1) + "-more";
        assert_eq!(later.parse::<Trace>().unwrap().to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<Trace>(), Err(NotATraceparent), "{text}");
        }
    }

    #[test]
    fn fresh_traces_are_valid_and_differ() {
        let (one, other) = (Trace::fresh(), Trace::fresh());
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
