//! Given a person's own certificates, when another one is missed, then this is why.

use proptest::prelude::*;
use time::macros::date;

use super::*;

const TODAY: Date = date!(2026 - 11 - 23);
const ISSUED: Date = date!(2015 - 06 - 15);

fn number(digits: &str) -> Number {
    Number::parse(digits, TODAY).unwrap()
}

/// A certificate for primary schools, issued on [`ISSUED`] and listed.
fn own(number: &str) -> Own {
    Own {
        number: number.to_owned(),
        kind: Kind::Primary,
        issued: ISSUED,
        is_listed: true,
        is_same_name: true,
        is_restricted: false,
        is_contradicted: false,
        is_deleted: false,
    }
}

fn explain_at(digits: &str, kind: Kind, issued: Date, own: &[Own], synced_on: Option<Date>) -> Explanation {
    let brought = synced_on.map(|day| Brought { last: day, whole: Some(day) });
    explain(&Missed { number: &number(digits), kind, issued }, own, brought)
}

fn explained(digits: &str, own: &[Own]) -> Explanation {
    explain_at(digits, Kind::Primary, ISSUED, own, Some(TODAY))
}

#[test]
fn what_the_register_says_of_ones_own_comes_first() {
    let number = "20153203221000001";
    let other = Own { kind: Kind::Senior, ..own("20093203241000009") };
    let place = |one: Own| explained(number, &[other.clone(), one]);
    assert_eq!(place(own(number)), Explanation::Listed(1));
    assert_eq!(place(Own { is_restricted: true, ..own(number) }), Explanation::Restricted(1));
    assert_eq!(place(Own { is_listed: false, ..own(number) }), Explanation::MatchPending(1));
    let of_another_name = Own { is_listed: false, is_same_name: false, ..own(number) };
    assert_eq!(place(of_another_name.clone()), Explanation::NameDiffers);
    // Of a certificate that may be somebody else's no more is told.
    assert_eq!(place(Own { is_contradicted: true, ..of_another_name.clone() }), Explanation::NameDiffers);
    assert_eq!(place(Own { is_deleted: true, ..of_another_name }), Explanation::NameDiffers);
    for is_listed in [true, false] {
        let contradicted = Own { is_listed, is_contradicted: true, is_restricted: true, ..own(number) };
        assert_eq!(place(contradicted), Explanation::RecordsDisagree(1));
    }
    assert_eq!(place(Own { is_listed: false, is_deleted: true, ..own(number) }), Explanation::DeletedFromRegister);
}

#[test]
fn a_number_that_was_mistyped_is_known_by_kind_and_date_or_by_its_digits() {
    let mistyped = Explanation::NumberTypedDifferently(0);
    assert_eq!(explained("20153203221999999", &[own("20153203221000001")]), mistyped);
    let elsewhen = Own { issued: date!(2015 - 07 - 01), ..own("20153203221000001") };
    assert_eq!(explained("20153203221000010", std::slice::from_ref(&elsewhen)), mistyped);
    let unknown = Explanation::NotInRegister { synced_since: 2008 };
    assert_eq!(explained("20153203221000222", &[elsewhen]), unknown);
    assert_eq!(explained("20153203221000002", &[Own { kind: Kind::Senior, ..own("20153203221000001") }]), unknown);
    let deleted = Own { is_listed: false, is_deleted: true, ..own("20153203221000001") };
    assert_eq!(explained("20153203221000002", &[deleted]), unknown);
    let not_theirs = Own { is_listed: false, is_same_name: false, ..own("20153203221000001") };
    assert_eq!(explained("20153203221000002", &[not_theirs]), unknown);
}

#[test]
fn several_of_the_same_kind_and_day_are_an_anomaly() {
    let twice = [own("20153203221000001"), own("20153203221555555")];
    assert_eq!(explained("20153203221999999", &twice), Explanation::RecordedTwice);
}

#[test]
fn what_is_unknown_is_explained_by_number_kind_and_date() {
    use Explanation::{
        Before1996, HigherEducation, MayBeAdded, NotInRegister, NotSyncedYet, NumberAndDateDisagree, NumberImpossible,
    };
    let (since, synced_on) = (2008, Some(TODAY));
    for (digits, kind, issued, synced_on, expected) in [
        ("20153203271000001", Kind::Higher, ISSUED, synced_on, HigherEducation),
        ("19953203221000001", Kind::Primary, date!(1995 - 06 - 15), synced_on, Before1996),
        ("20053203221000001", Kind::Primary, date!(2006 - 06 - 15), synced_on, NumberAndDateDisagree),
        ("20153203221000001", Kind::Primary, date!(2016 - 06 - 15), synced_on, NumberAndDateDisagree),
        ("20053203221000001", Kind::Primary, date!(2015 - 06 - 15), synced_on, NumberAndDateDisagree),
        ("20053203221000001", Kind::Primary, date!(2005 - 06 - 15), synced_on, MayBeAdded { synced_since: since }),
        ("983203041234567", Kind::Primary, date!(1998 - 06 - 15), None, MayBeAdded { synced_since: since }),
        ("20114503221000001", Kind::Primary, date!(2011 - 06 - 15), None, MayBeAdded { synced_since: 2012 }),
        // What does not fit together is no hindrance to an entry.
        ("20053203291000001", Kind::Primary, date!(2005 - 06 - 15), None, MayBeAdded { synced_since: since }),
        ("20153203241000001", Kind::Primary, ISSUED, synced_on, NumberImpossible),
        ("20153203201000001", Kind::Primary, ISSUED, synced_on, NumberImpossible),
        ("20159903221000001", Kind::Primary, ISSUED, synced_on, NumberImpossible),
        ("20153203227000001", Kind::Primary, ISSUED, synced_on, NumberImpossible),
        ("20153203221000001", Kind::Primary, ISSUED, None, NotSyncedYet { brought: None, synced_since: since }),
        (
            "20153203221000001",
            Kind::Primary,
            ISSUED,
            Some(ISSUED),
            NotSyncedYet { brought: Some(Brought { last: ISSUED, whole: Some(ISSUED) }), synced_since: since },
        ),
        ("20153203221000001", Kind::Primary, ISSUED, ISSUED.next_day(), NotInRegister { synced_since: since }),
        ("20154503221000001", Kind::Primary, ISSUED, synced_on, NotInRegister { synced_since: 2012 }),
    ] {
        assert_eq!(explain_at(digits, kind, issued, &[], synced_on), expected, "{digits} of {issued}");
    }
}

#[test]
fn of_a_part_of_the_register_nobody_is_told_that_it_does_not_hold_them() {
    let digits = number("20153203221000001");
    let missed = Missed { number: &digits, kind: Kind::Primary, issued: ISSUED };
    for whole in [None, Some(ISSUED)] {
        let brought = Some(Brought { last: TODAY, whole });
        assert_eq!(explain(&missed, &[], brought), Explanation::NotSyncedYet { brought, synced_since: 2008 });
    }
    let brought = Some(Brought { last: TODAY, whole: ISSUED.next_day() });
    assert_eq!(explain(&missed, &[], brought), Explanation::NotInRegister { synced_since: 2008 });
}

proptest! {
    /// A certificate that bears the person's document number and another's name changes nothing but for its own number.
    #[test]
    fn what_is_not_theirs_is_not_told(digits in "20(0|1)[0-9]3203[1-7][0-2][0-9]{7}", held in "20(0|1)[0-9]3203[1-7][0-2][0-9]{7}") {
        prop_assume!(digits != held);
        let not_theirs = Own { is_listed: false, is_same_name: false, is_restricted: true, ..own(&held) };
        prop_assert_eq!(explained(&digits, &[not_theirs]), explained(&digits, &[]));
    }

    #[test]
    fn what_may_be_added_is_what_hand_entry_takes(digits in "(19|20)[0-9]{15}|[0-9]{15}", kind in 0_usize..7, year in 1990_i32..=2026) {
        let issued = Date::from_calendar_date(year, time::Month::June, 15).unwrap();
        if let Ok(number) = Number::parse(&digits, TODAY) {
            let kind = Kind::ALL[kind];
            let explanation = explain(&Missed { number: &number, kind, issued }, &[], None);
            let may_be_added = matches!(explanation, Explanation::MayBeAdded { .. });
            prop_assert_eq!(may_be_added, hand_entry::judge(&number, kind, issued).is_ok());
        }
    }
}
