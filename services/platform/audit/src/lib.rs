//! The audit trail: who called what, when, from where and with which result; kept for half a year at least, read by auditors.
//!
//! ```text
//! call ──> Authority::recognise ──> AuditLayer ──> AccessLayer ──> handler
//!                                       │ at the end of the answer
//!                                       └──> Behind ──> Trail: audit_record ──> Auditors: Audit/ListAudit
//! ```
//!
//! * [`AuditLayer`] makes a record of every call of somebody who holds a role, by themselves or through a service, whether or not the
//!   role counts in this session; of the service's own list of [`Methods`] whoever calls. It holds no word of what the call said.
//! * [`Behind`] writes records behind the answers, these and any others that nobody may wait for.
//! * [`Trail`] is the table ([`SCHEMA`]), with its sweep; [`Auditors`] is the RPC.

mod api;
mod behind;
mod layer;
mod record;
mod settings;
mod trail;

pub use api::Auditors;
pub use behind::{Behind, Target};
pub use layer::{AuditLayer, Methods, Subject, When};
pub use record::Record;
pub use settings::Settings;
pub use trail::{Filter, Place, Trail};

/// DDL of the trail; every service has a copy as a migration.
pub const SCHEMA: &str = include_str!("schema.sql");
