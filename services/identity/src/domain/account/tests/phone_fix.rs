//! Decisions about requests for another phone: given, when, then.

use decider::testing::given;

use super::*;

pub fn fix(id: u128) -> PhoneFix {
    PhoneFix { id: Uuid::from_u128(id), province: Division::parse("320000").unwrap() }
}

fn settle(outcome: FixOutcome, division: &str, is_self: bool) -> Command {
    let divisions = vec![Division::parse(division).unwrap()];
    Command::SettlePhoneFix { fix_id: Uuid::from_u128(1), outcome, by: Authority::Administrator { is_self, divisions } }
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
