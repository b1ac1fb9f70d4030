//! What happened to a record. Personal data and free text are not here: they travel beside the event, sealed.

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::assessment::Assessment;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::Facts;
use crate::domain::form::{Coded, Place};
use crate::domain::registration::state::Prior;
use crate::domain::route::Route;
use crate::domain::rules::RuleRef;
use crate::domain::text::TextRef;
use crate::domain::values::{CertificateKind, Conclusion, Level};

/// An event; all but the first two belong to one application, named by its 报名号.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// From the register, or from the record of a mistyped number.
    PriorRegistrationRecorded(Prior),
    /// The certificate's number was mistyped: what is recorded until here is another certificate's.
    RecordMerged {
        /// That one.
        into: Uuid,
    },
    /// 报名成功
    ApplicationSubmitted(Box<Submitted>),
    /// The applicant changed the form.
    ApplicationAmended(Box<Amended>),
    /// The applicant took it back.
    ApplicationWithdrawn(EnrolmentNumber),
    /// Facts for the conclusion, in the place of those recorded before.
    FactsRecorded {
        /// Of which application.
        number: EnrolmentNumber,
        /// All of them.
        facts: Box<Facts>,
        /// In whose name; not kept by the first version of this program.
        by: Option<Unit>,
    },
    /// 现场确认通过
    ApplicationConfirmed {
        /// Of which application.
        number: EnrolmentNumber,
        /// By which point.
        point: Uuid,
        /// Level whose turn it is now.
        level: Level,
        /// Rules by which the facts were complete; not kept by the first version of this program.
        rules: Option<RuleRef>,
    },
    /// 确认不通过
    ConfirmationRefused {
        /// Of which application.
        number: EnrolmentNumber,
        /// By which point.
        point: Uuid,
    },
    /// Back to 网报待确认 by school or point.
    ApplicationReturned {
        /// Of which application.
        number: EnrolmentNumber,
        /// By the school's liaison; else by the point's clerk.
        by_liaison: bool,
    },
    /// A level passed it on.
    ReviewPassed {
        /// Of which application.
        number: EnrolmentNumber,
        /// Who passed it.
        level: Level,
        /// Whose turn it is now.
        next: Level,
    },
    /// A level sent it back.
    ReviewSentBack {
        /// Of which application.
        number: EnrolmentNumber,
        /// Who sent it back.
        level: Level,
        /// To which level; `None` for the applicant.
        to: Option<Level>,
    },
    /// 注册结论
    ApplicationConcluded(Box<Concluded>),
    /// 公示 began.
    PublicityBegun {
        /// Of which application.
        number: EnrolmentNumber,
        /// When.
        at: OffsetDateTime,
        /// Its last day by plan, where one is planned.
        until: Option<Date>,
        /// Rules that say how long it must last; not kept by the first versions of this program.
        rules: Option<RuleRef>,
    },
    /// 公示 ended.
    PublicityEnded {
        /// Of which application.
        number: EnrolmentNumber,
        /// When.
        at: OffsetDateTime,
    },
    /// 异议
    ObjectionRecorded(EnrolmentNumber),
    /// 异议 settled.
    ObjectionSettled(EnrolmentNumber),
    /// 附页 printed.
    CertificateNotePrinted(EnrolmentNumber),
    /// First of two persons.
    ReversalProposed {
        /// Of which application.
        number: EnrolmentNumber,
        /// 撤销注册 instead of a return to the last level.
        revoke: bool,
        /// Who proposed it.
        by: Uuid,
        /// Where the decision is filed.
        file_reference: String,
    },
    /// Back at the last level.
    ConclusionReversed {
        /// Of which application.
        number: EnrolmentNumber,
        /// The last level.
        level: Level,
    },
    /// 撤销注册
    RegistrationRevoked {
        /// Of which application.
        number: EnrolmentNumber,
        /// From when the bar counts.
        on: Date,
    },
}

/// A submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Whose account.
    pub person: Uuid,
    /// The draft that became it.
    pub draft: Uuid,
    /// 注册次数
    pub ordinal: u32,
    /// 资格种类
    pub kind: CertificateKind,
    /// Form version 1.
    pub form: Coded,
    /// Where it belongs.
    pub place: Place,
    /// Window that it was accepted under; the closing instant is not kept.
    pub window: Uuid,
    /// Revision of the window.
    pub window_revision: u32,
    /// Whether it needed a grace ticket.
    pub with_ticket: bool,
    /// 协议
    pub agreement: TextRef,
    /// 承诺书
    pub pledge: TextRef,
    /// Who reviews it.
    pub route: Route,
    /// Rules that it was admitted by.
    pub rules: RuleRef,
    /// Day in Shanghai.
    pub on: Date,
}

/// An amendment.
#[derive(Debug, Clone, PartialEq)]
pub struct Amended {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Its form version.
    pub form_version: u32,
    /// The whole form.
    pub form: Coded,
    /// Where it belongs now.
    pub place: Place,
    /// 承诺书
    pub pledge: TextRef,
    /// Who reviews it now.
    pub route: Route,
    /// Rules that it was admitted by; not kept by the first version of this program.
    pub rules: Option<RuleRef>,
}

/// In whose name a member of staff acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The school, by its liaison.
    School(Uuid),
    /// The confirmation point, by its clerk.
    Point(Uuid),
    /// The agency, by its reviewer.
    Agency(Uuid),
}

/// A conclusion.
#[derive(Debug, Clone, PartialEq)]
pub struct Concluded {
    /// 报名号
    pub number: EnrolmentNumber,
    /// 注册次数
    pub ordinal: u32,
    /// 注册结论
    pub conclusion: Conclusion,
    /// Day in Shanghai.
    pub on: Date,
    /// Rules in force.
    pub rules: RuleRef,
    /// Who concluded.
    pub level: Level,
    /// Articles that it rests on.
    pub articles: Vec<String>,
    /// What the rules computed.
    pub assessment: Assessment,
}

impl Event {
    /// The application that it belongs to; `None` for what is said of the whole record.
    pub fn number(&self) -> Option<EnrolmentNumber> {
        match self {
            Self::PriorRegistrationRecorded(_) | Self::RecordMerged { .. } => None,
            Self::ApplicationSubmitted(submitted) => Some(submitted.number),
            Self::ApplicationAmended(amended) => Some(amended.number),
            Self::ApplicationConcluded(concluded) => Some(concluded.number),
            Self::ApplicationWithdrawn(number)
            | Self::ObjectionRecorded(number)
            | Self::ObjectionSettled(number)
            | Self::CertificateNotePrinted(number)
            | Self::FactsRecorded { number, .. }
            | Self::ApplicationConfirmed { number, .. }
            | Self::ConfirmationRefused { number, .. }
            | Self::ApplicationReturned { number, .. }
            | Self::ReviewPassed { number, .. }
            | Self::ReviewSentBack { number, .. }
            | Self::PublicityBegun { number, .. }
            | Self::PublicityEnded { number, .. }
            | Self::ReversalProposed { number, .. }
            | Self::ConclusionReversed { number, .. }
            | Self::RegistrationRevoked { number, .. } => Some(*number),
        }
    }
}
