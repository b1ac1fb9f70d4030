//! The contract of the bus on real PostgreSQL and real nats-server processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checks;
mod consumers;
mod feeds;
mod forks;
mod freshness;
mod leases;
mod mutants;
mod reactions;
mod rebuilds;
mod relaying;
mod rewinding;
mod stage;
