//! `Confirmation`: what school and point do.

use access::Caller;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::confirmation_server::Confirmation;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use tonic::{Request, Response, Status};

use super::render::outcome;
use super::request::{Parsing, officer, order};
use super::status::answer;
use crate::domain::facts::Facts;
use crate::domain::registration::Command;
use crate::handle::{Done, Handle, Situation, Wanted};
use crate::wire as values;

/// The service.
pub struct ConfirmationApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Confirmation for ConfirmationApi {
    async fn record_facts(
        &self,
        request: Request<wire::RecordFactsRequest>,
    ) -> Result<Response<wire::RecordFactsResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let given = message.facts.unwrap_or_default();
        let note = parsing.text("facts.note", &given.note).to_owned();
        let seen = looked_at(&mut parsing, "seen_version", message.seen_version);
        let (facts, unreadable) = match values::parse_facts(&given) {
            Ok(facts) => (facts, Vec::new()),
            Err(unreadable) => (Facts::default(), unreadable),
        };
        for (field, reason) in unreadable.into_iter().chain(values::check_facts(&given)) {
            parsing.violations().add(field, reason, "所填内容无法识别或超出范围，请核对后重新填写。");
        }
        parsing.done()?;
        let order = order(&caller, key, &[Role::Liaison, Role::Clerk, Role::Reviewer])?;
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::RecordFactsResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |_: Situation<'_>| {
                let (order, facts) = (order.clone(), Box::new(facts.clone()));
                Command::RecordFacts { order, facts, seen, with_note: !note.is_empty() }.into()
            };
            handle.act(&asked, key, Some(&note), render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn confirm_application(
        &self,
        request: Request<wire::ConfirmApplicationRequest>,
    ) -> Result<Response<wire::ConfirmApplicationResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let form_version = looked_at(&mut parsing, "form_version", message.form_version.into());
        let form_version = form_version.and_then(|version| u32::try_from(version).ok());
        parsing.done()?;
        let clerk = officer(&caller, &[Role::Clerk])?;
        let handle = self.handle.clone();
        let body = async move {
            let render =
                |done: &Done| wire::ConfirmApplicationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            handle.work(&asked, &clerk, key, &Wanted::Confirm(form_version), false, render).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn refuse_confirmation(
        &self,
        request: Request<wire::RefuseConfirmationRequest>,
    ) -> Result<Response<wire::RefuseConfirmationResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let reason = parsing.reason("reason", &message.reason).to_owned();
        parsing.done()?;
        let order = order(&caller, key, &[Role::Clerk])?;
        let handle = self.handle.clone();
        let body = async move {
            let render =
                |done: &Done| wire::RefuseConfirmationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let attempt = |_: Situation<'_>| Command::RefuseConfirmation { order: order.clone() }.into();
            handle.act(&asked, key, Some(&reason), render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn return_application(
        &self,
        request: Request<wire::ReturnApplicationRequest>,
    ) -> Result<Response<wire::ReturnApplicationResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let wanted = Wanted::Return(parsing.reason("reason", &message.reason).to_owned());
        parsing.done()?;
        let by = officer(&caller, &[Role::Liaison, Role::Clerk])?;
        let handle = self.handle.clone();
        let body = async move {
            let render = |done: &Done| wire::ReturnApplicationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            handle.work(&asked, &by, key, &wanted, false, render).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }
}

/// The version that the caller has looked at; none where 0 says that it does not matter.
fn looked_at(parsing: &mut Parsing, field: &'static str, version: i64) -> Option<i64> {
    parsing.violations().check(field, version >= 0, "NEGATIVE", "版本不能为负数。");
    (version > 0).then_some(version)
}
