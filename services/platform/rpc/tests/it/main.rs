//! The standard server and client, over real connections.
#![expect(clippy::disallowed_methods, reason = "a test spawns what it then awaits or stops")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

mod drain;
mod limits;
mod probes;
mod refusals;
mod tls;
mod tracing;
