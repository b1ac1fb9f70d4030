//! The shape of a source file: its first line says what it owns, it fits in a head, `main` only starts things.

use super::{File, assert_none, tracked};

/// Lines of a file beyond which it holds more than one thing.
const MOST_LINES: usize = 500;
/// Lines that `main.rs` of a service stays under.
const MAIN_LINES: usize = 40;

fn opening(file: &File) -> Option<String> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//! ").is_some_and(|sentence| sentence.len() > 10);
    (file.is_rust() && !says).then(|| file.at(1, "begins with `//! ` and a sentence on what the file owns"))
}

fn length(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (file.is_rust() && lines > MOST_LINES).then(|| file.at(lines, &format!("has more than {MOST_LINES} lines")))
}

fn small_main(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    let is_main = file.in_service().is_some_and(|(_, place)| place == "main.rs");
    (is_main && lines >= MAIN_LINES).then(|| file.at(lines, &format!("main.rs stays under {MAIN_LINES} lines")))
}

#[test]
fn every_file_begins_with_what_it_owns() {
    assert_none(&tracked().iter().filter_map(opening).collect::<Vec<_>>());
}

#[test]
fn no_file_is_longer_than_a_head_can_hold() {
    assert_none(&tracked().iter().filter_map(length).collect::<Vec<_>>());
}

#[test]
fn main_parses_starts_and_drains() {
    assert_none(&tracked().iter().filter_map(small_main).collect::<Vec<_>>());
}

#[test]
fn a_file_without_a_sentence_is_found() {
    let file = |text: &str| opening(&File::new("services/identity/src/lib.rs", text));
    assert!(file("//! Who people are.\n").is_none());
    assert!(file("use std::fs;\n//! Who people are.\n").is_some());
    assert!(file("//! x\n").is_some());
    assert!(opening(&File::new("README.md", "# Dingzhu")).is_none());
}

#[test]
fn a_file_that_is_too_long_is_found() {
    let file = |path: &str, lines: usize| File::new(path, &"x\n".repeat(lines));
    assert!(length(&file("a.rs", MOST_LINES)).is_none());
    assert!(length(&file("a.rs", MOST_LINES + 1)).is_some());
    assert!(small_main(&file("services/identity/src/main.rs", 39)).is_none());
    assert!(small_main(&file("services/identity/src/main.rs", 40)).is_some());
}
