//! Given what restricts a certificate, when a register of restrictions says something of it, then this follows.

use super::*;

const DECISION: &str = "苏教〔2026〕1号";

fn says(file_reference: &str, kind: Restriction) -> Command {
    Command::SyncRestriction { holder: [2; 32], kind, end: None, file_reference: file_reference.to_owned() }
}

fn says_lifted(file_reference: &str) -> Command {
    Command::SyncLift { holder: [2; 32], file_reference: file_reference.to_owned() }
}

fn lifted() -> Event {
    Event::RestrictionLifted { file_reference: DECISION.to_owned() }
}

#[test]
fn a_row_restricts_once_and_lifts_once() {
    given::<Decisions>([synced()]).when(says(DECISION, Restriction::Forfeited)).then([restricted()]);
    given::<Decisions>([synced(), restricted()]).when(says(DECISION, Restriction::Forfeited)).then_nothing();
    given::<Decisions>([synced(), restricted()]).when(says_lifted(DECISION)).then([lifted()]);
    given::<Decisions>([synced(), restricted(), lifted()]).when(says_lifted(DECISION)).then_nothing();
}

#[test]
fn an_old_file_does_not_undo_a_lifting() {
    given::<Decisions>([synced(), restricted(), lifted()]).when(says(DECISION, Restriction::Forfeited)).then_nothing();
}

#[test]
fn an_old_file_does_not_lift_what_another_decision_restricts() {
    let again = Event::Restricted { kind: Restriction::ExamCheating, end: None, file_reference: "另案".to_owned() };
    given::<Decisions>([synced(), restricted(), lifted(), again]).when(says_lifted(DECISION)).then_nothing();
    given::<Decisions>([synced()]).when(says_lifted(DECISION)).then_nothing();
}

#[test]
fn a_second_decision_waits_until_the_first_is_lifted() {
    let other = || says("另案", Restriction::ExamCheating);
    given::<Decisions>([synced(), restricted()]).when(other()).then_refused(&Rejection::AlreadyRestricted);
    let follows = Event::Restricted { kind: Restriction::ExamCheating, end: None, file_reference: "另案".to_owned() };
    given::<Decisions>([synced(), restricted(), lifted()]).when(other()).then([follows]);
}

#[test]
fn a_decision_takes_the_place_of_what_the_register_says_of_itself() {
    let row =
        Command::Sync { details: details(), source: Source::Register, prior: None, standing: Standing::Restricted };
    let by_register =
        Event::Restricted { kind: Restriction::Unspecified, end: None, file_reference: "认定历史库".to_owned() };
    let history = [synced(), by_register];
    given::<Decisions>(history.clone()).when(says(DECISION, Restriction::Forfeited)).then([restricted()]);
    given::<Decisions>(history.clone()).when(says_lifted(DECISION)).then_nothing();
    let history = [history.to_vec(), vec![restricted()]].concat();
    assert_eq!(Decisions::fold(&history).record().unwrap().restriction, Some(Restriction::Forfeited));
    given::<Decisions>(history.clone()).when(row.clone()).then_nothing();
    given::<Decisions>(history.clone())
        .when(says("另案", Restriction::ExamCheating))
        .then_refused(&Rejection::AlreadyRestricted);
    // Both were the same restriction.
    given::<Decisions>(history.clone()).when(says_lifted(DECISION)).then([lifted()]);
    given::<Decisions>([history, vec![lifted()]].concat()).when(row).then_nothing();
}

#[test]
fn a_row_of_a_number_that_was_mistyped_is_refused() {
    let merged = Event::Merged { into: Uuid::from_u128(9), file_reference: String::new(), generation: 0 };
    for command in [says(DECISION, Restriction::Forfeited), says_lifted(DECISION)] {
        given::<Decisions>([entered(), matched(TEACHER), merged.clone()])
            .when(command)
            .then_refused(&Rejection::NumberMistyped);
    }
}

#[test]
fn a_row_of_another_holder_or_of_an_unknown_certificate_is_refused() {
    let another = |command| match command {
        Command::SyncRestriction { kind, end, file_reference, .. } => {
            Command::SyncRestriction { holder: [9; 32], kind, end, file_reference }
        }
        _ => Command::SyncLift { holder: [9; 32], file_reference: DECISION.to_owned() },
    };
    for command in [says(DECISION, Restriction::Forfeited), says_lifted(DECISION)] {
        given::<Decisions>([synced()]).when(another(command.clone())).then_refused(&Rejection::HoldersDiffer);
        given::<Decisions>([]).when(command).then_refused(&Rejection::UnknownCertificate);
    }
}
