//! Given what restricts a certificate, when a register of restrictions says something of it, then this follows.

use super::*;

const DECISION: &str = "苏教〔2026〕1号";

fn says(file_reference: &str, kind: Restriction) -> Command {
    says_of([2; 32], file_reference, kind)
}

fn says_of(holder: Hash, file_reference: &str, kind: Restriction) -> Command {
    Command::SyncRestriction { number: [1; 32], holder, kind, end: None, file_reference: file_reference.to_owned() }
}

/// Announced, and in force once it can be.
fn announced(holder: Hash, file_reference: &str, kind: Restriction) -> Event {
    let file_reference = file_reference.to_owned();
    Event::RestrictionAnnounced {
        number: [1; 32],
        announcement: Announcement { holder, kind, end: None, file_reference },
    }
}

fn withdrawn() -> Event {
    Event::RestrictionWithdrawn { file_reference: DECISION.to_owned() }
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
    let waiting = [synced(), restricted(), announced([2; 32], "另案", Restriction::ExamCheating)];
    given::<Decisions>([synced(), restricted()]).when(other()).then([waiting[2].clone()]);
    given::<Decisions>(waiting.clone()).when(other()).then_nothing();
    assert_eq!(Decisions::fold(&waiting).hindrance(&[2; 32], "另案"), Some(Hindrance::AlreadyRestricted));
    let follows = Event::Restricted { kind: Restriction::ExamCheating, end: None, file_reference: "另案".to_owned() };
    given::<Decisions>(waiting.clone()).when(says_lifted(DECISION)).then([lifted(), follows.clone()]);
    let by_officer = Event::RestrictionLifted { file_reference: "苏教〔2026〕9号".to_owned() };
    let lift = Command::Lift { file_reference: "苏教〔2026〕9号".to_owned() };
    given::<Decisions>(waiting.clone()).when(lift).then([by_officer.clone(), follows.clone()]);
    let history = [waiting.to_vec(), vec![by_officer, follows.clone()]].concat();
    let state = Decisions::fold(&history);
    assert_eq!(state.record().unwrap().restriction, Some(Restriction::ExamCheating));
    assert_eq!(state.hindrance(&[2; 32], "另案"), None);
    given::<Decisions>([synced(), restricted(), lifted()]).when(other()).then([follows]);
}

#[test]
fn a_decision_about_an_unknown_certificate_holds_once_that_is_entered_or_brought() {
    given::<Decisions>([]).when(says(DECISION, Restriction::Forfeited)).then([announced(
        [2; 32],
        DECISION,
        Restriction::Forfeited,
    )]);
    let waiting = [announced([2; 32], DECISION, Restriction::Forfeited)];
    given::<Decisions>(waiting.clone()).when(says(DECISION, Restriction::Forfeited)).then_nothing();
    assert_eq!(Decisions::fold(&waiting).hindrance(&[2; 32], DECISION), Some(Hindrance::UnknownCertificate));
    let enter = Command::AddByHand { details: details(), person: TEACHER };
    let by_hand = Event::Matched { person: TEACHER, evidence: Evidence::AddedByHand };
    given::<Decisions>(waiting.clone()).when(enter.clone()).then([entered(), by_hand.clone(), restricted()]);
    given::<Decisions>(waiting.clone()).when(sync(details(), None)).then([synced(), restricted()]);
    let history = [waiting.to_vec(), vec![synced(), restricted()]].concat();
    given::<Decisions>(history).when(says(DECISION, Restriction::Forfeited)).then_nothing();

    given::<Decisions>(waiting.clone()).when(says_lifted(DECISION)).then([withdrawn()]);
    let over = [waiting.to_vec(), vec![withdrawn()]].concat();
    given::<Decisions>(over.clone()).when(says_lifted(DECISION)).then_nothing();
    given::<Decisions>(over.clone()).when(says(DECISION, Restriction::Forfeited)).then_nothing();
    given::<Decisions>(over).when(enter).then([entered(), by_hand]);

    // An officer restricts what is known, and nobody finds what is not.
    given::<Decisions>(waiting.clone()).when(restrict()).then_refused(&Rejection::UnknownCertificate);
    given::<Decisions>(waiting).when(match_with(TEACHER)).then_refused(&Rejection::UnknownCertificate);
}

#[test]
fn a_decision_about_another_holder_holds_once_the_certificate_is_theirs() {
    let says = || says_of([9; 32], DECISION, Restriction::Forfeited);
    let waiting = [synced(), matched(TEACHER), announced([9; 32], DECISION, Restriction::Forfeited)];
    given::<Decisions>(waiting[..2].to_vec()).when(says()).then([waiting[2].clone()]);
    given::<Decisions>(waiting.clone()).when(says()).then_nothing();
    assert_eq!(Decisions::fold(&waiting).hindrance(&[9; 32], DECISION), Some(Hindrance::HoldersDiffer));
    assert_eq!(Decisions::fold(&waiting).record().unwrap().restriction, None);
    let theirs = Details { holder: [9; 32], digest: [9; 32], ..details() };
    let changed = Event::Changed { details: Details { generation: 1, ..theirs.clone() }, source: Source::Register };
    given::<Decisions>(waiting.clone()).when(sync(theirs.clone(), None)).then([
        Event::Unmatched,
        changed,
        restricted(),
    ]);
    // Also when an officer settles that it is.
    let registered = Command::Sync {
        details: theirs.clone(),
        source: Source::PriorRegistration,
        prior: None,
        standing: Standing::Normal,
    };
    let found = Decisions::decide(&Decisions::fold(&waiting), registered).unwrap();
    let history = [waiting.to_vec(), found].concat();
    let settled = Decisions::decide(&Decisions::fold(&history), settle(1, true)).unwrap();
    assert_eq!(settled.last(), Some(&restricted()));
    // Somebody else enters the number: it is not their restriction, and still waits.
    let waiting = [announced([9; 32], DECISION, Restriction::Forfeited)];
    let enter = Command::AddByHand { details: details(), person: TEACHER };
    let by_hand = Event::Matched { person: TEACHER, evidence: Evidence::AddedByHand };
    given::<Decisions>(waiting).when(enter).then([entered(), by_hand]);
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
    given::<Decisions>(history.clone()).when(says("另案", Restriction::ExamCheating)).then([announced(
        [2; 32],
        "另案",
        Restriction::ExamCheating,
    )]);
    // Both were the same restriction.
    given::<Decisions>(history.clone()).when(says_lifted(DECISION)).then([lifted()]);
    given::<Decisions>([history, vec![lifted()]].concat()).when(row).then_nothing();
}

#[test]
fn a_decision_about_a_number_that_was_mistyped_waits_for_the_certificate_that_bears_it() {
    let merged = Event::Merged { into: Uuid::from_u128(9), file_reference: String::new(), generation: 0 };
    let history = [entered(), matched(TEACHER), merged];
    given::<Decisions>(history.clone()).when(says_lifted(DECISION)).then_refused(&Rejection::NumberMistyped);
    let waits = announced([2; 32], DECISION, Restriction::Forfeited);
    given::<Decisions>(history.clone()).when(says(DECISION, Restriction::Forfeited)).then([waits.clone()]);
    let history = [history.to_vec(), vec![waits]].concat();
    assert_eq!(Decisions::fold(&history).hindrance(&[2; 32], DECISION), Some(Hindrance::NumberMistyped));
    let brought = Event::Changed { details: Details { generation: 1, ..details() }, source: Source::Register };
    given::<Decisions>(history).when(sync(details(), None)).then([brought, restricted()]);
}

#[test]
fn a_lifting_of_another_holders_or_of_an_unknown_certificates_restriction_is_refused() {
    let lifts_of_another = Command::SyncLift { holder: [9; 32], file_reference: DECISION.to_owned() };
    given::<Decisions>([synced()]).when(lifts_of_another).then_refused(&Rejection::HoldersDiffer);
    given::<Decisions>([]).when(says_lifted(DECISION)).then_refused(&Rejection::UnknownCertificate);
}
