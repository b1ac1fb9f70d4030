//! `Applications`: filing, changing, reading.

use access::Caller;
use eventbus::BusHandle;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::applications_server::Applications;
use proto::applications::v1::{self as wire};
use tonic::{Request, Response, Status};

use super::drafts::parse_form;
use super::filter::place_of;
use super::history;
use super::render::{application, int, outcome, summary};
use super::request::{Parsing, applicant, grant_of, person, viewer};
use super::status::{answer, reached};
use super::watch::{Answers, Watches, watch};
use crate::domain::registration::{Command, Reader, Rejection};
use crate::error::Error;
use crate::handle::{Amendment, Attempt, Done, Handle, Submission};
use crate::views::applications::APPLICATIONS;
use crate::wire as values;

/// The service, and what a person exports of it.
#[derive(Clone)]
pub struct ApplicationsApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
    /// Waits for views.
    pub bus: BusHandle,
    /// Who may watch.
    pub watches: Watches,
}

#[tonic::async_trait]
impl Applications for ApplicationsApi {
    async fn submit_application(
        &self,
        request: Request<wire::SubmitApplicationRequest>,
    ) -> Result<Response<wire::SubmitApplicationResponse>, Status> {
        let (caller, person) = (Caller::of(&request), applicant(&request)?.id);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let draft = parsing.id("draft_id", &message.draft_id);
        let pledge = parsing.pledge(message.pledge);
        parsing.done()?;
        let submission = Submission { person, draft, revision: message.revision, pledge };
        let handle = self.handle.clone();
        let body = async move { handle.submit(&asked, submission, submitted).await };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn amend_application(
        &self,
        request: Request<wire::AmendApplicationRequest>,
    ) -> Result<Response<wire::AmendApplicationResponse>, Status> {
        let (caller, person) = (Caller::of(&request), applicant(&request)?);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        let (personal, coded) = parse_form(&mut parsing, message.form);
        let pledge = parsing.pledge(message.pledge);
        parsing.done()?;
        let handle = self.handle.clone();
        let body = async move {
            let amendment = Amendment { personal, coded, pledge };
            let render = |done: &Done| wire::AmendApplicationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            handle.amend(&asked, &person, key, amendment, render).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn withdraw_application(
        &self,
        request: Request<wire::WithdrawApplicationRequest>,
    ) -> Result<Response<wire::WithdrawApplicationResponse>, Status> {
        let (caller, person) = (Caller::of(&request), person(&request)?.id);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let key = parsing.key(message.key.as_ref());
        parsing.done()?;
        let handle = self.handle.clone();
        let body = async move {
            let render =
                |done: &Done| wire::WithdrawApplicationResponse { outcome: Some(outcome(done)) }.encode_to_vec();
            let command = || Command::Withdraw { number: key.number, person };
            let attempt = |_: crate::handle::Situation<'_>| Attempt { command: command(), not_after: None };
            handle.act(&asked, key, None, render, attempt).await
        };
        answer(rpc::run(&self.lifecycle, body).await)
    }

    async fn get_application(
        &self,
        request: Request<wire::GetApplicationRequest>,
    ) -> Result<Response<wire::GetApplicationResponse>, Status> {
        let caller = Caller::of(&request);
        let (viewer, looking) = (viewer(&caller)?, person(&request)?);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let key = parsing.key(message.key.as_ref());
        let as_of = parsing.as_of(message.as_of);
        let purpose = parsing.line("reveal_purpose", message.reveal_purpose.trim(), "查看目的不能超过100个字。");
        parsing.done()?;
        let seen = self.handle.read(&viewer, key, as_of).await?;
        let found = seen.record.state.application(key.number).ok_or(Error::from(Rejection::NotFound))?;
        let revealed_to = match seen.reader {
            Reader::Staff(unit) if !purpose.is_empty() => Some(unit),
            Reader::Applicant | Reader::Staff(_) => None,
        };
        if let Some(unit) = revealed_to {
            let grant = grant_of(&caller, unit).ok_or(Error::from(Rejection::NotFound))?;
            self.handle.record_reveal(&looking, grant, found.person, purpose).await?;
            // Structured, and without a word of the person's: what the purpose says stays out of the logs.
            tracing::info!(
                target: "audit",
                action = "reveal",
                actor = %viewer.person,
                certificate = %key.certificate,
                application = %key.number,
                "personal data shown in clear"
            );
        }
        let clear = seen.reader == Reader::Applicant || revealed_to.is_some();
        Ok(Response::new(wire::GetApplicationResponse { application: Some(application(&seen, found, clear)) }))
    }

    async fn list_applications(
        &self,
        request: Request<wire::ListApplicationsRequest>,
    ) -> Result<Response<wire::ListApplicationsResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = message.filter.unwrap_or_default();
        let filter = parsing.filter(&asked);
        let size = rpc::page_size("page_size", message.page_size, parsing.violations());
        let before = parsing.page_of(&asked, &message.page_token);
        parsing.done()?;
        reached(&self.bus, APPLICATIONS, message.min_position).await?;
        let selection = self.handle.selection(&viewer, filter)?;
        let mut rows = self.handle.list(&selection, before, size + 1).await?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| place_of(&asked, row.position));
        Ok(Response::new(wire::ListApplicationsResponse {
            applications: rows.iter().map(summary).collect(),
            next_page_token,
        }))
    }

    type WatchApplicationsStream = Answers;

    async fn watch_applications(
        &self,
        request: Request<wire::WatchApplicationsRequest>,
    ) -> Result<Response<Answers>, Status> {
        watch(self, request).await
    }

    async fn get_history(
        &self,
        request: Request<wire::GetHistoryRequest>,
    ) -> Result<Response<wire::GetHistoryResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let mut parsing = Parsing::default();
        let message = request.into_inner();
        let key = parsing.key(message.key.as_ref());
        let as_of = parsing.as_of(message.as_of);
        parsing.done()?;
        let (record, reader) = self.handle.visible(&viewer, key, as_of).await?;
        let words = self.handle.words(&record, key.number, reader).await?;
        let entries = history::of_application(&record, key.number, reader, &words).collect();
        Ok(Response::new(wire::GetHistoryResponse { entries }))
    }
}

fn submitted(done: &Done) -> Vec<u8> {
    let response = wire::SubmitApplicationResponse {
        enrolment_number: done.key.number.to_string(),
        certificate_id: done.key.certificate.to_string(),
        version: done.version,
        status: values::status(done.status).into(),
        ordinal: int(done.ordinal),
    };
    response.encode_to_vec()
}
