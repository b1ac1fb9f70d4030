//! Decisions that are to restrict a certificate and cannot yet: kept, and in force as soon as nothing is in their way.

use std::collections::BTreeMap;

use time::Date;

use super::decide::REGISTER;
use super::{Event, Hash, Record, Rejection, Restriction, State};

/// What a decision says of a certificate and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Keyed hash of the document number of whom it restricts.
    pub holder: Hash,
    /// How.
    pub kind: Restriction,
    /// Until when; shown only.
    pub end: Option<Date>,
    /// Of the decision.
    pub file_reference: String,
}

/// What is known of a number of which nothing is known but decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// File references of those that are over; none holds.
    pub decisions: BTreeMap<String, bool>,
    /// Those that wait for the certificate, in the order in which they came.
    pub waiting: Vec<Announcement>,
}

/// What is in the way of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// No register has told of the certificate, and nobody has entered it.
    UnknownCertificate,
    /// The number was mistyped by whoever entered it, and merged into the right one.
    NumberMistyped,
    /// The record names another holder than the decision, or nobody any more.
    HoldersDiffer,
    /// Another decision restricts it: one holds at a time.
    AlreadyRestricted,
}

impl State {
    /// What a decision waits for; `None` when it does not wait.
    pub fn hindrance(&self, holder: &Hash, file_reference: &str) -> Option<Hindrance> {
        let waits = self.waiting().iter().any(|it| it.is(holder, file_reference));
        if waits { self.in_the_way(holder) } else { None }
    }

    /// A register tells of a decision: what was said under its reference before is not said again.
    pub(super) fn restrict(&self, number: Hash, announcement: Announcement) -> Vec<Event> {
        let Announcement { holder, file_reference, .. } = &announcement;
        let is_waiting = self.waiting().iter().any(|it| it.is(holder, file_reference));
        if is_waiting || self.said(file_reference).is_some() {
            Vec::new()
        } else if self.in_the_way(holder).is_some() {
            vec![Event::RestrictionAnnounced { number, announcement }]
        } else {
            vec![announcement.restricts()]
        }
    }

    /// A register tells that a decision is over, whether it holds or waits.
    pub(super) fn lift(&self, holder: Hash, file_reference: String) -> Result<Vec<Event>, Rejection> {
        if self.waiting().iter().any(|it| it.is(&holder, &file_reference)) {
            return Ok(vec![Event::RestrictionWithdrawn { file_reference }]);
        }
        match (self.said(&file_reference), self) {
            (Some(false), _) => Ok(Vec::new()),
            (_, Self::Empty | Self::Announced(_)) => Err(Rejection::UnknownCertificate),
            (_, Self::Known(Record { merged_into: Some(_), .. })) => Err(Rejection::NumberMistyped),
            (_, Self::Known(record)) if record.details.holder != holder => Err(Rejection::HoldersDiffer),
            (Some(true), _) => Ok(vec![Event::RestrictionLifted { file_reference }]),
            (None, _) => Ok(Vec::new()),
        }
    }

    /// The decision that waits for nothing any more.
    pub(super) fn due(&self) -> Option<Event> {
        self.waiting().iter().find(|it| self.in_the_way(&it.holder).is_none()).map(|it| it.clone().restricts())
    }

    /// Changes what waits, and what is known to be over.
    pub(super) fn deciding(mut self, change: impl FnOnce(&mut Vec<Announcement>, &mut BTreeMap<String, bool>)) -> Self {
        if matches!(self, Self::Empty) {
            self = Self::Announced(Announced::default());
        }
        match &mut self {
            Self::Empty => {}
            Self::Announced(it) => change(&mut it.waiting, &mut it.decisions),
            Self::Known(record) => change(&mut record.waiting, &mut record.decisions),
        }
        self
    }

    fn waiting(&self) -> &[Announcement] {
        match self {
            Self::Empty => &[],
            Self::Announced(it) => &it.waiting,
            Self::Known(record) => &record.waiting,
        }
    }

    /// Whether a decision held before, and whether it still does.
    fn said(&self, file_reference: &str) -> Option<bool> {
        match self {
            Self::Empty => None,
            Self::Announced(it) => it.decisions.get(file_reference).copied(),
            Self::Known(record) => record.decisions.get(file_reference).copied(),
        }
    }

    fn in_the_way(&self, holder: &Hash) -> Option<Hindrance> {
        match self {
            Self::Empty | Self::Announced(_) => Some(Hindrance::UnknownCertificate),
            Self::Known(Record { merged_into: Some(_), .. }) => Some(Hindrance::NumberMistyped),
            Self::Known(record) if record.details.holder != *holder => Some(Hindrance::HoldersDiffer),
            // A row of the certificate says only that there is a decision: this is the one that it means.
            Self::Known(record) if record.decisions.iter().any(|(it, holds)| *holds && it != REGISTER) => {
                Some(Hindrance::AlreadyRestricted)
            }
            Self::Known(_) => None,
        }
    }
}

impl Announcement {
    fn is(&self, holder: &Hash, file_reference: &str) -> bool {
        self.holder == *holder && self.file_reference == file_reference
    }

    fn restricts(self) -> Event {
        let Self { kind, end, file_reference, .. } = self;
        Event::Restricted { kind, end, file_reference }
    }
}
