//! Migrations have the platform's own tables, and every RPC has its row in the access table.

use applications::Applications;
use service::Service;

#[test]
fn the_first_two_migrations_are_the_tables_of_log_and_bus_and_one_is_that_of_the_audit_trail() {
    let migrations = Applications::migrations();
    let sql: Vec<_> = migrations.iter().map(|migration| migration.sql.as_str()).collect();
    assert_eq!(sql[0], eventlog::MIGRATION_SQL);
    assert_eq!(sql[1], eventbus::SCHEMA);
    assert!(sql.contains(&audit::SCHEMA));
}

#[test]
fn every_rpc_has_its_row_in_the_access_table() {
    assert_eq!(access::uncovered(Applications::ACCESS, "dingzhu.applications.v1"), Vec::<String>::new());
}
