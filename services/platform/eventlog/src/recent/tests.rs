//! The run of events in memory: what continues it, what begins it anew, and its bounds.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{EVENTS, Recent};
use crate::event::{Division, Metadata, Recorded};

/// An event whose hash is made of its position and the history that it belongs to.
fn event(history: u8, position: i64) -> Recorded {
    let actor = "system".to_owned();
    Recorded {
        position,
        epoch: 1,
        stream: Uuid::from_u128(1),
        version: position,
        kind: "test.v1.Happened".to_owned(),
        payload: Vec::new(),
        inner: Vec::new(),
        sealed: Vec::new(),
        metadata: Metadata { actor, request_id: None, traceparent: None, cause: None, division: Division::NONE },
        metadata_bytes: Vec::new(),
        event_id: Uuid::from_u128(2),
        recorded_at: OffsetDateTime::UNIX_EPOCH,
        hash: hash(history, position),
    }
}

fn hash(history: u8, position: i64) -> [u8; 32] {
    let mut hash = [history; 32];
    hash[..8].copy_from_slice(&position.to_be_bytes());
    hash
}

fn extend(recent: &Recent, history: u8, positions: std::ops::RangeInclusive<i64>) {
    let before = hash(history, positions.start() - 1);
    recent.extend(before, positions.map(|position| event(history, position)));
}

fn after(recent: &Recent, history: u8, position: i64) -> Vec<i64> {
    let events = recent.after(position, &hash(history, position), 10);
    events.iter().map(|event| event.position).collect()
}

#[test]
fn what_continues_the_run_is_added_and_given_behind_any_of_its_events() {
    let recent = Recent::default();
    extend(&recent, 1, 5..=6);
    extend(&recent, 1, 7..=8);
    assert_eq!(after(&recent, 1, 4), [5, 6, 7, 8]);
    assert_eq!(after(&recent, 1, 6), [7, 8]);
    assert_eq!(recent.after(4, &hash(1, 4), 3).len(), 3);
    for outside in [0, 3, 8, 9, 1_000] {
        assert_eq!(after(&recent, 1, outside), [0; 0], "behind {outside}");
    }
    assert_eq!(recent.newest(), 8);
}

#[test]
fn what_does_not_continue_the_run_begins_it_anew() {
    let recent = Recent::default();
    extend(&recent, 1, 1..=3);
    // Position 4 was appended elsewhere.
    extend(&recent, 1, 5..=5);
    assert_eq!((after(&recent, 1, 2), after(&recent, 1, 4)), (vec![], vec![5]));
    // It is told late.
    extend(&recent, 1, 4..=4);
    assert_eq!((after(&recent, 1, 3), after(&recent, 1, 4)), (vec![4], vec![]));
    // A database that was restored to position 3 has another one in its place.
    extend(&recent, 2, 5..=5);
    assert_eq!((after(&recent, 1, 4), after(&recent, 2, 4)), (vec![], vec![5]));
}

#[test]
fn the_oldest_events_go_first_and_all_of_them_when_told() {
    let recent = Recent::default();
    let most = i64::try_from(EVENTS).unwrap();
    extend(&recent, 1, 1..=most + 1);
    assert_eq!((after(&recent, 1, 0), after(&recent, 1, 1).len()), (vec![], 10));
    recent.forget();
    assert_eq!((after(&recent, 1, 1), recent.newest()), (vec![], 0));
}
