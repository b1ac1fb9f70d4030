//! Whole clusters of processes: a teacher's way, and what survives kills.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ask;
mod canary;
mod checks;
mod crowd;
mod faults;
mod journey;
mod matrix;
mod revocation;
mod stranger;
mod stream;
