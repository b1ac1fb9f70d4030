//! Code tables as they are served: with what a province has added, and an etag of their rows.

use std::fmt::Write as _;

use super::Handle;
use crate::domain::codes::{About, Entry, SUBJECTS};
use crate::error::Error;
use crate::shipped::digest;

/// A table with its rows.
#[derive(Debug, Clone)]
pub struct CodeTable {
    /// Its name.
    pub name: String,
    /// What is to be said of it.
    pub about: About,
    /// Of all tables that come with the program.
    pub version: u32,
    /// Of the rows.
    pub etag: String,
    /// The rows are not those of the nation.
    pub with_province: bool,
    /// The rows.
    pub entries: Vec<Entry>,
}

impl Handle {
    /// All tables that are shown, by name; with the rows of a province where one is named.
    pub fn code_tables(&self, province: Option<&str>) -> Result<Vec<CodeTable>, Error> {
        let tables = self.0.shipped.codes.shown();
        tables.map(|(name, about)| self.table(name, about, province)).collect()
    }

    /// One of them.
    pub fn code_table(&self, name: &str, province: Option<&str>) -> Result<CodeTable, Error> {
        let found = self.0.shipped.codes.shown().find(|(known, _)| *known == name);
        let (name, about) = found.ok_or(Error::NotFound { kind: "code table" })?;
        self.table(name, about, province)
    }

    fn table(&self, name: &str, about: &About, province: Option<&str>) -> Result<CodeTable, Error> {
        let codes = &self.0.shipped.codes;
        let national = codes.entries(name, None);
        let entries = match province.filter(|_| name == SUBJECTS) {
            None => national.clone(),
            Some(province) => codes.entries(name, Some((province, self.directory()?.as_ref()))),
        };
        let rows = entries.iter().fold(format!("{name}\n"), |mut rows, Entry { code, name, group }| {
            let _ = writeln!(rows, "{group}\t{code}\t{name}");
            rows
        });
        Ok(CodeTable {
            name: name.to_owned(),
            about: about.clone(),
            version: codes.version,
            etag: digest(&rows),
            with_province: entries != national,
            entries,
        })
    }
}
