//! `Drafts`: the applicant's unfinished form.

use lifecycle::Lifecycle;
use proto::applications::v1::drafts_server::Drafts;
use proto::applications::v1::{self as wire};
use tonic::{Request, Response, Status};

use super::render::{obstacle, problems};
use super::request::{Parsing, applicant, person};
use super::sentences::restricted;
use crate::domain::form::{Coded, Personal, Section};
use crate::domain::text::NAMES;
use crate::error::Error;
use crate::handle::{DraftAt, Handle};
use crate::wire as values;

/// The service.
pub struct DraftsApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Drafts for DraftsApi {
    async fn start_draft(
        &self,
        request: Request<wire::StartDraftRequest>,
    ) -> Result<Response<wire::StartDraftResponse>, Status> {
        let person = applicant(&request)?;
        let mut parsing = Parsing::default();
        parsing.id("request_id", &request.get_ref().request_id);
        let certificate = parsing.id("certificate_id", &request.get_ref().certificate_id);
        parsing.done()?;
        let handle = self.handle.clone();
        let body = async move { handle.start_draft(&person, certificate).await };
        let draft = rpc::run(&self.lifecycle, body).await?;
        let warnings = self.handle.restriction(certificate).await?.map(|(restriction, until)| {
            let (reason, message) = restricted(restriction, until);
            wire::FieldProblem { field: "certificate_id".to_owned(), reason: reason.to_owned(), message }
        });
        Ok(Response::new(wire::StartDraftResponse {
            draft_id: draft.id.to_string(),
            revision: draft.revision,
            warnings: warnings.into_iter().collect(),
        }))
    }

    async fn accept_agreement(
        &self,
        request: Request<wire::AcceptAgreementRequest>,
    ) -> Result<Response<wire::AcceptAgreementResponse>, Status> {
        let person = applicant(&request)?.id;
        let wire::AcceptAgreementRequest { draft_id, text_version, text_digest } = request.into_inner();
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &draft_id);
        let text = parsing.text_ref("text_version", text_version, text_digest);
        parsing.done()?;
        let handle = self.handle.clone();
        let body = async move { handle.accept_agreement(person, draft, &text).await };
        let revision = rpc::run(&self.lifecycle, body).await?;
        Ok(Response::new(wire::AcceptAgreementResponse { revision }))
    }

    async fn save_draft(
        &self,
        request: Request<wire::SaveDraftRequest>,
    ) -> Result<Response<wire::SaveDraftResponse>, Status> {
        let person = applicant(&request)?.id;
        let wire::SaveDraftRequest { draft_id, revision, form, section } = request.into_inner();
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &draft_id);
        let page = parse_form(&mut parsing, form);
        let section = parse_section(&mut parsing, section);
        parsing.done()?;
        let handle = self.handle.clone();
        let body = async move { handle.save_draft(person, draft, revision, page, section).await };
        let checked = rpc::run(&self.lifecycle, body).await?;
        let mut all = problems(&checked.problems, false);
        all.extend(problems(&checked.problems, true));
        Ok(Response::new(wire::SaveDraftResponse { revision: checked.revision, problems: all }))
    }

    async fn get_draft(
        &self,
        request: Request<wire::GetDraftRequest>,
    ) -> Result<Response<wire::GetDraftResponse>, Status> {
        let person = person(&request)?.id;
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &request.get_ref().draft_id);
        parsing.done()?;
        let DraftAt { draft, secret } = self.handle.draft(person, draft).await?;
        Ok(Response::new(wire::GetDraftResponse {
            draft_id: draft.id.to_string(),
            revision: draft.revision,
            certificate_id: draft.certificate.to_string(),
            agreement_accepted: self.handle.has_agreed(&draft)?,
            update_time: Some(rpc::timestamp(draft.updated_at)),
            form: Some(wire::Form {
                personal: Some(values::personal(secret.personal)),
                coded: Some(values::coded(draft.coded)),
            }),
        }))
    }

    async fn check_draft(
        &self,
        request: Request<wire::CheckDraftRequest>,
    ) -> Result<Response<wire::CheckDraftResponse>, Status> {
        let person = person(&request)?.id;
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &request.get_ref().draft_id);
        parsing.done()?;
        let (found, against) = self.handle.check_draft(person, draft).await?;
        Ok(Response::new(wire::CheckDraftResponse {
            problems: problems(&found, false),
            warnings: problems(&found, true),
            obstacles: against.iter().map(obstacle).collect(),
        }))
    }

    async fn take_grace_ticket(
        &self,
        request: Request<wire::TakeGraceTicketRequest>,
    ) -> Result<Response<wire::TakeGraceTicketResponse>, Status> {
        let person = applicant(&request)?.id;
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &request.get_ref().draft_id);
        parsing.done()?;
        let handle = self.handle.clone();
        let until = rpc::run(&self.lifecycle, async move { handle.take_grace_ticket(person, draft).await }).await?;
        Ok(Response::new(wire::TakeGraceTicketResponse { valid_until_time: Some(rpc::timestamp(until)) }))
    }

    async fn drop_draft(
        &self,
        request: Request<wire::DropDraftRequest>,
    ) -> Result<Response<wire::DropDraftResponse>, Status> {
        let person = applicant(&request)?.id;
        let mut parsing = Parsing::default();
        let draft = parsing.id("draft_id", &request.get_ref().draft_id);
        parsing.done()?;
        let handle = self.handle.clone();
        rpc::run(&self.lifecycle, async move { handle.drop_draft(person, draft).await }).await?;
        Ok(Response::new(wire::DropDraftResponse {}))
    }

    async fn list_texts(
        &self,
        request: Request<wire::ListTextsRequest>,
    ) -> Result<Response<wire::ListTextsResponse>, Status> {
        let province = &request.get_ref().province;
        if !province.is_empty() {
            let mut parsing = Parsing::default();
            parsing.province("province", province);
            parsing.done()?;
        }
        let texts = NAMES.map(|name| Ok(values::text(self.handle.text(province, name)?.as_ref())));
        Ok(Response::new(wire::ListTextsResponse { texts: texts.into_iter().collect::<Result<_, Error>>()? }))
    }
}

/// The page that is saved; `None` for the whole form.
fn parse_section(parsing: &mut Parsing, section: i32) -> Option<Section> {
    use wire::DraftSection;
    match DraftSection::try_from(section) {
        Ok(DraftSection::Unspecified) => None,
        Ok(DraftSection::Identity) => Some(Section::Identity),
        Ok(DraftSection::Putonghua) => Some(Section::Putonghua),
        Ok(DraftSection::Education) => Some(Section::Education),
        Ok(DraftSection::Teaching) => Some(Section::Teaching),
        Ok(DraftSection::Contact) => Some(Section::Contact),
        Ok(DraftSection::Agency) => Some(Section::Agency),
        Err(_) => {
            parsing.violations().add("section", "UNKNOWN_VALUE", "没有这一页，请刷新页面后再保存。");
            None
        }
    }
}

/// A form as far as it is filled in.
pub(super) fn parse_form(parsing: &mut Parsing, form: Option<wire::Form>) -> (Personal, Coded) {
    let form = form.unwrap_or_default();
    let coded = values::parse_coded(form.coded.unwrap_or_default()).unwrap_or_else(|malformed| {
        for field in malformed {
            parsing.violations().add(format!("form.{field}"), "UNKNOWN_VALUE", "所填内容无法识别，请重新选择。");
        }
        Coded::default()
    });
    (values::parse_personal(form.personal.unwrap_or_default()), coded)
}
