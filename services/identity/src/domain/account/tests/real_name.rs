//! Decisions about checked names: given, when, then.

use decider::Decider as _;
use decider::testing::given;

use super::*;

fn checked(passed: bool, differs: bool) -> Command {
    Command::RecordNameCheck { passed, differs, provider: "file".to_owned() }
}

fn verified() -> Event {
    Event::NameVerified { provider: "file".to_owned() }
}

#[test]
fn the_own_name_that_passes_is_verified_once() {
    given::<Account>([registered()]).when(checked(true, false)).then([verified()]);
    given::<Account>([registered(), verified()]).when(checked(true, false)).then_nothing();
}

#[test]
fn another_name_that_passes_takes_the_old_ones_place() {
    given::<Account>([registered()]).when(checked(true, true)).then([Event::NameChanged, verified()]);
}

#[test]
fn a_name_that_does_not_pass_changes_nothing() {
    let refused = Event::NameRefused { provider: "file".to_owned() };
    for differs in [false, true] {
        given::<Account>([registered()]).when(checked(false, differs)).then([refused.clone()]);
    }
    let of = |history: &[Event]| Account::fold(history);
    assert_eq!(of(&[registered(), refused.clone()]), of(&[registered()]));
    assert_eq!(of(&[registered(), verified(), refused]), of(&[registered(), verified()]));
    assert!(of(&[registered(), verified()]).registered().unwrap().name_verified);
    assert!(!of(&[registered()]).registered().unwrap().name_verified);
}

#[test]
fn nobody_has_no_name_to_check() {
    given::<Account>([]).when(checked(true, false)).then_refused(&Rejection::UnknownPerson);
}
