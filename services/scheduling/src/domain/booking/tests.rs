//! Given a booking, when somebody wants something of it, then this follows.

use decider::testing::{Outcome, given};
use proptest::prelude::*;
use time::macros::datetime;
use uuid::Uuid;

use super::super::slot::HalfDay;
use super::super::slot::tests::{POINT, slot};
use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-20 00:00 UTC);
/// No-shows that are too many.
const MOST: u32 = 2;
const BOOKING: BookingId = BookingId(Uuid::from_u128(9));

fn number(n: u32) -> EnrolmentNumber {
    EnrolmentNumber::parse(&format!("{n:017}")).unwrap()
}

fn morning() -> Slot {
    slot(HalfDay::Morning)
}

fn afternoon() -> Slot {
    slot(HalfDay::Afternoon)
}

fn application(n: u32) -> Application {
    Application { number: number(n), point: POINT, pending: true, no_shows: 0, booked: None }
}

fn offer(slot: Slot, free: &[u32]) -> Offer {
    let dates = Dates { begin: NOW, end: datetime!(2026-12-05 09:00 UTC) };
    Offer { slot, dates: Some(dates), capacity: 3, free: free.to_vec() }
}

fn book(applications: &[Application], offer: Offer) -> Command {
    Command::Book { booking: BOOKING, applications: applications.to_vec(), offer, most_no_shows: MOST, now: NOW }
}

fn booked(seats: &[(u32, u32)]) -> Event {
    let seats = seats.iter().map(|(n, seat)| (number(*n), *seat)).collect();
    Event::Booked { booking: BOOKING, slot: morning(), seats }
}

fn shift(offer: Offer, now: OffsetDateTime) -> Command {
    Command::Move { application: application(1), offer, now }
}

fn release(cause: Cause, now: OffsetDateTime) -> Command {
    Command::Release { number: number(1), cause, now }
}

fn released(cause: Cause) -> Event {
    Event::Released { number: number(1), slot: morning(), cause }
}

fn missed() -> Event {
    Event::Missed { number: number(1), slot: morning() }
}

fn when(history: &[Event], command: Command) -> Outcome<Decisions> {
    given::<Decisions>(history.to_vec()).when(command)
}

#[test]
fn the_first_free_places_are_booked_for_all_or_for_none() {
    when(&[], book(&[application(1)], offer(morning(), &[3, 1]))).then([booked(&[(1, 3)])]);
    let both = [application(1), application(2)];
    when(&[], book(&both, offer(morning(), &[3, 1]))).then([booked(&[(1, 3), (2, 1)])]);
    when(&[], book(&both, offer(morning(), &[3]))).then_refused(&Rejection::Full { free: 1 });
    when(&[], book(&both, offer(morning(), &[]))).then_refused(&Rejection::Full { free: 0 });
    let closed = Offer { capacity: 0, ..offer(morning(), &[]) };
    when(&[], book(&both, closed)).then_refused(&Rejection::NotOpen);
}

#[test]
fn whoever_was_missed_too_often_gets_no_place_and_neither_does_the_block() {
    let missed = |n, no_shows| Application { no_shows, ..application(n) };
    when(&[], book(&[missed(1, MOST - 1)], offer(morning(), &[1]))).then([booked(&[(1, 1)])]);
    let refused = Rejection::TooManyNoShows { number: number(2), no_shows: MOST };
    when(&[], book(&[application(1), missed(2, MOST)], offer(morning(), &[1, 2]))).then_refused(&refused);
}

#[test]
fn nobody_books_what_has_begun_or_lies_outside_the_points_dates() {
    let late = Command::Book {
        booking: BOOKING,
        applications: vec![application(1)],
        offer: offer(morning(), &[1]),
        most_no_shows: MOST,
        now: morning().begins_at(),
    };
    when(&[], late).then_refused(&Rejection::Barred(Barred::Past));
    let nowhere = Offer { dates: None, ..offer(morning(), &[1]) };
    when(&[], book(&[application(1)], nowhere)).then_refused(&Rejection::Barred(Barred::NotAssigned));
}

#[test]
fn only_applications_that_wait_for_confirmation_at_the_point_are_booked() {
    let confirmed = Application { pending: false, ..application(2) };
    when(&[], book(&[application(1), confirmed], offer(morning(), &[1, 2])))
        .then_refused(&Rejection::NotPending { number: number(2) });
    let elsewhere = Application { point: PointId(Uuid::from_u128(8)), ..application(2) };
    when(&[], book(&[application(1), elsewhere], offer(morning(), &[1, 2])))
        .then_refused(&Rejection::AnotherPoint { number: number(2) });
}

#[test]
fn an_application_has_one_live_booking() {
    let refusal = Rejection::AlreadyBooked { number: number(1), slot: morning() };
    when(&[], book(&[waits(0)], offer(afternoon(), &[1]))).then_refused(&refusal);
    when(&[booked(&[(1, 3)])], book(&[application(1)], offer(afternoon(), &[1]))).then_refused(&refusal);
}

/// The first application, with a live booking of the morning.
fn waits(no_shows: u32) -> Application {
    Application { no_shows, booked: Some(morning()), ..application(1) }
}

#[test]
fn whoever_was_not_seen_in_a_slot_that_is_over_books_again_and_was_missed_once_more() {
    let again = |no_shows, now| Command::Book {
        booking: BOOKING,
        applications: vec![waits(no_shows)],
        offer: offer(afternoon(), &[1]),
        most_no_shows: MOST,
        now,
    };
    let over = morning().ends_at();
    let event = Event::Booked { booking: BOOKING, slot: afternoon(), seats: vec![(number(1), 1)] };
    when(&[], again(MOST - 2, over)).then([event]);
    when(&[], again(MOST - 1, over)).then_refused(&Rejection::TooManyNoShows { number: number(1), no_shows: MOST });
    let refusal = Rejection::AlreadyBooked { number: number(1), slot: morning() };
    when(&[], again(0, over - time::Duration::MICROSECOND)).then_refused(&refusal);
}

#[test]
fn a_booking_moves_until_it_begins() {
    let history = [booked(&[(1, 3), (2, 1)])];
    let moved = Event::Moved { number: number(1), from: morning(), to: Place { slot: afternoon(), seat: 2 } };
    when(&history, shift(offer(afternoon(), &[2]), NOW)).then([moved.clone()]);
    when(&history, shift(offer(morning(), &[2]), NOW)).then_nothing();
    when(&history, shift(offer(afternoon(), &[]), NOW)).then_refused(&Rejection::Full { free: 0 });
    let begun = Rejection::Begun { slot: morning() };
    when(&history, shift(offer(afternoon(), &[2]), morning().begins_at())).then_refused(&begun);
    when(&[], shift(offer(afternoon(), &[2]), NOW)).then_refused(&Rejection::NotBooked);
    let state = given::<Decisions>([history[0].clone(), moved]).state();
    assert_eq!(state.place(&number(1)), Some(Place { slot: afternoon(), seat: 2 }));
    assert_eq!(state.place(&number(2)), Some(Place { slot: morning(), seat: 1 }));
}

#[test]
fn people_give_back_what_has_not_begun() {
    let history = [booked(&[(1, 3)])];
    when(&history, release(Cause::GivenBack, NOW)).then([released(Cause::GivenBack)]);
    when(&history, release(Cause::GivenBack, morning().begins_at()))
        .then_refused(&Rejection::Begun { slot: morning() });
    let gone = [booked(&[(1, 3)]), released(Cause::GivenBack)];
    when(&gone, release(Cause::GivenBack, NOW)).then_refused(&Rejection::NotBooked);
}

#[test]
fn what_happens_to_the_application_frees_its_place_at_any_hour() {
    for cause in [Cause::Withdrawn, Cause::Confirmed, Cause::Concluded, Cause::PointChanged] {
        when(&[booked(&[(1, 3)])], release(cause, morning().ends_at())).then([released(cause)]);
        when(&[], release(cause, NOW)).then_refused(&Rejection::NotBooked);
    }
}

#[test]
fn a_no_show_is_known_when_the_slot_is_over() {
    let mark = |now| Command::MarkNoShow { number: number(1), now };
    let history = [booked(&[(1, 3)])];
    when(&history, mark(morning().ends_at())).then([missed()]);
    when(&history, mark(morning().begins_at())).then_refused(&Rejection::NotOver { slot: morning() });
    when(&[booked(&[(1, 3)]), missed()], mark(morning().ends_at())).then_refused(&Rejection::NotBooked);
}

#[test]
fn enrolment_numbers_are_seventeen_digits() {
    assert_eq!(number(1).to_string(), "00000000000000001");
    for wrong in ["", "1", "0000000000000000a", "000000000000000001", "２0000000000000"] {
        assert!(EnrolmentNumber::parse(wrong).is_none(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn what_is_decided_keeps_each_place_with_one_application(
        steps in prop::collection::vec((0_u8..4, 0_u32..4, any::<bool>()), 0..24),
    ) {
        let mut history = Vec::new();
        for (kind, n, half) in steps {
            let state = Decisions::fold(&history);
            let slot = if half { morning() } else { afternoon() };
            let taken = |seat: &u32| {
                let State::Holding(places) = &state else { return false };
                places.values().any(|place| *place == Place { slot, seat: *seat })
            };
            let free: Vec<u32> = (1..=3).filter(|seat| !taken(seat)).collect();
            let command = match kind {
                0 => book(&[application(n)], offer(slot, &free)),
                1 => Command::Move { application: application(n), offer: offer(slot, &free), now: NOW },
                2 => Command::Release { number: number(n), cause: Cause::GivenBack, now: NOW },
                _ => Command::MarkNoShow { number: number(n), now: slot.ends_at() },
            };
            history.extend(Decisions::decide(&state, command).unwrap_or_default());
            if let State::Holding(places) = Decisions::fold(&history) {
                let mut held: Vec<_> = places.values().map(|place| (place.slot, place.seat)).collect();
                held.sort_unstable();
                held.dedup();
                prop_assert_eq!(held.len(), places.len());
            }
        }
    }
}
