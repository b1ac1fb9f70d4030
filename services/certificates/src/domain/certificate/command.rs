//! What may be said of a certificate, and why it is refused.

use std::collections::BTreeMap;

use time::Date;
use uuid::Uuid;

use super::{Conclusion, Details, Hash, PriorRegistration, Restriction, Source, Standing};

/// What may happen to a record.
#[derive(Clone, Debug)]
pub enum Command {
    /// A row of a register.
    Sync {
        /// Of the certificate.
        details: Details,
        /// Which kind of register.
        source: Source,
        /// The earlier registration that the row tells of.
        prior: Option<PriorRegistration>,
        /// Whether it may be used, and is there at all.
        standing: Standing,
    },
    /// A person enters it; whether the number may be entered at all is [`crate::domain::hand_entry`]'s.
    AddByHand {
        /// As entered.
        details: Details,
        /// Who.
        person: Uuid,
    },
    /// It is this person's, by number and name.
    Match {
        /// Whose.
        person: Uuid,
        /// Keyed hash of the document number by which they were found; the record may name another holder by now.
        holder: Hash,
    },
    /// This person was erased.
    Forget {
        /// Whose it may be.
        person: Uuid,
    },
    /// Whoever bears this document number was erased, and does not hold the certificate: what others than the record say of them is over.
    ForgetClaims {
        /// Its keyed hash.
        holder: Hash,
    },
    /// An officer settles a conflict.
    Settle {
        /// Which one.
        ordinal: u32,
        /// Whether the other source is right, and the record is not.
        take: bool,
        /// Of the decision.
        file_reference: String,
    },
    /// An officer found that it is another certificate, of which the number was mistyped.
    Merge {
        /// The record of the right number.
        into: Uuid,
        /// Its holder.
        holder: Hash,
        /// Of the decision.
        file_reference: String,
    },
    /// Such a record is this certificate.
    Absorb {
        /// The record of the mistyped number.
        merged: Uuid,
        /// Whose it was.
        person: Option<Uuid>,
        /// As it was before.
        prior_registrations: BTreeMap<u32, (Conclusion, Date)>,
        /// The one that holds of it: how, until when, and by which decision.
        restriction: Option<(Restriction, Option<Date>, String)>,
    },
    /// An officer restricts it.
    Restrict {
        /// How.
        kind: Restriction,
        /// Until when; shown only.
        end: Option<Date>,
        /// Of the decision.
        file_reference: String,
    },
    /// A row of a register of restrictions: a decision restricts it.
    SyncRestriction {
        /// Keyed hash of the certificate's number.
        number: Hash,
        /// Keyed hash of the document number that the row names.
        holder: Hash,
        /// How.
        kind: Restriction,
        /// Until when; shown only.
        end: Option<Date>,
        /// Of the decision; what was said under it before is not said again.
        file_reference: String,
    },
    /// A row of a register of restrictions: a decision no longer restricts it.
    SyncLift {
        /// Keyed hash of the document number that the row names.
        holder: Hash,
        /// Of the decision that restricted it.
        file_reference: String,
    },
    /// An officer lifts the restriction.
    Lift {
        /// Of the decision.
        file_reference: String,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Known from an earlier registration: synced, not entered.
    RegisteredBefore,
    /// Somebody else holds it, or entered it before.
    CertificateOfAnother,
    /// It is in the person's list.
    AlreadyListed,
    /// The register holds it under the person's document number, and it is not theirs: their names differ, or the match is about to come.
    Unmatched,
    /// There is no such record.
    UnknownCertificate,
    /// The register says that there is none.
    Deleted,
    /// The number was found to be mistyped.
    NumberMistyped,
    /// Only what was entered by hand is merged.
    NotEnteredByHand,
    /// Two records are one certificate only if they name the same holder, and a register lifts only of whom it names.
    HoldersDiffer,
    /// The conflict is settled already, or there never was one.
    NoSuchConflict,
    /// A restriction holds already.
    AlreadyRestricted,
    /// No restriction holds.
    NotRestricted,
}
