//! What comes with the program as versioned files: the document types.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::Date;
use time::format_description::well_known::Iso8601;

use crate::domain::document::{DocumentType, Region};
use crate::domain::document_table::{Check, DocumentTable, DocumentTypes, Origin, Requirement, TableFlaw, TypeRules};
use crate::domain::pattern::{Pattern, PatternFlaw};
use crate::domain::profile::Field;

/// Name and text of every version, oldest first; a change is a new version, the old file stays.
const DOCUMENT_TYPES: [(&str, &str); 1] = [("documents/types.1.json", include_str!("../documents/types.1.json"))];

/// Why a file cannot be used; the program does not start with it.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ShippedError {
    file: &'static str,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    #[error("holds_from is no day of the form 2026-01-01")]
    Day,
    #[error("there is no document type {0}")]
    UnknownType(i32),
    #[error("type {code}: {flaw}")]
    Pattern { code: i32, flaw: PatternFlaw },
    #[error("{0}")]
    Table(#[from] TableFlaw),
}

/// The document types, as they were and are.
pub fn document_types() -> Result<DocumentTypes, ShippedError> {
    read(&DOCUMENT_TYPES)
}

fn read(files: &[(&'static str, &str)]) -> Result<DocumentTypes, ShippedError> {
    let mut tables = Vec::new();
    for (file, text) in files {
        tables.push(table(text).map_err(|problem| ShippedError { file, problem })?);
    }
    let last = files.last().map_or("documents", |(file, _)| file);
    DocumentTypes::new(tables).map_err(|flaw| ShippedError { file: last, problem: flaw.into() })
}

fn table(text: &str) -> Result<DocumentTable, Problem> {
    let file: File = serde_json::from_str(text)?;
    let holds_from = Date::parse(&file.holds_from, &Iso8601::DATE).map_err(|_| Problem::Day)?;
    let rules = file.types.into_iter().map(Row::rules).collect::<Result<_, _>>()?;
    Ok(DocumentTable::new(file.version, holds_from, rules)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "_note")]
    _note: String,
    version: u32,
    holds_from: String,
    types: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: i32,
    name: String,
    #[serde(default)]
    also_called: Vec<String>,
    pattern: String,
    keeps: Option<usize>,
    non_chinese: Option<String>,
    hint: String,
    #[serde(default)]
    divisions: Vec<String>,
    check: CheckName,
    #[serde(default)]
    origins: Vec<OriginRow>,
    fields: BTreeMap<FieldName, RequirementName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginRow {
    prefix: String,
    region: RegionName,
    permit: Option<i32>,
}

#[derive(Deserialize)]
enum CheckName {
    #[serde(rename = "GB 11643")]
    Gb11643,
    #[serde(rename = "SHAPE")]
    Shape,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RegionName {
    HongKong,
    Macau,
    Taiwan,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum FieldName {
    Ethnicity,
    Sex,
    BirthDate,
    LocalIdNumber,
    PermitNumber,
    Email,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RequirementName {
    Required,
    Optional,
}

impl Row {
    fn rules(self) -> Result<TypeRules, Problem> {
        let code = self.code;
        let pattern = |text: &String| Pattern::parse(text).map_err(|flaw| Problem::Pattern { code, flaw });
        let fields = self.fields.into_iter().map(|(field, requirement)| (field.into(), requirement.into()));
        Ok(TypeRules {
            kind: kind(code)?,
            pattern: pattern(&self.pattern)?,
            non_chinese: self.non_chinese.as_ref().map(pattern).transpose()?,
            name: self.name,
            also_called: self.also_called,
            keeps: self.keeps,
            hint: self.hint,
            divisions: self.divisions,
            check: self.check.into(),
            origins: self.origins.into_iter().map(OriginRow::origin).collect::<Result<_, _>>()?,
            fields: fields.collect(),
        })
    }
}

impl OriginRow {
    fn origin(self) -> Result<(String, Origin), Problem> {
        let permit = self.permit.map(kind).transpose()?;
        Ok((self.prefix, Origin { region: self.region.into(), permit }))
    }
}

fn kind(code: i32) -> Result<DocumentType, Problem> {
    DocumentType::from_code(code).ok_or(Problem::UnknownType(code))
}

impl From<CheckName> for Check {
    fn from(name: CheckName) -> Self {
        match name {
            CheckName::Gb11643 => Self::Gb11643,
            CheckName::Shape => Self::Shape,
        }
    }
}

impl From<RegionName> for Region {
    fn from(name: RegionName) -> Self {
        match name {
            RegionName::HongKong => Self::HongKong,
            RegionName::Macau => Self::Macau,
            RegionName::Taiwan => Self::Taiwan,
        }
    }
}

impl From<FieldName> for Field {
    fn from(name: FieldName) -> Self {
        match name {
            FieldName::Ethnicity => Self::Ethnicity,
            FieldName::Sex => Self::Sex,
            FieldName::BirthDate => Self::BirthDate,
            FieldName::LocalIdNumber => Self::LocalIdNumber,
            FieldName::PermitNumber => Self::PermitNumber,
            FieldName::Email => Self::Email,
        }
    }
}

impl From<RequirementName> for Requirement {
    fn from(name: RequirementName) -> Self {
        match name {
            RequirementName::Required => Self::Required,
            RequirementName::Optional => Self::Optional,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const FIRST: &str = DOCUMENT_TYPES[0].1;

    /// What is said of the first file with something else in the place of `old`.
    fn problem(old: &str, new: &str) -> String {
        assert!(FIRST.contains(old), "{old}");
        read(&[("documents/types.1.json", &FIRST.replacen(old, new, 1))]).unwrap_err().to_string()
    }

    #[test]
    fn the_files_can_be_read() {
        let types = document_types().unwrap();
        let today = types.on(date!(2026 - 11 - 23));
        assert_eq!((today.version(), today.holds_from()), (1, date!(2026 - 01 - 01)));
        let names: Vec<&str> = today.all().iter().map(|rules| rules.name.as_str()).collect();
        assert_eq!(
            names,
            ["居民身份证", "港澳台居民居住证", "港澳居民来往内地通行证", "五年有效期台湾居民来往大陆通行证"]
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_a_line_that_names_it() {
        for (old, new, line) in [
            ("\"version\"", "\"versoin\"", "unknown field `versoin`"),
            ("2026-01-01", "2026-13-01", "holds_from is no day of the form 2026-01-01"),
            ("GB 11643\"", "MD5\"", "unknown variant `MD5`, expected `GB 11643` or `SHAPE`"),
            ("\"fields\"", "\"fields\": {}, \"felds\"", "unknown field `felds`"),
            ("REQUIRED", "PERHAPS", "unknown variant `PERHAPS`"),
            ("\"code\": 4", "\"code\": 5", "there is no document type 5"),
            ("\"code\": 4", "\"code\": 3", "it does not name each of the types 1 to 4 once"),
            ("\"permit\": 3", "\"permit\": 7", "there is no document type 7"),
            ("[0-9]{8}\"", "[0-9{8}\"", "type 4: a class of the pattern is not of the form [0-9X]"),
            ("8[1-3]", "8[0-3]", "a number can be one of type 1 and one of type 2"),
            ("\"keeps\": 9", "\"keeps\": 10", "type 3 keeps more than its shortest number has"),
            (
                ", \"permit\": 3",
                "",
                "type 2 asks for a local ID number or a permit, and its origins do not say of where",
            ),
            ("[0-79][0-9]{16}", "[0-79][0-9]{15}", "type 1 checks by GB 11643 what has not 18 characters"),
            ("五年有效期台湾居民来往大陆通行证", "居民身份证", "two types are called 居民身份证"),
            ("\"version\": 1", "\"version\": 2", "version 2 does not follow the one before it, in number and day"),
        ] {
            let said = problem(old, new);
            assert!(said.starts_with("documents/types.1.json: ") && said.contains(line), "{new}: {said}");
        }
        assert!(read(&[]).unwrap_err().to_string().contains("there is no version"));
    }

    #[test]
    fn a_version_holds_from_its_day_on_and_numbers_of_older_ones_are_recognised() {
        let second = FIRST
            .replacen("\"version\": 1", "\"version\": 2", 1)
            .replacen("2026-01-01", "2030-07-01", 1)
            .replacen("[HM][0-9]{8}|[HM][0-9]{10}", "[HM][0-9]{9}", 1);
        let types = read(&[("1", FIRST), ("2", &second)]).unwrap();
        for (day, version) in [
            (date!(2020 - 01 - 01), 1),
            (date!(2030 - 06 - 30), 1),
            (date!(2030 - 07 - 01), 2),
            (date!(2040 - 01 - 01), 2),
        ] {
            assert_eq!(types.on(day).version(), version, "{day}");
        }
        let read_by = |text: &str| types.recognise(text).map(|document| document.read_by());
        assert_eq!((read_by("H12345678"), read_by("H123456789"), read_by("H1")), (Some(1), Some(2), None));
        let parsed = types.on(date!(2030 - 07 - 01)).parse(DocumentType::HkMacauPermit, "H123456789", Date::MAX);
        assert_eq!(parsed.unwrap().read_by(), 2);
        let too_early = FIRST.replacen("\"version\": 1", "\"version\": 2", 1);
        let said = read(&[("1", FIRST), ("2", &too_early)]).unwrap_err().to_string();
        assert_eq!(said, "2: version 2 does not follow the one before it, in number and day");
    }
}
