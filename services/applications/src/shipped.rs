//! What comes with the program as versioned files: code tables, texts to agree to, the national rule set.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::codes::CodeTables;
use crate::domain::rules::{RuleSet, TrainingUnit};
use crate::domain::text::TextRef;

const CODES: &str = include_str!("../codes/tables.1.json");
const NATIONAL: &str = include_str!("../rules/national.json");
/// Name, version and body; a changed text is a new version, the old file stays.
const TEXTS: [(&str, u32, &str); 4] = [
    (MUST_READ, 1, include_str!("../texts/must_read.1.txt")),
    (AGREEMENT, 1, include_str!("../texts/agreement.1.txt")),
    (PLEDGE, 1, include_str!("../texts/pledge.1.txt")),
    (REMINDER, 1, include_str!("../texts/reminder.1.txt")),
];

/// 必读
pub const MUST_READ: &str = "must_read";
/// 协议
pub const AGREEMENT: &str = "agreement";
/// 承诺书
pub const PLEDGE: &str = "pledge";
/// 申报提醒
pub const REMINDER: &str = "reminder";

/// All of it, read once.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// Code tables.
    pub codes: CodeTables,
    /// Texts, in the order in which they are read.
    pub texts: Vec<Text>,
    /// Holds where a province has published nothing.
    pub national: Arc<RuleSet>,
}

/// A text that is shown.
#[derive(Debug, Clone)]
pub struct Text {
    /// `must_read`, `agreement`, `pledge`, `reminder`.
    pub name: &'static str,
    /// Version and digest.
    pub reference: TextRef,
    /// In Chinese.
    pub body: &'static str,
}

impl Shipped {
    /// Reads the files, which are part of the program: what is wrong with them is a mistake of its build.
    pub fn read() -> Result<Self, serde_json::Error> {
        let texts = TEXTS.map(|(name, version, body)| Text {
            name,
            reference: TextRef { version, digest: hex(&Sha256::digest(body)) },
            body,
        });
        Ok(Self { codes: codes()?, texts: texts.into(), national: Arc::new(national()?) })
    }

    /// Whether this is the version of a text that is shown now.
    pub fn is_current(&self, name: &str, reference: &TextRef) -> bool {
        self.texts.iter().any(|text| text.name == name && text.reference == *reference)
    }
}

fn codes() -> Result<CodeTables, serde_json::Error> {
    let file: HashMap<String, Value> = serde_json::from_str(CODES)?;
    let mut tables = HashMap::new();
    let mut subjects = HashMap::new();
    for (name, table) in file {
        match table {
            table @ Value::Object(_) if name == "subject_ours" => subjects = serde_json::from_value(table)?,
            table @ Value::Object(_) => {
                tables.insert(name, serde_json::from_value::<BTreeMap<String, String>>(table)?);
            }
            _ => {}
        }
    }
    Ok(CodeTables::new(tables, subjects))
}

/// The file's form; rule sets of provinces travel as protobuf.
#[derive(serde::Deserialize)]
struct National {
    province: String,
    version: u32,
    interval_months: u32,
    cycle_months: u32,
    revocation_bar_years: u32,
    training_unit: String,
    training_per_cycle_min: f64,
    training_per_year_min: f64,
    interruption_semesters: f64,
    interruption_inclusive: bool,
    school_year: bool,
    first_registration_full_check: bool,
    reapply_after_failed_days: u32,
}

fn national() -> Result<RuleSet, serde_json::Error> {
    let file: National = serde_json::from_str(NATIONAL)?;
    Ok(RuleSet {
        province: file.province,
        version: file.version,
        interval_months: file.interval_months,
        cycle_months: file.cycle_months,
        revocation_bar_years: file.revocation_bar_years,
        training_unit: if file.training_unit == "2" { TrainingUnit::Credits } else { TrainingUnit::Hours },
        training_per_cycle_min: file.training_per_cycle_min,
        training_per_year_min: Some(file.training_per_year_min).filter(|min| *min > 0.0),
        interruption_semesters: file.interruption_semesters,
        interruption_inclusive: file.interruption_inclusive,
        school_year: file.school_year,
        levels: Vec::new(),
        first_registration_full_check: file.first_registration_full_check,
        reapply_after_failed_days: file.reapply_after_failed_days,
        extra_required_fields: Vec::new(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::Stage;

    #[test]
    fn the_files_can_be_read() {
        let shipped = Shipped::read().unwrap();
        assert!(shipped.codes.has("education_gbt4658", "21"));
        assert!(shipped.codes.has("title_2015_ours", "Z3"));
        assert!(Stage::ALL.into_iter().all(|stage| {
            let subject = if stage == Stage::Kindergarten { "无" } else { "语文" };
            shipped.codes.has_subject(stage, subject)
        }));
        assert_eq!(shipped.national.interval_months, 54);
    }

    #[test]
    fn every_table_that_the_form_asks_for_is_there() {
        let shipped = Shipped::read().unwrap();
        let names: Vec<&str> = shipped.codes.names().collect();
        for table in [
            "putonghua_jyt1001",
            "education_gbt4658",
            "degree_gbt6864",
            "major_category_ours",
            "study_form_ours",
            "school_nature_ours",
            "school_location_ours",
            "title_gbt8561_teachers",
            "title_2015_ours",
            "post_nature_ours",
            "political_gbt4762",
        ] {
            assert!(names.contains(&table), "{table}");
        }
    }

    #[test]
    fn every_text_says_that_it_is_a_model() {
        for text in Shipped::read().unwrap().texts {
            assert!(text.body.contains("本文本为示范文本，非官方文本"), "{}", text.name);
            assert_eq!(text.reference.digest.len(), 64);
        }
    }

    #[test]
    fn only_the_shown_version_of_a_text_is_current() {
        let shipped = Shipped::read().unwrap();
        let pledge = shipped.texts.iter().find(|text| text.name == PLEDGE).unwrap().reference.clone();
        assert!(shipped.is_current(PLEDGE, &pledge));
        assert!(!shipped.is_current(AGREEMENT, &pledge));
        assert!(!shipped.is_current(PLEDGE, &TextRef { version: 2, ..pledge }));
    }
}
