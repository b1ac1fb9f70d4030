//! What a record's history leads to.

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::assessment::{Assessment, Check};
use crate::domain::calendar::{Cycle, add_months, subtract_months};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::Facts;
use crate::domain::form::{Coded, Place};
use crate::domain::registration::event::{Event, Unit};
use crate::domain::registration::filing::Standing;
use crate::domain::route::{Route, Step};
use crate::domain::rules::{RuleRef, RuleSet};
use crate::domain::values::{CertificateKind, Conclusion, Status, Turn};

/// The record of a certificate; `default` is the empty one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Registration {
    /// Events so far: the version of the record.
    pub version: i64,
    /// What happened before this system, from the register, or under a number that was mistyped; oldest first.
    pub prior: Vec<Prior>,
    /// Applications in the order of their submission. At most one of them lives.
    pub applications: Vec<Application>,
}

/// A registration that was not concluded in this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prior {
    /// 注册次数
    pub ordinal: u32,
    /// Its conclusion.
    pub conclusion: Conclusion,
    /// When it was concluded.
    pub on: Date,
    /// The record of a mistyped number that it was concluded in; `None` where the register told it.
    pub merged_from: Option<Uuid>,
}

/// One application.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Whose account filed it.
    pub person: Uuid,
    /// The draft that became it.
    pub draft: Uuid,
    /// 注册次数
    pub ordinal: u32,
    /// 资格种类
    pub kind: CertificateKind,
    /// The newest form.
    pub form: Coded,
    /// Where it belongs by that form.
    pub place: Place,
    /// From 1; rises with each amendment.
    pub form_version: u32,
    /// Window that it was filed in.
    pub window: Uuid,
    /// Who reviews it.
    pub route: Route,
    /// Rules that it was admitted by.
    pub rules: RuleRef,
    /// Day of the submission in Shanghai.
    pub submitted_on: Date,
    /// Facts for the conclusion.
    pub facts: Option<Facts>,
    /// Version of the record when they were recorded; 0 without facts.
    pub facts_version: i64,
    /// The certificate's number was mistyped: what was concluded counts for this one.
    pub merged_into: Option<Uuid>,
    /// Where it stands.
    pub phase: Phase,
}

/// 审批状态 with what exists in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// 网报待确认
    Pending {
        /// Set while the applicant has something to mend.
        mending: Option<Mending>,
    },
    /// 已确认, under review.
    Confirmed {
        /// Place in the route of the level whose turn it is.
        step: usize,
        /// Whether the first level has decided since the confirmation.
        decided: bool,
    },
    /// With its 注册结论.
    Concluded(Box<ConclusionRecord>),
    /// 已撤回
    Withdrawn,
}

/// Why an application is with the applicant again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// 确认不通过: cannot be confirmed until amended.
    Refused,
    /// Returned by school or point.
    Returned,
    /// Sent back by the first level.
    SentBack,
}

/// A conclusion and what followed it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConclusionRecord {
    /// The conclusion; 撤销注册 once it was revoked.
    pub conclusion: Conclusion,
    /// Day of the conclusion, or of the revocation.
    pub on: Date,
    /// Day of the conclusion, whatever became of it.
    pub concluded_on: Date,
    /// Rules in force then.
    pub rules: RuleRef,
    /// Articles that the conclusion rests on.
    pub articles: Vec<String>,
    /// What the rules computed.
    pub assessment: Assessment,
    /// 公示 began.
    pub publicity_begun_at: Option<OffsetDateTime>,
    /// Its last day by plan.
    pub publicity_until: Option<Date>,
    /// 公示 ended.
    pub publicity_ended_at: Option<OffsetDateTime>,
    /// An objection waits for its settlement.
    pub objection_open: bool,
    /// The note on the 附页 is printed.
    pub note_printed: bool,
    /// A reversal waits for the second person.
    pub proposed: Option<Proposed>,
}

/// A reversal or revocation that another officer has to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposed {
    /// Who proposed it.
    pub by: Uuid,
    /// 撤销注册 instead of a return to the last level.
    pub revoke: bool,
    /// Version of the record that it made: names it among others.
    pub version: i64,
}

impl Prior {
    /// As it counts, whoever told it.
    pub fn standing(&self) -> Standing {
        Standing { ordinal: self.ordinal, conclusion: self.conclusion, on: self.on }
    }

    /// Whether a later one takes its place: the register's last word for an ordinal holds, and nothing counts twice.
    pub fn gives_way_to(&self, later: &Self) -> bool {
        let corrected = self.merged_from.is_none() && later.merged_from.is_none() && self.ordinal == later.ordinal;
        corrected || self.standing() == later.standing()
    }
}

impl Registration {
    /// The application of a number.
    pub fn application(&self, number: EnrolmentNumber) -> Option<&Application> {
        self.applications.iter().find(|application| application.number == number)
    }

    /// The one that is neither concluded nor withdrawn, nor another certificate's.
    pub fn live(&self) -> Option<&Application> {
        self.applications.iter().find(|application| application.lives() && application.merged_into.is_none())
    }

    /// How an application is checked under a rule set (L10c, L10d, L5b).
    pub fn check(&self, application: &Application, rules: &RuleSet) -> Check {
        if application.ordinal == 1 && !rules.first_registration_full_check {
            return Check::First;
        }
        let cycle = self.cycle(application, rules);
        Check::Cycle { cycle, years: cycle.years(rules.school_year).collect() }
    }

    /// 注册周期 of an application: the months that end at the expiry of the last 注册合格; where there is none, those
    /// before the submission.
    pub fn cycle(&self, application: &Application, rules: &RuleSet) -> Cycle {
        if let Some(from) = self.last_qualified_before(application) {
            return Cycle { from, to: add_months(from, rules.cycle_months) };
        }
        let to = application.submitted_on;
        Cycle { from: subtract_months(to, rules.cycle_months), to }
    }

    fn last_qualified_before(&self, application: &Application) -> Option<Date> {
        let others = self.applications.iter().take_while(|other| other.number != application.number);
        let others = others.filter(|other| other.merged_into == application.merged_into);
        let concluded = others.filter_map(|other| other.conclusion()).map(|record| (record.conclusion, record.on));
        let prior = self.prior.iter().map(|prior| (prior.conclusion, prior.on));
        let qualified = prior.chain(concluded).filter(|(conclusion, _)| *conclusion == Conclusion::Qualified);
        qualified.map(|(_, on)| on).max()
    }
}

impl Application {
    /// In whose name something was done to it, by staff.
    pub fn unit_of(&self, event: &Event) -> Option<Unit> {
        let reviewer = |level| self.route.index_of(level).map(|step| Unit::Agency(self.route.step(step).agency));
        match event {
            Event::FactsRecorded { by, .. } => *by,
            Event::ApplicationConfirmed { point, .. } | Event::ConfirmationRefused { point, .. } => {
                Some(Unit::Point(*point))
            }
            Event::ApplicationReturned { by_liaison: true, .. } => Some(Unit::School(self.place.school)),
            Event::ApplicationReturned { by_liaison: false, .. } => Some(Unit::Point(self.place.point)),
            Event::ReviewPassed { level, .. } | Event::ReviewSentBack { level, .. } => reviewer(*level),
            Event::ApplicationConcluded(concluded) => reviewer(concluded.level),
            Event::PublicityBegun { .. }
            | Event::PublicityEnded { .. }
            | Event::ObjectionRecorded(_)
            | Event::ObjectionSettled(_)
            | Event::CertificateNotePrinted(_)
            | Event::ReversalProposed { .. }
            | Event::ConclusionReversed { .. }
            | Event::RegistrationRevoked { .. } => Some(Unit::Agency(self.route.step(self.route.last_index()).agency)),
            Event::PriorRegistrationRecorded(_)
            | Event::RecordMerged { .. }
            | Event::ApplicationSubmitted(_)
            | Event::ApplicationAmended(_)
            | Event::ApplicationWithdrawn(_) => None,
        }
    }

    /// Neither concluded nor withdrawn.
    pub fn lives(&self) -> bool {
        matches!(self.phase, Phase::Pending { .. } | Phase::Confirmed { .. })
    }

    /// Its status.
    pub fn status(&self) -> Status {
        match self.phase {
            Phase::Pending { .. } => Status::Pending,
            Phase::Confirmed { .. } => Status::Confirmed,
            Phase::Concluded(_) => Status::Concluded,
            Phase::Withdrawn => Status::Withdrawn,
        }
    }

    /// 确认不通过, and not amended since.
    pub fn is_refused(&self) -> bool {
        matches!(self.phase, Phase::Pending { mending: Some(Mending::Refused) })
    }

    /// With the applicant again: refused, returned or sent back, and not amended since.
    pub fn is_mending(&self) -> bool {
        matches!(self.phase, Phase::Pending { mending: Some(_) })
    }

    /// The step of review whose turn it is.
    pub fn step(&self) -> Option<Step> {
        match self.phase {
            Phase::Confirmed { step, .. } => Some(self.route.step(step)),
            Phase::Pending { .. } | Phase::Concluded(_) | Phase::Withdrawn => None,
        }
    }

    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        Turn::of(self.status(), self.step().map(|step| step.level), self.is_mending(), self.facts.is_some())
    }

    /// Its conclusion, if it has one.
    pub fn conclusion(&self) -> Option<&ConclusionRecord> {
        match &self.phase {
            Phase::Concluded(record) => Some(record),
            Phase::Pending { .. } | Phase::Confirmed { .. } | Phase::Withdrawn => None,
        }
    }
}
