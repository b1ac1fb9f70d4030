//! Random commands by random people: only legal transitions, ordinal and interval never broken, replay equals fold.

use decider::Decider as _;
use proptest::collection::vec;
use proptest::prelude::*;
use time::{Date, Duration};
use uuid::Uuid;

use super::*;
use crate::domain::calendar::add_months;
use crate::domain::facts::{Finding, Grade};
use crate::domain::registration::{Action, ConclusionFact, Occasion, Prior, explain};

#[derive(Debug, Clone)]
struct Attempt {
    /// Mostly somebody who may, wants something that is possible in the present state; else anybody anything.
    sensible: bool,
    what: u8,
    who: u8,
    serial: u32,
    choice: u8,
    wait_days: i64,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let wait = prop_oneof![6 => 0_i64..3, 1 => 0_i64..2_500];
    let attempt = (prop::bool::weighted(0.7), any::<u8>(), 0_u8..8, 0_u32..4, any::<u8>(), wait).prop_map(
        |(sensible, what, who, serial, choice, wait_days)| Attempt { sensible, what, who, serial, choice, wait_days },
    );
    vec(attempt, 1..80)
}

fn officer(who: u8) -> Officer {
    match who {
        0 => liaison(),
        1 | 2 => clerk(),
        3 => reviewer(COUNTY),
        4 => reviewer(CITY),
        5 => reviewer(PROVINCE),
        6 => Officer { person: Uuid::from_u128(0x99), ..reviewer(PROVINCE) },
        _ => Officer::default(),
    }
}

/// What the state asks for, and who may do it: numbers of the match in [`command`] and of [`officer`].
fn sensible(record: &Registration, attempt: &Attempt) -> (u8, u8) {
    let pick = |choices: &[(u8, u8)]| choices[usize::from(attempt.what) % choices.len()];
    match record.applications.last().map(|application| &application.phase) {
        None | Some(Phase::Withdrawn) => pick(&[(1, 0), (1, 0), (0, 0)]),
        Some(Phase::Pending { .. }) => pick(&[(3, 0), (5, 0), (5, 1), (6, 1), (6, 1), (6, 1), (4, 0), (8, 1)]),
        Some(Phase::Confirmed { step, .. }) => {
            let level = 3 + u8::try_from(*step).unwrap();
            pick(&[(9, level), (9, level), (9, level), (11, level), (5, level), (14, 0), (12, level), (12, level)])
        }
        Some(Phase::Concluded(_)) => pick(&[(13, 5), (15, 5), (15, 5), (15, 5), (16, 6), (1, 0), (1, 0)]),
    }
}

/// Serials are handed out in the order of the submissions.
fn command(attempt: &Attempt, record: &Registration, today: Date) -> Command {
    let newest = u32::try_from(record.applications.len()).unwrap();
    let (what, who, number) = if attempt.sensible {
        let (what, who) = sensible(record, attempt);
        (what, who, number(newest))
    } else {
        (attempt.what % 17, attempt.who, number(newest.saturating_sub(attempt.serial)))
    };
    let order = Order { number, by: officer(who) };
    let certificate = match attempt.choice % 16 {
        0 => Some(certificate(Some(Restriction::ExamCheating))),
        1 => None,
        _ => Some(certificate(None)),
    };
    let rules = Arc::new(rules());
    let assignment = directory().assignment(WINDOW, COUNTY, POINT);
    let conclusion = [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed][usize::from(attempt.choice) % 3];
    let even = attempt.choice.is_multiple_of(2);
    match what {
        0 => Command::RecordPrior(Prior {
            ordinal: 1,
            conclusion,
            on: today - Duration::days(2_000),
            merged_from: even.then(|| Uuid::from_u128(2)),
        }),
        1 | 2 => {
            let mut submit = submit(newest + 1);
            submit.today = today;
            Command::Submit(Box::new(submit))
        }
        3 => Command::Amend(Box::new(Amend { number, ..amend(1) })),
        4 => Command::Withdraw { number, person: TEACHER },
        5 => {
            let ethics = if attempt.choice.is_multiple_of(8) { Finding::Failed } else { Finding::Passed };
            let grades = (2015..2080).map(|year| (year, Grade::Qualified)).collect();
            let facts = Facts { ethics: Some(ethics), grades, ..facts() };
            Command::RecordFacts { order, facts: Box::new(facts), seen: None, with_note: even }
        }
        6 | 7 => Command::Confirm { order, form_version: None, now: NOW, assignment, certificate, rules },
        8 => Command::RefuseConfirmation { order },
        9 | 10 => Command::Pass { order, certificate },
        11 => Command::SendBack { order },
        12 => Command::Conclude { order, conclusion, with_reason: even, today, certificate, rules },
        13 => Command::ProposeReversal { order, revoke: even, file_reference: String::new() },
        14 => Command::Return { order: Order { by: officer(attempt.choice % 2), ..order } },
        15 => {
            let days = |days: u8| Duration::days(i64::from(days));
            let facts = [
                ConclusionFact::PublicityBegun {
                    until: even.then(|| today + days(attempt.choice % 8)),
                    at_least: today + days(attempt.choice % 3),
                },
                ConclusionFact::PublicityEnded,
                ConclusionFact::ObjectionRecorded,
                ConclusionFact::ObjectionSettled,
                ConclusionFact::NotePrinted,
            ];
            let now = today.midnight().assume_offset(crate::domain::calendar::SHANGHAI);
            let rules = rules.reference();
            Command::RecordConclusionFact { order, fact: facts[usize::from(attempt.choice) % 5], now, rules }
        }
        _ => {
            let proposed =
                record.application(number).and_then(Application::conclusion).and_then(|record| record.proposed);
            Command::ApproveReversal { order, proposal: proposed.map_or(0, |proposed| proposed.version), today }
        }
    }
}

/// Runs the attempts; what is refused leaves no trace.
fn history(attempts: &[Attempt]) -> Vec<(Registration, Event, Date)> {
    let (mut record, mut today, mut steps) = (Registration::default(), TODAY, Vec::new());
    for attempt in attempts {
        today = today.saturating_add(Duration::days(attempt.wait_days));
        let Ok(events) = Registrations::decide(&record, command(attempt, &record, today)) else { continue };
        for event in events {
            let before = record.clone();
            record = Registrations::evolve(record, &event);
            steps.push((before, event, today));
        }
    }
    steps
}

/// The action that a command of [`command`] is, and the occasion on which an explanation is asked for by the same
/// person at the same time.
fn asked(command: &Command, record: &Registration, today: Date) -> Option<(Action, Occasion)> {
    let anybody = |number, person| Order { number, by: Officer { person, ..Officer::default() } };
    let (action, order, certificate, now) = match command {
        Command::RecordPrior(_) | Command::Merge { .. } | Command::Submit(_) => return None,
        Command::Amend(amend) => (Action::Amend, anybody(amend.number, amend.person), None, amend.now),
        Command::Withdraw { number, person } => (Action::Withdraw, anybody(*number, *person), None, NOW),
        Command::RecordFacts { order, .. } => (Action::RecordFacts, order.clone(), None, NOW),
        Command::Confirm { order, certificate, now, .. } => (Action::Confirm, order.clone(), *certificate, *now),
        Command::RefuseConfirmation { order } => (Action::RefuseConfirmation, order.clone(), None, NOW),
        Command::Return { order } => (Action::Return, order.clone(), None, NOW),
        Command::Pass { order, certificate } => (Action::Pass, order.clone(), *certificate, NOW),
        Command::SendBack { order } => (Action::SendBack, order.clone(), None, NOW),
        Command::Conclude { order, conclusion, certificate, .. } => {
            (Action::Conclude(*conclusion), order.clone(), *certificate, NOW)
        }
        Command::RecordConclusionFact { order, fact, now, .. } => {
            let action = match fact {
                ConclusionFact::PublicityBegun { .. } => Action::BeginPublicity,
                ConclusionFact::PublicityEnded => Action::EndPublicity,
                ConclusionFact::ObjectionRecorded => Action::RecordObjection,
                ConclusionFact::ObjectionSettled => Action::SettleObjection,
                ConclusionFact::NotePrinted => Action::PrintNote,
            };
            (action, order.clone(), None, *now)
        }
        Command::ProposeReversal { order, revoke: true, .. } => (Action::ProposeRevocation, order.clone(), None, NOW),
        Command::ProposeReversal { order, revoke: false, .. } => (Action::ProposeReversal, order.clone(), None, NOW),
        Command::ApproveReversal { order, .. } => (Action::ApproveProposal, order.clone(), None, NOW),
    };
    record.application(order.number)?;
    let assignment = directory().assignment(WINDOW, COUNTY, POINT);
    let rules = Arc::new(rules());
    Some((action, Occasion { order, now, today, assignment, certificate, route: Some(route()), rules }))
}

/// The arrows of DOMAIN 2.3.
fn legal(from: Option<Status>, event: &Event, to: Status) -> bool {
    use Status::{Concluded, Confirmed, Pending, Withdrawn};
    match event {
        Event::PriorRegistrationRecorded(_) | Event::RecordMerged { .. } => true,
        Event::ApplicationSubmitted(_) => (from, to) == (None, Pending),
        Event::ApplicationAmended(_) | Event::ConfirmationRefused { .. } => (from, to) == (Some(Pending), Pending),
        Event::ApplicationWithdrawn(_) => (from, to) == (Some(Pending), Withdrawn),
        Event::FactsRecorded { .. } => from == Some(to) && matches!(to, Pending | Confirmed),
        Event::ApplicationConfirmed { .. } => (from, to) == (Some(Pending), Confirmed),
        Event::ApplicationReturned { .. } | Event::ReviewSentBack { to: None, .. } => {
            (from, to) == (Some(Confirmed), Pending)
        }
        Event::ReviewPassed { .. } | Event::ReviewSentBack { to: Some(_), .. } => {
            (from, to) == (Some(Confirmed), Confirmed)
        }
        Event::ApplicationConcluded(_) => (from, to) == (Some(Confirmed), Concluded),
        Event::ConclusionReversed { .. } => (from, to) == (Some(Concluded), Confirmed),
        Event::PublicityBegun { .. }
        | Event::PublicityEnded { .. }
        | Event::ObjectionRecorded(_)
        | Event::ObjectionSettled(_)
        | Event::CertificateNotePrinted(_)
        | Event::ReversalProposed { .. }
        | Event::RegistrationRevoked { .. } => (from, to) == (Some(Concluded), Concluded),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn only_legal_transitions_happen(attempts in attempts()) {
        for (before, event, _) in history(&attempts) {
            let after = Registrations::evolve(before.clone(), &event);
            let Some(number) = event.number() else { continue };
            let status = |record: &Registration| record.application(number).map(Application::status);
            prop_assert!(legal(status(&before), &event, status(&after).unwrap()), "{:?}: {event:?}", status(&before));
            // Nothing else of the record has moved.
            let others = |record: &Registration| -> Vec<_> {
                record.applications.iter().filter(|other| other.number != number).cloned().collect()
            };
            prop_assert_eq!(others(&before), others(&after));
        }
    }

    #[test]
    fn at_most_one_application_lives(attempts in attempts()) {
        for (before, event, _) in history(&attempts) {
            let after = Registrations::evolve(before, &event);
            prop_assert!(after.applications.iter().filter(|application| application.lives()).count() <= 1);
        }
    }

    #[test]
    fn ordinal_and_interval_are_never_broken(attempts in attempts()) {
        for (before, event, today) in history(&attempts) {
            let Event::ApplicationSubmitted(submitted) = event else { continue };
            let standings = before.standings();
            let qualified = standings.iter().filter(|standing| standing.conclusion == Conclusion::Qualified).count();
            match standings.last() {
                None => prop_assert_eq!(submitted.ordinal, 1),
                Some(last) if last.conclusion == Conclusion::Qualified => {
                    prop_assert_eq!(submitted.ordinal, last.ordinal + 1);
                    prop_assert!(today >= add_months(last.on, 54));
                }
                Some(last) => prop_assert_eq!(submitted.ordinal, last.ordinal),
            }
            prop_assert!(usize::try_from(submitted.ordinal).unwrap() <= qualified + 1 + standings.len());
            for revoked in standings.iter().filter(|standing| standing.conclusion == Conclusion::Revoked) {
                prop_assert!(today >= add_months(revoked.on, 60));
            }
        }
    }

    #[test]
    fn replaying_the_events_gives_the_state_that_was_folded(attempts in attempts()) {
        let steps = history(&attempts);
        let Some((before, last, _)) = steps.last().cloned() else { return Ok(()) };
        let folded = Registrations::evolve(before, &last);
        let events: Vec<Event> = steps.into_iter().map(|(_, event, _)| event).collect();
        prop_assert_eq!(Registrations::fold(&events), folded);
    }

    #[test]
    fn every_event_comes_back_from_its_stored_form(attempts in attempts()) {
        for (_, event, _) in history(&attempts) {
            let (kind, payload, inner) = crate::store::event::encode(Uuid::from_u128(1), event.clone());
            prop_assert_eq!(crate::store::event::decode(&kind, &payload, &inner), Ok(event));
        }
    }

    #[test]
    fn an_explanation_agrees_with_the_decision_and_names_the_event_behind_it(attempts in attempts()) {
        let (mut record, mut history, mut today) = (Registration::default(), Vec::<Event>::new(), TODAY);
        for attempt in attempts {
            today = today.saturating_add(Duration::days(attempt.wait_days));
            let command = command(&attempt, &record, today);
            let asked = asked(&command, &record, today);
            let decided = Registrations::decide(&record, command.clone());
            if let Some((action, occasion)) = asked {
                let told: Vec<&Event> = history.iter().collect();
                let verdict = explain(&record, &told, &occasion).into_iter().find(|one| one.action == action).unwrap();
                match decided.as_ref().err() {
                    // What the request itself says is not foreseen, only that it must say something.
                    Some(Rejection::ReasonRequired) => prop_assert!(verdict.needs_reason && verdict.refused.is_none()),
                    Some(Rejection::PublicityTooShort { .. }) => prop_assert_eq!(&verdict.refused, &None),
                    refused => prop_assert_eq!(verdict.refused.as_ref(), refused, "{:?}", action),
                }
                if let Some(place) = verdict.behind {
                    let before = Registrations::fold(&history[..place]);
                    let was = Registrations::decide(&before, command).err();
                    let still_asked_for = matches!(verdict.refused, Some(Rejection::FactsMissing(_)));
                    prop_assert!(was != verdict.refused || still_asked_for, "{:?}: {:?}", action, was);
                }
            }
            for event in decided.unwrap_or_default() {
                record = Registrations::evolve(record, &event);
                history.push(event);
            }
        }
    }

    #[test]
    fn publicity_runs_its_days_and_no_objection_is_passed_over(attempts in attempts()) {
        for (before, event, today) in history(&attempts) {
            let record = |number| before.application(number).and_then(Application::conclusion).unwrap();
            match event {
                Event::PublicityEnded { number, .. } => {
                    let record = record(number);
                    prop_assert!(!record.objection_open && record.publicity_until.is_none_or(|until| until < today));
                }
                Event::CertificateNotePrinted(number) => {
                    let record = record(number);
                    let running = record.publicity_begun_at.is_some() && record.publicity_ended_at.is_none();
                    prop_assert!(!record.objection_open && !running);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn evolving_never_panics_whatever_the_order(attempts in attempts(), seed in any::<u64>()) {
        let mut events: Vec<Event> = history(&attempts).into_iter().map(|(_, event, _)| event).collect();
        if !events.is_empty() {
            let turn = usize::try_from(seed % events.len() as u64).unwrap();
            events.rotate_left(turn);
            events.reverse();
        }
        Registrations::fold(&events);
    }
}

#[test]
fn random_histories_reach_every_kind_of_event() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..2_000 {
        let attempts = attempts().new_tree(&mut runner).unwrap().current();
        seen.extend(history(&attempts).iter().map(|(_, event, _)| std::mem::discriminant(event)));
    }
    assert_eq!(seen.len(), 19, "the generator misses events, so the properties would prove little");
}
