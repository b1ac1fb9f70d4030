//! The service against a real PostgreSQL: every RPC, stored forms, views, the command of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_log;
mod audit_trail;
mod canary;
mod canary_recovery;
mod canary_wechat;
mod credentials;
mod desk;
mod directory;
mod document_types;
mod enrolment;
mod erasure;
mod house;
mod keys;
mod legacy;
mod limits;
mod my_sessions;
mod phone_fixes;
mod profiles;
mod puzzle;
mod queue;
mod real_name;
mod records;
mod recovery;
mod registration;
mod restored;
mod second_factor;
mod sessions;
mod sign_in;
mod staff;
mod staff_lists;
mod wechat;
mod wechat_gateway;
