//! Facts for the conclusion, and what was computed from them.

use std::collections::BTreeMap;

use proto::applications::v1 as wire;

use crate::domain::assessment::Assessment;
use crate::domain::calendar::{parse_date, render_date};
use crate::domain::facts::{Facts, Finding, Grade, Interruption, LeaveReason};
use crate::wire::{proposal, values};

/// At most so many entries of one kind.
const MOST: usize = 60;
/// At most so many hours, credits or semesters.
const MOST_AMOUNT: f64 = 100_000.0;
const MOST_NAME: usize = 60;

/// The facts, without the note.
pub fn facts(facts: &Facts) -> wire::Facts {
    wire::Facts {
        ethics: finding(facts.ethics),
        year_grades: facts
            .grades
            .iter()
            .map(|(year, grade)| wire::YearGrade { year: *year, grade: grade.code().to_owned() })
            .collect(),
        training_total: facts.training_total,
        training_years: facts
            .training_years
            .iter()
            .map(|(year, amount)| wire::YearTraining { year: *year, amount: *amount })
            .collect(),
        interruptions: facts
            .interruptions
            .iter()
            .map(|stop| wire::Interruption {
                from_date: render_date(stop.from),
                to_date: render_date(stop.to),
                semesters: stop.semesters,
                reason: stop.reason.name().to_owned(),
                approved: stop.approved,
            })
            .collect(),
        health: finding(facts.health),
        other_conditions: facts
            .others
            .iter()
            .map(|(name, met)| wire::OtherCondition { name: name.clone(), met: *met })
            .collect(),
        probation: finding(facts.probation),
        contract: finding(facts.contract),
        note: String::new(),
    }
}

/// What a request may not ask for, though it can be read: paths and reasons, all at once.
pub fn check_facts(message: &wire::Facts) -> Vec<(&'static str, &'static str)> {
    let mut wrong = Vec::new();
    let mut check = |field, holds: bool, reason| {
        if !holds {
            wrong.push((field, reason));
        }
    };
    let is_year = |year: i32| (1990..=2200).contains(&year);
    let grades = &message.year_grades;
    check("facts.year_grades", grades.len() <= MOST && grades.iter().all(|entry| is_year(entry.year)), "OUT_OF_RANGE");
    let trained = &message.training_years;
    let trained = trained.len() <= MOST && trained.iter().all(|entry| is_year(entry.year) && is_amount(entry.amount));
    check("facts.training_years", trained, "OUT_OF_RANGE");
    check("facts.training_total", message.training_total.is_none_or(is_amount), "OUT_OF_RANGE");
    let stops = &message.interruptions;
    let stops = stops.len() <= MOST && stops.iter().all(|stop| is_amount(stop.semesters) && stop.semesters > 0.0);
    check("facts.interruptions", stops, "OUT_OF_RANGE");
    let is_name = |name: &str| (1..=MOST_NAME).contains(&name.chars().count()) && !name.contains(char::is_control);
    let others = &message.other_conditions;
    check(
        "facts.other_conditions",
        others.len() <= MOST && others.iter().all(|other| is_name(&other.name)),
        "NOT_A_NAME",
    );
    wrong
}

/// The facts; paths and reasons of what cannot be read, all at once. The note is not looked at.
pub fn parse_facts(message: &wire::Facts) -> Result<Facts, Vec<(&'static str, &'static str)>> {
    let mut wrong = Vec::new();
    let parsed = Facts {
        ethics: parse_finding("facts.ethics", message.ethics, &mut wrong),
        grades: years("facts.year_grades", &message.year_grades, &mut wrong, |entry| {
            Some((entry.year, Grade::parse(&entry.grade)?))
        }),
        training_total: message.training_total,
        training_years: years("facts.training_years", &message.training_years, &mut wrong, |entry| {
            Some((entry.year, entry.amount))
        }),
        interruptions: message.interruptions.iter().filter_map(interruption).collect(),
        health: parse_finding("facts.health", message.health, &mut wrong),
        others: message.other_conditions.iter().map(|other| (other.name.clone(), other.met)).collect(),
        probation: parse_finding("facts.probation", message.probation, &mut wrong),
        contract: parse_finding("facts.contract", message.contract, &mut wrong),
    };
    if parsed.interruptions.len() != message.interruptions.len() {
        wrong.push(("facts.interruptions", "NOT_AN_INTERRUPTION"));
    }
    if wrong.is_empty() { Ok(parsed) } else { Err(wrong) }
}

/// What was computed.
pub fn assessment(assessment: &Assessment) -> wire::Assessment {
    wire::Assessment {
        proposal: proposal(assessment.proposal).into(),
        articles: assessment.articles.clone(),
        explanations: assessment.explanations.clone(),
    }
}

/// What was computed.
pub fn parse_assessment(message: wire::Assessment) -> Option<Assessment> {
    Some(Assessment {
        proposal: values::parse_proposal(message.proposal)?,
        articles: message.articles,
        explanations: message.explanations,
    })
}

fn finding(finding: Option<Finding>) -> i32 {
    let finding = match finding {
        None => wire::Finding::Unspecified,
        Some(Finding::Passed) => wire::Finding::Passed,
        Some(Finding::Failed) => wire::Finding::Failed,
    };
    finding.into()
}

fn parse_finding(field: &'static str, number: i32, wrong: &mut Vec<(&'static str, &'static str)>) -> Option<Finding> {
    match wire::Finding::try_from(number) {
        Ok(wire::Finding::Unspecified) => None,
        Ok(wire::Finding::Passed) => Some(Finding::Passed),
        Ok(wire::Finding::Failed) => Some(Finding::Failed),
        Err(_) => {
            wrong.push((field, "UNKNOWN_VALUE"));
            None
        }
    }
}

/// One entry a year.
fn years<E, V>(
    field: &'static str,
    entries: &[E],
    wrong: &mut Vec<(&'static str, &'static str)>,
    parse: impl Fn(&E) -> Option<(i32, V)>,
) -> BTreeMap<i32, V> {
    let by_year: BTreeMap<i32, V> = entries.iter().filter_map(parse).collect();
    if by_year.len() != entries.len() {
        wrong.push((field, "NOT_ONE_VALUE_A_YEAR"));
    }
    by_year
}

fn interruption(stop: &wire::Interruption) -> Option<Interruption> {
    let (from, to) = (parse_date(&stop.from_date)?, parse_date(&stop.to_date)?);
    let reason = LeaveReason::parse(&stop.reason)?;
    (from <= to).then_some(Interruption { from, to, semesters: stop.semesters, reason, approved: stop.approved })
}

fn is_amount(amount: f64) -> bool {
    (0.0..=MOST_AMOUNT).contains(&amount)
}
