//! Names that say nothing are not given to files, folders or modules.

use super::{File, assert_none, tracked};

const BANNED: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc", "manager", "base", "data", "info"];

fn offences(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for part in file.path.split('/').map(|part| part.trim_end_matches(".rs")) {
            if BANNED.contains(&part) {
                found.push(file.at(1, &format!("`{part}` says nothing: name it for what it owns")));
            }
        }
        for (number, line) in file.text.lines().enumerate() {
            let declared =
                line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ").strip_prefix("mod ");
            let name = declared.and_then(|rest| rest.split([' ', ';', '{']).next());
            if let Some(name) = name.filter(|name| BANNED.contains(name)) {
                found.push(file.at(number + 1, &format!("module `{name}` says nothing: name it for what it owns")));
            }
        }
    }
    found
}

#[test]
fn every_name_says_something() {
    assert_none(&offences(&tracked()));
}

#[test]
fn a_name_that_says_nothing_is_found() {
    let find = |path: &str, text: &str| offences(&[File::new(path, text)]).len();
    assert_eq!(find("services/identity/src/database.rs", "mod information;"), 0);
    assert_eq!(find("services/identity/src/utils.rs", ""), 1);
    assert_eq!(find("services/identity/src/common/x.rs", ""), 1);
    assert_eq!(find("services/identity/src/lib.rs", "    pub(crate) mod helpers {"), 1);
}
