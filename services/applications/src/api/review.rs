//! `Review`: 初审, 复核, 终审, and what follows a conclusion.

use access::Caller;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::applications::v1::review_server::Review;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use tonic::{Request, Response, Status};

use super::render::{int, outcome};
use super::request::{Parsing, officer, order, viewer};
use super::status::answer;
use crate::domain::registration::{Command, ConclusionFact};
use crate::domain::values::Conclusion;
use crate::handle::{Done, Handle, Situation, Wanted};
use crate::wire as values;

/// The service.
pub struct ReviewApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
}

const REVIEWER: &[Role] = &[Role::Reviewer];

#[tonic::async_trait]
impl Review for ReviewApi {
    async fn assess_application(
        &self,
        request: Request<wire::AssessApplicationRequest>,
    ) -> Result<Response<wire::AssessApplicationResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let mut parsing = Parsing::default();
        let key = parsing.key(request.get_ref().key.as_ref());
        parsing.done()?;
        let (assessment, rules) = self.handle.assess(&viewer, key).await?;
        Ok(Response::new(wire::AssessApplicationResponse {
            assessment: Some(values::assessment(&assessment)),
            rule_set_id: rules.province,
            rule_set_version: int(rules.version),
        }))
    }

    async fn pass_review(
        &self,
        request: Request<wire::PassReviewRequest>,
    ) -> Result<Response<wire::PassReviewResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let wanted = Wanted::Pass(parsing.text("opinion", &message.opinion).to_owned());
        parsing.done()?;
        let reviewer = officer(&caller, REVIEWER)?;
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::PassReviewResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            handle.work(&asked, &reviewer, key, &wanted, false, render).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn send_back(
        &self,
        request: Request<wire::SendBackRequest>,
    ) -> Result<Response<wire::SendBackResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let reason = parsing.reason("reason", &message.reason).to_owned();
        parsing.done()?;
        let order = order(&caller, key, REVIEWER)?;
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::SendBackResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |_: Situation<'_>| Command::SendBack { order: order.clone() }.into();
            handle.act(&asked, key, Some(&reason), render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn conclude_application(
        &self,
        request: Request<wire::ConcludeApplicationRequest>,
    ) -> Result<Response<wire::ConcludeApplicationResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let reason = parsing.text("reason", message.reason.trim()).to_owned();
        let conclusion = values::parse_conclusion(message.conclusion).filter(|found| *found != Conclusion::Revoked);
        let sentence = "请选择注册合格、暂缓注册或注册不合格。";
        parsing.violations().check("conclusion", conclusion.is_some(), "UNKNOWN_VALUE", sentence);
        parsing.done()?;
        let wanted = Wanted::Conclude(conclusion.unwrap_or(Conclusion::Failed), reason);
        let reviewer = officer(&caller, REVIEWER)?;
        let handle = self.handle.clone();
        let body = async move {
            let render =
                |done: &Done| wire::ConcludeApplicationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            handle.work(&asked, &reviewer, key, &wanted, false, render).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn record_conclusion_fact(
        &self,
        request: Request<wire::RecordConclusionFactRequest>,
    ) -> Result<Response<wire::RecordConclusionFactResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let fact = match message.fact() {
            Fact::Unspecified => None,
            known => Some(known),
        };
        parsing.violations().check("fact", fact.is_some(), "UNKNOWN_VALUE", "请选择要登记的事项。");
        let text = match fact {
            Some(Fact::ObjectionRecorded | Fact::ObjectionSettled) => parsing.reason("text", &message.text),
            _ => parsing.text("text", &message.text),
        };
        let until = parsing.optional_date("publicity_end_date", &message.publicity_end_date);
        let expected = until.is_none() || fact == Some(Fact::PublicityBegun);
        parsing.violations().check("publicity_end_date", expected, "NOT_EXPECTED", "只有公示开始时填写公示截止日期。");
        let text = text.to_owned();
        parsing.done()?;
        let fact = fact.unwrap_or_default();
        let order = order(&caller, key, REVIEWER)?;
        let handle = self.handle.clone();
        let body = async move {
            let render =
                |done: &Done| wire::RecordConclusionFactResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |now: Situation<'_>| {
                let fact = match fact {
                    Fact::PublicityBegun => now.publicity(until),
                    Fact::PublicityEnded => ConclusionFact::PublicityEnded,
                    Fact::ObjectionRecorded => ConclusionFact::ObjectionRecorded,
                    Fact::ObjectionSettled => ConclusionFact::ObjectionSettled,
                    Fact::NotePrinted | Fact::Unspecified => ConclusionFact::NotePrinted,
                };
                let rules = now.rules.reference();
                Command::RecordConclusionFact { order: order.clone(), fact, now: now.now, rules }.into()
            };
            handle.act(&asked, key, Some(&text), render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn propose_reversal(
        &self,
        request: Request<wire::ProposeReversalRequest>,
    ) -> Result<Response<wire::ProposeReversalResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let reason = parsing.reason("reason", &message.reason).to_owned();
        let file_reference = parsing.file_reference(&message.file_reference).to_owned();
        parsing.done()?;
        let (order, revoke) = (order(&caller, key, REVIEWER)?, message.revoke);
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::ProposeReversalResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |_: Situation<'_>| {
                Command::ProposeReversal { order: order.clone(), revoke, file_reference: file_reference.clone() }.into()
            };
            handle.act(&asked, key, Some(&reason), render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn approve_reversal(
        &self,
        request: Request<wire::ApproveReversalRequest>,
    ) -> Result<Response<wire::ApproveReversalResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        parsing.done()?;
        let (order, proposal) = (order(&caller, key, REVIEWER)?, message.proposal_version);
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::ApproveReversalResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |now: Situation<'_>| {
                Command::ApproveReversal { order: order.clone(), proposal, today: now.today }.into()
            };
            handle.act(&asked, key, None, render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }
}
