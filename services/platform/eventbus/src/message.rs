//! An event on its way: subject and headers of its message, and the proof that it belongs behind the one before.

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use eventlog::{Division, Link, Recorded, digest};
use prost_types::Timestamp;
use proto::operations::v1::PublishedEvent;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::Event;

const HASH: &str = "dz-hash";
const EPOCH: &str = "dz-epoch";

/// An event as it is published; `previous` is the hash of the record before it.
pub(crate) fn publish(recorded: &Recorded, previous: [u8; 32]) -> PublishedEvent {
    PublishedEvent {
        position: recorded.position,
        epoch: recorded.epoch,
        event_id: recorded.event_id.to_string(),
        r#type: recorded.kind.clone(),
        stream: recorded.stream.to_string(),
        version: recorded.version,
        division: recorded.metadata.division.as_str().to_owned(),
        record_time: Some(rpc::timestamp(recorded.recorded_at)),
        payload: Bytes::copy_from_slice(&recorded.payload),
        hash: Bytes::copy_from_slice(&recorded.hash),
        previous_hash: Bytes::copy_from_slice(&previous),
        inner_digest: Bytes::copy_from_slice(&digest(&recorded.inner)),
        sealed_digest: Bytes::copy_from_slice(&digest(&recorded.sealed)),
        metadata_digest: Bytes::copy_from_slice(&digest(&recorded.metadata_bytes)),
        traceparent: recorded.metadata.traceparent.clone().unwrap_or_default(),
    }
}

/// `dingzhu.<service>.<event>.<province>.<city>.<county>`.
pub(crate) fn subject(service: &str, event: &PublishedEvent) -> String {
    let message = event.r#type.rsplit('.').next().unwrap_or_default();
    let mut subject = format!("dingzhu.{service}.");
    for (place, letter) in message.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            subject.push('_');
        }
        subject.push(letter.to_ascii_lowercase());
    }
    for digits in event.division.as_bytes().chunks(2) {
        subject.push('.');
        subject.push_str(std::str::from_utf8(digits).expect("a division holds ASCII digits only"));
    }
    subject
}

/// `CloudEvents` 1.0 in binary mode, and the links of the chain.
pub(crate) fn headers(service: &str, event: &PublishedEvent) -> HeaderMap {
    let time = event.record_time.and_then(to_time).and_then(|time| time.format(&Rfc3339).ok());
    let mut headers = HeaderMap::new();
    // Names that are known beforehand cost nothing; there are seventeen to each event.
    let mut put = |name, value: String| headers.insert(HeaderName::from_static(name), value);
    put("ce-specversion", "1.0".to_owned());
    put("ce-id", event.event_id.clone());
    put("ce-type", event.r#type.clone());
    put("ce-source", format!("/dingzhu/{service}"));
    put("ce-time", time.expect("a recorded time can be written"));
    put("ce-subject", event.stream.clone());
    put("ce-dataschema", format!("proto:{}", event.r#type));
    put("ce-sequence", event.position.to_string());
    put("content-type", "application/protobuf".to_owned());
    put("dz-version", event.version.to_string());
    put("dz-division", event.division.clone());
    put(EPOCH, event.epoch.to_string());
    put(HASH, hex::encode(&event.hash));
    put("dz-previous-hash", hex::encode(&event.previous_hash));
    put("dz-inner-digest", hex::encode(&event.inner_digest));
    put("dz-sealed-digest", hex::encode(&event.sealed_digest));
    put("dz-metadata-digest", hex::encode(&event.metadata_digest));
    if !event.traceparent.is_empty() {
        put("traceparent", event.traceparent.clone());
    }
    headers
}

/// Epoch and hash of a message, as its headers claim; `None` for a foreign one.
pub(crate) fn mark(headers: &HeaderMap) -> Option<(i64, [u8; 32])> {
    Some((text(headers, EPOCH)?.parse().ok()?, hash(headers, HASH)?.as_ref().try_into().ok()?))
}

/// Reads a message of a stream; `None` when it is not an event of ours.
pub(crate) fn read(headers: &HeaderMap, payload: Bytes) -> Option<PublishedEvent> {
    let time = OffsetDateTime::parse(text(headers, "ce-time")?, &Rfc3339).ok()?;
    Some(PublishedEvent {
        position: text(headers, "ce-sequence")?.parse().ok()?,
        epoch: text(headers, EPOCH)?.parse().ok()?,
        event_id: text(headers, "ce-id")?.to_owned(),
        r#type: text(headers, "ce-type")?.to_owned(),
        stream: text(headers, "ce-subject")?.to_owned(),
        version: text(headers, "dz-version")?.parse().ok()?,
        division: text(headers, "dz-division")?.to_owned(),
        record_time: Some(rpc::timestamp(time)),
        payload,
        hash: hash(headers, HASH)?,
        previous_hash: hash(headers, "dz-previous-hash")?,
        inner_digest: hash(headers, "dz-inner-digest")?,
        sealed_digest: hash(headers, "dz-sealed-digest")?,
        metadata_digest: hash(headers, "dz-metadata-digest")?,
        traceparent: text(headers, "traceparent").unwrap_or_default().to_owned(),
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

fn hash(headers: &HeaderMap, name: &str) -> Option<Bytes> {
    hex::decode(text(headers, name)?).ok().map(Bytes::from)
}

fn to_time(stamp: Timestamp) -> Option<OffsetDateTime> {
    let nanos = i128::from(stamp.seconds) * 1_000_000_000 + i128::from(stamp.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

/// Why an event does not belong behind the one before it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the chain breaks at position {position}: {what}")]
pub struct Break {
    /// The first position that does not follow.
    pub position: i64,
    /// In which way.
    pub what: &'static str,
}

/// Where a chain stands: the last event known to belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: i64,
    pub(crate) position: i64,
    pub(crate) hash: [u8; 32],
}

impl Place {
    /// Before the first event.
    pub(crate) const START: Self = Self { epoch: 0, position: 0, hash: [0; 32] };

    /// Proves that `published` is the next event, moves behind it and gives it as consumers see it.
    pub(crate) fn follow(&mut self, published: PublishedEvent) -> Result<Event, Break> {
        let position = self.position + 1;
        let broken = |what| Break { position, what };
        let part = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).map_err(|_| broken("a digest has the wrong length"));
        let inner = part(&published.inner_digest)?;
        let sealed = part(&published.sealed_digest)?;
        let metadata = part(&published.metadata_digest)?;
        let event = unpack(published).ok_or(broken("the event cannot be read"))?;
        if event.position != position {
            return Err(broken("another position stands in its place"));
        }
        if event.previous_hash != self.hash {
            return Err(broken("it follows another event than the one known here"));
        }
        if event.epoch < self.epoch {
            return Err(broken("its epoch is over"));
        }
        let link = Link {
            previous: &self.hash,
            position,
            epoch: event.epoch,
            stream: event.stream,
            version: event.version,
            kind: &event.kind,
            payload: &digest(&event.payload),
            inner: &inner,
            sealed: &sealed,
            metadata: &metadata,
            event_id: event.event_id,
            recorded_at: event.recorded_at,
        };
        if link.hash() != event.hash {
            return Err(broken("its hash is not that of its content"));
        }
        self.pass(&event);
        Ok(event)
    }

    /// Moves behind an event that is known to be the next.
    pub(crate) fn pass(&mut self, event: &Event) {
        *self = Self { epoch: event.epoch, position: event.position, hash: event.hash };
    }
}

/// An event as consumers see it, of whatever was published; `None` when a field cannot be read.
pub(crate) fn unpack(published: PublishedEvent) -> Option<Event> {
    Some(Event {
        position: published.position,
        epoch: published.epoch,
        event_id: Uuid::try_parse(&published.event_id).ok()?,
        kind: published.r#type,
        stream: Uuid::try_parse(&published.stream).ok()?,
        version: published.version,
        division: Division::parse(&published.division)?,
        recorded_at: to_time(published.record_time?)?,
        payload: published.payload,
        inner: Bytes::new(),
        sealed: Bytes::new(),
        hash: published.hash.as_ref().try_into().ok()?,
        previous_hash: published.previous_hash.as_ref().try_into().ok()?,
        traceparent: Some(published.traceparent).filter(|traceparent| !traceparent.is_empty()),
        actor: None,
    })
}

/// The public part of an event, for keeping; without the digests of the others.
pub(crate) fn pack(event: &Event) -> PublishedEvent {
    PublishedEvent {
        position: event.position,
        epoch: event.epoch,
        event_id: event.event_id.to_string(),
        r#type: event.kind.clone(),
        stream: event.stream.to_string(),
        version: event.version,
        division: event.division.as_str().to_owned(),
        record_time: Some(rpc::timestamp(event.recorded_at)),
        payload: event.payload.clone(),
        hash: Bytes::copy_from_slice(&event.hash),
        previous_hash: Bytes::copy_from_slice(&event.previous_hash),
        traceparent: event.traceparent.clone().unwrap_or_default(),
        ..PublishedEvent::default()
    }
}

/// An event of the own log as its consumers see it.
pub(crate) fn own(recorded: &Recorded, previous_hash: [u8; 32]) -> Event {
    Event {
        position: recorded.position,
        epoch: recorded.epoch,
        event_id: recorded.event_id,
        kind: recorded.kind.clone(),
        stream: recorded.stream,
        version: recorded.version,
        division: recorded.metadata.division,
        recorded_at: recorded.recorded_at,
        payload: Bytes::copy_from_slice(&recorded.payload),
        inner: Bytes::copy_from_slice(&recorded.inner),
        sealed: Bytes::copy_from_slice(&recorded.sealed),
        hash: recorded.hash,
        previous_hash,
        traceparent: recorded.metadata.traceparent.clone(),
        actor: Some(recorded.metadata.actor.clone()),
    }
}
