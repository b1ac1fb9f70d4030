//! The record of one certificate number: what the register, a person or an officer said of it, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;
use uuid::Uuid;

use super::kind::Kind;

mod decide;
#[cfg(test)]
mod tests;

pub use decide::Decisions;

/// A keyed hash: equal where the hidden values are.
pub type Hash = [u8; 32];

/// The holder of a certificate that was forgotten: no document number has this hash.
const NOBODY: Hash = [0; 32];

/// What is known of a certificate, without what is personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// 资格种类
    pub kind: Kind,
    /// 任教学科; 无 where the certificate names none.
    pub subject: String,
    /// 发证机关, the name on the seal.
    pub issuing_agency: String,
    /// 签发日期
    pub issue_date: Date,
    /// Keyed hash of the certificate's number.
    pub number: Hash,
    /// Keyed hash of the holder's document number.
    pub holder: Hash,
    /// Keyed hash of everything that was said, so that the same again changes nothing.
    pub digest: Hash,
    /// Names the key that seals what is personal: each holder has another one, and nobody's is used again.
    pub generation: u32,
}

/// Where a record comes from; the first has the say over those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// 认定历史库
    Register,
    /// Known only from an earlier registration.
    PriorRegistration,
    /// 手工添加
    ByHand,
}

/// 注册结论 from before this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// 注册合格
    Qualified,
    /// 暂缓注册
    Deferred,
    /// 注册不合格
    Failed,
    /// 撤销注册
    Revoked,
}

/// A registration from before this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorRegistration {
    /// 注册次数, from 1.
    pub ordinal: u32,
    /// 注册结论
    pub conclusion: Conclusion,
    /// When.
    pub concluded: Date,
}

/// Kinds of restriction (DOMAIN L21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// 未说明
    Unspecified,
    /// 丧失
    Forfeited,
    /// 撤销, 品行不良
    RevokedConduct,
    /// 撤销, 弄虚作假
    RevokedFraud,
    /// 考试作弊
    ExamCheating,
}

/// What a row of a register says of the certificate itself (DOMAIN 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// 正常
    #[default]
    Normal,
    /// 受限
    Restricted,
    /// 删除: there is no such certificate.
    Deleted,
}

/// How a match was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Document number and name are the same.
    NumberAndName,
    /// The person entered it.
    AddedByHand,
    /// An officer found it to be the certificate that the person entered under a mistyped number.
    Merged,
}

/// What another source says, and what the record contradicts: which of the two is right is settled by an officer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Numbers the conflicts of a record, from 1.
    pub ordinal: u32,
    /// What the other source says; sealed under a key of its own, which is destroyed when the conflict is over.
    pub details: Details,
}

/// How a conflict ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An officer kept what the record says.
    Kept,
    /// An officer took what the other source says.
    Taken,
    /// The sources agree now, or the other one says something else again, or the record was forgotten.
    Withdrawn,
}

/// Whether anything is known of a certificate number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a state stands on its own, and is hardly ever empty")]
pub enum State {
    /// Nothing.
    #[default]
    Empty,
    /// A record.
    Known(Record),
}

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As it was said last.
    pub details: Details,
    /// Who said it.
    pub source: Source,
    /// Whose account it belongs to.
    pub person: Option<Uuid>,
    /// By ordinal.
    pub prior_registrations: BTreeMap<u32, (Conclusion, Date)>,
    /// The one that holds now.
    pub restriction: Option<Restriction>,
    /// File references of all restrictions that ever held, and whether this one still does.
    pub decisions: BTreeMap<String, bool>,
    /// The newest key that anything was sealed under.
    pub newest: u32,
    /// The conflicts that are open, by the source that contradicts.
    pub conflicts: BTreeMap<Source, Conflict>,
    /// How many conflicts there were.
    pub conflict_count: u32,
    /// Digest of what each source said last and an officer decided against: the same again is nothing new.
    pub overruled: BTreeMap<Source, Hash>,
    /// The register says that there is no such certificate.
    pub deleted: bool,
    /// The number was mistyped: what it was stands there.
    pub merged_into: Option<Uuid>,
    /// Records of mistyped numbers that were this certificate.
    pub absorbed: BTreeSet<Uuid>,
}

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
    /// A person enters it; whether the number may be entered at all is [`super::hand_entry`]'s.
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
    },
    /// This person was erased.
    Forget {
        /// Whose it may be.
        person: Uuid,
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
    /// Its person was erased: it belongs to nobody, and what was said of it cannot be read.
    Forgotten {
        /// Names the key that was destroyed.
        generation: u32,
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
    /// There is no such record.
    UnknownCertificate,
    /// The register says that there is none.
    Deleted,
    /// The number was found to be mistyped.
    NumberMistyped,
    /// Only what was entered by hand is merged.
    NotEnteredByHand,
    /// Two records are one certificate only if they name the same holder, and a register restricts only whom it names.
    HoldersDiffer,
    /// The conflict is settled already, or there never was one.
    NoSuchConflict,
    /// A restriction holds already.
    AlreadyRestricted,
    /// No restriction holds.
    NotRestricted,
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
            | Self::Forgotten { .. } => None,
        }
    }
}

impl State {
    /// The record, where there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Empty => None,
            Self::Known(record) => Some(record),
        }
    }

    /// Whose key the event takes out of use, and its generation: it is destroyed when that person is erased.
    pub fn former(&self, event: &Event) -> Option<(Uuid, u32)> {
        let record = self.record()?;
        let generation = match event {
            Event::ConflictSettled { generation, .. } => *generation,
            Event::Unmatched | Event::Deleted | Event::Merged { .. } => record.details.generation,
            _ => return None,
        };
        record.person.map(|person| (person, generation))
    }

    fn with(self, details: &Details, source: Source) -> Record {
        let mut details = details.clone();
        match self {
            Self::Known(record) => {
                // Events from before holders had keys of their own name none.
                details.generation = details.generation.max(record.details.generation);
                // In a history from before that was said: another holder ends the match with the former one.
                let person = record.person.filter(|_| record.details.holder == details.holder);
                let newest = record.newest.max(details.generation);
                Record { details, source, person, newest, deleted: false, merged_into: None, ..record }
            }
            Self::Empty => {
                let newest = details.generation;
                Record {
                    details,
                    source,
                    person: None,
                    prior_registrations: BTreeMap::new(),
                    restriction: None,
                    decisions: BTreeMap::new(),
                    newest,
                    conflicts: BTreeMap::new(),
                    conflict_count: 0,
                    overruled: BTreeMap::new(),
                    deleted: false,
                    merged_into: None,
                    absorbed: BTreeSet::new(),
                }
            }
        }
    }

    fn changed(self, change: impl FnOnce(&mut Record)) -> Self {
        match self {
            Self::Known(mut record) => {
                change(&mut record);
                Self::Known(record)
            }
            // History is not judged again.
            Self::Empty => Self::Empty,
        }
    }
}
