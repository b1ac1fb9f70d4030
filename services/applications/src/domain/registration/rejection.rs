//! Why a command is refused.

use time::{Date, OffsetDateTime};

use crate::domain::assessment::Missing;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::opening::Closed;
use crate::domain::values::{Restriction, Status, Turn};

/// Why a command is refused; the reason that callers see and its sentence are in `api/status.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// There is none of that number, or it is not the caller's to know.
    NotFound,
    /// 不同意承诺书
    PledgeRefused,
    /// 协议 was not agreed to.
    AgreementMissing,
    /// What was agreed to is not what is shown now.
    TextChanged {
        /// Name of the text.
        text: &'static str,
    },
    /// The certificate has a live application.
    AlreadyApplied {
        /// Its 报名号.
        number: EnrolmentNumber,
    },
    /// The interval since the last 注册合格 is not over (L6b).
    RegisteredRecently {
        /// Day of that conclusion.
        on: Date,
        /// Earliest day of a new application.
        earliest: Date,
        /// The registration holds up to the day before.
        expiry: Date,
    },
    /// The bar after 撤销注册 is not over (L17b).
    RevokedRecently {
        /// Day of the revocation.
        on: Date,
        /// Earliest day of a new application.
        earliest: Date,
    },
    /// The rule set's days after 注册不合格 are not over.
    FailedRecently {
        /// Day of that conclusion.
        on: Date,
        /// Earliest day of a new application.
        earliest: Date,
    },
    /// The certificate is restricted (L21); the day that was said for its end is told, and ends nothing by itself.
    CertificateRestricted(Restriction, Option<Date>),
    /// It was filed under a mistyped number of the certificate.
    NumberMistyped,
    /// 高等学校教师资格 is not registered.
    CertificateNotRegistrable,
    /// The register has no such certificate of this person.
    CertificateUnknown,
    /// The certificate is not the applicant's any more.
    NotTheHolder,
    /// Not open, and why.
    NotOpen(Closed),
    /// The directory has no reviewing agency for the one that was chosen.
    NobodyReviews,
    /// Not possible in this status.
    WrongState {
        /// Where it stands.
        status: Status,
    },
    /// The point does not confirm yet.
    ConfirmationNotBegun {
        /// When it begins.
        begin: OffsetDateTime,
    },
    /// The point's confirmation is over.
    ConfirmationEnded {
        /// Since when.
        end: OffsetDateTime,
    },
    /// 确认不通过: to be amended first.
    ConfirmationRefused,
    /// The form was amended since it was looked at.
    FormChanged,
    /// Facts were recorded since they were looked at.
    FactsChanged,
    /// Facts of DOMAIN 2.3b are unknown.
    FactsMissing(Vec<Missing>),
    /// The first level has decided.
    TooLate,
    /// Another level's turn.
    NotYourTurn {
        /// Whose it is.
        turn: Turn,
    },
    /// The last level concludes instead of passing.
    LastLevel,
    /// Only the last level concludes.
    NotLastLevel,
    /// The conclusion contradicts what the rules compute.
    ReasonRequired,
    /// It is so already.
    AlreadySo,
    /// 公示 is planned to end before the rule set allows it.
    PublicityTooShort {
        /// The earliest last day.
        at_least: Date,
    },
    /// 公示 goes on.
    PublicityNotOver {
        /// Its last day by plan.
        until: Option<Date>,
    },
    /// An objection waits for its settlement.
    ObjectionOpen,
    /// A later application of the certificate stands in the way.
    LaterApplication {
        /// Its 报名号.
        number: EnrolmentNumber,
    },
    /// Nothing is proposed.
    NoProposal,
    /// Something else is proposed by now than what the approval names.
    OtherProposal,
    /// The one who proposed cannot approve.
    SecondPersonNeeded,
}
