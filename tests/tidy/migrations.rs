//! A migration that was released is never edited: every one stands in `migrations.sha256` with its digest.

use sha2::{Digest as _, Sha256};

use super::{File, assert_none, tracked};

/// Lines as `sha256sum` prints them.
const RELEASED: &str = include_str!("migrations.sha256");

fn offences(files: &[File], released: &str) -> Vec<String> {
    let listed: Vec<(&str, &str)> = released.lines().filter_map(|line| line.split_once("  ")).collect();
    let mut found = Vec::new();
    for (digest, path) in &listed {
        match files.iter().find(|file| file.path == *path) {
            None => found.push(format!("{path}: a released migration was removed")),
            Some(file) if hex(&file.text) != *digest => {
                found.push(file.at(1, "a released migration was edited: add another one"));
            }
            Some(_) => {}
        }
    }
    for file in files.iter().filter(|file| file.path.contains("/migrations/") && file.has_extension("sql")) {
        if !listed.iter().any(|(_, path)| *path == file.path) {
            let line = format!("{}  {}", hex(&file.text), file.path);
            found.push(file.at(1, &format!("a new migration: add to tests/tidy/migrations.sha256 the line\n{line}")));
        }
    }
    found
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

#[test]
fn no_released_migration_was_touched() {
    assert_none(&offences(&tracked(), RELEASED));
}

#[test]
fn an_edited_a_removed_and_an_unlisted_migration_are_found() {
    let path = "services/identity/migrations/1_create_session.sql";
    let file = File::new(path, "CREATE TABLE session ();");
    let released = format!("{}  {path}", hex(&file.text));
    assert_eq!(offences(&[File::new(path, &file.text)], &released), Vec::<String>::new());
    assert_eq!(offences(&[File::new(path, "CREATE TABLE session (n int);")], &released).len(), 1);
    assert_eq!(offences(&[], &released).len(), 1);
    assert_eq!(offences(&[file], "").len(), 1);
}
