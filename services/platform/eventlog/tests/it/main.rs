//! The contract of the event log, on a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and starts tasks of its own"
)]

mod claims;
mod faults;
mod fixture;
mod following;
mod history;
mod model;
mod mutants;
mod order;
mod queue;
mod reading;
mod replicas;
mod requests;
mod tampering;
mod time;
