//! The first migrations are the platform's own tables, every RPC has its row in the access table, every reason its line
//! in the README.

use applications::Applications;
use service::Service;

#[test]
fn the_first_two_migrations_are_the_tables_of_log_and_bus() {
    let migrations = Applications::migrations();
    let sql: Vec<_> = migrations.iter().map(|migration| migration.sql.as_str()).collect();
    assert_eq!(sql[0], eventlog::MIGRATION_SQL);
    assert_eq!(sql[1], eventbus::SCHEMA);
}

#[test]
fn every_rpc_has_its_row_in_the_access_table() {
    assert_eq!(access::uncovered(Applications::ACCESS, "dingzhu.applications.v1"), Vec::<String>::new());
}

#[test]
fn every_reason_has_its_line_in_the_readme() {
    let readme = include_str!("../../README.md");
    let sources = [
        include_str!("../../src/api/status.rs"),
        include_str!("../../src/api/sentences.rs"),
        include_str!("../../src/domain/form.rs"),
        include_str!("../../src/domain/form/fields.rs"),
    ];
    let is_reason =
        |word: &&str| word.len() > 3 && word.contains('_') && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let reasons = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2)).filter(is_reason);
    let missing: Vec<&str> = reasons.filter(|reason| !readme.contains(&format!("`{reason}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
