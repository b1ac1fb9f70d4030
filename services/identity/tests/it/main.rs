//! The service against a real PostgreSQL: every RPC, stored forms, views, the command of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod canary;
mod desk;
mod directory;
mod enrolment;
mod house;
mod keys;
mod limits;
mod my_sessions;
mod profiles;
mod puzzle;
mod records;
mod registration;
mod second_factor;
mod sessions;
mod sign_in;
mod staff;
mod staff_lists;
