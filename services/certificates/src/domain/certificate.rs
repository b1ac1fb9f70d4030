//! The record of one certificate number: what the register, a person or an officer said of it, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;
use uuid::Uuid;

use super::kind::Kind;

mod command;
mod decide;
mod event;
#[cfg(test)]
mod tests;
mod waiting;

pub use command::{Command, Rejection};
pub use decide::Decisions;
pub use event::Event;
pub use waiting::{Announced, Announcement, Hindrance};

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
    /// What else it tells.
    pub besides: Besides,
}

/// What rows tell that contradict the record, besides: it counts once what they say is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Besides {
    /// Earlier registrations, by ordinal.
    pub registrations: BTreeMap<u32, (Conclusion, Date)>,
    /// 受限
    pub restricted: bool,
}

impl Besides {
    /// With what another row tells.
    fn and(&self, prior: Option<PriorRegistration>, standing: Standing) -> Self {
        let told = prior.map(|it| (it.ordinal, (it.conclusion, it.concluded)));
        let registrations = self.registrations.clone().into_iter().chain(told).collect();
        Self { registrations, restricted: self.restricted || standing == Standing::Restricted }
    }
}

/// How a conflict ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An officer kept what the record says.
    Kept,
    /// An officer took what the other source says.
    Taken,
    /// The sources agree now, or the other one says something else again, or the record or whom the other one names was forgotten.
    Withdrawn,
}

/// Whether anything is known of a certificate number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a state stands on its own, and is hardly ever empty")]
pub enum State {
    /// Nothing.
    #[default]
    Empty,
    /// That it is restricted, and nothing else: no register has told of it yet.
    Announced(Announced),
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
    /// Decisions that do not hold yet, in the order in which they came.
    pub waiting: Vec<Announcement>,
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

impl State {
    /// The record, where there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Empty | Self::Announced(_) => None,
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
            Self::Empty => Self::Announced(Announced::default()).with(&details, source),
            Self::Announced(Announced { decisions, waiting }) => {
                let newest = details.generation;
                Record {
                    details,
                    source,
                    person: None,
                    prior_registrations: BTreeMap::new(),
                    restriction: None,
                    decisions,
                    waiting,
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
            unknown @ (Self::Empty | Self::Announced(_)) => unknown,
        }
    }
}
