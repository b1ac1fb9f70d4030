//! What every service keeps: its table of access is whole, its first migrations are those of the platform.

use identity::Identity;
use service::Service as _;

#[test]
fn every_rpc_has_its_row() {
    assert_eq!(access::uncovered(Identity::ACCESS, "dingzhu.identity.v1"), Vec::<String>::new());
}

#[test]
fn the_first_migrations_are_those_of_log_and_bus() {
    let migrations = Identity::migrations();
    let sql: Vec<&str> = migrations.iter().map(|migration| migration.sql.as_str()).collect();
    assert_eq!(sql[0], eventlog::MIGRATION_SQL);
    assert_eq!(sql[1], eventbus::SCHEMA);
}
