//! Code tables (DOMAIN 4.2): which codes there are, as versioned data.

use std::collections::{BTreeMap, HashMap};

use crate::domain::directory::Directory;
use crate::domain::values::Stage;

/// Table of the subjects of each stage.
pub const SUBJECTS: &str = "subject_ours";

/// The tables of one version.
#[derive(Debug, Clone, Default)]
pub struct CodeTables {
    /// Rises when a table changes.
    pub version: u32,
    tables: HashMap<String, BTreeMap<String, String>>,
    subjects: HashMap<String, Vec<String>>,
    about: BTreeMap<String, About>,
}

/// What is to be said of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// In Chinese.
    pub title: String,
    /// Where its rows come from.
    pub origin: Origin,
}

/// Where the rows of a table come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A named standard.
    Standard(String),
    /// Public pages and programs of this field.
    Field,
    /// Ours, from general knowledge.
    Ours,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it stands in the form.
    pub code: String,
    /// In Chinese.
    pub name: String,
    /// 学段 of a subject; empty in other tables.
    pub group: String,
}

impl CodeTables {
    /// From tables of codes and names, and from the subjects of each stage by its name.
    pub fn new(
        version: u32,
        tables: HashMap<String, BTreeMap<String, String>>,
        subjects: HashMap<String, Vec<String>>,
        about: BTreeMap<String, About>,
    ) -> Self {
        Self { version, tables, subjects, about }
    }

    /// Whether a table has a code.
    pub fn has(&self, table: &str, code: &str) -> bool {
        self.tables.get(table).is_some_and(|table| table.contains_key(code))
    }

    /// Whether a stage has a subject.
    pub fn has_subject(&self, stage: Stage, subject: &str) -> bool {
        self.subjects.get(stage.name()).is_some_and(|subjects| subjects.iter().any(|known| known == subject))
    }

    /// Names of all tables of codes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The tables that are shown, by name.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &About)> {
        self.about.iter().map(|(name, about)| (name.as_str(), about))
    }

    /// The rows of a table that is shown, as the nation has them, or a province with the subjects that it has added or
    /// switched off.
    pub fn entries(&self, name: &str, province: Option<(&str, &Directory)>) -> Vec<Entry> {
        if name == SUBJECTS {
            return Stage::ALL.into_iter().flat_map(|stage| self.subjects_of(stage, province)).collect();
        }
        let rows = self.tables.get(name).into_iter().flatten();
        rows.map(|(code, name)| Entry { code: code.clone(), name: name.clone(), group: String::new() }).collect()
    }

    fn subjects_of(&self, stage: Stage, province: Option<(&str, &Directory)>) -> Vec<Entry> {
        let national = self.subjects.get(stage.name()).into_iter().flatten().map(String::as_str);
        let said = province.map(|(province, directory)| directory.subjects_of(province, stage)).unwrap_or_default();
        let on = |subject: &&str| said.get(subject).copied().unwrap_or(true);
        let mut subjects: Vec<&str> = national.filter(on).collect();
        let added = said.iter().filter(|(_, on)| **on).map(|(subject, _)| *subject);
        let added: Vec<&str> = added.filter(|subject| !subjects.contains(subject)).collect();
        subjects.extend(added);
        let entry = |subject: &str| Entry {
            code: subject.to_owned(),
            name: subject.to_owned(),
            group: stage.name().to_owned(),
        };
        subjects.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registration::testing::{codes, directory};

    fn subjects(province: Option<(&str, &Directory)>) -> Vec<String> {
        let junior = |entry: &Entry| entry.group == Stage::Junior.name();
        codes().entries(SUBJECTS, province).into_iter().filter(junior).map(|entry| entry.code).collect()
    }

    #[test]
    fn a_province_adds_subjects_and_switches_them_off() {
        let mut directory = directory();
        let national = subjects(None);
        assert!(national.contains(&"物理".to_owned()));
        assert_eq!(subjects(Some(("32", &directory))), national);
        let mut said = |subject: &str, on| {
            directory.subjects.insert(("32".to_owned(), Stage::Junior, subject.to_owned()), on);
        };
        said("书法", true);
        said("篆刻", false);
        said("物理", false);
        let expected: Vec<String> =
            national.iter().filter(|subject| *subject != "物理").cloned().chain(["书法".to_owned()]).collect();
        assert_eq!(subjects(Some(("32", &directory))), expected);
        assert_eq!(subjects(Some(("33", &directory))), national);
    }

    #[test]
    fn rows_come_in_the_order_of_their_codes() {
        let education = codes().entries("education_gbt4658", None);
        assert!(education.is_sorted_by(|one, next| one.code < next.code) && !education.is_empty());
        assert_eq!(codes().entries("unheard", None), []);
    }
}
