//! The record of one certificate number: what the register, a person or an officer said of it, and whose it is.

use std::collections::BTreeMap;

use decider::Decider;
use time::Date;
use uuid::Uuid;

use super::kind::Kind;

#[cfg(test)]
mod tests;

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
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// How a match was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Document number and name are the same.
    NumberAndName,
    /// The person entered it.
    AddedByHand,
}

/// Whether anything is known of a certificate number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// How often it was forgotten: each time what is personal gets a new key.
    pub generation: u32,
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
    /// An officer restricts it.
    Restrict {
        /// How.
        kind: Restriction,
        /// Until when; shown only.
        end: Option<Date>,
        /// Of the decision.
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
    /// An earlier registration is known.
    PriorRegistrationImported(PriorRegistration),
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
        /// How often it had been forgotten before.
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
    /// A restriction holds already.
    AlreadyRestricted,
    /// No restriction holds.
    NotRestricted,
}

/// Decides about one certificate.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (State::Empty, Command::Sync { details, source, prior }) => {
                let synced = Event::Synced { details, source };
                Ok(std::iter::once(synced).chain(prior.map(Event::PriorRegistrationImported)).collect())
            }
            (State::Known(record), Command::Sync { details, source, prior }) => Ok(record.sync(details, source, prior)),
            (State::Empty, Command::AddByHand { details, person }) => Ok(vec![
                Event::AddedByHand { details, person },
                Event::Matched { person, evidence: Evidence::AddedByHand },
            ]),
            (State::Known(record), Command::AddByHand { details, person }) if record.may_be_entered_again() => {
                Ok(vec![
                    Event::AddedByHand { details, person },
                    Event::Matched { person, evidence: Evidence::AddedByHand },
                ])
            }
            (State::Known(record), Command::AddByHand { details, person }) => {
                Err(record.refuse_entry(&details, person))
            }
            (State::Known(record), Command::Match { person }) => Ok(match record.person {
                Some(known) if known == person => Vec::new(),
                _ => vec![Event::Matched { person, evidence: Evidence::NumberAndName }],
            }),
            (State::Known(record), Command::Forget { person }) => {
                let forgotten = Event::Forgotten { generation: record.generation };
                Ok((record.person == Some(person)).then_some(forgotten).into_iter().collect())
            }
            (State::Empty, Command::Forget { .. }) => Ok(Vec::new()),
            (State::Known(Record { restriction: Some(_), .. }), Command::Restrict { .. }) => {
                Err(Rejection::AlreadyRestricted)
            }
            (State::Known(_), Command::Restrict { kind, end, file_reference }) => {
                Ok(vec![Event::Restricted { kind, end, file_reference }])
            }
            (State::Known(Record { restriction: None, .. }), Command::Lift { .. }) => Err(Rejection::NotRestricted),
            (State::Known(_), Command::Lift { file_reference }) => {
                Ok(vec![Event::RestrictionLifted { file_reference }])
            }
            (State::Empty, Command::Match { .. } | Command::Restrict { .. } | Command::Lift { .. }) => {
                Err(Rejection::UnknownCertificate)
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match event {
            Event::Synced { details, source } | Event::Changed { details, source } => {
                State::Known(state.with(details, *source))
            }
            Event::AddedByHand { details, .. } => State::Known(state.with(details, Source::ByHand)),
            Event::Matched { person, .. } => state.changed(|record| record.person = Some(*person)),
            Event::PriorRegistrationImported(prior) => state.changed(|record| {
                record.prior_registrations.insert(prior.ordinal, (prior.conclusion, prior.concluded));
            }),
            Event::Restricted { kind, .. } => state.changed(|record| record.restriction = Some(*kind)),
            Event::RestrictionLifted { .. } => state.changed(|record| record.restriction = None),
            Event::Forgotten { generation } => state.changed(|record| {
                record.person = None;
                // No row is like it, and no holder is the one it had: whatever is said of it next is news.
                (record.details.holder, record.details.digest) = (NOBODY, NOBODY);
                record.generation = generation + 1;
            }),
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

    fn with(self, details: &Details, source: Source) -> Record {
        let details = details.clone();
        match self {
            // Another holder: the match with the former one no longer holds.
            Self::Known(record) if record.details.holder != details.holder => {
                Record { details, source, person: None, ..record }
            }
            Self::Known(record) => Record { details, source, ..record },
            Self::Empty => {
                let prior_registrations = BTreeMap::new();
                Record { details, source, person: None, prior_registrations, restriction: None, generation: 0 }
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

impl Record {
    /// What a row of the register changes; a certificate entered by hand becomes the register's.
    fn sync(&self, details: Details, source: Source, prior: Option<PriorRegistration>) -> Vec<Event> {
        let same = self.source != Source::ByHand && self.details.digest == details.digest;
        let changed = (!same).then_some(Event::Changed { details, source });
        let known = |prior: &PriorRegistration| {
            self.prior_registrations.get(&prior.ordinal) == Some(&(prior.conclusion, prior.concluded))
        };
        let prior = prior.filter(|prior| !known(prior)).map(Event::PriorRegistrationImported);
        changed.into_iter().chain(prior).collect()
    }

    /// It was forgotten, and nothing but its person's own word is known of it.
    fn may_be_entered_again(&self) -> bool {
        self.details.holder == NOBODY && (self.source == Source::ByHand || self.prior_registrations.is_empty())
    }

    fn refuse_entry(&self, entered: &Details, person: Uuid) -> Rejection {
        if self.person.is_some_and(|owner| owner != person) || self.details.holder != entered.holder {
            Rejection::CertificateOfAnother
        } else if self.source != Source::ByHand && !self.prior_registrations.is_empty() {
            Rejection::RegisteredBefore
        } else {
            Rejection::AlreadyListed
        }
    }
}
