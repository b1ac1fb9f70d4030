//! What somebody wants of a record. What the decision needs beside the history comes along: time, numbers, the
//! certificate, dates of the point, the rule set.

use std::sync::Arc;

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::directory::Assignment;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::Facts;
use crate::domain::form::{Coded, Place};
use crate::domain::opening::{Admission, Closed};
use crate::domain::registration::rejection::Rejection;
use crate::domain::registration::state::Prior;
use crate::domain::route::Route;
use crate::domain::rules::{RuleRef, RuleSet};
use crate::domain::text::TextRef;
use crate::domain::values::{CertificateKind, Conclusion, Restriction};

/// A command. Free text (reasons, opinions, notes) is not here: it is sealed beside the event.
#[derive(Debug, Clone)]
pub enum Command {
    /// The register, or the record of a mistyped number, tells of an earlier registration.
    RecordPrior(Prior),
    /// The register found that the certificate's number was mistyped.
    Merge {
        /// The certificate that it is.
        into: Uuid,
    },
    /// 提交申报
    Submit(Box<Submit>),
    /// 修改
    Amend(Box<Amend>),
    /// 撤回
    Withdraw {
        /// Which application.
        number: EnrolmentNumber,
        /// Who asks.
        person: Uuid,
    },
    /// Facts of DOMAIN 2.3b.
    RecordFacts {
        /// Who and which.
        order: Order,
        /// All facts, in the place of those recorded before.
        facts: Box<Facts>,
        /// Version of the record that was looked at, where one is named: facts recorded since are not replaced.
        seen: Option<i64>,
        /// Whether a note comes along, sealed.
        with_note: bool,
    },
    /// 确认
    Confirm {
        /// Who and which.
        order: Order,
        /// Version of the form that was looked at, where one is named.
        form_version: Option<u32>,
        /// Now.
        now: OffsetDateTime,
        /// Dates of its point, as far as known.
        assignment: Option<Assignment>,
        /// The certificate as it is now.
        certificate: Option<CertificateFacts>,
        /// In force.
        rules: Arc<RuleSet>,
    },
    /// 确认不通过
    RefuseConfirmation {
        /// Who and which.
        order: Order,
    },
    /// 退回 to 网报待确认.
    Return {
        /// Who and which.
        order: Order,
    },
    /// 审核通过
    Pass {
        /// Who and which.
        order: Order,
        /// The certificate as it is now.
        certificate: Option<CertificateFacts>,
    },
    /// 审核退回
    SendBack {
        /// Who and which.
        order: Order,
    },
    /// 作出注册结论
    Conclude {
        /// Who and which.
        order: Order,
        /// 合格, 暂缓 or 不合格.
        conclusion: Conclusion,
        /// Whether a written reason comes along, sealed.
        with_reason: bool,
        /// Today in Shanghai.
        today: Date,
        /// The certificate as it is now.
        certificate: Option<CertificateFacts>,
        /// In force.
        rules: Arc<RuleSet>,
    },
    /// 公示, 异议, 附页.
    RecordConclusionFact {
        /// Who and which.
        order: Order,
        /// What.
        fact: ConclusionFact,
        /// Now.
        now: OffsetDateTime,
        /// In force.
        rules: RuleRef,
    },
    /// First of two persons.
    ProposeReversal {
        /// Who and which.
        order: Order,
        /// 撤销注册 instead of a return to the last level.
        revoke: bool,
        /// Where the decision is filed.
        file_reference: String,
    },
    /// Second of two persons.
    ApproveReversal {
        /// Who and which.
        order: Order,
        /// The proposal that was looked at: the record's version after it.
        proposal: i64,
        /// Today in Shanghai.
        today: Date,
    },
}

/// Which application, and who wants something of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Who.
    pub by: Officer,
}

/// A member of staff with the units of the roles that count for the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Officer {
    /// The person.
    pub person: Uuid,
    /// Schools as liaison.
    pub schools: Vec<Uuid>,
    /// Points as clerk.
    pub points: Vec<Uuid>,
    /// Agencies as reviewer.
    pub agencies: Vec<Uuid>,
}

/// What the certificate's owner, the service certificates, says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFacts {
    /// 资格种类
    pub kind: CertificateKind,
    /// The person that it is matched to.
    pub person: Option<Uuid>,
    /// A restriction.
    pub restriction: Option<Restriction>,
    /// The day that was said for its end, where one was.
    pub restricted_until: Option<Date>,
}

impl CertificateFacts {
    /// What a restriction keeps it from.
    pub(super) fn barred(&self) -> Option<Rejection> {
        self.restriction.map(|restriction| Rejection::CertificateRestricted(restriction, self.restricted_until))
    }
}

/// A submission.
#[derive(Debug, Clone)]
pub struct Submit {
    /// The 报名号 that it gets.
    pub number: EnrolmentNumber,
    /// Who files.
    pub person: Uuid,
    /// The draft.
    pub draft: Uuid,
    /// The certificate; `None` when the register has none of that id.
    pub certificate: Option<CertificateFacts>,
    /// The complete form.
    pub form: Coded,
    /// Where it belongs.
    pub place: Place,
    /// What [`crate::domain::opening::admit`] says of agency, window and point.
    pub admission: Result<Admission, Closed>,
    /// 协议, if agreed to.
    pub agreement: Option<TextRef>,
    /// 协议 as it is shown now.
    pub shown_agreement: TextRef,
    /// 承诺书; `None` is 不同意.
    pub pledge: Option<TextRef>,
    /// Who reviews it.
    pub route: Option<Route>,
    /// In force.
    pub rules: Arc<RuleSet>,
    /// Today in Shanghai.
    pub today: Date,
}

/// An amendment.
#[derive(Debug, Clone)]
pub struct Amend {
    /// Which application.
    pub number: EnrolmentNumber,
    /// Who asks.
    pub person: Uuid,
    /// The complete form.
    pub form: Coded,
    /// Where it belongs.
    pub place: Place,
    /// What [`crate::domain::opening::transfer`] says of a new agency or point.
    pub transfer: Result<(), Closed>,
    /// 承诺书; `None` is 不同意.
    pub pledge: Option<TextRef>,
    /// Who reviews it.
    pub route: Option<Route>,
    /// In force.
    pub rules: RuleRef,
    /// Dates of the point that it is at, as far as known.
    pub assignment: Option<Assignment>,
    /// Now.
    pub now: OffsetDateTime,
}

/// What follows a conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConclusionFact {
    /// 公示 began.
    PublicityBegun {
        /// Its last day by plan, where one is planned.
        until: Option<Date>,
        /// The earliest day that the rule set allows for that.
        at_least: Date,
    },
    /// 公示 ended.
    PublicityEnded,
    /// 异议 came.
    ObjectionRecorded,
    /// 异议 is settled.
    ObjectionSettled,
    /// 附页 printed.
    NotePrinted,
}
