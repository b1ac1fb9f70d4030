//! What is explained, and the event behind it; that it agrees with the decisions at random is in `property.rs`.

use decider::Decider as _;
use time::Duration;
use time::macros::date;

use super::*;
use crate::domain::registration::{Action, Advice, Next, Occasion, Verdict, explain};
use crate::domain::rules::RuleSet;

fn occasion(by: Officer) -> Occasion {
    Occasion {
        order: order(by),
        now: NOW,
        today: TODAY,
        assignment: directory().assignment(WINDOW, COUNTY, POINT),
        certificate: Some(certificate(None)),
        route: Some(route()),
        rules: Arc::new(rules()),
    }
}

fn explained(history: &[Event], occasion: &Occasion) -> Vec<Verdict> {
    let history: Vec<&Event> = history.iter().collect();
    explain(&Registrations::fold(history.iter().copied()), &history, occasion)
}

fn verdict(history: &[Event], by: Officer, action: Action) -> Verdict {
    let mut verdicts = explained(history, &occasion(by)).into_iter();
    verdicts.find(|verdict| verdict.action == action).unwrap()
}

fn may(history: &[Event], by: &Officer) -> Vec<Action> {
    let verdicts = explained(history, &occasion(by.clone())).into_iter();
    verdicts.filter(|verdict| verdict.refused.is_none()).map(|verdict| verdict.action).collect()
}

fn applicant() -> Officer {
    Officer { person: TEACHER, ..Officer::default() }
}

#[test]
fn each_may_what_the_state_and_their_role_allow() {
    assert_eq!(may(&pending(), &applicant()), [Action::Amend, Action::Withdraw]);
    assert_eq!(may(&pending(), &liaison()), [Action::RecordFacts]);
    assert_eq!(may(&recorded(), &clerk()), [Action::RecordFacts, Action::Confirm, Action::RefuseConfirmation]);
    assert_eq!(may(&confirmed(), &liaison()), [Action::Return]);
    assert_eq!(may(&confirmed(), &reviewer(COUNTY)), [Action::RecordFacts, Action::Pass, Action::SendBack]);
    let last = may(&at_province(), &reviewer(PROVINCE));
    let conclusions = [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed].map(Action::Conclude);
    assert_eq!(last[..2], [Action::RecordFacts, Action::SendBack]);
    assert_eq!(last[2..], conclusions);
    assert_eq!(may(&at_province(), &Officer::default()), []);
    assert_eq!(explained(&[], &occasion(clerk())), []);
}

#[test]
fn what_a_lost_certificate_keeps_staff_from_is_told() {
    let lost = |by| Occasion { certificate: None, ..occasion(by) };
    let told = |history: &[Event], by, action| {
        let mut verdicts = explained(history, &lost(by)).into_iter();
        verdicts.find(|verdict| verdict.action == action).unwrap().refused
    };
    assert_eq!(told(&recorded(), clerk(), Action::Confirm), Some(Rejection::NotTheHolder));
    assert_eq!(told(&confirmed(), reviewer(COUNTY), Action::Pass), Some(Rejection::NotTheHolder));
    assert_eq!(told(&confirmed(), reviewer(COUNTY), Action::SendBack), None);
}

#[test]
fn a_conclusion_against_the_rules_may_be_made_with_a_reason() {
    let needs = |conclusion| verdict(&at_province(), reviewer(PROVINCE), Action::Conclude(conclusion)).needs_reason;
    assert!(!needs(Conclusion::Qualified));
    assert!(needs(Conclusion::Deferred) && needs(Conclusion::Failed));
}

#[test]
fn the_event_behind_a_refusal_is_the_one_that_made_it_true() {
    let behind = |history: &[Event], by: Officer, action: Action| {
        let verdict = verdict(history, by, action);
        (verdict.refused.unwrap(), verdict.behind)
    };
    let note = Event::FactsRecorded { number: number(1), facts: Box::new(facts()), by: None };
    let history = [confirmed(), vec![note]].concat();
    assert_eq!(behind(&history, applicant(), Action::Amend), (wrong_state(Status::Confirmed), Some(2)));
    assert_eq!(behind(&history, clerk(), Action::Confirm), (wrong_state(Status::Confirmed), Some(2)));
    assert_eq!(behind(&at_province(), clerk(), Action::Return), (Rejection::TooLate, Some(3)), "the first level's");
    let turn = Rejection::NotYourTurn { turn: Turn::Review(Level::Province) };
    assert_eq!(behind(&at_province(), reviewer(COUNTY), Action::Pass), (turn, Some(4)));
    let refused = [recorded(), vec![Event::ConfirmationRefused { number: number(1), point: POINT }]].concat();
    assert_eq!(behind(&refused, clerk(), Action::Confirm), (Rejection::ConfirmationRefused, Some(2)));
    let objection = [concluded(Conclusion::Qualified), vec![Event::ObjectionRecorded(number(1))]].concat();
    let last = objection.len() - 1;
    assert_eq!(behind(&objection, reviewer(PROVINCE), Action::PrintNote), (Rejection::ObjectionOpen, Some(last)));
    assert_eq!(behind(&objection, reviewer(PROVINCE), Action::RecordObjection), (Rejection::AlreadySo, Some(last)));
    assert_eq!(behind(&pending(), clerk(), Action::Pass), (Rejection::NotFound, None));
    let (missing, none) = behind(&pending(), clerk(), Action::Confirm);
    assert!(matches!(missing, Rejection::FactsMissing(_)) && none.is_none(), "no event has told of facts");
}

#[test]
fn what_comes_next_follows_from_the_state() {
    let next = |history: Vec<Event>| on(history).state().applications[0].next();
    let qualified = || concluded(Conclusion::Qualified);
    let begun = Event::PublicityBegun { number: number(1), at: NOW, until: None, rules: None };
    let ended = Event::PublicityEnded { number: number(1), at: NOW };
    assert_eq!(next(pending()), Next::RecordFacts);
    assert_eq!(next(recorded()), Next::Confirm);
    let returned = Event::ApplicationReturned { number: number(1), by_liaison: true };
    assert_eq!(next([confirmed(), vec![returned]].concat()), Next::Mend);
    assert_eq!(next(confirmed()), Next::Review(Level::County));
    assert_eq!(next(at_province()), Next::Conclude(Level::Province));
    assert_eq!(next(qualified()), Next::BeginPublicity);
    assert_eq!(next([qualified(), vec![begun.clone()]].concat()), Next::EndPublicity);
    let objection = Event::ObjectionRecorded(number(1));
    assert_eq!(next([qualified(), vec![begun.clone(), objection]].concat()), Next::SettleObjection);
    assert_eq!(next([qualified(), vec![begun, ended]].concat()), Next::PrintNote);
    let printed = Event::CertificateNotePrinted(number(1));
    assert_eq!(next([qualified(), vec![printed]].concat()), Next::Nothing);
    assert_eq!(next([pending(), vec![Event::ApplicationWithdrawn(number(1))]].concat()), Next::Nothing);
}

#[test]
fn a_conclusion_is_told_with_the_next_application_and_the_days_of_appeal() {
    let advice = |history: Vec<Event>, rules: &RuleSet| {
        let state = on(history).state();
        state.advice(&state.applications[0], rules)
    };
    let appeal = [
        Advice::Reconsideration { until: TODAY + Duration::days(60) },
        Advice::Litigation { until: date!(2027 - 05 - 23) },
    ];
    let next = Advice::NextApplication {
        earliest: date!(2031 - 05 - 23),
        advised: date!(2031 - 09 - 24),
        expiry: date!(2031 - 11 - 23),
    };
    assert_eq!(advice(concluded(Conclusion::Qualified), &rules()), [&[next][..], &appeal].concat());
    let again = Advice::NewApplication { earliest: TODAY };
    assert_eq!(advice(concluded(Conclusion::Deferred), &rules()), [&[again][..], &appeal].concat());
    let waiting = RuleSet { reapply_after_failed_days: 30, ..rules() };
    let later = Advice::NewApplication { earliest: TODAY + Duration::days(30) };
    assert_eq!(advice(concluded(Conclusion::Failed), &waiting), [&[later][..], &appeal].concat());
    assert_eq!(advice(pending(), &rules()), []);
    let newer = [concluded(Conclusion::Deferred), vec![submitted(2, 1)]].concat();
    assert_eq!(advice(newer.clone(), &rules()), appeal, "of the next application the newest is told");
    let withdrawn = [newer, vec![Event::ApplicationWithdrawn(number(2))]].concat();
    assert_eq!(advice(withdrawn, &rules()), [&[again][..], &appeal].concat(), "what is withdrawn is none");
}
