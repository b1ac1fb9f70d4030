//! What happened to a certificate.

use time::Date;
use uuid::Uuid;

use super::{Announcement, Besides, Details, Evidence, Hash, Outcome, PriorRegistration, Restriction, Source, State};

/// What happened to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A register told of it for the first time.
    Synced {
        /// What it said.
        details: Details,
        /// Which kind of register.
        source: Source,
    },
    /// A register says something else than before.
    Changed {
        /// What it says.
        details: Details,
        /// Which kind of register.
        source: Source,
    },
    /// A person entered it.
    AddedByHand {
        /// As entered.
        details: Details,
        /// Who.
        person: Uuid,
    },
    /// It belongs to an account.
    Matched {
        /// Whose.
        person: Uuid,
        /// How we know.
        evidence: Evidence,
    },
    /// It gets another holder: whoever had it has lost it.
    Unmatched,
    /// An earlier registration is known.
    PriorRegistrationImported(PriorRegistration),
    /// Another source contradicts.
    ConflictFound {
        /// Which of the record's.
        ordinal: u32,
        /// What the other source says.
        details: Details,
        /// What else it tells.
        besides: Besides,
        /// Which source.
        source: Source,
    },
    /// A conflict is over.
    ConflictSettled {
        /// Which of the record's.
        ordinal: u32,
        /// How.
        outcome: Outcome,
        /// Of the decision, where there was one.
        file_reference: String,
        /// Names the key that is destroyed with it.
        generation: u32,
    },
    /// 删除: the register says that there is none.
    Deleted,
    /// Its number was mistyped: it belongs to nobody, and what it was is another certificate.
    Merged {
        /// The record of the right number.
        into: Uuid,
        /// Of the decision.
        file_reference: String,
        /// Names the key of what it was.
        generation: u32,
    },
    /// A record of a mistyped number was this certificate.
    Absorbed {
        /// That record.
        merged: Uuid,
    },
    /// It was restricted.
    Restricted {
        /// How.
        kind: Restriction,
        /// Until when; shown only.
        end: Option<Date>,
        /// Of the decision.
        file_reference: String,
    },
    /// The restriction was lifted.
    RestrictionLifted {
        /// Of the decision.
        file_reference: String,
    },
    /// A decision is to restrict it, and does not hold yet: no register has told of the certificate, its holder is another one, or another decision holds.
    RestrictionAnnounced {
        /// Keyed hash of the certificate's number, which may have been unknown.
        number: Hash,
        /// What holds as soon as nothing is in its way.
        announcement: Announcement,
    },
    /// What was announced is over before it held.
    RestrictionWithdrawn {
        /// Of the decision that was announced.
        file_reference: String,
    },
    /// Its person was erased: it belongs to nobody, and what was said of it cannot be read.
    Forgotten {
        /// Names the key that was destroyed.
        generation: u32,
    },
}

impl Event {
    /// Whether it says who the holder is, and so has something personal to seal.
    pub fn names_holder(&self) -> bool {
        matches!(
            self,
            Self::Synced { .. } | Self::Changed { .. } | Self::AddedByHand { .. } | Self::ConflictFound { .. }
        )
    }

    /// Names the key that seals what this event has to seal, where it has something; `after` is the state that it led to.
    pub fn generation(&self, after: &State) -> Option<u32> {
        match self {
            // An officer's reason lies beside what is said of the holder.
            Self::Synced { .. } | Self::Changed { .. } | Self::AddedByHand { .. } | Self::ConflictSettled { .. } => {
                after.record().map(|record| record.details.generation)
            }
            Self::ConflictFound { details, .. } => Some(details.generation),
            Self::Merged { generation, .. } => Some(*generation),
            Self::Matched { .. }
            | Self::Unmatched
            | Self::PriorRegistrationImported(_)
            | Self::Deleted
            | Self::Absorbed { .. }
            | Self::Restricted { .. }
            | Self::RestrictionLifted { .. }
            | Self::RestrictionAnnounced { .. }
            | Self::RestrictionWithdrawn { .. }
            | Self::Forgotten { .. } => None,
        }
    }
}
