//! What may be done with an application now, and by whom: asked of the very decisions that the commands ask, so that an
//! explanation says nothing else than they would.

use std::sync::Arc;

use decider::Decider as _;
use time::{Date, OffsetDateTime};

use crate::domain::directory::Assignment;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::Registrations;
use crate::domain::registration::command::{Amend, CertificateFacts, Command, ConclusionFact, Order};
use crate::domain::registration::event::Event;
use crate::domain::registration::rejection::Rejection;
use crate::domain::registration::state::{Application, Phase, Registration};
use crate::domain::route::Route;
use crate::domain::rules::RuleSet;
use crate::domain::text::TextRef;
use crate::domain::values::{Conclusion, Level};

/// Something that can be done with an application once it is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// 修改
    Amend,
    /// 撤回
    Withdraw,
    /// 登记注册条件
    RecordFacts,
    /// 确认
    Confirm,
    /// 确认不通过
    RefuseConfirmation,
    /// 退回 to 网报待确认.
    Return,
    /// 审核通过
    Pass,
    /// 审核退回
    SendBack,
    /// 作出注册结论: 合格, 暂缓 or 不合格.
    Conclude(Conclusion),
    /// 公示 begins.
    BeginPublicity,
    /// 公示 ends.
    EndPublicity,
    /// 异议 came.
    RecordObjection,
    /// 异议 is settled.
    SettleObjection,
    /// 附页 printed.
    PrintNote,
    /// Reversal of a conclusion, first of two persons.
    ProposeReversal,
    /// 撤销注册, first of two persons.
    ProposeRevocation,
    /// Second of two persons.
    ApproveProposal,
}

/// Who asks about which application, and what the decisions need beside the history.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// Which application, and who.
    pub order: Order,
    /// Now.
    pub now: OffsetDateTime,
    /// Today in Shanghai.
    pub today: Date,
    /// Dates of its point, as far as known.
    pub assignment: Option<Assignment>,
    /// The certificate as it is now.
    pub certificate: Option<CertificateFacts>,
    /// Who would review it if it were filed anew.
    pub route: Option<Route>,
    /// In force.
    pub rules: Arc<RuleSet>,
}

/// What is to be said of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// What its command would be refused with.
    pub refused: Option<Rejection>,
    /// A written reason must come along.
    pub needs_reason: bool,
    /// Place in the history of the event behind the refusal, where an event of the record is.
    pub behind: Option<usize>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The applicant mends the form.
    Mend,
    /// School or point records the facts of DOMAIN 2.3b.
    RecordFacts,
    /// The point confirms.
    Confirm,
    /// A level that is not the last one reviews.
    Review(Level),
    /// The last level concludes.
    Conclude(Level),
    /// A second officer approves what was proposed.
    ApproveProposal,
    /// 异议 is settled.
    SettleObjection,
    /// 公示 begins.
    BeginPublicity,
    /// 公示 ends.
    EndPublicity,
    /// The note on the 附页 is printed.
    PrintNote,
    /// Nothing.
    Nothing,
}

impl Action {
    /// All of them, in the order of an application's life.
    pub const ALL: [Self; 19] = [
        Self::Amend,
        Self::Withdraw,
        Self::RecordFacts,
        Self::Confirm,
        Self::RefuseConfirmation,
        Self::Return,
        Self::Pass,
        Self::SendBack,
        Self::Conclude(Conclusion::Qualified),
        Self::Conclude(Conclusion::Deferred),
        Self::Conclude(Conclusion::Failed),
        Self::BeginPublicity,
        Self::EndPublicity,
        Self::RecordObjection,
        Self::SettleObjection,
        Self::PrintNote,
        Self::ProposeReversal,
        Self::ProposeRevocation,
        Self::ApproveProposal,
    ];

    /// The command of this action in which nothing can be wrong but what the state, the caller or the hour forbids.
    fn probe(self, application: &Application, occasion: &Occasion, with_reason: bool) -> Command {
        let Occasion { order, now, today, assignment, certificate, route, rules } = occasion.clone();
        let number = order.number;
        let person = order.by.person;
        let fact = |fact| Command::RecordConclusionFact { order: order.clone(), fact, now, rules: rules.reference() };
        match self {
            Self::Amend => Command::Amend(Box::new(Amend {
                number,
                person,
                form: application.form.clone(),
                place: application.place,
                transfer: Ok(()),
                pledge: Some(TextRef { version: 0, digest: String::new() }),
                route,
                rules: rules.reference(),
                assignment,
                now,
            })),
            Self::Withdraw => Command::Withdraw { number, person },
            Self::RecordFacts => {
                let facts = Box::new(application.facts.clone().unwrap_or_default());
                Command::RecordFacts { order, facts, seen: None, with_note: true }
            }
            Self::Confirm => Command::Confirm { order, form_version: None, now, assignment, certificate, rules },
            Self::RefuseConfirmation => Command::RefuseConfirmation { order },
            Self::Return => Command::Return { order },
            Self::Pass => Command::Pass { order, certificate },
            Self::SendBack => Command::SendBack { order },
            Self::Conclude(conclusion) => {
                Command::Conclude { order, conclusion, with_reason, today, certificate, rules }
            }
            Self::BeginPublicity => fact(ConclusionFact::PublicityBegun { until: None, at_least: today }),
            Self::EndPublicity => fact(ConclusionFact::PublicityEnded),
            Self::RecordObjection => fact(ConclusionFact::ObjectionRecorded),
            Self::SettleObjection => fact(ConclusionFact::ObjectionSettled),
            Self::PrintNote => fact(ConclusionFact::NotePrinted),
            Self::ProposeReversal => propose(order, false),
            Self::ProposeRevocation => propose(order, true),
            Self::ApproveProposal => {
                // Whatever is proposed now.
                let proposed = application.conclusion().and_then(|record| record.proposed);
                Command::ApproveReversal { order, proposal: proposed.map_or(0, |proposed| proposed.version), today }
            }
        }
    }
}

fn propose(order: Order, revoke: bool) -> Command {
    Command::ProposeReversal { order, revoke, file_reference: String::new() }
}

/// A verdict on each of [`Action::ALL`], in that order; none where the record holds no such application. `record` is
/// what `history` leads to.
pub fn explain(record: &Registration, history: &[&Event], occasion: &Occasion) -> Vec<Verdict> {
    let Some(application) = record.application(occasion.order.number) else { return Vec::new() };
    let verdict = |action: Action| {
        let refused =
            |with_reason| Registrations::decide(record, action.probe(application, occasion, with_reason)).err();
        let (refused, needs_reason) = match refused(false) {
            Some(Rejection::ReasonRequired) => (refused(true), true),
            refused => (refused, false),
        };
        let behind = refused.as_ref().and_then(|rejection| behind(history, occasion.order.number, action, rejection));
        Verdict { action, refused, needs_reason, behind }
    };
    Action::ALL.into_iter().map(verdict).collect()
}

/// Place of the event that made the rejection true: the last one that changed what the rejection rests on.
fn behind(history: &[&Event], number: EnrolmentNumber, action: Action, rejection: &Rejection) -> Option<usize> {
    match rejection {
        // A revocation changes the conclusion, which matters to what is proposed, and not the status.
        Rejection::WrongState { .. } => last_change(history, number, |application| {
            let proposes = matches!(action, Action::ProposeReversal | Action::ProposeRevocation);
            let conclusion = application.conclusion().filter(|_| proposes).map(|record| record.conclusion);
            Some((application.status(), conclusion))
        }),
        Rejection::ConfirmationRefused => {
            last_change(history, number, |application| application.is_refused().then_some(()))
        }
        Rejection::FactsMissing(_) => last_change(history, number, |application| application.facts.clone()),
        Rejection::TooLate => last_change(history, number, |application| {
            matches!(application.phase, Phase::Confirmed { decided: true, .. }).then_some(())
        }),
        Rejection::NotYourTurn { .. } | Rejection::LastLevel | Rejection::NotLastLevel => {
            last_change(history, number, |application| Some(application.turn()))
        }
        Rejection::PublicityNotOver { .. } => {
            last_change(history, number, |application| application.conclusion()?.publicity_begun_at)
        }
        Rejection::ObjectionOpen => {
            last_change(history, number, |application| application.conclusion()?.objection_open.then_some(()))
        }
        Rejection::AlreadySo => last_change(history, number, |application| {
            let record = application.conclusion()?;
            match action {
                Action::BeginPublicity => record.publicity_begun_at.map(|_| ()),
                Action::EndPublicity => record.publicity_ended_at.map(|_| ()),
                Action::RecordObjection => record.objection_open.then_some(()),
                Action::PrintNote => record.note_printed.then_some(()),
                _ => None,
            }
        }),
        Rejection::SecondPersonNeeded => {
            last_change(history, number, |application| Some(application.conclusion()?.proposed?.by))
        }
        Rejection::LaterApplication { number } | Rejection::AlreadyApplied { number } => {
            last_change(history, *number, |_| Some(()))
        }
        Rejection::NumberMistyped => {
            last_change(history, number, |application| application.not_merged().is_err().then_some(()))
        }
        Rejection::NotFound
        | Rejection::PledgeRefused
        | Rejection::TextChanged { .. }
        | Rejection::AgreementMissing
        | Rejection::RegisteredRecently { .. }
        | Rejection::RevokedRecently { .. }
        | Rejection::FailedRecently { .. }
        | Rejection::CertificateRestricted(..)
        | Rejection::CertificateNotRegistrable
        | Rejection::CertificateUnknown
        | Rejection::NotTheHolder
        | Rejection::FormChanged
        | Rejection::FactsChanged
        | Rejection::NotOpen(_)
        | Rejection::NobodyReviews
        | Rejection::ConfirmationNotBegun { .. }
        | Rejection::ConfirmationEnded { .. }
        | Rejection::ReasonRequired
        | Rejection::PublicityTooShort { .. }
        | Rejection::NoProposal
        | Rejection::OtherProposal => None,
    }
}

/// Place of the last event that changed this property of an application.
fn last_change<T: PartialEq>(
    history: &[&Event],
    number: EnrolmentNumber,
    property: impl Fn(&Application) -> Option<T>,
) -> Option<usize> {
    let (mut record, mut before, mut last) = (Registration::default(), None, None);
    for (place, event) in history.iter().enumerate() {
        record = Registrations::evolve(record, event);
        let now = record.application(number).and_then(&property);
        if now != before {
            (before, last) = (now, Some(place));
        }
    }
    last
}

impl Application {
    /// What it waits for.
    pub fn next(&self) -> Next {
        match &self.phase {
            Phase::Pending { mending: Some(_) } => Next::Mend,
            Phase::Pending { mending: None } if self.facts.is_none() => Next::RecordFacts,
            Phase::Pending { mending: None } => Next::Confirm,
            Phase::Confirmed { step, .. } => {
                let level = self.route.step(*step).level;
                if *step == self.route.last_index() { Next::Conclude(level) } else { Next::Review(level) }
            }
            Phase::Withdrawn => Next::Nothing,
            Phase::Concluded(record) if record.proposed.is_some() => Next::ApproveProposal,
            Phase::Concluded(record) if record.objection_open => Next::SettleObjection,
            Phase::Concluded(record) if record.note_printed => Next::Nothing,
            Phase::Concluded(record) if record.publicity_begun_at.is_none() => Next::BeginPublicity,
            Phase::Concluded(record) if record.publicity_ended_at.is_none() => Next::EndPublicity,
            Phase::Concluded(_) => Next::PrintNote,
        }
    }
}
