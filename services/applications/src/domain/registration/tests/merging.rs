//! The certificate's number was mistyped: what was recorded until then counts elsewhere, and nothing of it goes on.

use time::macros::date;
use uuid::Uuid;

use super::*;

const INTO: Uuid = Uuid::from_u128(0xcc);

fn merged(history: Vec<Event>) -> Vec<Event> {
    [history, vec![Event::RecordMerged { into: INTO }]].concat()
}

fn submitting(serial: u32) -> Command {
    Command::Submit(Box::new(submit(serial)))
}

#[test]
fn a_record_is_merged_with_another_whatever_it_holds() {
    for (history, _) in every_state() {
        on(history).when(Command::Merge { into: INTO }).then([Event::RecordMerged { into: INTO }]);
    }
    on(Vec::new()).when(Command::Merge { into: INTO }).then([Event::RecordMerged { into: INTO }]);
}

#[test]
fn whoever_bears_the_number_in_truth_begins_anew() {
    let registered = prior(1, Conclusion::Qualified, date!(2026 - 01 - 15));
    for history in [vec![registered], concluded(Conclusion::Qualified), pending(), at_province()] {
        on(merged(history)).when(submitting(2)).then([submitted(2, 1)]);
    }
}

#[test]
fn what_a_merger_brings_stands_beside_what_the_register_tells() {
    let (qualified, deferred) = (Conclusion::Qualified, Conclusion::Deferred);
    let told = |conclusion, merged_from| Prior { ordinal: 1, conclusion, on: date!(2021 - 11 - 30), merged_from };
    let history = |priors: &[Prior]| priors.iter().copied().map(Event::PriorRegistrationRecorded).collect::<Vec<_>>();
    let (brought, register) = (told(deferred, Some(INTO)), told(qualified, None));
    assert_eq!(on(history(&[brought, register])).state().prior, [brought, register]);
    let both = history(&[register, brought]);
    assert_eq!(on(both.clone()).state().standings().len(), 2);
    // The register corrects its own word alone; what both tell is the register's and counts once.
    let corrected = Prior { on: date!(2020 - 11 - 30), ..register };
    let after = [both, history(&[corrected])].concat();
    assert_eq!(on(after).state().prior, [corrected, brought]);
    on(history(&[register])).when(Command::RecordPrior(told(qualified, Some(INTO)))).then_nothing();
    let same = told(deferred, None);
    on(history(&[brought])).when(Command::RecordPrior(same)).then(history(&[same]));
    assert_eq!(on(history(&[brought, same])).state().prior, [same]);
}

#[test]
fn what_is_under_way_is_not_concluded_but_can_be_sent_back_and_withdrawn() {
    let mistyped = Rejection::NumberMistyped;
    on(merged(recorded())).when(confirm(clerk())).then_refused(&mistyped);
    on(merged(pending())).when(Command::Amend(Box::new(amend(1)))).then_refused(&mistyped);
    on(merged(confirmed())).when(pass(reviewer(COUNTY))).then_refused(&mistyped);
    for conclusion in [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed] {
        on(merged(at_province())).when(conclude(reviewer(PROVINCE), conclusion, true)).then_refused(&mistyped);
    }
    on(merged(confirmed())).when(Command::Return { order: order(clerk()) }).events();
    on(merged(at_city())).when(Command::SendBack { order: order(reviewer(CITY)) }).events();
    let withdraw = Command::Withdraw { number: number(1), person: TEACHER };
    on(merged(pending())).when(withdraw).then([Event::ApplicationWithdrawn(number(1))]);
}

#[test]
fn strangers_learn_nothing_of_a_merger() {
    let stranger = Officer::default;
    on(merged(recorded())).when(confirm(stranger())).then_refused(&Rejection::NotFound);
    on(merged(confirmed())).when(pass(stranger())).then_refused(&Rejection::NotFound);
}

#[test]
fn a_conclusion_that_counts_elsewhere_is_neither_reversed_nor_revoked_here() {
    let by = reviewer(PROVINCE).person;
    for revoke in [false, true] {
        let file_reference = "徐教〔2026〕1号".to_owned();
        let propose = Command::ProposeReversal { order: order(reviewer(PROVINCE)), revoke, file_reference };
        let qualified = concluded(Conclusion::Qualified);
        on(merged(qualified.clone())).when(propose).then_refused(&Rejection::NumberMistyped);
        let proposed = Event::ReversalProposed { number: number(1), revoke, by, file_reference: String::new() };
        let second = Officer { person: Uuid::from_u128(0x99), ..reviewer(PROVINCE) };
        on(merged([qualified, vec![proposed]].concat()))
            .when(Command::ApproveReversal { order: order(second), proposal: 0, today: TODAY })
            .then_refused(&Rejection::NumberMistyped);
    }
}
