//! Enumerations. What is unknown or unspecified on the wire is `None` here.

use proto::applications::v1 as wire;
use proto::types::v1 as types;

use crate::domain::assessment::Proposal;
use crate::domain::registration::{Action, Next};
use crate::domain::values::{CertificateKind, Conclusion, Level, Stage, Status, Turn};

/// 现任教学段.
pub fn stage(stage: Stage) -> types::Stage {
    match stage {
        Stage::Kindergarten => types::Stage::Kindergarten,
        Stage::Primary => types::Stage::Primary,
        Stage::Junior => types::Stage::Junior,
        Stage::Senior => types::Stage::Senior,
        Stage::Vocational => types::Stage::Vocational,
    }
}

/// 现任教学段.
pub fn parse_stage(number: i32) -> Option<Stage> {
    Stage::ALL.into_iter().find(|known| i32::from(stage(*known)) == number)
}

/// 资格种类.
pub fn certificate_kind(kind: CertificateKind) -> types::CertificateKind {
    match kind {
        CertificateKind::Kindergarten => types::CertificateKind::Kindergarten,
        CertificateKind::Primary => types::CertificateKind::Primary,
        CertificateKind::Junior => types::CertificateKind::Junior,
        CertificateKind::Senior => types::CertificateKind::Senior,
        CertificateKind::Vocational => types::CertificateKind::Vocational,
        CertificateKind::VocationalPractice => types::CertificateKind::VocationalPractice,
        CertificateKind::Higher => types::CertificateKind::Higher,
    }
}

/// 资格种类.
pub fn parse_certificate_kind(number: i32) -> Option<CertificateKind> {
    Some(match types::CertificateKind::try_from(number).ok()? {
        types::CertificateKind::Kindergarten => CertificateKind::Kindergarten,
        types::CertificateKind::Primary => CertificateKind::Primary,
        types::CertificateKind::Junior => CertificateKind::Junior,
        types::CertificateKind::Senior => CertificateKind::Senior,
        types::CertificateKind::Vocational => CertificateKind::Vocational,
        types::CertificateKind::VocationalPractice => CertificateKind::VocationalPractice,
        types::CertificateKind::Higher => CertificateKind::Higher,
        types::CertificateKind::Unspecified => return None,
    })
}

/// 注册结论.
pub fn conclusion(conclusion: Conclusion) -> types::Conclusion {
    match conclusion {
        Conclusion::Qualified => types::Conclusion::Qualified,
        Conclusion::Deferred => types::Conclusion::Deferred,
        Conclusion::Failed => types::Conclusion::Failed,
        Conclusion::Revoked => types::Conclusion::Revoked,
    }
}

/// 注册结论.
pub fn parse_conclusion(number: i32) -> Option<Conclusion> {
    Some(match types::Conclusion::try_from(number).ok()? {
        types::Conclusion::Qualified => Conclusion::Qualified,
        types::Conclusion::Deferred => Conclusion::Deferred,
        types::Conclusion::Failed => Conclusion::Failed,
        types::Conclusion::Revoked => Conclusion::Revoked,
        types::Conclusion::Unspecified => return None,
    })
}

/// A level of review.
pub fn level(level: Level) -> wire::ReviewLevel {
    match level {
        Level::County => wire::ReviewLevel::County,
        Level::City => wire::ReviewLevel::City,
        Level::Province => wire::ReviewLevel::Province,
    }
}

/// A level of review.
pub fn parse_level(number: i32) -> Option<Level> {
    Some(match wire::ReviewLevel::try_from(number).ok()? {
        wire::ReviewLevel::County => Level::County,
        wire::ReviewLevel::City => Level::City,
        wire::ReviewLevel::Province => Level::Province,
        wire::ReviewLevel::Unspecified => return None,
    })
}

/// 审批状态.
pub fn status(status: Status) -> wire::Status {
    match status {
        Status::Pending => wire::Status::PendingOnlineConfirmation,
        Status::Confirmed => wire::Status::Confirmed,
        Status::Concluded => wire::Status::Concluded,
        Status::Withdrawn => wire::Status::Withdrawn,
    }
}

/// 审批状态.
pub fn parse_status(number: i32) -> Option<Status> {
    [Status::Pending, Status::Confirmed, Status::Concluded, Status::Withdrawn]
        .into_iter()
        .find(|known| i32::from(status(*known)) == number)
}

/// Whose turn it is.
pub fn turn(turn: Turn) -> wire::Turn {
    match turn {
        Turn::Applicant => wire::Turn::Applicant,
        Turn::School => wire::Turn::School,
        Turn::Point => wire::Turn::Point,
        Turn::Review(Level::County) => wire::Turn::County,
        Turn::Review(Level::City) => wire::Turn::City,
        Turn::Review(Level::Province) => wire::Turn::Province,
        Turn::Nobody => wire::Turn::Nobody,
    }
}

/// Whose turn it is.
pub fn parse_turn(number: i32) -> Option<Turn> {
    let all = [Turn::Applicant, Turn::School, Turn::Point, Turn::Nobody].into_iter();
    let all = all.chain([Level::County, Level::City, Level::Province].map(Turn::Review));
    all.into_iter().find(|known| i32::from(turn(*known)) == number)
}

/// What the rules propose.
pub fn proposal(proposal: Proposal) -> wire::Proposal {
    match proposal {
        Proposal::Qualified => wire::Proposal::Qualified,
        Proposal::NeedsDecision => wire::Proposal::NeedsDecision,
        Proposal::Deferred => wire::Proposal::Deferred,
        Proposal::Failed => wire::Proposal::Failed,
    }
}

pub(super) fn parse_proposal(number: i32) -> Option<Proposal> {
    Some(match wire::Proposal::try_from(number).ok()? {
        wire::Proposal::Qualified => Proposal::Qualified,
        wire::Proposal::NeedsDecision => Proposal::NeedsDecision,
        wire::Proposal::Deferred => Proposal::Deferred,
        wire::Proposal::Failed => Proposal::Failed,
        wire::Proposal::Unspecified => return None,
    })
}

/// What can be done with an application; which conclusion stands beside it.
pub fn action(action: Action) -> wire::Action {
    match action {
        Action::Amend => wire::Action::Amend,
        Action::Withdraw => wire::Action::Withdraw,
        Action::RecordFacts => wire::Action::RecordFacts,
        Action::Confirm => wire::Action::Confirm,
        Action::RefuseConfirmation => wire::Action::RefuseConfirmation,
        Action::Return => wire::Action::Return,
        Action::Pass => wire::Action::Pass,
        Action::SendBack => wire::Action::SendBack,
        Action::Conclude(_) => wire::Action::Conclude,
        Action::BeginPublicity => wire::Action::BeginPublicity,
        Action::EndPublicity => wire::Action::EndPublicity,
        Action::RecordObjection => wire::Action::RecordObjection,
        Action::SettleObjection => wire::Action::SettleObjection,
        Action::PrintNote => wire::Action::PrintNote,
        Action::ProposeReversal => wire::Action::ProposeReversal,
        Action::ProposeRevocation => wire::Action::ProposeRevocation,
        Action::ApproveProposal => wire::Action::ApproveProposal,
    }
}

/// What is waited for.
pub fn next_step(next: Next) -> wire::NextStep {
    match next {
        Next::Mend => wire::NextStep::Mend,
        Next::RecordFacts => wire::NextStep::RecordFacts,
        Next::Confirm => wire::NextStep::Confirm,
        Next::Review(_) => wire::NextStep::Review,
        Next::Conclude(_) => wire::NextStep::Conclude,
        Next::ApproveProposal => wire::NextStep::ApproveProposal,
        Next::SettleObjection => wire::NextStep::SettleObjection,
        Next::BeginPublicity => wire::NextStep::BeginPublicity,
        Next::EndPublicity => wire::NextStep::EndPublicity,
        Next::PrintNote => wire::NextStep::PrintNote,
        Next::Nothing => wire::NextStep::Nothing,
    }
}
