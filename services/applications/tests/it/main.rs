//! The service on real PostgreSQL: from draft to conclusion, what is refused and why, what lists and histories say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bulk;
mod closing;
mod conclusions_file;
mod directory;
mod drafts;
mod erasure;
mod facts_file;
mod filing;
mod journey;
mod merging;
mod neighbours;
mod numbers;
mod reading;
mod rules;
mod schema;
mod stage;
