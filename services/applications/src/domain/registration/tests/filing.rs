//! draft → 网报待确认, amend, withdraw; interval, bars, ordinal.

use decider::Decider as _;
use time::macros::date;
use time::{Date, Duration};
use uuid::Uuid;

use super::*;
use crate::domain::calendar::add_months;
use crate::domain::form::Place;
use crate::domain::opening::Closed;
use crate::domain::registration::{Prior, Submit};
use crate::domain::route::{Route, Step};
use crate::domain::rules::{RuleRef, RuleSet};
use crate::domain::text::TextRef;
use crate::domain::values::CertificateKind;

fn submitting(serial: u32) -> Command {
    Command::Submit(Box::new(submit(serial)))
}

fn with(change: impl FnOnce(&mut Submit)) -> Command {
    let mut submit = submit(1);
    change(&mut submit);
    Command::Submit(Box::new(submit))
}

fn amending(change: impl FnOnce(&mut Amend)) -> Command {
    let mut amend = amend(1);
    change(&mut amend);
    Command::Amend(Box::new(amend))
}

fn withdraw(person: Uuid) -> Command {
    Command::Withdraw { number: number(1), person }
}

#[test]
fn a_pledged_draft_becomes_a_first_registration_at_the_three_levels() {
    on(Vec::new()).when(submitting(1)).then([submitted(1, 1)]);
}

#[test]
fn without_the_pledge_nothing_is_filed() {
    on(Vec::new()).when(with(|submit| submit.pledge = None)).then_refused(&Rejection::PledgeRefused);
}

#[test]
fn without_the_agreement_nothing_is_filed() {
    on(Vec::new()).when(with(|submit| submit.agreement = None)).then_refused(&Rejection::AgreementMissing);
}

#[test]
fn an_agreement_to_another_text_than_the_one_that_is_shown_does_not_count() {
    let changed = |change: fn(&mut TextRef)| with(move |submit| change(&mut submit.shown_agreement));
    for submitting in [changed(|shown| shown.version = 2), changed(|shown| shown.digest = "1".repeat(64))] {
        on(Vec::new()).when(submitting).then_refused(&Rejection::TextChanged { text: "agreement" });
    }
}

#[test]
fn everything_that_speaks_against_a_submission_is_found_at_once() {
    let against = |history: &[Event], certificate, draft: Uuid| {
        Registrations::fold(history).eligible((TEACHER, draft), certificate, &rules(), TODAY).unwrap_err()
    };
    let (kind, person) = (CertificateKind::Higher, Some(TEACHER));
    let restriction = Some(Restriction::ExamCheating);
    let restricted = CertificateFacts { kind, person, restriction, restricted_until: None };
    let mut history = vec![prior(1, Conclusion::Qualified, TODAY)];
    history.extend(pending());
    let found = against(&history, Some(restricted), Uuid::from_u128(5));
    assert_eq!(
        found,
        [
            Rejection::AlreadyApplied { number: number(1) },
            Rejection::CertificateNotRegistrable,
            Rejection::CertificateRestricted(Restriction::ExamCheating, None),
            Rejection::RegisteredRecently { on: TODAY, earliest: add_months(TODAY, 54), expiry: add_months(TODAY, 60) },
        ]
    );
    let stranger = Some(CertificateFacts { person: None, ..restricted });
    assert_eq!(against(&[], stranger, Uuid::from_u128(5)), [Rejection::CertificateUnknown]);
    // Filed from this very draft, and over.
    let mut over = pending();
    over.push(Event::ApplicationWithdrawn(number(1)));
    let free = Some(CertificateFacts { kind: CertificateKind::Junior, restriction: None, ..restricted });
    assert_eq!(against(&over, free, submit(1).draft), [Rejection::NotFound]);
}

#[test]
fn a_submitted_application_cannot_be_submitted_again() {
    let already = Rejection::AlreadyApplied { number: number(1) };
    on(pending()).when(submitting(1)).then_refused(&already);
    on(pending()).when(submitting(2)).then_refused(&already);
    on(confirmed()).when(submitting(2)).then_refused(&already);
}

#[test]
fn a_second_account_finds_the_same_live_application() {
    let stranger = with(|submit| {
        submit.person = Uuid::from_u128(7);
        submit.certificate.as_mut().unwrap().person = Some(Uuid::from_u128(7));
        submit.draft = Uuid::from_u128(8);
    });
    on(pending()).when(stranger).then_refused(&Rejection::AlreadyApplied { number: number(1) });
}

#[test]
fn the_certificate_must_be_known_and_the_persons_own() {
    on(Vec::new()).when(with(|submit| submit.certificate = None)).then_refused(&Rejection::CertificateUnknown);
    let of_another = |person| with(move |submit| submit.certificate.as_mut().unwrap().person = person);
    on(Vec::new()).when(of_another(None)).then_refused(&Rejection::CertificateUnknown);
    on(Vec::new()).when(of_another(Some(Uuid::from_u128(9)))).then_refused(&Rejection::CertificateUnknown);
}

#[test]
fn a_certificate_of_higher_education_is_not_registered() {
    let higher = with(|submit| submit.certificate.as_mut().unwrap().kind = CertificateKind::Higher);
    on(Vec::new()).when(higher).then_refused(&Rejection::CertificateNotRegistrable);
}

#[test]
fn a_restricted_certificate_is_not_registered_whatever_its_kind() {
    for restriction in [
        Restriction::Unspecified,
        Restriction::Forfeited,
        Restriction::RevokedConduct,
        Restriction::RevokedFraud,
        Restriction::ExamCheating,
        Restriction::RecordsDisagree,
    ] {
        let restricted = with(|submit| submit.certificate.as_mut().unwrap().restriction = Some(restriction));
        on(Vec::new()).when(restricted).then_refused(&Rejection::CertificateRestricted(restriction, None));
    }
}

#[test]
fn outside_the_window_nothing_is_filed() {
    let closed = with(|submit| submit.admission = Err(Closed::PlanFinished));
    on(Vec::new()).when(closed).then_refused(&Rejection::NotOpen(Closed::PlanFinished));
}

#[test]
fn an_agency_that_nobody_reviews_for_takes_no_application() {
    on(Vec::new()).when(with(|submit| submit.route = None)).then_refused(&Rejection::NobodyReviews);
    on(pending()).when(amending(|amend| amend.route = None)).then_refused(&Rejection::NobodyReviews);
}

#[test]
fn after_qualified_the_next_application_waits_54_months_and_counts_one_up() {
    let qualified = prior(1, Conclusion::Qualified, date!(2022 - 05 - 23));
    let at = |today: Date| with(move |submit| submit.today = today);
    on(vec![qualified.clone()]).when(at(date!(2026 - 11 - 22))).then_refused(&Rejection::RegisteredRecently {
        on: date!(2022 - 05 - 23),
        earliest: date!(2026 - 11 - 23),
        expiry: date!(2027 - 05 - 23),
    });
    on(vec![qualified]).when(submitting(1)).then([submitted(1, 2)]);
}

#[test]
fn an_overdue_teacher_may_apply() {
    on(vec![prior(1, Conclusion::Qualified, date!(2010 - 01 - 01))]).when(submitting(1)).then([submitted(1, 2)]);
}

#[test]
fn after_deferred_a_new_application_of_the_same_cycle_comes_at_once() {
    let history = [concluded(Conclusion::Deferred)].concat();
    on(history).when(submitting(2)).then([submitted(2, 1)]);
    let second = vec![prior(1, Conclusion::Qualified, date!(2021 - 01 - 01)), prior(2, Conclusion::Deferred, TODAY)];
    on(second).when(submitting(1)).then([submitted(1, 2)]);
}

#[test]
fn after_failed_a_new_application_comes_when_the_rule_set_says() {
    on(concluded(Conclusion::Failed)).when(submitting(2)).then([submitted(2, 1)]);
    let waiting = RuleSet { reapply_after_failed_days: 365, ..rules() };
    let mut later = submit(2);
    later.rules = Arc::new(waiting);
    on(concluded(Conclusion::Failed))
        .when(Command::Submit(Box::new(later.clone())))
        .then_refused(&Rejection::FailedRecently { on: TODAY, earliest: TODAY + Duration::days(365) });
    later.today = TODAY + Duration::days(365);
    assert_eq!(on(concluded(Conclusion::Failed)).when(Command::Submit(Box::new(later))).events().len(), 1);
}

#[test]
fn a_revocation_bars_for_five_years_and_then_the_same_ordinal_comes_again() {
    let revoked = prior(2, Conclusion::Revoked, date!(2021 - 11 - 24));
    on(vec![revoked])
        .when(submitting(1))
        .then_refused(&Rejection::RevokedRecently { on: date!(2021 - 11 - 24), earliest: date!(2026 - 11 - 24) });
    on(vec![prior(2, Conclusion::Revoked, date!(2021 - 11 - 23))]).when(submitting(1)).then([submitted(1, 2)]);
    let here = [concluded(Conclusion::Qualified), vec![Event::RegistrationRevoked { number: number(1), on: TODAY }]];
    let earliest = date!(2031 - 11 - 23);
    on(here.concat()).when(submitting(2)).then_refused(&Rejection::RevokedRecently { on: TODAY, earliest });
}

#[test]
fn a_draft_that_was_filed_once_is_gone() {
    let withdrawn = [pending(), vec![Event::ApplicationWithdrawn(number(1))]].concat();
    on(withdrawn.clone()).when(submitting(1)).then_refused(&Rejection::NotFound);
    on(withdrawn).when(submitting(2)).then([submitted(2, 1)]);
}

#[test]
fn the_same_prior_registration_is_recorded_once() {
    let known = Prior { ordinal: 1, conclusion: Conclusion::Qualified, on: date!(2021 - 01 - 01), merged_from: None };
    on(Vec::new()).when(Command::RecordPrior(known)).then([Event::PriorRegistrationRecorded(known)]);
    on(vec![Event::PriorRegistrationRecorded(known)]).when(Command::RecordPrior(known)).then_nothing();
    let other = Prior { on: date!(2021 - 01 - 02), ..known };
    let history = vec![Event::PriorRegistrationRecorded(known)];
    on(history).when(Command::RecordPrior(other)).then([Event::PriorRegistrationRecorded(other)]);
}

#[test]
fn a_corrected_prior_registration_takes_the_place_of_the_wrong_one() {
    let wrong = prior(1, Conclusion::Qualified, date!(2025 - 11 - 30));
    on(vec![wrong.clone()]).when(submitting(1)).then_refused(&Rejection::RegisteredRecently {
        on: date!(2025 - 11 - 30),
        earliest: date!(2030 - 05 - 30),
        expiry: date!(2030 - 11 - 30),
    });
    let corrected =
        Prior { ordinal: 1, conclusion: Conclusion::Deferred, on: date!(2021 - 11 - 30), merged_from: None };
    let history = vec![wrong, Event::PriorRegistrationRecorded(corrected)];
    on(history.clone()).when(submitting(1)).then([submitted(1, 1)]);
    assert_eq!(on(history.clone()).state().prior, [corrected]);
    on(history.clone()).when(Command::RecordPrior(corrected)).then_nothing();
    // The register may take its correction back; another ordinal is another registration.
    let back = Prior { conclusion: Conclusion::Qualified, on: date!(2025 - 11 - 30), ..corrected };
    on(history.clone()).when(Command::RecordPrior(back)).then([Event::PriorRegistrationRecorded(back)]);
    let second = [history, vec![prior(2, Conclusion::Deferred, date!(2022 - 11 - 30))]].concat();
    assert_eq!(on(second).state().prior.len(), 2);
}

#[test]
fn an_amendment_takes_the_next_form_version_and_clears_the_refusal() {
    let refused = Event::ConfirmationRefused { number: number(1), point: POINT };
    let history = [recorded(), vec![refused]].concat();
    let amended = Event::ApplicationAmended(Box::new(Amended {
        number: number(1),
        form_version: 2,
        form: coded(),
        place: coded().place().unwrap(),
        pledge: text(),
        route: route(),
        rules: Some(rules().reference()),
    }));
    on(history.clone()).when(amending(|_| {})).then([amended.clone()]);
    let state = on([history, vec![amended]].concat()).state();
    assert_eq!(state.applications[0].phase, Phase::Pending { mending: None });
    assert_eq!(state.applications[0].form_version, 2);
}

#[test]
fn an_amendment_to_another_agency_keeps_the_number_and_takes_that_ones_reviewers_and_rules() {
    let agency = Uuid::from_u128(0xa9);
    let elsewhere =
        Route::new(vec![Step { level: Level::County, agency }, Step { level: Level::Province, agency: PROVINCE }]);
    let rules = RuleRef { province: "33".to_owned(), version: 4 };
    let place = Place { agency, ..coded().place().unwrap() };
    let moved = |amend: &mut Amend| {
        (amend.place, amend.route, amend.rules) = (place, elsewhere.clone(), rules.clone());
    };
    let events = on(pending()).when(amending(moved)).events();
    let application = on([pending(), events].concat()).state().applications.remove(0);
    assert_eq!((application.number, application.place), (number(1), place));
    assert_eq!((Some(application.route), application.rules), (elsewhere.clone(), rules.clone()));
    let closed = |amend: &mut Amend| {
        moved(amend);
        amend.transfer = Err(Closed::NoPlan);
    };
    on(pending()).when(amending(closed)).then_refused(&Rejection::NotOpen(Closed::NoPlan));
}

#[test]
fn an_amendment_without_the_pledge_keeps_the_old_version() {
    on(pending()).when(amending(|amend| amend.pledge = None)).then_refused(&Rejection::PledgeRefused);
}

#[test]
fn only_the_applicant_amends_and_withdraws() {
    let stranger = Uuid::from_u128(9);
    on(pending()).when(amending(|amend| amend.person = stranger)).then_refused(&Rejection::NotFound);
    on(pending()).when(withdraw(stranger)).then_refused(&Rejection::NotFound);
}

#[test]
fn amending_ends_with_the_points_dates_not_with_the_window() {
    let end = directory().assignment(WINDOW, COUNTY, POINT).unwrap().end;
    let just_before = end - Duration::microseconds(1);
    assert_eq!(on(pending()).when(amending(|amend| amend.now = just_before)).events().len(), 1);
    on(pending()).when(amending(|amend| amend.now = end)).then_refused(&Rejection::ConfirmationEnded { end });
}

#[test]
fn what_is_pending_can_be_withdrawn_after_the_points_dates() {
    let end = directory().assignment(WINDOW, COUNTY, POINT).unwrap().end;
    let sent_back = Event::ReviewSentBack { number: number(1), level: Level::County, to: None };
    let returned = Event::ApplicationReturned { number: number(1), by_liaison: true };
    let refused = Event::ConfirmationRefused { number: number(1), point: POINT };
    for history in [
        pending(),
        [confirmed(), vec![sent_back]].concat(),
        [confirmed(), vec![returned]].concat(),
        [recorded(), vec![refused]].concat(),
    ] {
        on(history.clone()).when(amending(|amend| amend.now = end)).then_refused(&Rejection::ConfirmationEnded { end });
        let withdrawn = Event::ApplicationWithdrawn(number(1));
        on(history.clone()).when(withdraw(TEACHER)).then([withdrawn.clone()]);
        on([history, vec![withdrawn]].concat()).when(submitting(2)).then([submitted(2, 1)]);
    }
}

#[test]
fn only_what_is_pending_can_be_amended_or_withdrawn() {
    for (history, status) in every_state().into_iter().filter(|(_, status)| *status != Status::Pending) {
        on(history.clone()).when(amending(|_| {})).then_refused(&wrong_state(status));
        on(history).when(withdraw(TEACHER)).then_refused(&wrong_state(status));
    }
}

#[test]
fn a_new_agency_or_point_must_take_part_and_the_number_stays() {
    let moved = |transfer: Result<(), Closed>| {
        amending(move |amend| {
            amend.form.point = Some(OTHER_POINT);
            amend.place.point = OTHER_POINT;
            amend.transfer = transfer;
        })
    };
    let unlisted = Closed::PointNotListed;
    on(pending()).when(moved(Err(unlisted.clone()))).then_refused(&Rejection::NotOpen(unlisted));
    let events = on(pending()).when(moved(Ok(()))).events();
    let state = on([pending(), events].concat()).state();
    assert_eq!((state.applications[0].number, state.applications[0].place.point), (number(1), OTHER_POINT));
    // Where it stays, the present agency is not asked again.
    assert_eq!(on(pending()).when(amending(|amend| amend.transfer = Err(Closed::NoPlan))).events().len(), 1);
}
