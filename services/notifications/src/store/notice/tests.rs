//! Round trips, and golden samples of every stored version of every event: they decode for ever.

use std::collections::BTreeMap;

use eventlog::Metadata;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;

/// As the log would give it back.
fn recorded(kind: &str, payload: Vec<u8>, inner: Vec<u8>) -> Recorded {
    let metadata = Metadata {
        actor: "system".to_owned(),
        request_id: None,
        traceparent: None,
        cause: None,
        division: Division::NONE,
    };
    Recorded {
        position: 7,
        epoch: 1,
        stream: Uuid::from_u128(1),
        version: 1,
        kind: kind.to_owned(),
        payload,
        inner,
        sealed: Vec::new(),
        metadata,
        metadata_bytes: Vec::new(),
        event_id: Uuid::from_u128(2),
        recorded_at: datetime!(2026-11-23 08:00 UTC),
        hash: [0; 32],
    }
}

fn queued() -> Event {
    Event::Queued(Queued {
        person: Uuid::from_u128(3),
        template: "application_returned".to_owned(),
        version: 1,
        channels: Channel::ALL.into(),
        cause: Uuid::from_u128(4),
        enrolment_number: "20263203020000017".to_owned(),
        values: BTreeMap::from([("by".to_owned(), "学校".to_owned()), ("time".to_owned(), "今天".to_owned())]),
    })
}

/// Kind, payload, inner and meaning of what was once stored. Rows are added, never changed.
fn golden() -> Vec<(&'static str, &'static str, &'static str, Event)> {
    vec![
        ("dingzhu.notifications.v1.NoticeQueued", GOLDEN_QUEUED, GOLDEN_QUEUED_INNER, queued()),
        ("dingzhu.notifications.v1.NoticeDelivered", GOLDEN_DELIVERED, "", Event::Delivered { channel: Channel::Mail }),
        (
            "dingzhu.notifications.v1.NoticeFailed",
            GOLDEN_FAILED,
            "",
            Event::Failed { channel: Channel::Sms, reason: Failure::AddressRefused },
        ),
    ]
}

const GOLDEN_QUEUED: &str = concat!(
    "0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303112243030303030303030",
    "2d303030302d303030302d303030302d3030303030303030303030331a146170706c69636174696f6e5f72657475726e",
    "656420012a03010203322430303030303030302d303030302d303030302d303030302d303030303030303030303034"
);
const GOLDEN_QUEUED_INNER: &str =
    concat!("0a113230323633323033303230303030303137120c0a0262791206e5ada6e6a0a1120e0a0474696d651206e4bb8ae5a4", "a9");
const GOLDEN_DELIVERED: &str = "0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030311002";
const GOLDEN_FAILED: &str = concat!(
    "0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303110031a0f414444524553",
    "535f52454655534544"
);

#[test]
fn golden_samples_decode_to_what_they_meant() {
    for (kind, payload, inner, event) in golden() {
        assert_eq!(
            decode(&recorded(kind, hex::decode(payload).unwrap(), hex::decode(inner).unwrap())),
            Ok(event),
            "{kind}"
        );
    }
}

#[test]
fn what_is_written_today_is_the_newest_golden_sample() {
    for (kind, payload, inner, event) in golden() {
        let new = encode(Uuid::from_u128(1), &event, Uuid::from_u128(2), Division::NONE);
        assert_eq!(
            (new.kind.as_str(), hex::encode(&new.payload), hex::encode(&new.inner)),
            (kind, payload.to_owned(), inner.to_owned())
        );
    }
}

#[test]
fn what_is_no_event_of_a_notice_is_corrupt() {
    let corrupt = Err(CorruptEvent { position: 7 });
    assert_eq!(decode(&recorded("dingzhu.notifications.v1.NoticeBurnt", Vec::new(), Vec::new())), corrupt);
    assert_eq!(decode(&recorded("NoticeQueued", Vec::new(), Vec::new())), corrupt);
    assert_eq!(decode(&recorded("dingzhu.notifications.v1.NoticeQueued", Vec::new(), Vec::new())), corrupt);
    assert_eq!(decode(&recorded("dingzhu.notifications.v1.NoticeDelivered", vec![0x10, 0x09], Vec::new())), corrupt);
    assert_eq!(decode(&recorded("dingzhu.notifications.v1.NoticeFailed", vec![0xff], Vec::new())), corrupt);
}

#[test]
fn nothing_of_what_was_said_is_in_the_published_part() {
    let new = encode(Uuid::from_u128(1), &queued(), Uuid::from_u128(2), Division::NONE);
    let published = String::from_utf8_lossy(&new.payload).into_owned();
    assert!(!published.contains("学校") && !published.contains("20263203020000017"), "{published}");
    assert!(new.sealed.is_empty());
}

fn event() -> impl Strategy<Value = Event> {
    let channel = || prop::sample::select(Channel::ALL.to_vec());
    let values = prop::collection::btree_map("[a-z_]{1,8}", ".{0,12}", 0..4);
    let queued = (any::<[u128; 2]>(), "[a-z_]{1,20}", 1_u32..9, prop::collection::btree_set(channel(), 1..4), values)
        .prop_map(|([person, cause], template, version, channels, values)| {
            Event::Queued(Queued {
                person: Uuid::from_u128(person),
                template,
                version,
                channels,
                cause: Uuid::from_u128(cause),
                enrolment_number: "20263203020000017".to_owned(),
                values,
            })
        });
    prop_oneof![
        queued,
        channel().prop_map(|channel| Event::Delivered { channel }),
        (channel(), prop::sample::select(Failure::ALL.to_vec()))
            .prop_map(|(channel, reason)| Event::Failed { channel, reason }),
    ]
}

proptest! {
    #[test]
    fn every_event_survives_the_log(event in event()) {
        let new = encode(Uuid::from_u128(1), &event, Uuid::from_u128(2), Division::NONE);
        prop_assert_eq!(decode(&recorded(&new.kind, new.payload, new.inner)), Ok(event));
    }
}
