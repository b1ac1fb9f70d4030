//! What comes with the program as versioned files: code tables, texts to agree to, the national rule set.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::calendar::parse_date;
use crate::domain::codes::{About, CodeTables, Origin};
use crate::domain::facts::Grade;
use crate::domain::rules::{RuleSet, SchoolScope, TrainingUnit};
use crate::domain::text::{AGREEMENT, MUST_READ, NOTICE, PLEDGE, REMINDER, Text, TextRef};
use crate::domain::working_days::{Arrangement, WorkCalendar};

const CODES: &str = include_str!("../codes/tables.1.json");
/// What is to be said of the tables that are shown; those of the former system are not.
const ABOUT_CODES: &str = include_str!("../codes/about.1.json");
const NATIONAL: &str = include_str!("../rules/national.json");
const WORKING_DAYS: &str = include_str!("../rules/working_days.json");
/// Name, version and body; a changed text is a new version, the old file stays.
const TEXTS: [(&str, u32, &str); 5] = [
    (MUST_READ, 1, include_str!("../texts/must_read.1.txt")),
    (AGREEMENT, 1, include_str!("../texts/agreement.1.txt")),
    (NOTICE, 1, include_str!("../texts/notice.1.txt")),
    (PLEDGE, 1, include_str!("../texts/pledge.1.txt")),
    (REMINDER, 1, include_str!("../texts/reminder.1.txt")),
];

/// All of it, read once.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// Code tables.
    pub codes: CodeTables,
    /// Texts for where a province has published none.
    texts: Vec<Arc<Text>>,
    /// Holds where a province has published nothing.
    pub national: Arc<RuleSet>,
    /// 节假日安排
    pub working_days: WorkCalendar,
}

impl Shipped {
    /// Reads the files, which are part of the program: what is wrong with them is a mistake of its build.
    pub fn read() -> Result<Self, serde_json::Error> {
        let texts = TEXTS.map(|(name, version, body)| {
            let reference = TextRef { version, digest: digest(body) };
            Arc::new(Text { name, province: None, reference, body: body.into() })
        });
        Ok(Self {
            codes: codes()?,
            texts: texts.into(),
            national: Arc::new(national()?),
            working_days: working_days()?,
        })
    }

    /// The newest version of a text.
    pub fn text(&self, name: &str) -> Option<&Arc<Text>> {
        self.texts.iter().find(|text| text.name == name)
    }
}

/// SHA-256 of a text, hex.
pub fn digest(body: &str) -> String {
    hex(&Sha256::digest(body))
}

fn codes() -> Result<CodeTables, serde_json::Error> {
    let file: HashMap<String, Value> = serde_json::from_str(CODES)?;
    let about: BTreeMap<String, AboutTable> = serde_json::from_str(ABOUT_CODES)?;
    let version = file.get("version").and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
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
    let about = about.into_iter().map(|(name, about)| (name, about.read())).collect();
    Ok(CodeTables::new(version.unwrap_or_default(), tables, subjects, about))
}

/// A line of the file.
#[derive(serde::Deserialize)]
struct AboutTable {
    title: String,
    standard: Option<String>,
    #[serde(default)]
    field: bool,
}

impl AboutTable {
    fn read(self) -> About {
        let origin = match self.standard {
            Some(standard) => Origin::Standard(standard),
            None if self.field => Origin::Field,
            None => Origin::Ours,
        };
        About { title: self.title, origin }
    }
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
    qualifying_grades: Vec<String>,
    schools_in_scope: Vec<String>,
    review_working_days: u32,
    publicity_working_days: u32,
    reconsideration_days: u32,
    litigation_months: u32,
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
        qualifying_grades: file.qualifying_grades.iter().filter_map(|code| Grade::parse(code)).collect(),
        schools_in_scope: file.schools_in_scope.iter().filter_map(|name| school_scope(name)).collect(),
        review_working_days: file.review_working_days,
        publicity_working_days: file.publicity_working_days,
        reconsideration_days: file.reconsideration_days,
        litigation_months: file.litigation_months,
        effective_from: None,
    })
}

fn school_scope(name: &str) -> Option<SchoolScope> {
    match name {
        "public" => Some(SchoolScope::Public),
        "private" => Some(SchoolScope::Private),
        "research_office" => Some(SchoolScope::ResearchOffice),
        "after_school" => Some(SchoolScope::AfterSchool),
        _ => None,
    }
}

/// The file's form: by year, days as `YYYY-MM-DD`.
#[derive(serde::Deserialize)]
struct WorkingDays {
    version: u32,
    years: BTreeMap<i32, ArrangedYear>,
}

#[derive(serde::Deserialize)]
struct ArrangedYear {
    holidays: Vec<String>,
    worked: Vec<String>,
}

fn working_days() -> Result<WorkCalendar, serde_json::Error> {
    let file: WorkingDays = serde_json::from_str(WORKING_DAYS)?;
    let days = |days: &[String]| days.iter().filter_map(|day| parse_date(day)).collect();
    let arranged = |year: ArrangedYear| Arrangement { holidays: days(&year.holidays), worked: days(&year.worked) };
    let years = file.years.into_iter().map(|(year, arranged_year)| (year, arranged(arranged_year))).collect();
    Ok(WorkCalendar { version: file.version, years })
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
    use crate::domain::text::NAMES;
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
    fn the_national_rules_take_public_schools_and_the_grades_that_count() {
        let national = Shipped::read().unwrap().national;
        assert_eq!(national.schools_in_scope, [SchoolScope::Public]);
        assert_eq!(national.qualifying_grades, [Grade::Excellent, Grade::Qualified]);
        assert_eq!(
            (national.review_working_days, national.reconsideration_days, national.litigation_months),
            (90, 60, 6)
        );
    }

    /// A mistyped day would be left out, a worked day that is no weekend would mean nothing.
    #[test]
    fn the_arrangements_of_holidays_are_whole_and_make_sense() {
        let file: WorkingDays = serde_json::from_str(WORKING_DAYS).unwrap();
        let calendar = Shipped::read().unwrap().working_days;
        assert!(WORKING_DAYS.contains("modelled, unverified"));
        for (year, listed) in file.years {
            let read = &calendar.years[&year];
            assert_eq!(
                (listed.holidays.len(), listed.worked.len()),
                (read.holidays.len(), read.worked.len()),
                "{year}"
            );
            assert!(read.holidays.iter().chain(&read.worked).all(|day| day.year() == year), "{year}");
            assert!(read.worked.iter().all(|day| day.weekday().number_days_from_monday() >= 5), "{year}");
            assert!(read.holidays.iter().all(|day| day.weekday().number_days_from_monday() < 5), "{year}");
        }
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
    fn every_table_but_those_of_the_former_system_is_shown_and_says_where_it_is_from() {
        let codes = Shipped::read().unwrap().codes;
        let shown: BTreeMap<&str, &About> = codes.shown().collect();
        assert_eq!(codes.version, 1);
        for name in codes.names().filter(|name| !name.ends_with("_jszg2017")).chain(["subject_ours"]) {
            let origin = &shown[name].origin;
            assert_eq!(matches!(origin, Origin::Ours), name.ends_with("_ours"), "{name}");
            assert_eq!(matches!(origin, Origin::Standard(_)), name.contains("_gbt") || name.contains("_jyt"), "{name}");
        }
        assert!(shown.keys().all(|name| !codes.entries(name, None).is_empty()));
    }

    #[test]
    fn titles_are_leaves() {
        let codes = Shipped::read().unwrap().codes;
        for table in ["title_gbt8561_teachers", "title_2015_ours"] {
            let titles = codes.entries(table, None);
            let is_above = |one: &str, other: &str| {
                // 020 is above 022 in the standard.
                one != other && other.starts_with(one.trim_end_matches('0')) && one.ends_with('0')
            };
            for title in &titles {
                assert!(!titles.iter().any(|other| is_above(&title.code, &other.code)), "{}", title.code);
            }
        }
    }

    #[test]
    fn every_text_says_that_it_is_a_model() {
        let shipped = Shipped::read().unwrap();
        for text in NAMES.map(|name| shipped.text(name).unwrap()) {
            assert!(text.body.contains("本文本为示范文本，非官方文本"), "{}", text.name);
            assert_eq!(text.reference.digest.len(), 64);
        }
    }
}
