//! The files that the rules look at: everything in the tree but what is built, local or git's own.

use std::fs;
use std::path::Path;

/// A text file; `path` is relative to the root, with slashes.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    pub fn has_extension(&self, wanted: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == wanted)
    }

    /// The service that a source of a service belongs to, and the path below its `src/`.
    pub fn in_service(&self) -> Option<(&str, &str)> {
        let (service, rest) = self.path.strip_prefix("services/")?.split_once("/src/")?;
        (!service.contains('/')).then_some((service, rest))
    }

    /// The lines of code with their numbers: without comments, and without the tests at the end of a file.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !is_test && !line.trim_start().starts_with("#[cfg(test)]"))
            .map(|(index, line)| (index + 1, without_comment(line)))
    }

    /// An offence in a line of this file.
    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn without_comment(line: &str) -> &str {
    // `//` in a string is there in addresses, after a colon.
    line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':')).map_or(line, |(at, _)| &line[..at])
}

/// The whole tree, in order.
pub fn tracked() -> Vec<File> {
    let root = cluster::root();
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // In a second work tree `.git` is a file that names the first one's folder.
        if ["target", ".git", ".local", "node_modules"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.push(File::new(path, &text));
        }
    }
}

#[test]
fn comments_and_tests_are_not_code() {
    let file = File::new("a.rs", "use a; // use b\nlet x = \"http://c\";\n#[cfg(test)]\nmod tests {}\n");
    let code: Vec<&str> = file.code().map(|(_, line)| line.trim_end()).collect();
    assert_eq!(code, ["use a;", "let x = \"http://c\";"]);
}
