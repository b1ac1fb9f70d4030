//! What a caller asks of the append path, and the answers it can get.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::NewEvent;

/// The log accepts at most this much in one event, and in one answer.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// One decided command: all of it is recorded, or nothing.
#[derive(Clone, Debug)]
pub struct Append {
    /// Aggregate that all events belong to.
    pub stream: Uuid,
    /// Version that the decision saw; 0 for a new stream.
    pub expected_version: i64,
    /// May be empty: then only the request and the claims are kept.
    pub events: Vec<NewEvent>,
    /// Who commands: `person:<uuid>`, `staff:<uuid>`, `service:<name>` or `system`.
    pub actor: String,
    /// Makes the command repeatable.
    pub request: Option<RequestKey>,
    /// What only one stream can have, taken or released with these events.
    pub claims: Vec<Claim>,
    /// Opening instant: recorded at it or later by PostgreSQL's clock, or not at all.
    pub not_before: Option<OffsetDateTime>,
    /// Closing instant: recorded strictly before it by PostgreSQL's clock, or not at all.
    pub not_after: Option<OffsetDateTime>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The event that this command reacts to.
    pub cause: Option<Uuid>,
}

impl Append {
    /// Refuses what no database needs to be asked about.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        let answer = self.request.iter().map(|request| request.answer.len());
        match self.events.iter().map(NewEvent::bytes).chain(answer).find(|bytes| *bytes > MAX_BYTES) {
            Some(bytes) => Err(AppendError::TooLarge { bytes, limit: MAX_BYTES }),
            None => Ok(()),
        }
    }
}

/// Identity of a request, and what to answer when it comes again.
#[derive(Clone, Debug)]
pub struct RequestKey {
    /// Made by the caller of the RPC.
    pub id: Uuid,
    /// SHA-256 of the request's body.
    pub fingerprint: [u8; 32],
    /// The encoded answer; holds no secret and no personal data.
    pub answer: Vec<u8>,
}

/// A key that only one holder can have, for example the account of a document number. A release of what is not held changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Refused with [`AppendError::ClaimTaken`] when somebody has it.
    Take {
        /// What is claimed: `account`, `slot` …
        kind: &'static str,
        /// Which one; a keyed hash where it would name a person.
        key: Vec<u8>,
    },
    /// Gives it back.
    Release {
        /// As in `Take`.
        kind: &'static str,
        /// As in `Take`.
        key: Vec<u8>,
    },
}

impl Claim {
    /// Kind and key: what can be held once.
    pub(crate) fn key(&self) -> (&'static str, &[u8]) {
        match self {
            Self::Take { kind, key } | Self::Release { kind, key } => (kind, key),
        }
    }
}

/// The command is recorded, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of the last event of the command (of the log's head, when it had none).
    pub position: i64,
    /// Version of the stream afterwards; 0 when `repeated`.
    pub version: i64,
    /// When PostgreSQL recorded it.
    pub recorded_at: OffsetDateTime,
    /// The answer to give: the first one, if the request was repeated.
    pub answer: Vec<u8>,
    /// The request had been answered before; nothing was recorded now.
    pub repeated: bool,
}

/// Why a command was not recorded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// Somebody else was faster: load and decide again.
    #[error("the stream is at version {actual}, the decision saw {expected}")]
    VersionConflict {
        /// What the decision saw.
        expected: i64,
        /// What stands in the log.
        actual: i64,
    },
    /// The key belongs to somebody already.
    #[error("the {kind} is taken")]
    ClaimTaken {
        /// Kind of the claim.
        kind: &'static str,
    },
    /// The same request id came with another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The opening instant had not come yet under the lock.
    #[error("recorded_at would be {now}, the opening instant is {not_before}")]
    TooEarly {
        /// PostgreSQL's clock under the lock.
        now: OffsetDateTime,
        /// The opening instant.
        not_before: OffsetDateTime,
    },
    /// The closing instant had passed under the lock.
    #[error("recorded_at would be {now}, the closing instant is {not_after}")]
    TooLate {
        /// PostgreSQL's clock under the lock.
        now: OffsetDateTime,
        /// The closing instant.
        not_after: OffsetDateTime,
    },
    /// A payload, an answer or the whole event is larger than the log accepts (256 KiB).
    #[error("an event of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// Size of payload, inner and sealed together.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// The writer's queue is full: refused before anything was done.
    #[error("the writer's queue is full")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database did not answer in time. Whether the command was recorded is known when the same request is repeated.
    #[error("the database is unavailable, the outcome is unknown")]
    Unavailable,
    /// This one command cannot be stored, whatever the others do.
    #[error("the database refuses the command: {0}")]
    Refused(String),
}
