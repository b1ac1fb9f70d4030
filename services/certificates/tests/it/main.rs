//! The service on a real PostgreSQL, with a neighbour that stands for identity.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agencies;
mod api;
mod completeness;
mod conflicts;
mod corrections;
mod erasure;
mod explain;
mod identity;
mod record;
mod register_server;
mod restrictions;
mod source;
mod sync;
mod texts;
mod workbooks;

use certificates::Certificates;
use service::Service as _;

#[test]
fn every_rpc_has_its_row_in_the_access_table() {
    assert_eq!(access::uncovered(Certificates::ACCESS, "dingzhu.certificates.v1"), Vec::<String>::new());
}

#[test]
fn the_platforms_tables_are_the_platforms() {
    assert_eq!(include_str!("../../migrations/20261123000001_create_event_log.sql"), eventlog::MIGRATION_SQL);
    assert_eq!(include_str!("../../migrations/20261123000002_create_bus.sql"), eventbus::SCHEMA);
    assert_eq!(include_str!("../../migrations/20261126000082_create_audit_record.sql"), audit::SCHEMA);
    assert_eq!(include_str!("../../migrations/20261127000001_key_requests_by_id.sql"), eventlog::REQUEST_KEY_SQL);
}
