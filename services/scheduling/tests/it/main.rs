//! The service in process, on a database of its own: every RPC with its codes, reasons and violations; events for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abolition;
mod access;
mod availability;
mod changes;
mod directory;
mod directory_changes;
mod drafts;
mod files;
mod graduate_schools;
mod harness;
mod plans;
mod record;
mod record_slots;
mod search;
mod seed;
mod slot_race;
mod slot_world;
mod slots;
mod subjects;
mod texts;
mod watch;
