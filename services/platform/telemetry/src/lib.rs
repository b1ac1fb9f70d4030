//! Logs, traces and metrics: JSON or pretty lines on standard error, OTLP when an endpoint is set.
//!
//! `main` calls [`init`] inside its runtime and keeps the [`Guard`]; the last thing it does is [`Guard::shutdown`].
//!
//! Work that comes from outside (a call, an event) is done in a span of [`begin`], which continues the caller's W3C
//! trace or begins a new one. [`current_traceparent`] says what to hand on to the next service, in gRPC metadata
//! ([`inject`]), NATS headers and event metadata. This works with OTLP off, too, so that logs of several services can
//! be joined by `trace_id`. Of the W3C context only `traceparent` travels; `tracestate` is not kept.
//!
//! Nothing here ever records payloads: names, numbers, contacts and free text of people have no place in telemetry.

mod metrics;
mod output;
mod propagation;
mod trace;

pub use metrics::{count_lost, record_call};
pub use output::{Format, Guard, InitError, Settings, init};
pub use propagation::{TRACEPARENT, begin, current, current_traceparent, extract, inject, set_parent};
pub use trace::{NotATraceparent, Trace};
