//! The hash chain: SHA-256 over the previous hash and a length-prefixed canonical record of every column.

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// Everything that the hash of one record covers. A consumer of the published feed has all of it in headers.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Hash of the record before; zeros before the first.
    pub previous: &'a [u8; 32],
    /// Place in the log.
    pub position: i64,
    /// Epoch of the log.
    pub epoch: i64,
    /// Aggregate.
    pub stream: Uuid,
    /// Place in the stream.
    pub version: i64,
    /// Full message name.
    pub kind: &'a str,
    /// Digest of the payload's stored bytes.
    pub payload: &'a [u8; 32],
    /// Digest of the inner part's stored bytes.
    pub inner: &'a [u8; 32],
    /// Digest of the sealed part's stored bytes.
    pub sealed: &'a [u8; 32],
    /// Digest of the metadata's stored bytes: actor and request.
    pub metadata: &'a [u8; 32],
    /// Random id.
    pub event_id: Uuid,
    /// Time of recording, whole microseconds.
    pub recorded_at: OffsetDateTime,
}

impl Link<'_> {
    /// The record's hash.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        field(b"dingzhu.event.v1");
        field(self.previous);
        field(&self.position.to_be_bytes());
        field(&self.epoch.to_be_bytes());
        field(self.stream.as_bytes());
        field(&self.version.to_be_bytes());
        field(self.kind.as_bytes());
        field(self.payload);
        field(self.inner);
        field(self.sealed);
        field(self.metadata);
        field(self.event_id.as_bytes());
        field(&(self.recorded_at.unix_timestamp_nanos() / 1_000).to_be_bytes());
        hasher.finalize().into()
    }
}

/// SHA-256 of stored bytes.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
