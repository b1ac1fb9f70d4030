//! `Export`: the certificates of the caller and what they asked to be corrected, as JSON.

use access::Caller;
use proto::certificates::v1 as wire;
use proto::certificates::v1::export_server::Export;
use proto::types::v1::{CertificateKind, Conclusion};
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use super::CertificatesApi;
use super::corrections::render;
use crate::domain::number::Number;
use crate::error::Error;
use crate::views::{corrections, register};

/// Requests for corrections that one answer holds: the newest ones.
const MOST_CORRECTIONS: usize = 500;

#[tonic::async_trait]
impl Export for CertificatesApi {
    async fn export_my_data(
        &self,
        request: Request<wire::ExportMyDataRequest>,
    ) -> Result<Response<wire::ExportMyDataResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let rows = register::of_person(self.handle.log().pool(), person).await.map_err(Error::from)?;
        let certificates: Vec<Value> =
            self.render(rows).await?.iter().map(|(number, certificate)| exported(number, certificate)).collect();
        let requests = corrections::of_person(self.handle.log().pool(), person, i64::MAX, MOST_CORRECTIONS).await;
        let requests = render(&self.handle, requests.map_err(Error::from)?).await?;
        let requests: Vec<Value> = requests.iter().map(exported_correction).collect();
        let json = json!({ "certificates": certificates, "corrections": requests }).to_string();
        Ok(Response::new(wire::ExportMyDataResponse { json }))
    }
}

fn exported_correction(correction: &wire::Correction) -> Value {
    json!({
        "certificate_id": correction.certificate_id,
        "number": correction.number,
        "statement": correction.statement,
        "state": wire::CorrectionState::try_from(correction.state).unwrap_or_default().as_str_name(),
        "answer": correction.answer,
    })
}

fn exported(number: &Number, certificate: &wire::Certificate) -> Value {
    let registrations = certificate.prior_registrations.iter().map(|prior| {
        let conclusion = Conclusion::try_from(prior.conclusion).unwrap_or_default();
        json!({ "ordinal": prior.ordinal, "conclusion": conclusion.as_str_name(), "date": prior.conclude_date })
    });
    json!({
        "certificate_id": certificate.certificate_id,
        "number": number.as_str(),
        "kind": CertificateKind::try_from(certificate.kind).unwrap_or_default().as_str_name(),
        "subject": certificate.subject,
        "issuing_agency": certificate.issuing_agency,
        "issue_date": certificate.issue_date,
        "source": wire::Source::try_from(certificate.source).unwrap_or_default().as_str_name(),
        "restricted": certificate.restricted,
        "prior_registrations": registrations.collect::<Vec<_>>(),
    })
}
