//! Use cases: load, decide, append; again when somebody else was faster.

pub mod directory;
pub mod plans;
pub mod slots;

use eventlog::{Append, AppendError, Claim, Division, EventLog, NewEvent, Remembered, RequestKey};
use lifecycle::ids;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::division::Code;
use crate::domain::officer::Officer;
use crate::error::Error;
use crate::store::{Aggregates, Stored};

/// Attempts at a command while others change the same stream.
const ATTEMPTS: usize = 5;

/// Who asks, and by which request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub officer: Officer,
    /// Made by the caller; the same request has one effect.
    pub request_id: Uuid,
    /// What tells it from another request of the same id.
    pub fingerprint: [u8; 32],
}

/// What is answered, and where the log stood afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The encoded answer: the first one, when the request came again.
    pub answer: Vec<u8>,
    /// Position of the last event.
    pub position: i64,
    /// It had been answered before.
    pub repeated: bool,
}

/// The use cases. Clones share everything.
///
/// What only adds is decided on nothing, and the log says whether the place was free, or the request answered before:
/// that takes no reading ahead.
#[derive(Clone, Debug)]
pub struct Handle {
    log: EventLog,
    aggregates: Aggregates,
    /// Decides everything and records nothing.
    rehearses: bool,
}

/// What is recorded together.
struct Decided {
    stream: Uuid,
    version: i64,
    events: Vec<(String, Vec<u8>)>,
    division: Code,
    claims: Vec<Claim>,
    not_before: Option<OffsetDateTime>,
    not_after: Option<OffsetDateTime>,
    /// The event that it reacts to.
    cause: Option<Uuid>,
}

impl Handle {
    /// Over this log.
    pub fn new(log: EventLog, aggregates: Aggregates) -> Self {
        Self { log, aggregates, rehearses: false }
    }

    /// The same for a dry run: everything is decided, nothing is recorded.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self { rehearses: true, ..self.clone() }
    }

    /// How far the log has come.
    pub fn head(&self) -> i64 {
        *self.log.head().borrow()
    }

    async fn remembered(&self, asked: &Asked) -> Result<Option<Answered>, Error> {
        match self.log.remembered(&asked.officer.actor, asked.request_id, &asked.fingerprint).await? {
            None => Ok(None),
            Some(Remembered::Reused) => Err(Error::RequestIdReused),
            Some(Remembered::Answer { answer, position }) => Ok(Some(Answered { answer, position, repeated: true })),
        }
    }

    async fn append(&self, asked: &Asked, decided: Decided, answer: Vec<u8>) -> Result<Answered, AppendError> {
        if self.rehearses {
            return Ok(Answered { answer, position: 0, repeated: false });
        }
        let division = Division::parse(decided.division.as_str()).expect("a code is a division");
        let event = |(kind, payload)| NewEvent {
            event_id: ids::random(),
            kind,
            payload,
            inner: Vec::new(),
            sealed: Vec::new(),
            division,
        };
        let appended = self.log.append(Append {
            stream: decided.stream,
            expected_version: decided.version,
            events: decided.events.into_iter().map(event).collect(),
            actor: asked.officer.actor.clone(),
            request: Some(RequestKey { id: asked.request_id, fingerprint: asked.fingerprint, answer }),
            claims: decided.claims,
            not_before: decided.not_before,
            not_after: decided.not_after,
            traceparent: telemetry::current_traceparent(),
            cause: decided.cause,
        });
        let appended = appended.await?;
        Ok(Answered { answer: appended.answer, position: appended.position, repeated: appended.repeated })
    }
}

impl Decided {
    /// Events of a new stream.
    fn new<E: Stored>(stream: Uuid, events: &[E], division: Code) -> Self {
        let events = events.iter().map(|event| event.write(stream)).collect();
        Self {
            stream,
            version: 0,
            events,
            division,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            cause: None,
        }
    }
}

fn responsible(officer: &Officer, division: Code, kind: &'static str, name: &dyn ToString) -> Result<(), Error> {
    if officer.is_responsible_for(division) { Ok(()) } else { Err(Error::NotFound { kind, name: name.to_string() }) }
}
