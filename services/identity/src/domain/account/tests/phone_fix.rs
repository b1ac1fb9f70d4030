//! Decisions about requests for another phone: given, when, then.

use decider::testing::given;

use super::*;

pub fn fix(id: u128) -> PhoneFix {
    PhoneFix { id: Uuid::from_u128(id), province: Division::parse("320000").unwrap() }
}

fn division(text: &str) -> Division {
    Division::parse(text).unwrap()
}

/// Settled by the helpdesk of a division, of somebody who belongs to 320302.
fn settle(outcome: FixOutcome, by: &str, is_self: bool) -> Command {
    settle_of(&["320302"], outcome, by, is_self)
}

fn settle_of(belongs: &[&str], outcome: FixOutcome, by: &str, is_self: bool) -> Command {
    let by = Authority::Administrator { is_self, divisions: vec![division(by)] };
    let belongs = belongs.iter().map(|text| division(text)).collect();
    Command::SettlePhoneFix { fix_id: Uuid::from_u128(1), outcome, belongs, by }
}

fn settled(outcome: FixOutcome) -> Event {
    Event::PhoneFixSettled { fix_id: Uuid::from_u128(1), outcome }
}

#[test]
fn an_account_has_one_open_request() {
    given::<Account>([registered()]).when(Command::RequestPhoneFix(fix(1))).then([Event::PhoneFixRequested(fix(1))]);
    let open = [registered(), Event::PhoneFixRequested(fix(1))];
    given::<Account>(open.clone()).when(Command::RequestPhoneFix(fix(2))).then_nothing();
    let over = [open.to_vec(), vec![settled(FixOutcome::NotThePerson)]].concat();
    given::<Account>(over).when(Command::RequestPhoneFix(fix(2))).then([Event::PhoneFixRequested(fix(2))]);
    given::<Account>([]).when(Command::RequestPhoneFix(fix(1))).then_refused(&Rejection::UnknownPerson);
}

#[test]
fn an_approval_puts_the_phone_in_and_a_refusal_does_not() {
    let open = [registered(), Event::PhoneFixRequested(fix(1))];
    given::<Account>(open.clone())
        .when(settle(FixOutcome::Approved, "320000", false))
        .then([Event::PhoneChanged, settled(FixOutcome::Approved)]);
    given::<Account>(open)
        .when(settle(FixOutcome::EvidenceInsufficient, "000000", false))
        .then([settled(FixOutcome::EvidenceInsufficient)]);
}

#[test]
fn a_request_is_settled_once_by_the_helpdesk_of_its_province_and_never_by_its_person() {
    let open = [registered(), Event::PhoneFixRequested(fix(1))];
    given::<Account>(open.clone())
        .when(settle(FixOutcome::Approved, "330000", false))
        .then_refused(&Rejection::UnknownFix);
    given::<Account>(open.clone())
        .when(settle(FixOutcome::Approved, "320000", true))
        .then_refused(&Rejection::OwnAccount);
    let over = [open.to_vec(), vec![settled(FixOutcome::NotThePerson)]].concat();
    given::<Account>(over).when(settle(FixOutcome::Approved, "320000", false)).then_refused(&Rejection::UnknownFix);
    for history in [vec![], vec![registered()]] {
        given::<Account>(history)
            .when(settle(FixOutcome::Approved, "320000", false))
            .then_refused(&Rejection::UnknownFix);
    }
}

#[test]
fn only_the_helpdesk_of_where_the_person_belongs_approves_and_whoever_sees_it_refuses() {
    let open = [registered(), Event::PhoneFixRequested(fix(1))];
    given::<Account>(open.clone())
        .when(settle_of(&["330102"], FixOutcome::Approved, "320000", false))
        .then_refused(&Rejection::PersonElsewhere);
    given::<Account>(open.clone())
        .when(settle_of(&["330102"], FixOutcome::NotThePerson, "320000", false))
        .then([settled(FixOutcome::NotThePerson)]);
    given::<Account>(open.clone())
        .when(settle_of(&["110101", "330102"], FixOutcome::Approved, "330000", false))
        .then([Event::PhoneChanged, settled(FixOutcome::Approved)]);
    // Of whom nothing is known is the nation's to help.
    given::<Account>(open.clone())
        .when(settle_of(&["000000"], FixOutcome::Approved, "320000", false))
        .then_refused(&Rejection::PersonElsewhere);
    given::<Account>(open)
        .when(settle_of(&["000000"], FixOutcome::Approved, "000000", false))
        .then([Event::PhoneChanged, settled(FixOutcome::Approved)]);
}

#[test]
fn a_request_is_seen_where_its_person_belongs_whatever_was_named() {
    let seen_by = |named: &str, belongs: &[&str]| {
        let belongs: Vec<Division> = belongs.iter().map(|text| division(text)).collect();
        PhoneFix::new(Uuid::from_u128(1), division(named), &belongs).province
    };
    assert_eq!(seen_by("320000", &["110101", "320302"]), division("320000"));
    assert_eq!(seen_by("440000", &["110101", "320302"]), division("110000"));
    assert_eq!(seen_by("440000", &["000000"]), Division::NATION);
}
