//! What follows a conclusion: 公示, 异议, 附页, reversal and 撤销注册 by two officers.

use time::{Date, Duration};
use uuid::Uuid;

use super::*;
use crate::domain::registration::ConclusionFact;

fn fact(fact: ConclusionFact) -> Command {
    Command::RecordConclusionFact { order: order(reviewer(PROVINCE)), fact, now: NOW, rules: rules().reference() }
}

fn propose(by: Officer, revoke: bool) -> Command {
    Command::ProposeReversal { order: order(by), revoke, file_reference: "徐教〔2026〕1号".to_owned() }
}

fn proposed(revoke: bool) -> Event {
    let by = reviewer(PROVINCE).person;
    Event::ReversalProposed { number: number(1), revoke, by, file_reference: "徐教〔2026〕1号".to_owned() }
}

fn second() -> Officer {
    Officer { person: Uuid::from_u128(0x99), ..reviewer(PROVINCE) }
}

/// Of what is proposed right after [`qualified`].
fn approve(by: Officer) -> Command {
    let proposal = i64::try_from(qualified().len()).unwrap() + 1;
    Command::ApproveReversal { order: order(by), proposal, today: TODAY }
}

fn qualified() -> Vec<Event> {
    concluded(Conclusion::Qualified)
}

/// 公示 from today, by plan until a day.
fn publicity(until: Option<Date>) -> Command {
    fact(ConclusionFact::PublicityBegun { until, at_least: TODAY + Duration::days(7) })
}

fn at(days: i64, wanted: ConclusionFact) -> Command {
    Command::RecordConclusionFact {
        order: order(reviewer(PROVINCE)),
        fact: wanted,
        now: NOW + Duration::days(days),
        rules: rules().reference(),
    }
}

#[test]
fn publicity_begins_once_and_then_ends_once() {
    let begun = Event::PublicityBegun { number: number(1), at: NOW, until: None, rules: Some(rules().reference()) };
    let ended = Event::PublicityEnded { number: number(1), at: NOW };
    on(qualified()).when(fact(ConclusionFact::PublicityEnded)).then_refused(&wrong_state(Status::Concluded));
    on(qualified()).when(publicity(None)).then([begun.clone()]);
    let history = [qualified(), vec![begun]].concat();
    on(history.clone()).when(publicity(None)).then_refused(&Rejection::AlreadySo);
    on(history.clone()).when(fact(ConclusionFact::PublicityEnded)).then([ended.clone()]);
    let history = [history, vec![ended]].concat();
    on(history).when(fact(ConclusionFact::PublicityEnded)).then_refused(&Rejection::AlreadySo);
}

#[test]
fn publicity_ends_after_its_last_day_and_is_not_planned_shorter_than_the_rules_allow() {
    let at_least = TODAY + Duration::days(7);
    let short = publicity(Some(TODAY + Duration::days(6)));
    on(qualified()).when(short).then_refused(&Rejection::PublicityTooShort { at_least });
    let begun =
        Event::PublicityBegun { number: number(1), at: NOW, until: Some(at_least), rules: Some(rules().reference()) };
    on(qualified()).when(publicity(Some(at_least))).then([begun.clone()]);
    let history = [qualified(), vec![begun]].concat();
    let not_over = Rejection::PublicityNotOver { until: Some(at_least) };
    on(history.clone()).when(at(7, ConclusionFact::PublicityEnded)).then_refused(&not_over);
    let ended = Event::PublicityEnded { number: number(1), at: NOW + Duration::days(8) };
    on(history.clone()).when(at(8, ConclusionFact::PublicityEnded)).then([ended.clone()]);
    // Nor is the note printed before.
    on(history.clone()).when(at(8, ConclusionFact::NotePrinted)).then_refused(&not_over);
    let printed = Event::CertificateNotePrinted(number(1));
    on([history, vec![ended]].concat()).when(at(8, ConclusionFact::NotePrinted)).then([printed]);
}

#[test]
fn an_open_objection_keeps_publicity_from_ending_and_the_note_from_being_printed() {
    let begun = Event::PublicityBegun { number: number(1), at: NOW, until: None, rules: None };
    let open = [qualified(), vec![begun, Event::ObjectionRecorded(number(1))]].concat();
    on(open.clone()).when(fact(ConclusionFact::PublicityEnded)).then_refused(&Rejection::ObjectionOpen);
    let later = [qualified(), vec![Event::ObjectionRecorded(number(1))]].concat();
    on(later).when(fact(ConclusionFact::NotePrinted)).then_refused(&Rejection::ObjectionOpen);
    let settled = [open, vec![Event::ObjectionSettled(number(1))]].concat();
    assert_eq!(on(settled).when(fact(ConclusionFact::PublicityEnded)).events().len(), 1);
}

#[test]
fn objections_are_recorded_and_settled_one_after_the_other() {
    let recorded = Event::ObjectionRecorded(number(1));
    let settled = Event::ObjectionSettled(number(1));
    on(qualified()).when(fact(ConclusionFact::ObjectionSettled)).then_refused(&wrong_state(Status::Concluded));
    on(qualified()).when(fact(ConclusionFact::ObjectionRecorded)).then([recorded.clone()]);
    let open = [qualified(), vec![recorded.clone()]].concat();
    on(open.clone()).when(fact(ConclusionFact::ObjectionRecorded)).then_refused(&Rejection::AlreadySo);
    on(open.clone()).when(fact(ConclusionFact::ObjectionSettled)).then([settled.clone()]);
    on([open, vec![settled]].concat()).when(fact(ConclusionFact::ObjectionRecorded)).then([recorded]);
}

#[test]
fn the_note_on_the_certificate_is_printed_once() {
    let printed = Event::CertificateNotePrinted(number(1));
    on(qualified()).when(fact(ConclusionFact::NotePrinted)).then([printed.clone()]);
    on([qualified(), vec![printed]].concat())
        .when(fact(ConclusionFact::NotePrinted))
        .then_refused(&Rejection::AlreadySo);
}

#[test]
fn facts_on_a_conclusion_need_one_and_are_the_last_levels() {
    on(at_province()).when(publicity(None)).then_refused(&wrong_state(Status::Confirmed));
    let by_county = Command::RecordConclusionFact {
        order: order(reviewer(COUNTY)),
        fact: ConclusionFact::NotePrinted,
        now: NOW,
        rules: rules().reference(),
    };
    on(qualified()).when(by_county).then_refused(&Rejection::NotLastLevel);
    let by_stranger = Command::RecordConclusionFact {
        order: order(reviewer(Uuid::from_u128(404))),
        fact: ConclusionFact::NotePrinted,
        now: NOW,
        rules: rules().reference(),
    };
    on(qualified()).when(by_stranger).then_refused(&Rejection::NotFound);
}

#[test]
fn two_officers_reverse_a_conclusion_back_to_the_last_level() {
    on(qualified()).when(propose(reviewer(PROVINCE), false)).then([proposed(false)]);
    let history = [qualified(), vec![proposed(false)]].concat();
    let reversed = Event::ConclusionReversed { number: number(1), level: Level::Province };
    on(history.clone()).when(approve(second())).then([reversed.clone()]);
    let state = on([history, vec![reversed]].concat()).state();
    assert_eq!(state.applications[0].phase, Phase::Confirmed { step: 2, decided: true });
    assert_eq!(state.standings(), []);
}

#[test]
fn a_reversed_conclusion_can_be_concluded_anew_but_not_returned_by_the_school() {
    let reversed = Event::ConclusionReversed { number: number(1), level: Level::Province };
    let history = [qualified(), vec![proposed(false), reversed]].concat();
    on(history.clone()).when(Command::Return { order: order(liaison()) }).then_refused(&Rejection::TooLate);
    on(history)
        .when(conclude(reviewer(PROVINCE), Conclusion::Qualified, false))
        .then([concluded_event(Conclusion::Qualified)]);
}

#[test]
fn two_officers_revoke_a_registration() {
    let history = [qualified(), vec![proposed(true)]].concat();
    on(qualified()).when(propose(reviewer(PROVINCE), true)).then([proposed(true)]);
    let revoked = Event::RegistrationRevoked { number: number(1), on: TODAY };
    on(history.clone()).when(approve(second())).then([revoked.clone()]);
    let state = on([history, vec![revoked]].concat()).state();
    let record = state.applications[0].conclusion().unwrap();
    assert_eq!((record.conclusion, record.on, record.proposed), (Conclusion::Revoked, TODAY, None));
}

#[test]
fn what_took_the_place_of_the_proposal_that_was_looked_at_is_not_approved() {
    let replaced = [qualified(), vec![proposed(false), proposed(true)]].concat();
    on(replaced.clone()).when(approve(second())).then_refused(&Rejection::OtherProposal);
    let Command::ApproveReversal { order, proposal, today } = approve(second()) else { unreachable!() };
    let newest = Command::ApproveReversal { order, proposal: proposal + 1, today };
    on(replaced).when(newest).then([Event::RegistrationRevoked { number: number(1), on: TODAY }]);
}

#[test]
fn one_person_alone_changes_no_conclusion() {
    on(qualified()).when(approve(second())).then_refused(&Rejection::NoProposal);
    let history = [qualified(), vec![proposed(true)]].concat();
    on(history).when(approve(reviewer(PROVINCE))).then_refused(&Rejection::SecondPersonNeeded);
}

#[test]
fn only_a_qualified_registration_is_revoked_and_a_revoked_one_stays() {
    for conclusion in [Conclusion::Deferred, Conclusion::Failed] {
        on(concluded(conclusion)).when(propose(reviewer(PROVINCE), true)).then_refused(&wrong_state(Status::Concluded));
        assert_eq!(on(concluded(conclusion)).when(propose(reviewer(PROVINCE), false)).events().len(), 1);
    }
    let revoked =
        [qualified(), vec![proposed(true), Event::RegistrationRevoked { number: number(1), on: TODAY }]].concat();
    for revoke in [true, false] {
        on(revoked.clone()).when(propose(second(), revoke)).then_refused(&wrong_state(Status::Concluded));
    }
    on(revoked).when(approve(second())).then_refused(&Rejection::NoProposal);
}

#[test]
fn without_a_conclusion_nothing_is_reversed() {
    on(at_province()).when(propose(reviewer(PROVINCE), false)).then_refused(&wrong_state(Status::Confirmed));
    on(at_province()).when(approve(second())).then_refused(&wrong_state(Status::Confirmed));
}

#[test]
fn a_later_application_stands_in_the_way_until_it_is_withdrawn() {
    let later = [concluded(Conclusion::Deferred), vec![proposed(false), submitted(2, 1)]].concat();
    let refused = Rejection::LaterApplication { number: number(2) };
    on(later.clone()).when(propose(reviewer(PROVINCE), false)).then_refused(&refused);
    on(later.clone()).when(approve(second())).then_refused(&refused);
    let withdrawn = [later, vec![Event::ApplicationWithdrawn(number(2))]].concat();
    assert_eq!(on(withdrawn).when(approve(second())).events().len(), 1);
}
