//! `Certificates`: people see and enter their own; officers and the service applications see single ones.

use std::collections::HashMap;

use access::{Caller, Person};
use eventbus::BusHandle;
use eventlog::Division;
use lifecycle::{Lifecycle, clock};
use prost::Message as _;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_server::Certificates;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::{GetPersonDetailsRequest, GetPersonDetailsResponse, Role};
use rpc::{Refusal, Violations, parse_date, parse_uuid};
use service::Peers;
use time::{Date, UtcOffset};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::explain::RECORDS_DISAGREE;
use super::{asked, published};
use crate::domain::agency::{Agencies, Agency, Issuer};
use crate::domain::certificate::Details;
use crate::domain::hand_entry;
use crate::domain::kind::Kind;
use crate::domain::number::warning::{Said, Warning};
use crate::domain::number::{Malformed, Number};
use crate::error::Error;
use crate::handle::{Handle, is_of_province};
use crate::store::Personal;
use crate::views::conflicts;
use crate::views::register::{self, REGISTER, Row};

/// Characters of the longest subject and agency.
const LONGEST_SUBJECT: usize = 60;
pub(super) const LONGEST_AGENCY: usize = 100;

/// Serves `Certificates`, and what a person exports of them.
#[derive(Clone)]
pub struct CertificatesApi {
    /// Use cases.
    pub handle: Handle,
    /// The view's progress.
    pub bus: BusHandle,
    /// Identity knows who asks.
    pub peers: Peers,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Certificates for CertificatesApi {
    async fn list_my_certificates(
        &self,
        request: Request<wire::ListMyCertificatesRequest>,
    ) -> Result<Response<wire::ListMyCertificatesResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        // A view that is late is shown as it is: what is missing comes with the next look.
        let _ = self.bus.wait_for(REGISTER, request.get_ref().min_position).await;
        let rows = register::of_person(self.handle.log().pool(), person).await.map_err(Error::from)?;
        let certificates = self.render(rows).await?.into_iter().map(|(_, certificate)| certificate).collect();
        Ok(Response::new(wire::ListMyCertificatesResponse { certificates }))
    }

    async fn add_certificate(
        &self,
        request: Request<wire::AddCertificateRequest>,
    ) -> Result<Response<wire::AddCertificateResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.clone();
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let agencies = self.handle.agencies();
        let entry = entry(request.get_ref(), agencies.as_deref(), &mut violations);
        let (Some(asked), Some((number, said))) = (asked, entry) else { return Err(violations.into()) };
        hand_entry::judge(&number, said.kind, said.issue_date).map_err(Error::HandEntry)?;
        let details = self.person(&person, "添加教师资格证书").await?;
        let (warnings, warning_reasons) = told(
            &number.warnings(&Said {
                kind: said.kind,
                issued: said.issue_date,
                agency: &said.issuing_agency,
                issuer: agencies
                    .as_ref()
                    .map(|agencies| agencies.issuer(&said.issuing_agency, said.issue_date, number.province())),
                holder_number: &details.number,
            }),
        );
        let personal =
            Personal { number: number.as_str().to_owned(), holder_number: details.number, holder_name: details.name };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            let answer = |id: Uuid| {
                let (warnings, warning_reasons) = (warnings.clone(), warning_reasons.clone());
                let certificate_id = id.to_string();
                let answer = wire::AddCertificateResponse { certificate_id, position: 0, warnings, warning_reasons };
                answer.encode_to_vec()
            };
            handle.add_by_hand(&asked, person.id, &said, &personal, answer).await
        });
        let answered = answered.await?;
        let answer = wire::AddCertificateResponse::decode(&answered.answer[..])
            .map_err(|error| Error::Storage(Box::new(error)))?;
        Ok(Response::new(wire::AddCertificateResponse { position: answered.position, ..answer }))
    }

    async fn explain_missing(
        &self,
        request: Request<wire::ExplainMissingRequest>,
    ) -> Result<Response<wire::ExplainMissingResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.clone();
        Ok(Response::new(self.explain(&person, request.get_ref()).await?))
    }

    async fn get_certificate(
        &self,
        request: Request<wire::GetCertificateRequest>,
    ) -> Result<Response<wire::GetCertificateResponse>, Status> {
        let caller = Caller::of(&request);
        let (number, certificate) = self.one(&request.get_ref().certificate_id).await?;
        let covers = |province: Division| {
            [Role::RegisterOfficer, Role::Reviewer].into_iter().any(|role| {
                // A county's reviewer may look at certificates that were issued anywhere in the province.
                caller.holds(role).any(|scope| scope.division.as_str()[..2] == province.as_str()[..2])
            })
        };
        if !is_of_province(&number, covers) {
            return Err(Error::NotFound.into());
        }
        Ok(Response::new(wire::GetCertificateResponse { certificate: Some(certificate) }))
    }

    async fn get_certificate_details(
        &self,
        request: Request<wire::GetCertificateDetailsRequest>,
    ) -> Result<Response<wire::GetCertificateDetailsResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let body = request.get_ref();
        let row = self.row(&body.certificate_id).await?;
        // The service shows the person's own token: it sees what the person may see.
        if row.person != Some(person) || body.person_id != person.to_string() {
            return Err(Error::NotFound.into());
        }
        let (number, certificate) = self.rendered(row).await?;
        let number = number.as_str().to_owned();
        Ok(Response::new(wire::GetCertificateDetailsResponse { number, certificate: Some(certificate) }))
    }
}

impl CertificatesApi {
    async fn row(&self, certificate_id: &str) -> Result<Row, Status> {
        let mut violations = Violations::new();
        let Some(id) = parse_uuid("certificate_id", certificate_id, &mut violations) else {
            return Err(violations.into());
        };
        let row = register::find(self.handle.log().pool(), id).await.map_err(Error::from)?;
        Ok(row.ok_or(Error::NotFound)?)
    }

    async fn one(&self, certificate_id: &str) -> Result<(Number, wire::Certificate), Status> {
        let row = self.row(certificate_id).await?;
        Ok(self.rendered(row).await?)
    }

    async fn rendered(&self, row: Row) -> Result<(Number, wire::Certificate), Error> {
        self.render(vec![row]).await?.into_iter().next().ok_or(Error::NotFound)
    }

    /// Opens and masks; certificates whose keys were destroyed are left out.
    pub(super) async fn render(&self, rows: Vec<Row>) -> Result<Vec<(Number, wire::Certificate)>, Error> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.certificate_id).collect();
        let mut priors: HashMap<Uuid, Vec<wire::PriorRegistration>> = HashMap::new();
        for (id, ordinal, conclusion, concluded) in
            register::prior_registrations(self.handle.log().pool(), &ids).await?
        {
            let conclude_date = rpc::render_date(concluded);
            priors.entry(id).or_default().push(wire::PriorRegistration { ordinal, conclusion, conclude_date });
        }
        let contradicted = conflicts::among(self.handle.log().pool(), &ids).await?;
        let agencies = self.handle.agencies();
        let mut rendered = Vec::with_capacity(rows.len());
        for row in rows {
            let opened =
                self.handle.open(row.sealed_under(), &row.sealed, row.sealed_event, row.sealed_version).await?;
            let Some(personal) = opened else { continue };
            let number = Number::parse(&personal.number, Date::MAX)
                .map_err(|_| Error::Storage("a stored number is none".into()))?;
            let prior_registrations = priors.remove(&row.certificate_id).unwrap_or_default();
            let is_contradicted = contradicted.contains(&row.certificate_id);
            let mut certificate =
                certificate(row, &number, &personal.holder_number, prior_registrations, agencies.as_deref());
            if is_contradicted {
                certificate.warnings.push(RECORDS_DISAGREE.to_owned());
                certificate.warning_reasons.push("RECORDS_DISAGREE".to_owned());
            }
            rendered.push((number, certificate));
        }
        Ok(rendered)
    }

    /// What identity knows of the caller; `purpose` is written into their access log.
    pub(super) async fn person(&self, person: &Person, purpose: &str) -> Result<GetPersonDetailsResponse, Status> {
        let mut profiles = ProfilesClient::new(self.peers.channel_for("identity", person));
        let request = GetPersonDetailsRequest { person_id: person.id.to_string(), purpose: purpose.to_owned() };
        match profiles.get_person_details(request).await {
            Ok(details) => Ok(details.into_inner()),
            Err(status) if status.code() == tonic::Code::FailedPrecondition => {
                Err(Refusal::rejected("PROFILE_INCOMPLETE", "请先在个人信息中心完善个人身份信息，再添加或查询证书。")
                    .into())
            }
            Err(_) => Err(Error::Unavailable { dependency: "identity" }.into()),
        }
    }
}

fn certificate(
    row: Row,
    number: &Number,
    holder_number: &str,
    prior_registrations: Vec<wire::PriorRegistration>,
    agencies: Option<&Agencies>,
) -> wire::Certificate {
    let kind = u8::try_from(row.kind).ok().and_then(Kind::of_digit);
    let (issued, agency) = (row.issue_date, &row.issuing_agency);
    let issuer = agencies.map(|agencies| agencies.issuer(agency, issued, number.province()));
    let said = kind.map(|kind| Said { kind, issued, agency, issuer, holder_number });
    let (warnings, warning_reasons) = told(&said.map(|said| number.warnings(&said)).unwrap_or_default());
    let known = agencies.zip(issuer.and_then(Issuer::agency));
    let agency = known.map(|(agencies, agency)| issuing_agency(agencies, agency, issued));
    wire::Certificate {
        certificate_id: row.certificate_id.to_string(),
        masked_number: vault::mask::certificate(number.as_str()),
        kind: row.kind,
        subject: row.subject,
        issuing_agency: row.issuing_agency,
        issue_date: rpc::render_date(row.issue_date),
        source: row.source,
        prior_registrations,
        restricted: row.restriction.is_some(),
        restriction: row.restriction.unwrap_or_default(),
        warnings,
        warning_reasons,
        agency,
    }
}

/// The issuing agency then and today.
fn issuing_agency(agencies: &Agencies, agency: &Agency, issued: Date) -> wire::IssuingAgency {
    let today = today();
    let present = agencies.present(agency, today);
    wire::IssuingAgency {
        agency_id: agency.id.to_string(),
        name_then: agency.name_on(issued).to_owned(),
        abolished_date: agency.ended_by(today).map(|end| rpc::render_date(end.on)).unwrap_or_default(),
        present_agency_id: present.map(|present| present.id.to_string()).unwrap_or_default(),
        present_name: present.map(|present| present.name_on(today).to_owned()).unwrap_or_default(),
    }
}

/// Sentences and reasons of warnings.
pub(super) fn told(warnings: &[Warning]) -> (Vec<String>, Vec<String>) {
    warnings.iter().map(|warning| (warning.sentence().into_owned(), warning.reason().to_owned())).unzip()
}

/// What a person entered, with every field's problem at once.
fn entry(
    body: &wire::AddCertificateRequest,
    agencies: Option<&Agencies>,
    violations: &mut Violations,
) -> Option<(Number, Details)> {
    let (number, kind) = (number(&body.number, violations), kind(body.kind, violations));
    let subject = published("subject", &body.subject, LONGEST_SUBJECT, violations);
    let issuing_agency = published("issuing_agency", &body.issuing_agency, LONGEST_AGENCY, violations);
    let issue_date = issue_date(&body.issue_date, violations);
    if let (Some(agencies), Some(issued)) = (agencies, issue_date) {
        let issuer = agencies.issuer(&issuing_agency, issued, number.as_ref().and_then(Number::province));
        match Warning::of_issuer(issuer, issued) {
            // The directory does not know every name that there ever was.
            None | Some(Warning::UnknownAgency) => {}
            Some(warning) => {
                let sentence = format!("{}核对无误的，请联系证书的发证机关处理。", warning.sentence());
                violations.add("issuing_agency", warning.reason(), sentence);
            }
        }
    }
    let (number, kind, issue_date) = (number?, kind?, issue_date?);
    let unhashed = [0; 32];
    let details = Details {
        kind,
        subject,
        issuing_agency,
        issue_date,
        number: unhashed,
        holder: unhashed,
        digest: unhashed,
        generation: 0,
    };
    violations.is_empty().then_some((number, details))
}

/// The number of a certificate as it was entered.
pub(super) fn number(text: &str, violations: &mut Violations) -> Option<Number> {
    match Number::parse(text, today()) {
        Ok(number) => Some(number),
        Err(Malformed::Digits) => {
            violations.add("number", "NOT_A_CERTIFICATE_NUMBER", "教师资格证书号码不规范，应为15位或17位数字。");
            None
        }
        Err(Malformed::FutureYear) => {
            violations.add("number", "FUTURE_YEAR", "教师资格证书号码不规范，号码中的年份晚于今年。");
            None
        }
    }
}

/// Its kind.
pub(super) fn kind(number: i32, violations: &mut Violations) -> Option<Kind> {
    let kind = u8::try_from(number).ok().and_then(Kind::of_digit);
    violations.check("kind", kind.is_some(), "UNKNOWN_KIND", "请选择证书上的资格种类。");
    kind
}

/// Its date of issue.
pub(super) fn issue_date(text: &str, violations: &mut Violations) -> Option<Date> {
    let issue_date = parse_date("issue_date", text, violations);
    if let Some(date) = issue_date {
        violations.check("issue_date", date <= today(), "IN_THE_FUTURE", "签发日期不能晚于今天。");
    }
    issue_date
}

fn today() -> Date {
    clock::now().to_offset(UtcOffset::from_hms(8, 0, 0).expect("eight hours are an offset")).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_an_entry_are_told_at_once() {
        let mut violations = Violations::new();
        assert!(entry(&wire::AddCertificateRequest::default(), None, &mut violations).is_none());
        let fields: Vec<_> = violations.into_iter().map(|violation| violation.field.into_owned()).collect();
        assert_eq!(fields, ["number", "kind", "subject", "issuing_agency", "issue_date"]);
    }

    #[test]
    fn a_whole_entry_is_read() {
        let body = wire::AddCertificateRequest {
            request_id: String::new(),
            number: "20053203211234567".to_owned(),
            kind: 2,
            subject: " 语文 ".to_owned(),
            issuing_agency: "徐州市教育局".to_owned(),
            issue_date: "2005-06-30".to_owned(),
        };
        let (number, details) = entry(&body, None, &mut Violations::new()).unwrap();
        assert_eq!((number.year(), details.subject.as_str(), details.kind), (2005, "语文", Kind::Primary));
    }
}
