//! An event as a consumer sees it, whichever way it came: own log, JetStream, the owner's feed.

use bytes::Bytes;
use eventlog::Division;
use prost::Name;
use time::OffsetDateTime;
use uuid::Uuid;

/// One event of a service's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Place in the log of its service, from 1.
    pub position: i64,
    /// Epoch of that log.
    pub epoch: i64,
    /// Random id.
    pub event_id: Uuid,
    /// Full name of the message in `payload`.
    pub kind: String,
    /// Aggregate that it belongs to.
    pub stream: Uuid,
    /// Place in the aggregate, from 1.
    pub version: i64,
    /// Where it belongs.
    pub division: Division,
    /// When PostgreSQL recorded it.
    pub recorded_at: OffsetDateTime,
    /// The public message.
    pub payload: Bytes,
    /// What only the owner may see; empty for events of another service.
    pub inner: Bytes,
    /// Ciphertext; empty for events of another service.
    pub sealed: Bytes,
    /// Link of the hash chain.
    pub hash: [u8; 32],
    /// The link before.
    pub previous_hash: [u8; 32],
    /// W3C trace context of the command.
    pub traceparent: Option<String>,
    /// Who caused it; known of own events only.
    pub actor: Option<String>,
}

impl Event {
    /// Whether the payload is an `M`.
    pub fn is<M: Name>(&self) -> bool {
        let package = M::PACKAGE.len();
        self.kind.len() == package + 1 + M::NAME.len()
            && self.kind.starts_with(M::PACKAGE)
            && self.kind.as_bytes()[package] == b'.'
            && self.kind.ends_with(M::NAME)
    }

    /// Reads the payload as an `M`, whatever its kind.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, DecodeError> {
        M::decode(self.payload.clone()).map_err(|_| self.undecodable("payload"))
    }

    /// Reads the inner part of an own event as an `M`.
    pub fn decode_inner<M: prost::Message + Default>(&self) -> Result<M, DecodeError> {
        M::decode(self.inner.clone()).map_err(|_| self.undecodable("inner part"))
    }

    fn undecodable(&self, part: &'static str) -> DecodeError {
        DecodeError { part, kind: self.kind.clone(), position: self.position }
    }
}

/// A part of an event is not the protobuf that it should be. Says nothing of its content.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the {part} of {kind} at position {position} cannot be decoded")]
pub struct DecodeError {
    part: &'static str,
    kind: String,
    position: i64,
}
