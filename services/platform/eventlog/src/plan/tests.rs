//! What needs an exact instant or an exact ground, and no database.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Command, Ground, Plan, Witness, plan};
use crate::append::{Append, AppendError, RequestKey};
use crate::event::{Division, NewEvent};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn ground<'a>() -> Ground<'a> {
    Ground {
        position: 7,
        epoch: 1,
        hash: [0; 32],
        now: NOW,
        versions: HashMap::new(),
        requests: HashMap::new(),
        claims: HashMap::new(),
    }
}

fn append(events: u128) -> Append {
    let event = |id| NewEvent {
        event_id: Uuid::from_u128(id),
        kind: "test.v1.Happened".to_owned(),
        payload: Vec::new(),
        inner: Vec::new(),
        sealed: Vec::new(),
        division: Division::NONE,
    };
    Append {
        stream: Uuid::from_u128(1),
        expected_version: 0,
        events: (1..=events).map(event).collect(),
        actor: "person:one".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}

fn requested(events: u128) -> Append {
    let request = RequestKey { id: Uuid::from_u128(9), fingerprint: [0; 32], answer: Vec::new() };
    Append { request: Some(request), ..append(events) }
}

#[test]
fn the_closing_instant_itself_is_too_late_and_the_microsecond_before_it_is_not() {
    let commands = [Duration::ZERO, Duration::from_micros(1)].map(|ahead| {
        let append = Append { not_after: Some(NOW + ahead), ..append(1) };
        Command::new(append)
    });
    let plan = plan(ground(), &commands);
    assert_eq!(plan.answers[0], Err(AppendError::TooLate { now: NOW, not_after: NOW }));
    assert!(plan.answers[1].is_ok());
    assert_eq!(plan.head, 8);
}

#[test]
fn the_opening_instant_itself_is_in_time_and_the_microsecond_before_it_is_too_early() {
    let commands = [Duration::from_micros(1), Duration::ZERO].map(|ahead| {
        let append = Append { not_before: Some(NOW + ahead), ..append(1) };
        Command::new(append)
    });
    let plan = plan(ground(), &commands);
    let not_before = NOW + Duration::from_micros(1);
    assert_eq!(plan.answers[0], Err(AppendError::TooEarly { now: NOW, not_before }));
    assert!(plan.answers[1].is_ok());
    assert_eq!(plan.head, 8);
}

#[test]
fn a_plan_is_recognised_by_its_first_event_else_by_its_first_request_else_not_at_all() {
    let commands = [append(0), requested(0)].map(Command::new);
    let witness = Witness::Request { command: 1, position: 7, recorded_at: NOW };
    assert_eq!(plan(ground(), &commands).witness(), Some(witness));
    let commands = [requested(0), append(2)].map(Command::new);
    let witness = Witness::Event { position: 8, event_id: Uuid::from_u128(1) };
    assert_eq!(plan(ground(), &commands).witness(), Some(witness));
    assert_eq!(plan(ground(), &[Command::new(append(0))]).witness(), None);
}

#[test]
fn there_is_nothing_to_write_when_all_is_refused_or_repeated() {
    let refused = Command::new(Append { expected_version: 3, ..append(1) });
    let commands = [refused];
    let nothing: Plan<'_> = plan(ground(), &commands);
    assert!(nothing.is_empty());
    assert!(!plan(ground(), &[Command::new(requested(0))]).is_empty());
}
