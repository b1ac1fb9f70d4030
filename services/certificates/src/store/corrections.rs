//! Requests for corrections as they are stored: a public message, what a person or an officer wrote sealed under the person's key.

use prost::{Message, Name};
use proto::certificates::v1 as wire;
use sqlx::PgPool;
use uuid::Uuid;

use super::StoredEvent;
use crate::domain::correction::{Event, Stage};

/// Kind of the claim: each of a person's open requests has one.
pub const CORRECTION: &str = "correction";

/// The key of that claim: all of one person's lie beside each other.
pub fn claim_key(person: Uuid, slot: u8) -> Vec<u8> {
    [person.as_bytes().as_slice(), &[slot]].concat()
}

/// What a person writes.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// 证书号码
    pub number: String,
    /// What is wrong, and how it should be.
    pub statement: String,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statement(…)")
    }
}

impl Statement {
    /// The sealed part before it is sealed.
    pub fn encode(&self) -> Vec<u8> {
        let Self { number, statement } = self.clone();
        wire::SealedCorrection { number, statement }.encode_to_vec()
    }

    /// Reads the sealed part after it was opened.
    pub fn decode(plain: &[u8]) -> Option<Self> {
        let wire::SealedCorrection { number, statement } = wire::SealedCorrection::decode(plain).ok()?;
        Some(Self { number, statement })
    }
}

/// What an officer writes, before it is sealed.
pub fn encode_answer(answer: &str) -> Vec<u8> {
    wire::SealedAnswer { answer: answer.to_owned() }.encode_to_vec()
}

/// The same after it was opened.
pub fn decode_answer(plain: &[u8]) -> Option<String> {
    Some(wire::SealedAnswer::decode(plain).ok()?.answer)
}

/// Writes an event of the request `correction`.
pub fn write(correction: Uuid, event: &Event) -> StoredEvent {
    let correction_id = correction.to_string();
    match event {
        Event::Requested { person, certificate, slot } => plain(&wire::CorrectionRequested {
            correction_id,
            certificate_id: certificate.map(|id| id.to_string()).unwrap_or_default(),
            person_id: person.to_string(),
            slot: i32::from(*slot),
        }),
        Event::Answered { person, stage: to } => {
            plain(&wire::CorrectionAnswered { correction_id, person_id: person.to_string(), state: stage(*to).into() })
        }
    }
}

/// Reads an event back; `None` when its bytes are not what [`write()`] makes.
pub fn read(kind: &str, payload: &[u8]) -> Option<Event> {
    match kind.strip_prefix(wire::CorrectionRequested::PACKAGE)?.strip_prefix('.')? {
        wire::CorrectionRequested::NAME => {
            let message = wire::CorrectionRequested::decode(payload).ok()?;
            let certificate = match message.certificate_id.as_str() {
                "" => None,
                id => Some(Uuid::parse_str(id).ok()?),
            };
            let person = Uuid::parse_str(&message.person_id).ok()?;
            Some(Event::Requested { person, certificate, slot: u8::try_from(message.slot).ok()? })
        }
        wire::CorrectionAnswered::NAME => {
            let message = wire::CorrectionAnswered::decode(payload).ok()?;
            let person = Uuid::parse_str(&message.person_id).ok()?;
            Some(Event::Answered { person, stage: read_stage(message.state)? })
        }
        _ => None,
    }
}

fn plain<M: Message + Name>(message: &M) -> StoredEvent {
    StoredEvent { kind: M::full_name(), payload: message.encode_to_vec(), inner: Vec::new() }
}

/// A stage on the wire.
pub fn stage(stage: Stage) -> wire::CorrectionState {
    match stage {
        Stage::Requested => wire::CorrectionState::Requested,
        Stage::InProgress => wire::CorrectionState::InProgress,
        Stage::Corrected => wire::CorrectionState::Corrected,
        Stage::Refused => wire::CorrectionState::Refused,
    }
}

/// Reads a stage; `None` for a number that names none.
pub fn read_stage(number: i32) -> Option<Stage> {
    match wire::CorrectionState::try_from(number).ok()? {
        wire::CorrectionState::Requested => Some(Stage::Requested),
        wire::CorrectionState::InProgress => Some(Stage::InProgress),
        wire::CorrectionState::Corrected => Some(Stage::Corrected),
        wire::CorrectionState::Refused => Some(Stage::Refused),
        wire::CorrectionState::Unspecified => None,
    }
}

/// The first place among a person's requests in which none is open; one beyond the last where there is no such place.
pub async fn free_slot(pool: &PgPool, person: Uuid) -> Result<u8, sqlx::Error> {
    let taken: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT key FROM public.claim WHERE kind = $1 AND key BETWEEN $2 AND $3")
            .bind(CORRECTION)
            .bind(claim_key(person, 0))
            .bind(claim_key(person, u8::MAX))
            .fetch_all(pool)
            .await?;
    let is_free = |slot: &u8| !taken.contains(&claim_key(person, *slot));
    Ok((0..u8::MAX).find(is_free).unwrap_or(u8::MAX))
}
