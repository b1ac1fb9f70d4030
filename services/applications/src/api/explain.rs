//! `Explanations`: where an application stands, what comes next, and what the caller may do with it.

use access::{Caller, Rule};
use proto::applications::v1::explanations_server::Explanations;
use proto::applications::v1::{self as wire};
use service::Service as _;
use time::OffsetDateTime;
use tonic::{Request, Response, Status};

use super::history;
use super::render::{time_limit, warning};
use super::request::{Parsing, viewer};
use super::sentences;
use super::status::rejected;
use crate::domain::calendar::{SHANGHAI, render_date};
use crate::domain::registration::{Action, Advice, Rejection, Verdict};
use crate::error::Error;
use crate::handle::{Explained, Handle};
use crate::wire as values;

/// The service.
pub struct ExplanationsApi {
    /// Use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl Explanations for ExplanationsApi {
    async fn explain_application(
        &self,
        request: Request<wire::ExplainApplicationRequest>,
    ) -> Result<Response<wire::ExplainApplicationResponse>, Status> {
        let caller = Caller::of(&request);
        let viewer = viewer(&caller)?;
        let mut parsing = Parsing::default();
        let key = parsing.key(request.get_ref().key.as_ref());
        parsing.done()?;
        let explained = self.handle.explain(&viewer, key).await?;
        let found = explained.record.state.application(key.number).ok_or(Error::from(Rejection::NotFound))?;
        let conclusion = found.conclusion().map(|record| values::conclusion(record.conclusion).into());
        let history: Vec<_> = history::lines(&explained.record, explained.reader, &explained.words).collect();
        Ok(Response::new(wire::ExplainApplicationResponse {
            status: values::status(found.status()).into(),
            level: found.step().map(|step| values::level(step.level).into()).unwrap_or_default(),
            turn: values::turn(found.turn()).into(),
            conclusion: conclusion.unwrap_or_default(),
            state: sentences::state(found),
            next_step: values::next_step(found.next()).into(),
            next_sentence: sentences::next(found.next()),
            actions: explained.verdicts.iter().map(|verdict| told(&caller, &explained, &history, verdict)).collect(),
            version: explained.record.version,
            time_limit: explained.time_limit.as_ref().map(time_limit),
            warnings: explained.warnings.iter().map(warning).collect(),
            advice: explained.advice.iter().map(advice).collect(),
        }))
    }
}

/// One action as the caller hears of it: refused by the access table, else by the decision, else free.
fn told(
    caller: &Caller,
    explained: &Explained,
    history: &[wire::HistoryEntry],
    verdict: &Verdict,
) -> wire::ActionVerdict {
    let denied = rule(verdict.action).check(caller).err();
    let refusal = denied.clone().or_else(|| verdict.refused.as_ref().map(rejected));
    let decided = verdict.refused.as_ref().filter(|_| denied.is_none());
    let cause = decided.and_then(|_| history.get(verdict.behind?));
    let (from, until) = if denied.is_some() { (None, None) } else { times(explained, verdict) };
    let conclusion = match verdict.action {
        Action::Conclude(conclusion) => values::conclusion(conclusion).into(),
        _ => 0,
    };
    let (reason, sentence) = match &refusal {
        Some(refusal) => (refusal.reason().to_owned(), refusal.sentence().to_owned()),
        None => Default::default(),
    };
    wire::ActionVerdict {
        action: values::action(verdict.action).into(),
        conclusion,
        may: refusal.is_none(),
        reason_required: refusal.is_none() && verdict.needs_reason,
        reason,
        sentence,
        from_time: from.map(rpc::timestamp),
        until_time: until.map(rpc::timestamp),
        cause: cause.cloned(),
    }
}

fn advice(advice: &Advice) -> wire::Advice {
    use wire::advice::Topic;
    let (topic, date) = match advice {
        Advice::NextApplication { earliest, .. } | Advice::NewApplication { earliest } => {
            (Topic::NextApplication, *earliest)
        }
        Advice::Reconsideration { until } => (Topic::Reconsideration, *until),
        Advice::Litigation { until } => (Topic::Litigation, *until),
    };
    wire::Advice { topic: topic.into(), date: render_date(date), sentence: sentences::advice(advice) }
}

/// From when, and until when.
fn times(explained: &Explained, verdict: &Verdict) -> (Option<OffsetDateTime>, Option<OffsetDateTime>) {
    let end = explained.occasion.assignment.map(|assignment| assignment.end);
    match &verdict.refused {
        Some(Rejection::ConfirmationNotBegun { begin }) => (Some(*begin), end),
        Some(Rejection::ConfirmationEnded { end }) => (None, Some(*end)),
        Some(Rejection::PublicityNotOver { until: Some(until) }) if verdict.action == Action::EndPublicity => {
            (until.next_day().map(|day| day.midnight().assume_offset(SHANGHAI)), None)
        }
        None if matches!(verdict.action, Action::Amend | Action::Confirm) => (None, end),
        _ => (None, None),
    }
}

/// Whom the access table lets call the RPC of an action.
fn rule(action: Action) -> Rule {
    let rpc = rpc(action);
    let row = crate::Applications::ACCESS.iter().find(|(row, _)| *row == rpc);
    row.map(|(_, rule)| *rule).expect("every action has an RPC, and every RPC a row")
}

fn rpc(action: Action) -> &'static str {
    match action {
        Action::Amend => "dingzhu.applications.v1.Applications/AmendApplication",
        Action::Withdraw => "dingzhu.applications.v1.Applications/WithdrawApplication",
        Action::RecordFacts => "dingzhu.applications.v1.Confirmation/RecordFacts",
        Action::Confirm => "dingzhu.applications.v1.Confirmation/ConfirmApplication",
        Action::RefuseConfirmation => "dingzhu.applications.v1.Confirmation/RefuseConfirmation",
        Action::Return => "dingzhu.applications.v1.Confirmation/ReturnApplication",
        Action::Pass => "dingzhu.applications.v1.Review/PassReview",
        Action::SendBack => "dingzhu.applications.v1.Review/SendBack",
        Action::Conclude(_) => "dingzhu.applications.v1.Review/ConcludeApplication",
        Action::BeginPublicity
        | Action::EndPublicity
        | Action::RecordObjection
        | Action::SettleObjection
        | Action::PrintNote => "dingzhu.applications.v1.Review/RecordConclusionFact",
        Action::ProposeReversal | Action::ProposeRevocation => "dingzhu.applications.v1.Review/ProposeReversal",
        Action::ApproveProposal => "dingzhu.applications.v1.Review/ApproveReversal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_row_in_the_access_table() {
        for action in Action::ALL {
            let _: Rule = rule(action);
        }
    }
}
