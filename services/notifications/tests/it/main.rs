//! The service on real PostgreSQL: from an application's events to inbox, mail and SMS, and what a caller is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod deliveries;
mod drafts;
mod erasure;
mod mail_server;
mod notices;
mod schema;
mod secrets;
mod smtp;
mod stage;
mod steps;
