//! Rule sets on the wire: read from a request, written into an answer and an event.

use proto::applications::v1 as wire;

use crate::domain::calendar::{parse_date, render_date};
use crate::domain::facts::Grade;
use crate::domain::rules::{RuleSet, SchoolScope, TrainingUnit};
use crate::wire::{level, parse_level};

/// Form fields that are optional by the national rules: a province may ask for them.
const OPTIONAL_FIELDS: [&str; 2] = ["personal.birth_place", "personal.telephone"];

/// A rule set.
pub fn rule_set(rules: &RuleSet) -> wire::RuleSet {
    wire::RuleSet {
        province: rules.province.clone(),
        version: int(rules.version),
        interval_months: int(rules.interval_months),
        cycle_months: int(rules.cycle_months),
        revocation_bar_years: int(rules.revocation_bar_years),
        training_unit: unit(rules.training_unit).to_owned(),
        training_per_cycle_min: rules.training_per_cycle_min,
        training_per_year_min: rules.training_per_year_min.unwrap_or_default(),
        interruption_semesters: rules.interruption_semesters,
        interruption_inclusive: rules.interruption_inclusive,
        school_year: rules.school_year,
        levels: rules.levels.iter().map(|known| level(*known).into()).collect(),
        first_registration_full_check: rules.first_registration_full_check,
        reapply_after_failed_days: int(rules.reapply_after_failed_days),
        extra_required_fields: rules.extra_required_fields.clone(),
        qualifying_grades: rules.qualifying_grades.iter().map(|grade| grade.code().to_owned()).collect(),
        schools_in_scope: rules.schools_in_scope.iter().map(|scope| school_scope(*scope).into()).collect(),
        review_working_days: int(rules.review_working_days),
        publicity_working_days: int(rules.publicity_working_days),
        reconsideration_days: int(rules.reconsideration_days),
        litigation_months: int(rules.litigation_months),
        effective_date: rules.effective_from.map(render_date).unwrap_or_default(),
    }
}

/// A rule set; what an older one leaves out holds as it did before it could be said. Paths and reasons of what is wrong
/// with it, all at once.
pub fn parse_rule_set(message: &wire::RuleSet) -> Result<RuleSet, Vec<(&'static str, &'static str)>> {
    let mut wrong = Vec::new();
    let mut check = |field, holds: bool, reason| {
        if !holds {
            wrong.push((field, reason));
        }
    };
    let digits = message.province.len() == 2 && message.province.bytes().all(|byte| byte.is_ascii_digit());
    check("rule_set.province", digits, "NOT_A_PROVINCE");
    check("rule_set.interval_months", (1..=600).contains(&message.interval_months), "OUT_OF_RANGE");
    check("rule_set.cycle_months", (12..=600).contains(&message.cycle_months), "OUT_OF_RANGE");
    check("rule_set.revocation_bar_years", (0..=50).contains(&message.revocation_bar_years), "OUT_OF_RANGE");
    check(
        "rule_set.reapply_after_failed_days",
        (0..=3650).contains(&message.reapply_after_failed_days),
        "OUT_OF_RANGE",
    );
    let amount = |amount: f64| (0.0..=100_000.0).contains(&amount);
    check("rule_set.training_per_cycle_min", amount(message.training_per_cycle_min), "OUT_OF_RANGE");
    check("rule_set.training_per_year_min", amount(message.training_per_year_min), "OUT_OF_RANGE");
    let semesters = message.interruption_semesters;
    check("rule_set.interruption_semesters", semesters > 0.0 && semesters <= 20.0, "OUT_OF_RANGE");
    let unit = parse_unit(&message.training_unit);
    check("rule_set.training_unit", unit.is_some(), "UNKNOWN_CODE");
    let levels: Vec<_> = message.levels.iter().filter_map(|number| parse_level(*number)).collect();
    let rising = levels.len() == message.levels.len() && levels.is_sorted_by(|below, above| below < above);
    check("rule_set.levels", rising, "NOT_RISING_LEVELS");
    let optional = message.extra_required_fields.iter().all(|field| OPTIONAL_FIELDS.contains(&field.as_str()));
    check("rule_set.extra_required_fields", optional, "UNKNOWN_FIELD");
    let grades: Vec<_> = message.qualifying_grades.iter().filter_map(|code| Grade::parse(code)).collect();
    let counts = grades.len() == message.qualifying_grades.len() && !grades.contains(&Grade::Unqualified);
    check("rule_set.qualifying_grades", counts && distinct(&grades), "UNKNOWN_CODE");
    let schools: Vec<_> = message.schools_in_scope.iter().filter_map(|number| parse_school_scope(*number)).collect();
    let known = schools.len() == message.schools_in_scope.len() && distinct(&schools);
    check("rule_set.schools_in_scope", known, "UNKNOWN_VALUE");
    check("rule_set.review_working_days", (0..=1_000).contains(&message.review_working_days), "OUT_OF_RANGE");
    check("rule_set.publicity_working_days", (0..=250).contains(&message.publicity_working_days), "OUT_OF_RANGE");
    check("rule_set.reconsideration_days", (0..=3_650).contains(&message.reconsideration_days), "OUT_OF_RANGE");
    check("rule_set.litigation_months", (0..=120).contains(&message.litigation_months), "OUT_OF_RANGE");
    let effective_from = parse_date(&message.effective_date);
    check("rule_set.effective_date", effective_from.is_some() || message.effective_date.is_empty(), "NOT_A_DATE");
    let Some(training_unit) = unit.filter(|_| wrong.is_empty()) else {
        return Err(wrong);
    };
    let or = |number: i32, default: u32| u32::try_from(number).ok().filter(|number| *number > 0).unwrap_or(default);
    let number = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(RuleSet {
        province: message.province.clone(),
        version: number(message.version),
        interval_months: number(message.interval_months),
        cycle_months: number(message.cycle_months),
        revocation_bar_years: number(message.revocation_bar_years),
        training_unit,
        training_per_cycle_min: message.training_per_cycle_min,
        training_per_year_min: Some(message.training_per_year_min).filter(|min| *min > 0.0),
        interruption_semesters: message.interruption_semesters,
        interruption_inclusive: message.interruption_inclusive,
        school_year: message.school_year,
        levels,
        first_registration_full_check: message.first_registration_full_check,
        reapply_after_failed_days: number(message.reapply_after_failed_days),
        extra_required_fields: message.extra_required_fields.clone(),
        qualifying_grades: if grades.is_empty() { vec![Grade::Excellent, Grade::Qualified] } else { grades },
        schools_in_scope: if schools.is_empty() { SchoolScope::ALL.to_vec() } else { schools },
        review_working_days: or(message.review_working_days, 90),
        publicity_working_days: number(message.publicity_working_days),
        reconsideration_days: or(message.reconsideration_days, 60),
        litigation_months: or(message.litigation_months, 6),
        effective_from,
    })
}

fn distinct<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().all(|(place, one)| !list[..place].contains(one))
}

fn school_scope(scope: SchoolScope) -> wire::SchoolScope {
    match scope {
        SchoolScope::Public => wire::SchoolScope::Public,
        SchoolScope::Private => wire::SchoolScope::Private,
        SchoolScope::ResearchOffice => wire::SchoolScope::ResearchOffice,
        SchoolScope::AfterSchool => wire::SchoolScope::AfterSchool,
    }
}

fn parse_school_scope(number: i32) -> Option<SchoolScope> {
    SchoolScope::ALL.into_iter().find(|known| i32::from(school_scope(*known)) == number)
}

fn unit(unit: TrainingUnit) -> &'static str {
    match unit {
        TrainingUnit::Hours => "1",
        TrainingUnit::Credits => "2",
    }
}

fn parse_unit(code: &str) -> Option<TrainingUnit> {
    [TrainingUnit::Hours, TrainingUnit::Credits].into_iter().find(|known| unit(*known) == code)
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
