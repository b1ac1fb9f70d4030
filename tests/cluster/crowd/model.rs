//! What must come of a deed: DOMAIN 2.3 once more, written down from the rules and not from the service, so that the two can differ.

use proto::applications::v1 as wire;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::applications::v1::{ReviewLevel, Status, Turn};
use proto::certificates::v1::RestrictionKind;
use proto::types::v1::Conclusion;

use super::facts::{Profile, proposal};

/// Somebody who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whose certificate it is.
    Holder,
    /// Another applicant.
    Stranger,
    /// A member of staff, by place in the list.
    Staff(usize),
}

/// What somebody tries to do with an application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deed {
    Read,
    Amend { place: usize, stage: i32 },
    Withdraw,
    RecordFacts(Profile),
    Confirm,
    Refuse,
    Return,
    Pass,
    SendBack,
    Conclude { conclusion: Conclusion, with_reason: bool },
    Fact(Fact),
    Propose { revoke: bool },
    Approve,
}

/// A place where one can apply: agencies by their place in the list of all, with their levels, first level first.
#[derive(Clone, Debug)]
pub struct Route(pub Vec<(usize, ReviewLevel)>);

/// The units of a member of staff: places whose school or point it is, and agencies.
#[derive(Clone, Debug, Default)]
pub struct Post {
    pub schools: Vec<usize>,
    pub points: Vec<usize>,
    pub agencies: Vec<usize>,
}

/// Everything that the rules ask beside the record.
#[derive(Clone, Debug)]
pub struct World {
    pub routes: Vec<Route>,
    pub posts: Vec<Post>,
}

/// A registration from before this system.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    pub ordinal: i32,
    pub conclusion: Conclusion,
    pub days_ago: i64,
}

/// The record of a certificate.
#[derive(Clone, Debug)]
pub struct Record {
    /// 资格种类; a stage has the same number.
    pub kind: i32,
    pub priors: Vec<Prior>,
    pub restriction: Option<RestrictionKind>,
    pub applications: Vec<Application>,
    /// Of the stream.
    pub version: i64,
}

/// One application of it.
#[derive(Clone, Debug)]
pub struct Application {
    pub key: wire::ApplicationKey,
    pub ordinal: i32,
    pub place: usize,
    pub stage: i32,
    pub profile: Option<Profile>,
    pub phase: Phase,
    /// Of the record, at its last change.
    pub version: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Pending { mending: bool, refused: bool },
    Confirmed { step: usize, decided: bool },
    Concluded(Concluded),
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Concluded {
    pub conclusion: Conclusion,
    /// What holds of it by now; a recorded objection until it is settled.
    facts: Vec<Fact>,
    /// By whom, and whether to revoke.
    pub proposed: Option<(usize, bool, i64)>,
}

/// What a deed must lead to: the application afterwards and how many events, or this reason.
pub type Expected = Result<(Application, i64), &'static str>;

const FRESH: Phase = Phase::Pending { mending: false, refused: false };
const TO_MEND: Phase = Phase::Pending { mending: true, refused: false };
/// Days that an application must wait after 注册合格, 54 months, and after a revocation, five years; nobody here is near them.
const INTERVAL: i64 = 54 * 30;
const BAR: i64 = 5 * 365;

impl World {
    /// What comes of a deed on the application at `index`.
    pub fn judge(&self, record: &Record, index: usize, who: Who, deed: Deed) -> Expected {
        let application = &record.applications[index];
        let nobody = Post::default();
        let post = match who {
            Who::Staff(member) => &self.posts[member],
            Who::Holder | Who::Stranger => &nobody,
        };
        if !may_call(post, deed) {
            return Err(FORBIDDEN);
        }
        let case = Case { record, application, route: &self.routes[application.place], post };
        let (phase, profile) = match deed {
            Deed::Read if who == Who::Holder || case.is_in_scope() => return Ok((application.clone(), 0)),
            Deed::Read => return Err("NOT_FOUND"),
            Deed::Amend { .. } | Deed::Withdraw if who != Who::Holder => return Err("NOT_FOUND"),
            Deed::Amend { place, stage } => {
                case.pending()?;
                let version = record.version + 1;
                return Ok((Application { place, stage, phase: FRESH, version, ..application.clone() }, 1));
            }
            Deed::Withdraw => (case.pending().map(|_| Phase::Withdrawn)?, application.profile),
            Deed::RecordFacts(profile) => {
                case.may_record_facts()?;
                if application.profile == Some(profile) {
                    return Ok((application.clone(), 0));
                }
                (application.phase.clone(), Some(profile))
            }
            _ => (case.decide(who, deed)?, application.profile),
        };
        let version = record.version + 1;
        Ok((Application { profile, phase, version, ..application.clone() }, 1))
    }
}

/// Not for this caller at all, whatever the application: only the code is compared.
pub const FORBIDDEN: &str = "FORBIDDEN";

/// The access table: who may call the deed's RPC. Staff are persons, too.
fn may_call(post: &Post, deed: Deed) -> bool {
    let (liaison, clerk, reviewer) = (!post.schools.is_empty(), !post.points.is_empty(), !post.agencies.is_empty());
    match deed {
        Deed::Read | Deed::Amend { .. } | Deed::Withdraw => true,
        Deed::RecordFacts(_) => liaison || clerk || reviewer,
        Deed::Confirm | Deed::Refuse => clerk,
        Deed::Return => liaison || clerk,
        Deed::Pass | Deed::SendBack | Deed::Conclude { .. } | Deed::Fact(_) | Deed::Propose { .. } | Deed::Approve => {
            reviewer
        }
    }
}

/// An application, and who wants something of it.
struct Case<'a> {
    record: &'a Record,
    application: &'a Application,
    route: &'a Route,
    post: &'a Post,
}

impl Case<'_> {
    /// Where it stands after a deed of staff.
    fn decide(&self, who: Who, deed: Deed) -> Result<Phase, &'static str> {
        let last = self.route.0.len() - 1;
        Ok(match deed {
            Deed::Confirm => {
                self.at_point()?;
                if self.pending()? {
                    return Err("CONFIRMATION_REFUSED");
                }
                self.unrestricted()?;
                match self.application.profile {
                    None | Some(Profile::Incomplete) => return Err("FACTS_MISSING"),
                    Some(_) => Phase::Confirmed { step: 0, decided: false },
                }
            }
            Deed::Refuse => {
                self.at_point()?;
                self.pending()?;
                Phase::Pending { mending: true, refused: true }
            }
            Deed::Return => {
                let place = &self.application.place;
                if !self.post.schools.contains(place) && !self.post.points.contains(place) {
                    return Err("NOT_FOUND");
                }
                match self.application.phase {
                    Phase::Confirmed { decided: false, .. } => TO_MEND,
                    Phase::Confirmed { decided: true, .. } => return Err("TOO_LATE"),
                    _ => return Err("WRONG_STATE"),
                }
            }
            Deed::Pass => {
                let step = self.step_of_the_officer()?;
                self.unrestricted()?;
                if step == last {
                    return Err("LAST_LEVEL");
                }
                Phase::Confirmed { step: step + 1, decided: true }
            }
            Deed::SendBack => match self.step_of_the_officer()? {
                0 => TO_MEND,
                step => Phase::Confirmed { step: step - 1, decided: true },
            },
            Deed::Conclude { conclusion, with_reason } => {
                if self.step_of_the_officer()? != last {
                    return Err("NOT_LAST_LEVEL");
                }
                if conclusion == Conclusion::Qualified {
                    self.unrestricted()?;
                }
                let proposed = self.record.proposal(self.application);
                if !with_reason && proposed.is_some_and(|proposed| proposed != conclusion) {
                    return Err("REASON_REQUIRED");
                }
                Phase::Concluded(Concluded { conclusion, facts: Vec::new(), proposed: None })
            }
            Deed::Fact(fact) => Phase::Concluded(self.concluded()?.clone().with(fact)?),
            Deed::Propose { revoke } => {
                let concluded = self.reversible()?;
                let qualified = concluded.conclusion == Conclusion::Qualified;
                if concluded.conclusion == Conclusion::Revoked || revoke && !qualified {
                    return Err("WRONG_STATE");
                }
                let Who::Staff(member) = who else { unreachable!("only staff may call it") };
                let proposed = Some((member, revoke, self.record.version + 1));
                Phase::Concluded(Concluded { proposed, ..concluded.clone() })
            }
            Deed::Approve => {
                let concluded = self.reversible()?;
                match concluded.proposed {
                    None => return Err("NO_PROPOSAL"),
                    Some((member, _, _)) if Who::Staff(member) == who => return Err("SECOND_PERSON_NEEDED"),
                    Some((_, false, _)) => Phase::Confirmed { step: last, decided: true },
                    Some((_, true, _)) => {
                        let conclusion = Conclusion::Revoked;
                        Phase::Concluded(Concluded { conclusion, proposed: None, ..concluded.clone() })
                    }
                }
            }
            Deed::Read | Deed::Amend { .. } | Deed::Withdraw | Deed::RecordFacts(_) => {
                unreachable!("judged before")
            }
        })
    }

    fn is_local(&self) -> bool {
        self.post.schools.contains(&self.application.place) || self.post.points.contains(&self.application.place)
    }

    fn reviews(&self) -> bool {
        self.route.0.iter().any(|(agency, _)| self.post.agencies.contains(agency))
    }

    fn is_in_scope(&self) -> bool {
        self.is_local() || self.reviews()
    }

    /// Whether it was refused, while 网报待确认.
    fn pending(&self) -> Result<bool, &'static str> {
        match self.application.phase {
            Phase::Pending { refused, .. } => Ok(refused),
            _ => Err("WRONG_STATE"),
        }
    }

    fn at_point(&self) -> Result<(), &'static str> {
        if self.post.points.contains(&self.application.place) { Ok(()) } else { Err("NOT_FOUND") }
    }

    fn unrestricted(&self) -> Result<(), &'static str> {
        if self.record.restriction.is_none() { Ok(()) } else { Err("CERTIFICATE_RESTRICTED") }
    }

    fn may_record_facts(&self) -> Result<(), &'static str> {
        match self.application.phase {
            _ if !self.is_in_scope() => Err("NOT_FOUND"),
            Phase::Confirmed { step, .. } if self.post.agencies.contains(&self.route.0[step].0) => Ok(()),
            Phase::Confirmed { .. } if self.reviews() => Err("NOT_YOUR_TURN"),
            Phase::Pending { .. } if self.is_local() => Ok(()),
            _ => Err("WRONG_STATE"),
        }
    }

    fn step_of_the_officer(&self) -> Result<usize, &'static str> {
        match self.application.phase {
            _ if !self.reviews() => Err("NOT_FOUND"),
            Phase::Confirmed { step, .. } if self.post.agencies.contains(&self.route.0[step].0) => Ok(step),
            Phase::Confirmed { .. } => Err("NOT_YOUR_TURN"),
            _ => Err("WRONG_STATE"),
        }
    }

    fn concluded(&self) -> Result<&Concluded, &'static str> {
        let (last, _) = self.route.0[self.route.0.len() - 1];
        match &self.application.phase {
            _ if !self.reviews() => Err("NOT_FOUND"),
            Phase::Concluded(_) if !self.post.agencies.contains(&last) => Err("NOT_LAST_LEVEL"),
            Phase::Concluded(concluded) => Ok(concluded),
            _ => Err("WRONG_STATE"),
        }
    }

    fn reversible(&self) -> Result<&Concluded, &'static str> {
        let concluded = self.concluded()?;
        let own = self.application.key.enrolment_number.as_str();
        let later = self.record.applications.iter().skip_while(|other| other.key.enrolment_number != own).skip(1);
        if later.into_iter().any(|other| other.phase != Phase::Withdrawn) {
            return Err("LATER_APPLICATION");
        }
        Ok(concluded)
    }
}

impl Concluded {
    fn with(mut self, fact: Fact) -> Result<Self, &'static str> {
        match fact {
            Fact::ObjectionSettled if !self.facts.contains(&Fact::ObjectionRecorded) => return Err("WRONG_STATE"),
            Fact::ObjectionSettled => self.facts.retain(|known| *known != Fact::ObjectionRecorded),
            fact if self.facts.contains(&fact) => return Err("ALREADY_SO"),
            Fact::PublicityEnded if !self.facts.contains(&Fact::PublicityBegun) => return Err("WRONG_STATE"),
            Fact::PublicityEnded | Fact::NotePrinted if self.facts.contains(&Fact::ObjectionRecorded) => {
                return Err("OBJECTION_OPEN");
            }
            Fact::NotePrinted
                if self.facts.contains(&Fact::PublicityBegun) && !self.facts.contains(&Fact::PublicityEnded) =>
            {
                return Err("PUBLICITY_NOT_OVER");
            }
            fact => self.facts.push(fact),
        }
        Ok(self)
    }
}

impl Record {
    /// The one that is neither concluded nor withdrawn.
    pub fn live(&self) -> Option<usize> {
        self.applications.iter().position(|one| matches!(one.phase, Phase::Pending { .. } | Phase::Confirmed { .. }))
    }

    /// 注册次数 of a new application today, or why there may be none.
    pub fn next_ordinal(&self) -> Result<i32, &'static str> {
        if self.live().is_some() {
            return Err("ALREADY_APPLIED");
        }
        if self.restriction.is_some() {
            return Err("CERTIFICATE_RESTRICTED");
        }
        let here = self.applications.iter().filter_map(|one| match &one.phase {
            Phase::Concluded(concluded) => Some((one.ordinal, concluded.conclusion, 0)),
            _ => None,
        });
        let before = self.priors.iter().map(|prior| (prior.ordinal, prior.conclusion, prior.days_ago));
        let standings: Vec<_> = before.chain(here).collect();
        if standings.iter().any(|(_, conclusion, ago)| *conclusion == Conclusion::Revoked && *ago < BAR) {
            return Err("REVOKED_RECENTLY");
        }
        match standings.last() {
            None => Ok(1),
            Some((_, Conclusion::Qualified, ago)) if *ago < INTERVAL => Err("REGISTERED_RECENTLY"),
            Some((ordinal, Conclusion::Qualified, _)) => Ok(ordinal + 1),
            Some((ordinal, ..)) => Ok(*ordinal),
        }
    }

    /// What the rules compute for one of the applications; `None` where they leave it to the agency.
    pub fn proposal(&self, application: &Application) -> Option<Conclusion> {
        let first = application.ordinal == 1;
        proposal(application.profile, first, application.stage == self.kind, self.restriction)
    }
}

impl Application {
    pub fn status(&self) -> Status {
        match self.phase {
            Phase::Pending { .. } => Status::PendingOnlineConfirmation,
            Phase::Confirmed { .. } => Status::Confirmed,
            Phase::Concluded(_) => Status::Concluded,
            Phase::Withdrawn => Status::Withdrawn,
        }
    }

    pub fn level(&self, world: &World) -> ReviewLevel {
        match self.phase {
            Phase::Confirmed { step, .. } => world.routes[self.place].0[step].1,
            _ => ReviewLevel::Unspecified,
        }
    }

    pub fn conclusion(&self) -> Conclusion {
        match &self.phase {
            Phase::Concluded(concluded) => concluded.conclusion,
            _ => Conclusion::Unspecified,
        }
    }

    pub fn turn(&self, world: &World) -> Turn {
        match (&self.phase, self.level(world)) {
            (Phase::Pending { mending: true, .. }, _) => Turn::Applicant,
            (Phase::Pending { .. }, _) if self.profile.is_none() => Turn::School,
            (Phase::Pending { .. }, _) => Turn::Point,
            (_, ReviewLevel::County) => Turn::County,
            (_, ReviewLevel::City) => Turn::City,
            (_, ReviewLevel::Province) => Turn::Province,
            (_, ReviewLevel::Unspecified) => Turn::Nobody,
        }
    }

    /// What the caller is told of it.
    pub fn outcome(&self, world: &World, version: i64) -> wire::Outcome {
        wire::Outcome {
            status: self.status().into(),
            level: self.level(world).into(),
            turn: self.turn(world).into(),
            version,
            conclusion: self.conclusion().into(),
        }
    }
}
