//! Nothing in the tree knows the machine it was written on, nor where a registry lives: ordinary clients know that.

use super::{File, assert_none, tracked};

/// In halves, so that this file does not hold what it looks for.
const MACHINE: &[(&str, &str)] = &[("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];
const REGISTRIES: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("npmjs", ".org"),
    ("npmjs", ".com"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("proxy.golang", ".org"),
    ("deb.debian", ".org"),
    ("docker", ".io"),
    ("ghcr", ".io"),
    ("static.rust-lang", ".org"),
];

fn offences(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    // cargo writes its lock file by itself.
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            for (first, second) in MACHINE.iter().chain(REGISTRIES) {
                let word = format!("{first}{second}");
                if let Some(at) = line.find(&word)
                    && !continues_a_path(&line[..at], first)
                {
                    found.push(file.at(number + 1, &format!("holds {word}")));
                }
            }
        }
    }
    found
}

/// `tests/home/x` is a path of the tree, `/home/x` one of a machine.
fn continues_a_path(before: &str, first: &str) -> bool {
    first.starts_with('/') && before.ends_with(|c: char| c.is_alphanumeric() || "._-})".contains(c))
}

#[test]
fn no_file_names_a_place_of_one_machine_or_the_host_of_a_registry() {
    assert_none(&offences(&tracked()));
}

#[test]
fn a_path_of_a_machine_and_a_host_are_found() {
    let find = |text: &str| offences(&[File::new("README.md", text)]).len();
    assert_eq!(find("see tests/home/x and crates"), 0);
    for (first, second) in MACHINE.iter().chain(REGISTRIES) {
        assert_eq!(find(&format!("see `{first}{second}x`")), 1, "{first}{second}");
    }
}
