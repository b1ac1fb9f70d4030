//! House rules as tests over the sources. Each rule is a function from files to offences, and each is shown a file that offends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod layers;
mod migrations;
mod names;
mod places;
mod reasons;
mod shape;

use files::{File, tracked};

/// Fails with every offence, one a line.
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn the_tree_has_the_files_that_the_rules_look_at() {
    let files = tracked();
    for path in ["Cargo.toml", "deploy/test", "services/platform/eventlog/src/lib.rs", "tests/tidy/main.rs"] {
        assert!(files.iter().any(|file| file.path == path), "{path}");
    }
}
