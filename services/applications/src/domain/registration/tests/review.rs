//! 初审, 复核, 终审: pass, send back, conclude.

use time::macros::date;

use super::*;
use crate::domain::assessment::{Check, Proposal};
use crate::domain::calendar::Cycle;
use crate::domain::facts::Finding;
use crate::domain::registration::event::Submitted;
use crate::domain::route::{Route, Step};
use crate::domain::rules::RuleSet;

fn send_back(by: Officer) -> Command {
    Command::SendBack { order: order(by) }
}

fn sent_back(level: Level, to: Option<Level>) -> Event {
    Event::ReviewSentBack { number: number(1), level, to }
}

#[test]
fn each_level_passes_to_the_next() {
    on(confirmed()).when(pass(reviewer(COUNTY))).then([passed(Level::County, Level::City)]);
    on(at_city()).when(pass(reviewer(CITY))).then([passed(Level::City, Level::Province)]);
}

#[test]
fn the_last_level_concludes_and_does_not_pass() {
    on(at_province()).when(pass(reviewer(PROVINCE))).then_refused(&Rejection::LastLevel);
    for (history, agency) in [(confirmed(), COUNTY), (at_city(), CITY)] {
        on(history)
            .when(conclude(reviewer(agency), Conclusion::Qualified, false))
            .then_refused(&Rejection::NotLastLevel);
    }
}

#[test]
fn a_level_acts_only_when_it_is_its_turn() {
    let county = Rejection::NotYourTurn { turn: Turn::Review(Level::County) };
    on(confirmed()).when(pass(reviewer(PROVINCE))).then_refused(&county);
    on(confirmed()).when(send_back(reviewer(CITY))).then_refused(&county);
    on(confirmed()).when(conclude(reviewer(PROVINCE), Conclusion::Qualified, false)).then_refused(&county);
    let city = Rejection::NotYourTurn { turn: Turn::Review(Level::City) };
    on(at_city()).when(pass(reviewer(COUNTY))).then_refused(&city);
}

#[test]
fn sending_back_goes_one_level_down_and_from_the_first_to_the_applicant() {
    on(at_province()).when(send_back(reviewer(PROVINCE))).then([sent_back(Level::Province, Some(Level::City))]);
    on(at_city()).when(send_back(reviewer(CITY))).then([sent_back(Level::City, Some(Level::County))]);
    on(confirmed()).when(send_back(reviewer(COUNTY))).then([sent_back(Level::County, None)]);
    let state = on([confirmed(), vec![sent_back(Level::County, None)]].concat()).state();
    assert_eq!(state.applications[0].phase, Phase::Pending { mending: Some(Mending::SentBack) });
}

#[test]
fn what_was_sent_back_can_pass_again() {
    let history = [at_city(), vec![sent_back(Level::City, Some(Level::County))]].concat();
    on(history).when(pass(reviewer(COUNTY))).then([passed(Level::County, Level::City)]);
}

#[test]
fn only_a_confirmed_application_is_reviewed() {
    for (history, status) in every_state().into_iter().filter(|(_, status)| *status != Status::Confirmed) {
        let refused = wrong_state(status);
        on(history.clone()).when(pass(reviewer(COUNTY))).then_refused(&refused);
        on(history.clone()).when(send_back(reviewer(COUNTY))).then_refused(&refused);
        on(history).when(conclude(reviewer(PROVINCE), Conclusion::Failed, true)).then_refused(&refused);
    }
}

#[test]
fn the_last_level_concludes_with_what_the_rules_compute() {
    on(at_province())
        .when(conclude(reviewer(PROVINCE), Conclusion::Qualified, false))
        .then([concluded_event(Conclusion::Qualified)]);
}

#[test]
fn a_conclusion_against_the_rules_needs_a_written_reason() {
    for conclusion in [Conclusion::Deferred, Conclusion::Failed] {
        on(at_province())
            .when(conclude(reviewer(PROVINCE), conclusion, false))
            .then_refused(&Rejection::ReasonRequired);
        let events = on(at_province()).when(conclude(reviewer(PROVINCE), conclusion, true)).events();
        assert!(matches!(&events[..], [Event::ApplicationConcluded(concluded)] if concluded.articles.is_empty()));
    }
}

#[test]
fn the_articles_of_a_conclusion_are_those_that_the_rules_found() {
    let failed_ethics = Event::FactsRecorded {
        number: number(1),
        facts: Box::new(Facts { ethics: Some(Finding::Failed), ..facts() }),
        by: None,
    };
    let history = [at_province(), vec![failed_ethics]].concat();
    on(history.clone())
        .when(conclude(reviewer(PROVINCE), Conclusion::Qualified, false))
        .then_refused(&Rejection::ReasonRequired);
    let events = on(history).when(conclude(reviewer(PROVINCE), Conclusion::Failed, false)).events();
    let [Event::ApplicationConcluded(concluded)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(concluded.articles, ["10.1"]);
    assert_eq!(concluded.assessment.proposal, Proposal::Failed);
}

#[test]
fn where_the_rules_leave_it_open_the_agency_decides_either_way() {
    let failed_health = Event::FactsRecorded {
        number: number(1),
        facts: Box::new(Facts { health: Some(Finding::Failed), ..facts() }),
        by: None,
    };
    let history = [at_province(), vec![failed_health]].concat();
    for conclusion in [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed] {
        assert_eq!(on(history.clone()).when(conclude(reviewer(PROVINCE), conclusion, false)).events().len(), 1);
    }
}

#[test]
fn a_single_level_concludes_right_after_confirmation() {
    let Event::ApplicationSubmitted(submitted) = submitted(1, 1) else { unreachable!() };
    let alone = Route::new(vec![Step { level: Level::Province, agency: PROVINCE }]).unwrap();
    let history = vec![
        Event::ApplicationSubmitted(Box::new(Submitted { route: alone, ..*submitted })),
        Event::FactsRecorded { number: number(1), facts: Box::new(facts()), by: None },
        Event::ApplicationConfirmed { number: number(1), point: POINT, level: Level::Province, rules: None },
    ];
    on(history.clone()).when(send_back(reviewer(PROVINCE))).then([sent_back(Level::Province, None)]);
    on(history)
        .when(conclude(reviewer(PROVINCE), Conclusion::Qualified, false))
        .then([concluded_event(Conclusion::Qualified)]);
}

#[test]
fn the_check_of_a_first_registration_is_full_where_the_rule_set_says_so() {
    let state = on(pending()).state();
    let check = |rules: &RuleSet| state.check(&state.applications[0], rules);
    assert_eq!(check(&rules()), Check::First);
    let full = RuleSet { first_registration_full_check: true, ..rules() };
    // 60 months before 2026-11-23.
    let cycle = Cycle { from: date!(2021 - 11 - 23), to: TODAY };
    assert_eq!(check(&full), Check::Cycle { cycle, years: vec![2022, 2023, 2024, 2025] });
}
