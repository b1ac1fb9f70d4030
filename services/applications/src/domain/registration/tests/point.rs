//! Facts, confirm, refuse, return.

use time::Duration;
use uuid::Uuid;

use super::*;
use crate::domain::assessment::Missing;
use crate::domain::opening::Closed;
use crate::domain::values::Conclusion;

#[test]
fn liaison_and_clerk_record_facts_before_confirmation() {
    let recorded = |by| Event::FactsRecorded { number: number(1), facts: Box::new(facts()), by: Some(by) };
    on(pending()).when(record_facts(liaison(), facts())).then([recorded(Unit::School(SCHOOL))]);
    on(pending()).when(record_facts(clerk(), facts())).then([recorded(Unit::Point(POINT))]);
    let both = Officer { points: clerk().points, ..liaison() };
    on(pending()).when(record_facts(both, facts())).then([recorded(Unit::School(SCHOOL))]);
}

#[test]
fn the_same_facts_are_recorded_once_unless_a_note_comes_along() {
    on(recorded()).when(record_facts(clerk(), facts())).then_nothing();
    let (order, facts) = (order(clerk()), Box::new(facts()));
    let with_note = Command::RecordFacts { order, facts, seen: None, with_note: true };
    assert_eq!(on(recorded()).when(with_note).events().len(), 1);
}

#[test]
fn where_nothing_is_known_nothing_is_not_recorded() {
    on(pending()).when(record_facts(clerk(), Facts::default())).then_nothing();
    assert_eq!(on(recorded()).when(record_facts(clerk(), Facts::default())).events().len(), 1);
}

#[test]
fn after_confirmation_the_level_whose_turn_it_is_corrects_facts() {
    let corrected = Facts { training_total: Some(400.0), ..facts() };
    let event =
        Event::FactsRecorded { number: number(1), facts: Box::new(corrected.clone()), by: Some(Unit::Agency(COUNTY)) };
    on(confirmed()).when(record_facts(reviewer(COUNTY), corrected.clone())).then([event]);
    on(confirmed())
        .when(record_facts(reviewer(CITY), corrected.clone()))
        .then_refused(&Rejection::NotYourTurn { turn: Turn::Review(Level::County) });
    on(confirmed()).when(record_facts(liaison(), corrected.clone())).then_refused(&wrong_state(Status::Confirmed));
    on(pending()).when(record_facts(reviewer(COUNTY), corrected.clone())).then_refused(&wrong_state(Status::Pending));
    on(concluded(Conclusion::Qualified))
        .when(record_facts(reviewer(PROVINCE), corrected))
        .then_refused(&wrong_state(Status::Concluded));
}

#[test]
fn strangers_do_not_learn_that_there_is_an_application() {
    let other_school = Officer { schools: vec![Uuid::from_u128(404)], ..liaison() };
    let other_clerk = Officer { points: vec![OTHER_POINT], ..clerk() };
    let other_agency = reviewer(Uuid::from_u128(405));
    on(pending()).when(record_facts(other_school.clone(), facts())).then_refused(&Rejection::NotFound);
    on(pending()).when(record_facts(other_agency.clone(), facts())).then_refused(&Rejection::NotFound);
    on(recorded()).when(confirm(other_clerk.clone())).then_refused(&Rejection::NotFound);
    on(recorded()).when(confirm(liaison())).then_refused(&Rejection::NotFound);
    let refuse = Command::RefuseConfirmation { order: order(other_clerk.clone()) };
    on(pending()).when(refuse).then_refused(&Rejection::NotFound);
    for by in [other_school, other_clerk] {
        on(confirmed()).when(Command::Return { order: order(by) }).then_refused(&Rejection::NotFound);
    }
    on(confirmed()).when(pass(other_agency.clone())).then_refused(&Rejection::NotFound);
    on(confirmed()).when(Command::SendBack { order: order(other_agency) }).then_refused(&Rejection::NotFound);
}

#[test]
fn the_clerk_of_its_point_confirms_to_the_first_level() {
    let rules = Some(rules().reference());
    let event = Event::ApplicationConfirmed { number: number(1), point: POINT, level: Level::County, rules };
    on(recorded()).when(confirm(clerk())).then([event]);
}

#[test]
fn facts_must_be_there_before_confirmation() {
    let missing = vec![Missing::Ethics, Missing::Health, Missing::Probation, Missing::Contract];
    on(pending()).when(confirm(clerk())).then_refused(&Rejection::FactsMissing(missing));
    let without_contract =
        Event::FactsRecorded { number: number(1), facts: Box::new(Facts { contract: None, ..facts() }), by: None };
    on([pending(), vec![without_contract]].concat())
        .when(confirm(clerk()))
        .then_refused(&Rejection::FactsMissing(vec![Missing::Contract]));
}

#[test]
fn a_later_registration_needs_the_grades_of_its_cycle_instead_of_the_probation() {
    let qualified = prior(1, Conclusion::Qualified, time::macros::date!(2021 - 12 - 01));
    let facts = Facts { probation: None, contract: None, ..facts() };
    let history = |facts: Facts| {
        vec![
            qualified.clone(),
            submitted(1, 2),
            Event::FactsRecorded { number: number(1), facts: Box::new(facts), by: None },
        ]
    };
    assert_eq!(on(history(facts.clone())).when(confirm(clerk())).events().len(), 1);
    let mut gap = facts;
    gap.grades.remove(&2024);
    // The cycle runs from 2021-12-01 to 2026-12-01: 2022 to 2025 lie wholly inside.
    gap.grades.remove(&2021);
    gap.grades.remove(&2026);
    on(history(gap)).when(confirm(clerk())).then_refused(&Rejection::FactsMissing(vec![Missing::Grade(2024)]));
}

#[test]
fn the_points_dates_hold_for_confirming() {
    let dates = directory().assignment(WINDOW, COUNTY, POINT).unwrap();
    let at = |now, assignment| {
        let Command::Confirm { order, form_version, certificate, rules, .. } = confirm(clerk()) else { unreachable!() };
        on(recorded()).when(Command::Confirm { order, form_version, now, assignment, certificate, rules })
    };
    let just_before = dates.begin - Duration::microseconds(1);
    at(just_before, Some(dates)).then_refused(&Rejection::ConfirmationNotBegun { begin: dates.begin });
    assert_eq!(at(dates.begin, Some(dates)).events().len(), 1);
    at(dates.end, Some(dates)).then_refused(&Rejection::ConfirmationEnded { end: dates.end });
    at(NOW, None).then_refused(&Rejection::NotOpen(Closed::PointNotListed));
}

#[test]
fn a_form_that_was_amended_since_it_was_looked_at_is_not_confirmed() {
    let seen = |version| match confirm(clerk()) {
        Command::Confirm { order, now, assignment, certificate, rules, .. } => {
            Command::Confirm { order, form_version: version, now, assignment, certificate, rules }
        }
        other => other,
    };
    assert_eq!(on(recorded()).when(seen(Some(1))).events().len(), 1);
    let amended = on(recorded()).when(Command::Amend(Box::new(amend(1)))).events();
    let amended = [recorded(), amended].concat();
    on(amended.clone()).when(seen(Some(1))).then_refused(&Rejection::FormChanged);
    for looked_at in [Some(2), None] {
        assert_eq!(on(amended.clone()).when(seen(looked_at)).events().len(), 1);
    }
}

#[test]
fn facts_that_were_recorded_since_they_were_looked_at_are_not_replaced() {
    let seen = |seen, facts: Facts| Command::RecordFacts {
        order: order(clerk()),
        facts: Box::new(facts),
        seen,
        with_note: false,
    };
    let others = || Facts { training_total: Some(400.0), ..facts() };
    // The facts of this history are its second event.
    on(recorded()).when(seen(Some(1), others())).then_refused(&Rejection::FactsChanged);
    on(recorded()).when(seen(Some(1), facts())).then_nothing();
    for looked_at in [Some(2), Some(3), None] {
        assert_eq!(on(recorded()).when(seen(looked_at, others())).events().len(), 1);
    }
    // Whatever else happened since takes nothing away.
    assert_eq!(on(confirmed()).state().applications[0].facts_version, 2);
    assert_eq!(on(pending()).when(seen(Some(1), facts())).events().len(), 1);
}

#[test]
fn a_refused_application_is_confirmed_only_after_it_was_amended() {
    let refused = Event::ConfirmationRefused { number: number(1), point: POINT };
    on(recorded()).when(Command::RefuseConfirmation { order: order(clerk()) }).then([refused.clone()]);
    let history = [recorded(), vec![refused]].concat();
    on(history.clone()).when(confirm(clerk())).then_refused(&Rejection::ConfirmationRefused);
    let amended = on(history.clone()).when(Command::Amend(Box::new(amend(1)))).events();
    assert_eq!(on([history, amended].concat()).when(confirm(clerk())).events().len(), 1);
}

#[test]
fn only_what_is_pending_is_confirmed_or_refused() {
    for (history, status) in every_state().into_iter().filter(|(_, status)| *status != Status::Pending) {
        on(history.clone()).when(confirm(clerk())).then_refused(&wrong_state(status));
        on(history).when(Command::RefuseConfirmation { order: order(clerk()) }).then_refused(&wrong_state(status));
    }
}

#[test]
fn liaison_and_clerk_return_a_confirmed_application_until_the_first_level_has_decided() {
    let returned = |by_liaison| Event::ApplicationReturned { number: number(1), by_liaison };
    on(confirmed()).when(Command::Return { order: order(liaison()) }).then([returned(true)]);
    on(confirmed()).when(Command::Return { order: order(clerk()) }).then([returned(false)]);
    on(at_city()).when(Command::Return { order: order(liaison()) }).then_refused(&Rejection::TooLate);
    let sent_back = Event::ReviewSentBack { number: number(1), level: Level::City, to: Some(Level::County) };
    on([at_city(), vec![sent_back]].concat())
        .when(Command::Return { order: order(liaison()) })
        .then_refused(&Rejection::TooLate);
}

#[test]
fn a_returned_application_keeps_its_number_and_can_be_amended_and_confirmed_again() {
    let returned = Event::ApplicationReturned { number: number(1), by_liaison: true };
    let history = [confirmed(), vec![returned]].concat();
    let state = on(history.clone()).state();
    assert_eq!(state.applications[0].phase, Phase::Pending { mending: Some(Mending::Returned) });
    assert_eq!(on(history.clone()).when(confirm(clerk())).events().len(), 1);
    let amended = on(history.clone()).when(Command::Amend(Box::new(amend(1)))).events();
    let state = on([history, amended].concat()).state();
    assert_eq!((state.applications[0].number, state.applications[0].turn()), (number(1), Turn::Point));
}

#[test]
fn only_a_confirmed_application_is_returned() {
    for (history, status) in every_state().into_iter().filter(|(_, status)| *status != Status::Confirmed) {
        on(history).when(Command::Return { order: order(clerk()) }).then_refused(&wrong_state(status));
    }
}
