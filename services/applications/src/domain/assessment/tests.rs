//! The decision table of DOMAIN section 1, complete: one row for each rule, and every pair of rules for precedence.

use time::macros::date;

use super::*;
use crate::domain::facts::Interruption;
use crate::domain::registration::testing::rules;

const YEARS: std::ops::RangeInclusive<i32> = 2021..=2025;

/// 合 合格, 优 优秀, 基 基本合格, 不 不合格, 定 不定等次, 缺 nothing recorded.
fn grades(row: &str) -> Facts {
    let grade = |c| match c {
        '优' => Some(Grade::Excellent),
        '合' => Some(Grade::Qualified),
        '基' => Some(Grade::Basic),
        '不' => Some(Grade::Unqualified),
        '定' => Some(Grade::Undetermined),
        _ => None,
    };
    let grades = YEARS.zip(row.chars()).filter_map(|(year, c)| Some((year, grade(c)?))).collect();
    Facts { grades, ..perfect() }
}

fn perfect() -> Facts {
    Facts {
        ethics: Some(Finding::Passed),
        grades: YEARS.map(|year| (year, Grade::Qualified)).collect(),
        training_total: Some(360.0),
        health: Some(Finding::Passed),
        probation: Some(Finding::Passed),
        contract: Some(Finding::Passed),
        ..Facts::default()
    }
}

fn stop(semesters: f64, reason: LeaveReason, approved: bool) -> Facts {
    let stop = Interruption { from: date!(2022 - 02 - 01), to: date!(2022 - 09 - 01), semesters, reason, approved };
    Facts { interruptions: vec![stop], ..perfect() }
}

fn of_the_cycle() -> Check {
    let cycle = Cycle { from: date!(2021 - 01 - 01), to: date!(2026 - 01 - 01) };
    Check::Cycle { cycle, years: YEARS.collect() }
}

fn cycle() -> Circumstances {
    Circumstances { check: of_the_cycle(), kind_fits: true, restriction: None }
}

fn first() -> Circumstances {
    Circumstances { check: Check::First, ..cycle() }
}

fn judged(facts: &Facts) -> (Proposal, Vec<String>) {
    let assessment = assess(facts, &rules(), &cycle());
    (assessment.proposal, assessment.articles)
}

#[track_caller]
fn row(facts: &Facts, proposal: Proposal, articles: &[&str]) {
    let articles = articles.iter().map(|article| (*article).to_owned()).collect();
    assert_eq!(judged(facts), (proposal, articles), "{facts:?}");
}

use Proposal::{Deferred, Failed, NeedsDecision, Qualified};

#[test]
fn every_year_at_least_qualified_and_360_hours_is_qualified() {
    row(&grades("合合合合优"), Qualified, &[]);
    assert!(assess(&perfect(), &rules(), &cycle()).explanations.is_empty());
}

#[test]
fn one_unqualified_year_defers_by_9_3() {
    row(&Facts { training_total: Some(400.0), ..grades("合不合合合") }, Deferred, &["9.3"]);
    row(&grades("不合不合不"), Deferred, &["9.3"]);
}

#[test]
fn two_unqualified_years_in_a_row_fail_by_10_2() {
    row(&grades("合不不合合"), Failed, &["10.2"]);
    row(&grades("合合合不不"), Failed, &["10.2"]);
    row(&grades("不不不不不"), Failed, &["10.2"]);
}

#[test]
fn years_outside_the_cycle_do_not_count() {
    let mut facts = perfect();
    facts.grades.insert(2020, Grade::Unqualified);
    facts.grades.insert(2026, Grade::Unqualified);
    row(&facts, Qualified, &[]);
    facts.grades.insert(2021, Grade::Unqualified);
    row(&facts, Deferred, &["9.3"]);
}

#[test]
fn too_few_hours_defer_by_9_1() {
    row(&Facts { training_total: Some(359.0), ..perfect() }, Deferred, &["9.1"]);
    row(&Facts { training_total: Some(360.0), ..perfect() }, Qualified, &[]);
}

#[test]
fn a_bound_per_year_defers_by_9_1_even_with_a_full_total() {
    let rules = RuleSet { training_per_year_min: Some(72.0), ..rules() };
    let years = |last: f64| YEARS.map(|year| (year, if year == 2025 { last } else { 72.0 })).collect();
    let short = Facts { training_years: years(71.5), ..perfect() };
    let assessment = assess(&short, &rules, &cycle());
    assert_eq!((assessment.proposal, assessment.articles), (Deferred, vec!["9.1".to_owned()]));
    assert_eq!(assessment.explanations, ["2025年培训未满72学时。"]);
    assert_eq!(assess(&Facts { training_years: years(72.0), ..perfect() }, &rules, &cycle()).proposal, Qualified);
    assert_eq!(assess(&perfect(), &rules, &cycle()).proposal, NeedsDecision);
}

#[test]
fn an_unapproved_stop_of_a_semester_or_more_defers_by_9_2() {
    row(&stop(1.5, LeaveReason::Sickness, false), Deferred, &["9.2"]);
    row(&stop(1.0, LeaveReason::Other, false), Deferred, &["9.2"]);
    row(&stop(0.5, LeaveReason::Other, false), Qualified, &[]);
}

#[test]
fn whether_exactly_one_semester_counts_is_the_rule_sets() {
    let exclusive = RuleSet { interruption_inclusive: false, ..rules() };
    assert_eq!(assess(&stop(1.0, LeaveReason::Other, false), &exclusive, &cycle()).proposal, Qualified);
    assert_eq!(assess(&stop(1.5, LeaveReason::Other, false), &exclusive, &cycle()).proposal, Deferred);
}

#[test]
fn unapproved_stops_add_up() {
    let mut facts = stop(0.5, LeaveReason::Other, false);
    facts.interruptions.extend(facts.interruptions.clone());
    row(&facts, Deferred, &["9.2"]);
}

#[test]
fn stops_outside_the_cycle_do_not_count() {
    let stopped = |from, to| {
        let mut facts = stop(2.0, LeaveReason::Other, false);
        (facts.interruptions[0].from, facts.interruptions[0].to) = (from, to);
        facts
    };
    row(&stopped(date!(2019 - 02 - 01), date!(2020 - 12 - 31)), Qualified, &[]);
    row(&stopped(date!(2019 - 02 - 01), date!(2021 - 01 - 01)), Deferred, &["9.2"]);
    row(&stopped(date!(2025 - 12 - 31), date!(2026 - 07 - 01)), Deferred, &["9.2"]);
    row(&stopped(date!(2026 - 01 - 01), date!(2026 - 07 - 01)), Qualified, &[]);
    // Nor does an approved one that the agency would have to judge.
    let mut approved = stopped(date!(2019 - 02 - 01), date!(2019 - 09 - 01));
    approved.interruptions[0].approved = true;
    row(&approved, Qualified, &[]);
}

#[test]
fn approved_study_training_exchange_sickness_and_maternity_excuse() {
    for reason in [
        LeaveReason::Study,
        LeaveReason::Training,
        LeaveReason::Exchange,
        LeaveReason::Sickness,
        LeaveReason::Maternity,
    ] {
        row(&Facts { training_total: Some(400.0), ..stop(2.0, reason, true) }, Qualified, &[]);
    }
}

#[test]
fn another_approved_reason_is_for_the_agency() {
    row(&stop(1.0, LeaveReason::Other, true), NeedsDecision, &[]);
    row(&stop(0.5, LeaveReason::Other, true), Qualified, &[]);
}

#[test]
fn failed_ethics_fails_whatever_else() {
    row(&Facts { ethics: Some(Finding::Failed), ..perfect() }, Failed, &["10.1"]);
    row(&Facts { ethics: Some(Finding::Failed), training_total: Some(0.0), ..grades("合不合基缺") }, Failed, &["10.1"]);
}

#[test]
fn a_qualification_that_was_revoked_or_lost_fails_by_10_3() {
    let restricted = |restriction| Circumstances { restriction: Some(restriction), ..cycle() };
    for restriction in [Restriction::Forfeited, Restriction::RevokedConduct, Restriction::RevokedFraud] {
        let assessment = assess(&perfect(), &rules(), &restricted(restriction));
        assert_eq!((assessment.proposal, assessment.articles), (Failed, vec!["10.3".to_owned()]));
    }
    for restriction in [Restriction::ExamCheating, Restriction::Unspecified, Restriction::RecordsDisagree] {
        assert_eq!(assess(&perfect(), &rules(), &restricted(restriction)).proposal, NeedsDecision);
    }
}

#[test]
fn what_the_text_does_not_cover_needs_a_decision() {
    row(&grades("合基合合合"), NeedsDecision, &[]);
    row(&grades("合定合合合"), NeedsDecision, &[]);
    row(&grades("合缺合合合"), NeedsDecision, &[]);
    row(&Facts { health: Some(Finding::Failed), ..perfect() }, NeedsDecision, &[]);
    row(&Facts { health: None, ..perfect() }, NeedsDecision, &[]);
    row(&Facts { ethics: None, ..perfect() }, NeedsDecision, &[]);
    row(&Facts { training_total: None, ..perfect() }, NeedsDecision, &[]);
    row(&Facts { others: vec![("普通话等级".to_owned(), false)], ..perfect() }, NeedsDecision, &[]);
    row(&Facts { others: vec![("普通话等级".to_owned(), true)], ..perfect() }, Qualified, &[]);
}

#[test]
fn a_province_says_which_grades_count() {
    let judged = |row: &str, counting: &[Grade]| {
        let rules = RuleSet { qualifying_grades: counting.to_vec(), ..rules() };
        let assessment = assess(&grades(row), &rules, &cycle());
        (assessment.proposal, assessment.explanations)
    };
    assert_eq!(judged("合基合合合", &[Grade::Excellent, Grade::Qualified, Grade::Basic]), (Qualified, Vec::new()));
    let only_excellent = judged("优优合优优", &[Grade::Excellent]);
    assert_eq!(only_excellent, (NeedsDecision, vec!["2023年年度考核为合格，由注册机构认定。".to_owned()]));
    // 不合格 keeps its articles whatever counts.
    assert_eq!(judged("合不合合合", &[Grade::Excellent]).0, Deferred);
}

#[test]
fn several_articles_of_one_proposal_are_all_named_in_order() {
    let mut facts = stop(1.0, LeaveReason::Other, false);
    facts.training_total = Some(1.0);
    facts.grades.insert(2023, Grade::Unqualified);
    row(&facts, Deferred, &["9.1", "9.2", "9.3"]);
    let facts = Facts { ethics: Some(Finding::Failed), ..grades("不不合合合") };
    row(&facts, Failed, &["10.1", "10.2"]);
}

/// Single faults and what each leads to alone; the hardest of any set of them must win.
#[test]
fn of_every_set_of_faults_the_hardest_wins() {
    type Fault = (fn(&mut Facts), Proposal);
    let faults: [Fault; 12] = [
        (|facts| facts.ethics = Some(Finding::Failed), Failed),
        (|facts| facts.grades.extend([(2022, Grade::Unqualified), (2023, Grade::Unqualified)]), Failed),
        (|facts| facts.grades.extend([(2025, Grade::Unqualified)]), Deferred),
        (|facts| facts.training_total = Some(359.9), Deferred),
        (|facts| facts.interruptions.extend(stop(1.0, LeaveReason::Sickness, false).interruptions), Deferred),
        (|facts| facts.interruptions.extend(stop(1.0, LeaveReason::Other, true).interruptions), NeedsDecision),
        (|facts| facts.health = Some(Finding::Failed), NeedsDecision),
        (|facts| facts.health = None, NeedsDecision),
        (|facts| facts.grades.extend([(2021, Grade::Basic)]), NeedsDecision),
        (|facts| facts.grades.retain(|year, _| *year != 2021), NeedsDecision),
        (|facts| facts.others.push(("其他".to_owned(), false)), NeedsDecision),
        (|facts| facts.interruptions.extend(stop(3.0, LeaveReason::Maternity, true).interruptions), Qualified),
    ];
    for set in 0_u32..1 << faults.len() {
        let chosen = || faults.iter().enumerate().filter(|(i, _)| set & (1 << i) != 0).map(|(_, fault)| fault);
        let mut facts = perfect();
        chosen().for_each(|(fault, _)| fault(&mut facts));
        let expected = chosen().map(|(_, proposal)| *proposal).max().unwrap_or(Qualified);
        assert_eq!(judged(&facts).0, expected, "set {set:b}: {facts:?}");
    }
}

#[test]
fn a_first_registration_asks_for_probation_contract_and_a_fitting_kind_only() {
    let bare = Facts { grades: std::collections::BTreeMap::new(), training_total: None, ..perfect() };
    let judged = |facts: &Facts| assess(facts, &rules(), &first()).proposal;
    assert_eq!(judged(&bare), Qualified);
    assert_eq!(judged(&Facts { training_total: Some(0.0), ..grades("不不不不不") }), Qualified);
    assert_eq!(judged(&Facts { probation: Some(Finding::Failed), ..bare.clone() }), NeedsDecision);
    assert_eq!(judged(&Facts { probation: None, ..bare.clone() }), NeedsDecision);
    assert_eq!(judged(&Facts { contract: Some(Finding::Failed), ..bare.clone() }), NeedsDecision);
    assert_eq!(judged(&Facts { contract: None, ..bare.clone() }), NeedsDecision);
    assert_eq!(judged(&Facts { ethics: Some(Finding::Failed), ..bare.clone() }), Failed);
    let unfit = Circumstances { kind_fits: false, ..first() };
    assert_eq!(assess(&bare, &rules(), &unfit).proposal, NeedsDecision);
    let of_a_cycle = Circumstances { kind_fits: false, ..cycle() };
    assert_eq!(assess(&perfect(), &rules(), &of_a_cycle).proposal, Qualified);
}

#[test]
fn what_must_be_recorded_before_confirmation_depends_on_the_check() {
    let missing = |facts: &Facts, check| missing(facts, &rules(), &check);
    assert_eq!(missing(&perfect(), of_the_cycle()), []);
    assert_eq!(missing(&perfect(), Check::First), []);
    assert_eq!(
        missing(&Facts::default(), Check::First),
        [Missing::Ethics, Missing::Health, Missing::Probation, Missing::Contract]
    );
    assert_eq!(missing(&grades("合缺合定合"), of_the_cycle()), [Missing::Grade(2022)]);
    let bounded = RuleSet { training_per_year_min: Some(1.0), ..rules() };
    let yearly: Vec<Missing> = YEARS.map(Missing::YearTraining).collect();
    assert_eq!(super::missing(&perfect(), &bounded, &of_the_cycle()), yearly);
}
