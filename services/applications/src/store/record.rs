//! The record of a certificate in the log: loaded, folded, and its new events with their sealed part.

use std::collections::HashMap;

use decider::Decider as _;
use eventlog::{Division, EventLog, NewEvent, ReadError, Recorded};
use prost::Message as _;
use proto::applications::v1::SealedText;
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{PersonKey, binding};

use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{Event, Reader, Registration, Registrations};
use crate::store::Corrupt;
use crate::store::event::{decode, encode};

/// A record as it is stored, with what it leads to.
#[derive(Debug, Default)]
pub struct Record {
    /// What its events lead to.
    pub state: Registration,
    /// Version of the last event; 0 for the empty record.
    pub version: i64,
    /// Its events.
    pub entries: Vec<Entry>,
}

/// One event of a record.
#[derive(Debug)]
pub struct Entry {
    /// As it is stored.
    pub recorded: Recorded,
    /// As it is understood.
    pub event: Event,
}

/// A moment in the life of a record; one that has not come yet is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this version of the record.
    Version(i64),
    /// After what was recorded until then, that instant included.
    Time(OffsetDateTime),
    /// After this position of the log.
    Position(i64),
}

impl AsOf {
    fn includes(self, recorded: &Recorded) -> bool {
        match self {
            Self::Version(version) => recorded.version <= version,
            Self::Time(at) => recorded.recorded_at <= at,
            Self::Position(position) => recorded.position <= position,
        }
    }
}

/// Why a record cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log cannot be read.
    #[error("the record could not be read")]
    Read(#[from] ReadError),
    /// It holds what this program did not write.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Loads the record of a certificate; the empty one where there is none.
pub async fn load(log: &EventLog, certificate: Uuid) -> Result<Record, LoadError> {
    let mut record = Record::default();
    for recorded in log.load(certificate).await? {
        let event = decode(&recorded.kind, &recorded.payload, &recorded.inner)?;
        record.state = Registrations::evolve(record.state, &event);
        record.version = recorded.version;
        record.entries.push(Entry { recorded, event });
    }
    Ok(record)
}

/// What the records of several certificates lead to; one without events has no entry.
pub async fn load_many(log: &EventLog, certificates: &[Uuid]) -> Result<HashMap<Uuid, Registration>, LoadError> {
    let mut records = HashMap::with_capacity(certificates.len());
    for (certificate, history) in log.load_many(certificates).await? {
        let mut state = Registration::default();
        for recorded in history {
            state = Registrations::evolve(state, &decode(&recorded.kind, &recorded.payload, &recorded.inner)?);
        }
        records.insert(certificate, state);
    }
    Ok(records)
}

impl Record {
    /// The record as it was then.
    #[must_use]
    pub fn as_of(mut self, moment: AsOf) -> Self {
        self.entries.retain(|entry| moment.includes(&entry.recorded));
        self.version = self.entries.last().map_or(0, |entry| entry.recorded.version);
        self.state = Registrations::fold(self.entries.iter().map(|entry| &entry.event));
        self
    }

    /// The events of one application.
    pub fn entries_of(&self, number: EnrolmentNumber) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.event.number() == Some(number))
    }

    /// The event that carries an application's newest form, with the personal part sealed.
    pub fn form_entry(&self, number: EnrolmentNumber) -> Option<&Entry> {
        let with_form = |event: &Event| matches!(event, Event::ApplicationSubmitted(_) | Event::ApplicationAmended(_));
        self.entries_of(number).rfind(|entry| with_form(&entry.event))
    }

    /// The event that carries an application's newest facts, with the note sealed.
    pub fn facts_entry(&self, number: EnrolmentNumber) -> Option<&Entry> {
        self.entries_of(number).rfind(|entry| matches!(entry.event, Event::FactsRecorded { .. }))
    }
}

/// What was written with the events of an application, by the record's version after them.
pub type Words = HashMap<i64, String>;

impl Record {
    /// The words of an application that somebody may read. An approved reversal has those of its proposal.
    pub fn words(&self, number: EnrolmentNumber, key: &PersonKey, reader: Reader) -> Words {
        let mut words = Words::new();
        let mut proposed = None;
        for entry in self.entries_of(number) {
            let text = match entry.event {
                Event::ApplicationSubmitted(_) | Event::ApplicationAmended(_) => None,
                Event::ConclusionReversed { .. } | Event::RegistrationRevoked { .. } => proposed.take(),
                _ => entry.open(key).and_then(|plain| read_text(&plain)),
            };
            let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
            if matches!(entry.event, Event::ReversalProposed { .. }) {
                proposed = Some(text.clone());
            }
            if reader.may_read(&entry.event) {
                words.insert(entry.recorded.version, text);
            }
        }
        words
    }
}

impl Entry {
    /// Opens the sealed part; `None` when it has none or the key is not the one.
    pub fn open(&self, key: &PersonKey) -> Option<Vec<u8>> {
        let Recorded { event_id, stream, version, sealed, .. } = &self.recorded;
        if sealed.is_empty() {
            return None;
        }
        key.open(sealed, &binding(*event_id, *stream, *version)).map(|plain| plain.to_vec())
    }
}

/// An event of a certificate's record, to be recorded as `version`; `secret` is sealed under the person's key.
pub fn new_event(
    certificate: Uuid,
    version: i64,
    event: Event,
    event_id: Uuid,
    division: Division,
    secret: Option<(&PersonKey, &[u8])>,
) -> NewEvent {
    let (kind, payload, inner) = encode(certificate, event);
    let sealed = secret.map(|(key, plain)| key.seal(plain, &binding(event_id, certificate, version)));
    NewEvent { event_id, kind, payload, inner, sealed: sealed.unwrap_or_default(), division }
}

/// Free text of an event, as it is sealed.
pub fn sealed_text(text: &str) -> Vec<u8> {
    SealedText { text: text.to_owned() }.encode_to_vec()
}

/// Reads it back.
pub fn read_text(plain: &[u8]) -> Option<String> {
    SealedText::decode(plain).ok().map(|sealed| sealed.text)
}
