//! Given what is known of a certificate, when something is said of it, then this follows.

use decider::Decider;
use decider::testing::given;
use proptest::prelude::*;
use time::macros::date;

use super::*;

mod restrictions;
mod settling;

const TEACHER: Uuid = Uuid::from_u128(1);
const STRANGER: Uuid = Uuid::from_u128(2);

fn details() -> Details {
    Details {
        kind: Kind::Primary,
        subject: "语文".to_owned(),
        issuing_agency: "徐州市教育局".to_owned(),
        issue_date: date!(2010 - 06 - 15),
        number: [1; 32],
        holder: [2; 32],
        digest: [3; 32],
        generation: 0,
    }
}

fn synced() -> Event {
    Event::Synced { details: details(), source: Source::Register }
}

fn entered() -> Event {
    Event::AddedByHand { details: details(), person: TEACHER }
}

fn matched(person: Uuid) -> Event {
    Event::Matched { person, evidence: Evidence::NumberAndName }
}

fn match_with(person: Uuid) -> Command {
    Command::Match { person, holder: details().holder }
}

fn prior() -> PriorRegistration {
    PriorRegistration { ordinal: 1, conclusion: Conclusion::Qualified, concluded: date!(2021 - 11 - 30) }
}

fn sync(details: Details, prior: Option<PriorRegistration>) -> Command {
    Command::Sync { details, source: Source::Register, prior, standing: Standing::Normal }
}

fn settle(ordinal: u32, take: bool) -> Command {
    Command::Settle { ordinal, take, file_reference: "苏教〔2026〕3号".to_owned() }
}

fn restrict() -> Command {
    Command::Restrict { kind: Restriction::Forfeited, end: None, file_reference: "苏教〔2026〕1号".to_owned() }
}

fn restricted() -> Event {
    Event::Restricted { kind: Restriction::Forfeited, end: None, file_reference: "苏教〔2026〕1号".to_owned() }
}

#[test]
fn a_row_makes_a_record_with_its_registration() {
    given::<Decisions>([])
        .when(sync(details(), Some(prior())))
        .then([synced(), Event::PriorRegistrationImported(prior())]);
}

#[test]
fn the_same_row_again_changes_nothing() {
    given::<Decisions>([synced(), Event::PriorRegistrationImported(prior())])
        .when(sync(details(), Some(prior())))
        .then_nothing();
}

#[test]
fn a_changed_row_changes_the_record() {
    let changed = Details { subject: "数学".to_owned(), digest: [4; 32], ..details() };
    given::<Decisions>([synced()])
        .when(sync(changed.clone(), None))
        .then([Event::Changed { details: changed, source: Source::Register }]);
}

#[test]
fn a_registration_that_is_corrected_is_imported_again() {
    let corrected = PriorRegistration { conclusion: Conclusion::Deferred, ..prior() };
    given::<Decisions>([synced(), Event::PriorRegistrationImported(prior())])
        .when(sync(details(), Some(corrected)))
        .then([Event::PriorRegistrationImported(corrected)]);
}

#[test]
fn what_a_person_entered_becomes_the_registers_record() {
    given::<Decisions>([entered(), matched(TEACHER)])
        .when(sync(details(), None))
        .then([Event::Changed { details: details(), source: Source::Register }]);
}

#[test]
fn another_holder_ends_the_match() {
    let changed = Details { holder: [9; 32], digest: [4; 32], ..details() };
    let news = Event::Changed { details: Details { generation: 1, ..changed.clone() }, source: Source::Register };
    let history = [synced(), matched(TEACHER)];
    given::<Decisions>(history.clone()).when(sync(changed.clone(), None)).then([Event::Unmatched, news.clone()]);
    given::<Decisions>([synced()]).when(sync(changed, None)).then([news.clone()]);
    // As it was before the loss was said.
    let state = Decisions::fold(&[history.to_vec(), vec![news]].concat());
    assert_eq!(state.record().unwrap().person, None);
}

#[test]
fn a_person_enters_an_unknown_certificate() {
    given::<Decisions>([])
        .when(Command::AddByHand { details: details(), person: TEACHER })
        .then([entered(), Event::Matched { person: TEACHER, evidence: Evidence::AddedByHand }]);
}

#[test]
fn a_known_certificate_is_not_entered_again() {
    let enter = |person, holder| Command::AddByHand { details: Details { holder, ..details() }, person };
    let imported = Event::PriorRegistrationImported(prior());
    given::<Decisions>([synced(), matched(TEACHER)])
        .when(enter(TEACHER, [2; 32]))
        .then_refused(&Rejection::AlreadyListed);
    given::<Decisions>([synced()]).when(enter(TEACHER, [2; 32])).then_refused(&Rejection::Unmatched);
    given::<Decisions>([synced(), imported.clone()])
        .when(enter(TEACHER, [2; 32]))
        .then_refused(&Rejection::RegisteredBefore);
    given::<Decisions>([synced()]).when(enter(STRANGER, [9; 32])).then_refused(&Rejection::CertificateOfAnother);
    given::<Decisions>([entered(), matched(TEACHER)])
        .when(enter(STRANGER, [2; 32]))
        .then_refused(&Rejection::CertificateOfAnother);
}

#[test]
fn a_match_is_recorded_once_and_follows_a_new_account() {
    given::<Decisions>([synced()]).when(match_with(TEACHER)).then([matched(TEACHER)]);
    given::<Decisions>([synced(), matched(TEACHER)]).when(match_with(TEACHER)).then_nothing();
    given::<Decisions>([synced(), matched(TEACHER)]).when(match_with(STRANGER)).then([matched(STRANGER)]);
    given::<Decisions>([]).when(match_with(TEACHER)).then_refused(&Rejection::UnknownCertificate);
}

#[test]
fn a_match_by_what_the_record_said_of_its_holder_before_does_nothing() {
    let details = Details { holder: [9; 32], digest: [4; 32], generation: 1, ..details() };
    let another = Event::Changed { details, source: Source::Register };
    given::<Decisions>([synced(), another.clone()]).when(match_with(TEACHER)).then_nothing();
    given::<Decisions>([synced(), another, matched(STRANGER)]).when(match_with(TEACHER)).then_nothing();
    let history = [synced(), matched(STRANGER), Event::Forgotten { generation: 0 }];
    given::<Decisions>(history).when(match_with(TEACHER)).then_nothing();
}

#[test]
fn a_restriction_holds_until_it_is_lifted() {
    let lift = || Command::Lift { file_reference: "苏教〔2026〕2号".to_owned() };
    let lifted = Event::RestrictionLifted { file_reference: "苏教〔2026〕2号".to_owned() };
    given::<Decisions>([synced()]).when(restrict()).then([restricted()]);
    given::<Decisions>([synced(), restricted()]).when(restrict()).then_refused(&Rejection::AlreadyRestricted);
    given::<Decisions>([synced(), restricted()]).when(lift()).then([lifted.clone()]);
    given::<Decisions>([synced(), restricted(), lifted.clone()]).when(lift()).then_refused(&Rejection::NotRestricted);
    given::<Decisions>([synced(), restricted(), lifted]).when(restrict()).then([restricted()]);
    given::<Decisions>([]).when(restrict()).then_refused(&Rejection::UnknownCertificate);
    given::<Decisions>([]).when(lift()).then_refused(&Rejection::UnknownCertificate);
}

#[test]
fn a_certificate_is_forgotten_with_its_person_and_with_nobody_else() {
    let forgotten = Event::Forgotten { generation: 0 };
    given::<Decisions>([synced(), matched(TEACHER)])
        .when(Command::Forget { person: TEACHER })
        .then([forgotten.clone()]);
    given::<Decisions>([synced(), matched(TEACHER)]).when(Command::Forget { person: STRANGER }).then_nothing();
    given::<Decisions>([synced(), matched(TEACHER), forgotten.clone()])
        .when(Command::Forget { person: TEACHER })
        .then_nothing();
    given::<Decisions>([]).when(Command::Forget { person: TEACHER }).then_nothing();
    let state = given::<Decisions>([synced(), restricted(), matched(TEACHER), forgotten]).state();
    let record = state.record().unwrap();
    assert_eq!((record.person, record.details.generation), (None, 1));
    assert_eq!(record.restriction, Some(Restriction::Forfeited));
}

#[test]
fn what_a_register_says_of_a_forgotten_certificate_is_news() {
    let forgotten = [synced(), matched(TEACHER), Event::Forgotten { generation: 0 }];
    let changed =
        |generation| Event::Changed { details: Details { generation, ..details() }, source: Source::Register };
    given::<Decisions>(forgotten.clone()).when(sync(details(), None)).then([changed(1)]);
    // As it is written now, and as it was before generations were written.
    for changed in [changed(1), changed(0)] {
        let again = [forgotten.to_vec(), vec![changed, matched(STRANGER)]].concat();
        given::<Decisions>(again.clone()).when(sync(details(), None)).then_nothing();
        given::<Decisions>(again).when(Command::Forget { person: STRANGER }).then([Event::Forgotten { generation: 1 }]);
    }
}

#[test]
fn each_holder_has_a_key_of_their_own() {
    let held = |holder, generation| {
        let details = Details { holder: [holder; 32], digest: [holder; 32], generation, ..details() };
        Event::Changed { details, source: Source::Register }
    };
    let row = |holder| sync(Details { holder: [holder; 32], digest: [holder; 32], ..details() }, None);
    let history = [synced(), matched(TEACHER)];
    let before = Decisions::fold(&history);
    given::<Decisions>(history.clone()).when(row(8)).then([Event::Unmatched, held(8, 1)]);
    assert_eq!(before.former(&Event::Unmatched), Some((TEACHER, 0)), "destroyed with the former holder");
    // Whoever comes back gets another one all the same.
    let history = [history.to_vec(), vec![Event::Unmatched, held(8, 1)]].concat();
    given::<Decisions>(history.clone()).when(row(2)).then([held(2, 2)]);
    let history = [history, vec![held(2, 2), matched(TEACHER), Event::Forgotten { generation: 2 }]].concat();
    given::<Decisions>(history).when(row(8)).then([held(8, 3)]);
}

#[test]
fn a_forgotten_certificate_is_entered_again_unless_it_was_registered() {
    let enter = Command::AddByHand { details: details(), person: STRANGER };
    given::<Decisions>([entered(), matched(TEACHER), Event::Forgotten { generation: 0 }]).when(enter.clone()).then([
        Event::AddedByHand { details: Details { generation: 1, ..details() }, person: STRANGER },
        Event::Matched { person: STRANGER, evidence: Evidence::AddedByHand },
    ]);
    let imported = Event::PriorRegistrationImported(prior());
    given::<Decisions>([synced(), imported, matched(TEACHER), Event::Forgotten { generation: 0 }])
        .when(enter)
        .then_refused(&Rejection::CertificateOfAnother);
}

fn any_command() -> impl Strategy<Value = Command> {
    let details = (1_u8..4, 0_u8..3).prop_map(|(holder, digest)| Details {
        holder: [holder; 32],
        digest: [holder * 3 + digest; 32],
        ..details()
    });
    let person = prop_oneof![Just(TEACHER), Just(STRANGER)];
    let source = prop_oneof![Just(Source::Register), Just(Source::PriorRegistration)];
    let standing = prop_oneof![Just(Standing::Normal), Just(Standing::Restricted), Just(Standing::Deleted)];
    let file_reference = prop_oneof![Just("苏教〔2026〕1号"), Just("另案")].prop_map(str::to_owned);
    prop_oneof![
        (1_u8..4, file_reference.clone()).prop_map(|(holder, file_reference)| Command::SyncRestriction {
            number: [1; 32],
            holder: [holder; 32],
            kind: Restriction::ExamCheating,
            end: None,
            file_reference,
        }),
        (1_u8..4, file_reference)
            .prop_map(|(holder, file_reference)| Command::SyncLift { holder: [holder; 32], file_reference }),
        (details.clone(), proptest::option::of(Just(prior())), source, standing)
            .prop_map(|(details, prior, source, standing)| Command::Sync { details, source, prior, standing }),
        (1_u32..4, proptest::bool::ANY).prop_map(|(ordinal, take)| settle(ordinal, take)),
        Just(Command::Merge { into: Uuid::from_u128(9), holder: [1; 32], file_reference: String::new() }),
        (details, person.clone()).prop_map(|(details, person)| Command::AddByHand { details, person }),
        (person.clone(), 1_u8..4).prop_map(|(person, holder)| Command::Match { person, holder: [holder; 32] }),
        person.prop_map(|person| Command::Forget { person }),
        Just(restrict()),
        Just(Command::Lift { file_reference: String::new() }),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_replay_gives_the_same_state_and_repeating_a_row_changes_nothing(
        commands in proptest::collection::vec(any_command(), 1..30)
    ) {
        let mut history = Vec::<Event>::new();
        let mut state = State::default();
        for command in commands {
            let (again, mut is_settled) = (command.clone(), true);
            if let Ok(events) = Decisions::decide(&state, command) {
                for event in &events {
                    if let (Event::Changed { details, .. }, Some(before)) = (event, state.record())
                        && details.holder != before.details.holder
                    {
                        prop_assert!(before.person.is_none(), "whoever had it has lost it");
                        prop_assert!(details.generation > before.details.generation || before.details.holder == NOBODY);
                    }
                    if let Event::ConflictFound { details, .. } = event {
                        let own = state.record().map(|record| record.details.generation);
                        prop_assert!(Some(details.generation) > own, "a conflict has a key of its own");
                    }
                    state = Decisions::evolve(state, event);
                    if let Some(record) = state.record() {
                        let hold = record.decisions.values().filter(|holds| **holds).count();
                        prop_assert_eq!(hold, usize::from(record.restriction.is_some()), "one decision is behind it");
                        let waits = |it: &Announcement| state.hindrance(&it.holder, &it.file_reference).is_some();
                        is_settled = record.waiting.iter().all(waits);
                    }
                }
                prop_assert!(is_settled, "whatever waits has something in its way");
                history.extend(events);
                if matches!(again, Command::Sync { .. } | Command::SyncRestriction { .. } | Command::SyncLift { .. }) {
                    prop_assert_eq!(Decisions::decide(&state, again), Ok(Vec::new()));
                }
            }
        }
        prop_assert_eq!(Decisions::fold(&history), state);
    }
}
