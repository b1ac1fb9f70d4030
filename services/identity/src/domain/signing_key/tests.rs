//! Decisions about signing keys, over years of random checks.

use decider::testing::given;
use proptest::prelude::*;

use super::*;

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn publish(id: u128, now: OffsetDateTime) -> PublishIfDue {
    PublishIfDue { id: Uuid::from_u128(id), public_key: [1; 32], now }
}

fn key(id: u128, not_before: OffsetDateTime) -> Published {
    let not_after = not_before + SIGNS_FOR + RESERVE + LAST_TOKEN;
    Published(Key { id: Uuid::from_u128(id), public_key: [1; 32], not_before, not_after })
}

#[test]
fn the_first_key_signs_at_once_from_a_whole_second_on() {
    given::<KeyRing>([]).when(publish(1, START + Duration::milliseconds(700))).then([key(1, START)]);
}

#[test]
fn the_second_of_two_replicas_finds_nothing_to_publish() {
    given::<KeyRing>([key(1, START)]).when(publish(2, START)).then_nothing();
}

#[test]
fn the_next_key_is_published_ahead_and_takes_over_in_time() {
    let ahead = START + SIGNS_FOR - PUBLISHED_AHEAD;
    given::<KeyRing>([key(1, START)]).when(publish(2, ahead - Duration::SECOND)).then_nothing();
    for now in [ahead, START + SIGNS_FOR - LEAD] {
        given::<KeyRing>([key(1, START)]).when(publish(2, now)).then([key(2, START + SIGNS_FOR)]);
    }
}

#[test]
fn after_a_long_sleep_the_last_key_goes_on_until_the_next_one_has_been_known_for_a_day() {
    for late in [SIGNS_FOR - Duration::HOUR, SIGNS_FOR, Duration::days(40), SIGNS_FOR + RESERVE - LEAD] {
        let woken = START + late;
        given::<KeyRing>([key(1, START)]).when(publish(2, woken)).then([key(2, woken + LEAD)]);
        let ring = given::<KeyRing>([key(1, START), key(2, woken + LEAD)]).state();
        assert_eq!(ring.signing(woken + LEAD - Duration::SECOND).unwrap().id, Uuid::from_u128(1));
        assert_eq!(ring.signing(woken + LEAD).unwrap().id, Uuid::from_u128(2));
    }
}

#[test]
fn at_the_end_of_its_reserve_a_key_hands_over_to_one_that_is_known_for_as_long_as_it_can_be() {
    let end = START + SIGNS_FOR + RESERVE;
    given::<KeyRing>([key(1, START)]).when(publish(2, end - Duration::HOUR)).then([key(2, end)]);
}

#[test]
fn where_no_key_can_sign_any_more_the_next_one_signs_at_once() {
    let late = START + SIGNS_FOR + RESERVE;
    given::<KeyRing>([key(1, START)]).when(publish(2, late)).then([key(2, late)]);
}

#[test]
fn a_key_from_before_there_was_a_reserve_hands_over_where_it_ends() {
    let Published(before) = key(1, START);
    let before = Published(Key { not_after: before.not_after - RESERVE, ..before });
    given::<KeyRing>([before]).when(publish(2, START + SIGNS_FOR - Duration::HOUR)).then([key(2, START + SIGNS_FOR)]);
}

#[test]
fn a_key_is_kept_until_its_last_token_has_ended() {
    let ring = given::<KeyRing>([key(1, START), key(2, START + SIGNS_FOR)]).state();
    let change = START + SIGNS_FOR;
    assert_eq!(ring.signing(change - Duration::SECOND).unwrap().id, Uuid::from_u128(1));
    assert_eq!(ring.signing(change).unwrap().id, Uuid::from_u128(2));
    assert_eq!(ring.alive(change + LAST_TOKEN - Duration::SECOND).count(), 2);
    assert_eq!(ring.alive(change + LAST_TOKEN).count(), 1);
    assert_eq!(ring.over(change + LAST_TOKEN).count(), 1);
}

proptest! {
    #[test]
    fn a_service_that_sleeps_for_a_month_at_most_always_has_a_key_that_was_published_a_day_before(
        pauses in proptest::collection::vec(prop_oneof![1..20_i64, 1..31 * 24_i64], 1..400)
    ) {
        let (mut ring, mut now) = (KeyRing::default(), START);
        let mut published_at = Vec::new();
        for (id, hours) in pauses.into_iter().enumerate() {
            let Ok(events) = KeyRing::decide(&ring, publish(id as u128 + 1, now));
            for event in events {
                ring = KeyRing::evolve(ring, &event);
                published_at.push((event.0.id, now));
            }
            let signing = ring.signing(now).expect("there is always a key");
            let (first, known_since) = (ring.0[0].id, published_at.iter().find(|(id, _)| *id == signing.id).unwrap().1);
            prop_assert!(signing.id == first || signing.not_before - known_since >= Duration::hours(24));
            now += Duration::hours(hours);
        }
    }
}
