//! Code tables (DOMAIN 4.2): which codes there are, as versioned data.

use std::collections::{BTreeMap, HashMap};

use crate::domain::values::Stage;

/// The tables of one version.
#[derive(Debug, Clone, Default)]
pub struct CodeTables {
    tables: HashMap<String, BTreeMap<String, String>>,
    subjects: HashMap<String, Vec<String>>,
}

impl CodeTables {
    /// From tables of codes and names, and from the subjects of each stage by its name.
    pub fn new(tables: HashMap<String, BTreeMap<String, String>>, subjects: HashMap<String, Vec<String>>) -> Self {
        Self { tables, subjects }
    }

    /// Whether a table has a code.
    pub fn has(&self, table: &str, code: &str) -> bool {
        self.tables.get(table).is_some_and(|table| table.contains_key(code))
    }

    /// Whether a stage has a subject.
    pub fn has_subject(&self, stage: Stage, subject: &str) -> bool {
        self.subjects.get(stage.name()).is_some_and(|subjects| subjects.iter().any(|known| known == subject))
    }

    /// Names of all tables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}
