//! The reason of an error is its contract: each one in a service's sources stands in that service's README.

use super::{File, assert_none, tracked};

fn offences(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some((service, _)) = file.in_service() else { continue };
        let readme = format!("services/{service}/README.md");
        let listed = files.iter().find(|file| file.path == readme).map_or("", |file| &file.text);
        for (number, line) in file.code() {
            for literal in line.split('"').skip(1).step_by(2).filter(|literal| is_reason(literal)) {
                if !listed.contains(&format!("`{literal}`")) {
                    found.push(file.at(number, &format!("{literal} is not in {readme}")));
                }
            }
        }
    }
    found
}

/// `WINDOW_CLOSED`; names of settings are not reasons.
fn is_reason(literal: &str) -> bool {
    let words = || literal.split('_');
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    words().count() > 1
        && literal.starts_with(|c: char| c.is_ascii_uppercase())
        && words().all(is_word)
        && !literal.starts_with("DINGZHU_")
        && !literal.starts_with("CARGO_")
}

#[test]
fn every_reason_stands_in_the_readme_of_its_service() {
    assert_none(&offences(&tracked()));
}

#[test]
fn a_reason_that_the_readme_leaves_out_is_found() {
    let readme = File::new("services/identity/README.md", "| `WRONG_CODE` | the code |");
    let source = |text: &str| File::new("services/identity/src/domain/code.rs", text);
    let find = |text: &str| offences(&[File::new(&readme.path, &readme.text), source(text)]).len();
    assert_eq!(find("refuse(\"WRONG_CODE\")"), 0);
    assert_eq!(find("refuse(\"CODE_EXPIRED\")"), 1);
    assert_eq!(find("// refuse(\"CODE_EXPIRED\")"), 0);
    assert_eq!(find("env = \"DINGZHU_LISTEN\""), 0);
    assert_eq!(offences(&[source("refuse(\"WRONG_CODE\")")]).len(), 1);
}
