//! An event before and after it is recorded, in its three parts: payload, inner, sealed.

use std::fmt;

use prost::Message as _;
use proto::operations::v1::EventMetadata;
use time::OffsetDateTime;
use uuid::Uuid;

/// Six digits of GB/T 2260 that an event belongs to; part of the published subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Division([u8; 6]);

impl Division {
    /// Where no division applies.
    pub const NONE: Self = Self(*b"000000");

    /// Reads two, four or six digits; shorter codes are filled with zeros.
    pub fn parse(code: &str) -> Option<Self> {
        let digits = code.as_bytes();
        if !matches!(digits.len(), 2 | 4 | 6) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut filled = *b"000000";
        filled[..digits.len()].copy_from_slice(digits);
        Some(Self(filled))
    }

    /// All six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a division holds ASCII digits only")
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Division({})", self.as_str())
    }
}

/// An event as a decision made it, ready to be recorded.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Made by the caller, because the sealed part is bound to it.
    pub event_id: Uuid,
    /// Full name of the protobuf message in `payload`, for example `dingzhu.applications.v1.ApplicationSubmitted`.
    pub kind: String,
    /// The public message.
    pub payload: Vec<u8>,
    /// Protobuf that decisions need and nobody outside may see; empty where there is none.
    pub inner: Vec<u8>,
    /// Ciphertext of personal data and free text; empty where there is none.
    pub sealed: Vec<u8>,
    /// Where it belongs.
    pub division: Division,
}

impl NewEvent {
    /// Size of the three parts together.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.len() + self.inner.len() + self.sealed.len()
    }
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Place in the log, from 1.
    pub position: i64,
    /// Rises when a fork is resolved.
    pub epoch: i64,
    /// Aggregate that the event belongs to.
    pub stream: Uuid,
    /// Place in the stream, from 1.
    pub version: i64,
    /// Full name of the message in `payload`.
    pub kind: String,
    /// The public message.
    pub payload: Vec<u8>,
    /// What only this service may see.
    pub inner: Vec<u8>,
    /// Ciphertext.
    pub sealed: Vec<u8>,
    /// Who, by which request, in which trace.
    pub metadata: Metadata,
    /// The stored bytes that `metadata` was decoded from: what the hash covers.
    pub metadata_bytes: Vec<u8>,
    /// Random id.
    pub event_id: Uuid,
    /// PostgreSQL's clock under the lock; never before the previous event's.
    pub recorded_at: OffsetDateTime,
    /// SHA-256 of this record and the hash before it.
    pub hash: [u8; 32],
}

/// Stored beside each event (message `dingzhu.operations.v1.EventMetadata`); never published, its digest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `person:<uuid>`, `staff:<uuid>`, `service:<name>` or `system`.
    pub actor: String,
    /// The command's `request_id`, where it had one.
    pub request_id: Option<Uuid>,
    /// W3C trace context of the command.
    pub traceparent: Option<String>,
    /// The event that this one reacts to.
    pub cause: Option<Uuid>,
    /// Where the event belongs.
    pub division: Division,
}

impl Metadata {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let id = |id: &Option<Uuid>| id.as_ref().map(Uuid::to_string).unwrap_or_default();
        let message = EventMetadata {
            actor: self.actor.clone(),
            request_id: id(&self.request_id),
            traceparent: self.traceparent.clone().unwrap_or_default(),
            causation_id: id(&self.cause),
            division: self.division.to_string(),
        };
        message.encode_to_vec()
    }

    /// `None` when the bytes are not what [`Self::encode`] makes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let message = EventMetadata::decode(bytes).ok()?;
        let id = |text: &str| if text.is_empty() { Some(None) } else { Uuid::parse_str(text).ok().map(Some) };
        Some(Self {
            request_id: id(&message.request_id)?,
            traceparent: Some(message.traceparent).filter(|text| !text.is_empty()),
            cause: id(&message.causation_id)?,
            division: Division::parse(&message.division)?,
            actor: message.actor,
        })
    }
}
