//! DOMAIN 2.3, line by line: given a history, when a command comes, then these events or this refusal.

mod conclusion;
mod explanation;
mod filing;
mod merging;
mod point;
mod property;
mod review;

use std::sync::Arc;

use decider::testing::{Given, given};

use super::testing::*;
use super::*;
use crate::domain::facts::Facts;
use crate::domain::values::{Conclusion, Level, Restriction, Status, Turn};

/// A history that leads to 网报待确认.
fn pending() -> Vec<Event> {
    vec![submitted(1, 1)]
}

/// … with its facts.
fn recorded() -> Vec<Event> {
    [pending(), vec![Event::FactsRecorded { number: number(1), facts: Box::new(facts()), by: None }]].concat()
}

fn confirmed() -> Vec<Event> {
    let confirmed = Event::ApplicationConfirmed { number: number(1), point: POINT, level: Level::County, rules: None };
    [recorded(), vec![confirmed]].concat()
}

fn passed(level: Level, next: Level) -> Event {
    Event::ReviewPassed { number: number(1), level, next }
}

fn at_city() -> Vec<Event> {
    [confirmed(), vec![passed(Level::County, Level::City)]].concat()
}

fn at_province() -> Vec<Event> {
    [at_city(), vec![passed(Level::City, Level::Province)]].concat()
}

fn concluded_event(conclusion: Conclusion) -> Event {
    concluded_as(conclusion, &[])
}

fn concluded(conclusion: Conclusion) -> Vec<Event> {
    [at_province(), vec![concluded_event(conclusion)]].concat()
}

fn on(history: Vec<Event>) -> Given<Registrations> {
    given::<Registrations>(history)
}

fn confirm(by: Officer) -> Command {
    Command::Confirm {
        order: order(by),
        form_version: None,
        now: NOW,
        assignment: directory().assignment(WINDOW, COUNTY, POINT),
        certificate: Some(certificate(None)),
        rules: Arc::new(rules()),
    }
}

fn pass(by: Officer) -> Command {
    Command::Pass { order: order(by), certificate: Some(certificate(None)) }
}

fn conclude(by: Officer, conclusion: Conclusion, with_reason: bool) -> Command {
    Command::Conclude {
        order: order(by),
        conclusion,
        with_reason,
        today: TODAY,
        certificate: Some(certificate(None)),
        rules: Arc::new(rules()),
    }
}

fn record_facts(by: Officer, facts: Facts) -> Command {
    Command::RecordFacts { order: order(by), facts: Box::new(facts), seen: None, with_note: false }
}

fn wrong_state(status: Status) -> Rejection {
    Rejection::WrongState { status }
}

/// Histories in each state, with the status that they lead to.
fn every_state() -> Vec<(Vec<Event>, Status)> {
    vec![
        (pending(), Status::Pending),
        (confirmed(), Status::Confirmed),
        (at_province(), Status::Confirmed),
        (concluded(Conclusion::Qualified), Status::Concluded),
        ([pending(), vec![Event::ApplicationWithdrawn(number(1))]].concat(), Status::Withdrawn),
    ]
}

#[test]
fn whose_turn_it_is_follows_from_the_state() {
    let turn = |history: Vec<Event>| on(history).state().applications[0].turn();
    let refused = Event::ConfirmationRefused { number: number(1), point: POINT };
    let returned = Event::ApplicationReturned { number: number(1), by_liaison: true };
    assert_eq!(turn(pending()), Turn::School);
    assert_eq!(turn(recorded()), Turn::Point);
    assert_eq!(turn([recorded(), vec![refused]].concat()), Turn::Applicant);
    assert_eq!(turn([confirmed(), vec![returned]].concat()), Turn::Applicant);
    assert_eq!(turn(confirmed()), Turn::Review(Level::County));
    assert_eq!(turn(at_city()), Turn::Review(Level::City));
    assert_eq!(turn(at_province()), Turn::Review(Level::Province));
    assert_eq!(turn(concluded(Conclusion::Failed)), Turn::Nobody);
    assert_eq!(turn([pending(), vec![Event::ApplicationWithdrawn(number(1))]].concat()), Turn::Nobody);
}

#[test]
fn a_command_for_a_number_that_the_record_does_not_hold_finds_nothing() {
    on(Vec::new()).when(confirm(clerk())).then_refused(&Rejection::NotFound);
    let stranger = Order { number: number(2), by: clerk() };
    on(confirmed()).when(Command::Return { order: stranger }).then_refused(&Rejection::NotFound);
}

/// Confirming, passing and concluding with this certificate.
fn with_certificate(certificate: Option<CertificateFacts>) -> [(Vec<Event>, Command); 4] {
    let confirm = match confirm(clerk()) {
        Command::Confirm { order, form_version, now, assignment, rules, .. } => {
            Command::Confirm { order, form_version, now, assignment, certificate, rules }
        }
        other => other,
    };
    let conclude = |conclusion| match conclude(reviewer(PROVINCE), conclusion, false) {
        Command::Conclude { order, conclusion, with_reason, today, rules, .. } => {
            Command::Conclude { order, conclusion, with_reason, today, certificate, rules }
        }
        other => other,
    };
    [
        (recorded(), confirm),
        (confirmed(), Command::Pass { order: order(reviewer(COUNTY)), certificate }),
        (at_province(), conclude(Conclusion::Qualified)),
        (at_province(), conclude(Conclusion::Failed)),
    ]
}

#[test]
fn a_restriction_blocks_confirming_passing_and_qualifying_but_neither_sending_back_nor_failing() {
    for restriction in [Restriction::Forfeited, Restriction::RevokedFraud, Restriction::RecordsDisagree] {
        let refused = Rejection::CertificateRestricted(restriction, None);
        let [confirm, pass, qualify, fail] = with_certificate(Some(certificate(Some(restriction))));
        for (history, command) in [confirm, pass, qualify] {
            on(history).when(command).then_refused(&refused);
        }
        let (history, fail) = fail;
        if restriction == Restriction::RecordsDisagree {
            on(history).when(fail).events();
            continue;
        }
        let events = on(history).when(fail).events();
        assert!(matches!(&events[..], [Event::ApplicationConcluded(concluded)] if concluded.articles == ["10.3"]));
    }
    on(at_province()).when(Command::SendBack { order: order(reviewer(PROVINCE)) }).events();
}

#[test]
fn a_certificate_that_is_not_the_applicants_any_more_is_neither_confirmed_nor_passed_nor_qualified() {
    let of = |person| Some(CertificateFacts { person, ..certificate(None) });
    for lost in [None, of(None), of(Some(uuid::Uuid::from_u128(9)))] {
        let [confirm, pass, qualify, (history, fail)] = with_certificate(lost);
        for (history, command) in [confirm, pass, qualify] {
            on(history).when(command).then_refused(&Rejection::NotTheHolder);
        }
        // Against what the rules compute, so with a reason.
        on(history).when(fail).then_refused(&Rejection::ReasonRequired);
    }
}
