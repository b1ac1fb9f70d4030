//! The event log: the one append path of a service, and everything that reads it back.
//!
//! * [`EventLog::append`] hands a decided command to the writer, which commits many callers in one transaction;
//! * [`EventLog::append_in`] does the same as the last step of a transaction that also writes records;
//! * [`EventLog::load`] reads one stream, [`EventLog::read`] the whole log in order,
//!   [`EventLog::follow`] what comes behind a known event, from memory where this process has just recorded it;
//! * [`EventLog::verify`] recomputes the hash chain.
//!
//! Positions are 1..n without a gap and in commit order; versions of a stream likewise.
//!
//! ```text
//! append ──> queue ──> writer.rs ──┐                          plan.rs: who gets which place, without a database
//!                                  ├──> transaction.rs ──> PostgreSQL
//! append_in ───────────────────────┘    (lock, read, write, commit: four round trips for up to 256 commands)
//! ```

mod append;
mod chain;
mod event;
mod log;
mod plan;
mod pool;
mod read;
mod recent;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod verify;
mod writer;

pub use append::{Append, AppendError, Appended, Claim, RequestKey};
pub use chain::{Link, digest};
pub use event::{Division, Metadata, NewEvent, Recorded};
pub use log::{EventLog, Settings};
pub use pool::{is_away, pool};
pub use read::{ReadError, Remembered};
pub use verify::{Verdict, VerifyError};

/// The tables `event_log`, `request` and `claim`: the first migration of every service that has a log is a copy of it.
pub const MIGRATION_SQL: &str = include_str!("schema.sql");

/// How `request` is found, in place of what [`MIGRATION_SQL`] says of it: a later migration of every service is a copy of it.
pub const REQUEST_KEY_SQL: &str = include_str!("request_key.sql");
