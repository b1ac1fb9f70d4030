//! `Corrections`: people ask for what is wrong to be put right; officers of the issuing province answer.

use access::Caller;
use eventbus::BusHandle;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::certificates::v1 as wire;
use proto::certificates::v1::corrections_server::Corrections;
use proto::identity::v1::Role;
use rpc::{Violations, parse_uuid};
use tonic::{Request, Response, Status};
use uuid::Uuid;
use wire::request_correction_request::Certificate;

use super::{asked, certificates, divisions, is_plain_prose, prose};
use crate::domain::correction::{Command, Stage};
use crate::error::Error;
use crate::handle::{Handle, division_of};
use crate::store::corrections::{Statement, decode_answer, read_stage};
use crate::views::corrections::{self, CORRECTIONS, Row};
use crate::views::register;

/// Characters of the shortest statement, and of the longest statement and answer.
const SHORTEST: usize = 5;
const LONGEST: usize = 1000;

/// Serves `Corrections`.
#[derive(Clone)]
pub struct CorrectionsApi {
    /// Use cases.
    pub handle: Handle,
    /// The view's progress.
    pub bus: BusHandle,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

/// Which certificate a request is about.
enum About {
    Listed(Uuid),
    Number(String),
}

#[tonic::async_trait]
impl Corrections for CorrectionsApi {
    async fn request_correction(
        &self,
        request: Request<wire::RequestCorrectionRequest>,
    ) -> Result<Response<wire::RequestCorrectionResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let body = request.get_ref();
        let about = match &body.certificate {
            Some(Certificate::CertificateId(id)) => {
                parse_uuid("certificate_id", id, &mut violations).map(About::Listed)
            }
            Some(Certificate::Number(number)) => {
                certificates::number(number, &mut violations).map(|number| About::Number(number.as_str().to_owned()))
            }
            None => {
                violations.add("certificate_id", "REQUIRED", "请选择证书，或填写证书号码。");
                None
            }
        };
        let statement = body.statement.trim().to_owned();
        let fits = (SHORTEST..=LONGEST).contains(&statement.chars().count());
        violations.check(
            "statement",
            fits,
            "WRONG_LENGTH",
            format!("请用{SHORTEST}至{LONGEST}个字说明哪里有误、应为什么。"),
        );
        is_plain_prose("statement", &statement, &mut violations);
        let (Some(asked), Some(about), true) = (asked, about, violations.is_empty()) else {
            return Err(violations.into());
        };
        let (certificate, number, division) = match about {
            About::Listed(id) => {
                let number = self.number_of(id, person).await?;
                (Some(id), number, self.handle.load(id).await?.division)
            }
            About::Number(number) => (None, number.clone(), division_of(&number)),
        };
        let statement = Statement { number, statement };
        let handle = self.handle.clone();
        let requesting = Box::pin(async move {
            let answer = |id: Uuid| {
                wire::RequestCorrectionResponse { correction_id: id.to_string(), position: 0 }.encode_to_vec()
            };
            handle.request_correction(&asked, person, certificate, division, &statement, answer).await
        });
        let answered = rpc::run(&self.lifecycle, requesting).await?;
        let answer = wire::RequestCorrectionResponse::decode(&answered.answer[..])
            .map_err(|error| Error::Storage(Box::new(error)))?;
        Ok(Response::new(wire::RequestCorrectionResponse { position: answered.position, ..answer }))
    }

    async fn list_my_corrections(
        &self,
        request: Request<wire::ListMyCorrectionsRequest>,
    ) -> Result<Response<wire::ListMyCorrectionsResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let body = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", body.page_size, &mut violations);
        let before = rpc::parse_page_position("page_token", &body.page_token, &mut violations);
        violations.into_result()?;
        // A view that is late is shown as it is: what is missing comes with the next look.
        let _ = self.bus.wait_for(CORRECTIONS, body.min_position).await;
        let rows = corrections::of_person(self.handle.log().pool(), person, before.unwrap_or(i64::MAX), size + 1).await;
        let mut rows = rows.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| row.position.to_be_bytes());
        let corrections = render(&self.handle, rows).await?;
        Ok(Response::new(wire::ListMyCorrectionsResponse { corrections, next_page_token }))
    }

    async fn list_corrections(
        &self,
        request: Request<wire::ListCorrectionsRequest>,
    ) -> Result<Response<wire::ListCorrectionsResponse>, Status> {
        let divisions = divisions(&Caller::of(&request));
        let body = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", body.page_size, &mut violations);
        let after = rpc::parse_page_position("page_token", &body.page_token, &mut violations);
        violations.into_result()?;
        // As above.
        let _ = self.bus.wait_for(CORRECTIONS, body.min_position).await;
        let rows = corrections::list(self.handle.log().pool(), &divisions, after.unwrap_or(0), size + 1).await;
        let mut rows = rows.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| row.position.to_be_bytes());
        let corrections = render(&self.handle, rows).await?;
        Ok(Response::new(wire::ListCorrectionsResponse { corrections, next_page_token }))
    }

    async fn answer_correction(
        &self,
        request: Request<wire::AnswerCorrectionRequest>,
    ) -> Result<Response<wire::AnswerCorrectionResponse>, Status> {
        let caller = Caller::of(&request);
        let officer = caller.signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let body = request.get_ref();
        let id = parse_uuid("correction_id", &body.correction_id, &mut violations);
        let stage = read_stage(body.state).filter(|stage| *stage != Stage::Requested);
        violations.check("state", stage.is_some(), "UNKNOWN_VALUE", "请选择处理状态：核实中、已更正或不予更正。");
        let answer = prose("answer", &body.answer, LONGEST, &mut violations);
        let (Some(asked), Some(id), Some(stage), true) = (asked, id, stage, violations.is_empty()) else {
            return Err(violations.into());
        };
        let division = self.handle.correction(id).await?.division;
        let is_theirs =
            division == eventlog::Division::NONE || caller.holds_for_division(Role::RegisterOfficer, division);
        if !is_theirs {
            return Err(Error::NotFound.into());
        }
        let handle = self.handle.clone();
        let answering =
            Box::pin(
                async move { handle.answer_correction(&asked, id, Command::Answer { stage, officer }, &answer).await },
            );
        let position = rpc::run(&self.lifecycle, answering).await?.position;
        Ok(Response::new(wire::AnswerCorrectionResponse { position }))
    }
}

impl CorrectionsApi {
    /// The number of a certificate of the person's list.
    async fn number_of(&self, certificate: Uuid, person: Uuid) -> Result<String, Error> {
        let row = register::find(self.handle.log().pool(), certificate).await?;
        let row = row.filter(|row| row.person == Some(person)).ok_or(Error::NotFound)?;
        let opened = self.handle.open(row.sealed_under(), &row.sealed, row.sealed_event, row.sealed_version).await?;
        Ok(opened.ok_or(Error::NotFound)?.number)
    }
}

/// Opens what was written; requests of erased people are left out.
pub(super) async fn render(handle: &Handle, rows: Vec<Row>) -> Result<Vec<wire::Correction>, Error> {
    let unreadable = || Error::Storage("what was sealed cannot be read".into());
    let mut rendered = Vec::with_capacity(rows.len());
    for row in rows {
        let of = (row.person, row.correction_id);
        let Some(plain) = handle.open_correction(of, &row.sealed, row.sealed_event, 1).await? else { continue };
        let Statement { number, statement } = Statement::decode(&plain).ok_or_else(unreadable)?;
        let answer = match (&row.answer, row.answer_event, row.answer_version) {
            (Some(sealed), Some(event), Some(version)) => {
                let Some(plain) = handle.open_correction(of, sealed, event, version).await? else { continue };
                decode_answer(&plain).ok_or_else(unreadable)?
            }
            _ => String::new(),
        };
        rendered.push(wire::Correction {
            correction_id: row.correction_id.to_string(),
            certificate_id: row.certificate_id.map(|id| id.to_string()).unwrap_or_default(),
            number,
            statement,
            state: row.state,
            request_time: Some(rpc::timestamp(row.requested_at)),
            answer,
            answer_time: row.answered_at.map(rpc::timestamp),
        });
    }
    Ok(rendered)
}
