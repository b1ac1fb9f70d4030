//! Names and numbers for a draft: asked of identity and certificates with the person's own rights, when a draft is started
//! or an application amended. A submission never asks. And the other way: that staff are about to see somebody's data in clear.

use access::Person;
use proto::applications::v1::Applicant;
use proto::certificates::v1::GetCertificateDetailsRequest;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::identity::v1::access_log_client::AccessLogClient;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::{GetPersonDetailsRequest, PersonField, RecordRevealRequest};
use service::Peers;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::domain::registration::Rejection;
use crate::error::Error;
use crate::store::drafts::Secret;

/// Written into the person's own access log.
const PURPOSE: &str = "填写教师资格定期注册申请";

/// The services that know.
#[derive(Debug, Clone)]
pub struct Details {
    peers: Peers,
}

impl Details {
    /// Through these peers.
    pub fn new(peers: Peers) -> Self {
        Self { peers }
    }

    /// Who the person is and what the certificate says; the form's own fields are empty.
    pub async fn fetch(&self, person: &Person, certificate: Uuid) -> Result<Secret, Error> {
        let mut profiles = ProfilesClient::new(self.peers.channel_for("identity", person));
        let mut certificates = CertificatesClient::new(self.peers.channel_for("certificates", person));
        let asked = GetPersonDetailsRequest { person_id: person.id.to_string(), purpose: PURPOSE.to_owned() };
        let asked_certificate = GetCertificateDetailsRequest {
            certificate_id: certificate.to_string(),
            person_id: person.id.to_string(),
            purpose: PURPOSE.to_owned(),
        };
        let (known, held) =
            tokio::join!(profiles.get_person_details(asked), certificates.get_certificate_details(asked_certificate));
        let known = known.map_err(|status| of_identity(&status))?.into_inner();
        let held = held.map_err(|status| of_certificates(&status))?.into_inner();
        let certificate = held.certificate.unwrap_or_default();
        Ok(Secret {
            personal: crate::domain::form::Personal::default(),
            applicant: Applicant {
                person_id: person.id.to_string(),
                name: known.name,
                number: known.number,
                sex: known.sex,
                birth_date: known.birth_date,
                ethnicity: known.ethnicity,
                certificate_number: held.number,
                document_type: known.document_type,
                certificate_subject: certificate.subject,
                issuing_agency: certificate.issuing_agency,
                ..Applicant::default()
            },
            certificate_issue_date: certificate.issue_date,
            account_mobile: known.phone,
            account_email: known.email,
        })
    }
}

impl Details {
    /// Tells identity that a member of staff is about to see a person's data in clear by this grant; what is not recorded is not shown.
    pub async fn record_reveal(&self, viewer: &Person, grant: Uuid, person: Uuid, purpose: &str) -> Result<(), Error> {
        let mut log = AccessLogClient::new(self.peers.channel_for("identity", viewer));
        let fields = [PersonField::Number, PersonField::Name, PersonField::Particulars, PersonField::Form];
        let recorded = log.record_reveal(RecordRevealRequest {
            person_id: person.to_string(),
            fields: fields.map(i32::from).to_vec(),
            purpose: purpose.to_owned(),
            grant_id: grant.to_string(),
        });
        recorded.await.map(drop).map_err(|status| unavailable("identity", status.code()))
    }
}

fn of_identity(status: &Status) -> Error {
    match status.code() {
        Code::FailedPrecondition | Code::PermissionDenied => Error::ProfileIncomplete,
        code => unavailable("identity", code),
    }
}

fn of_certificates(status: &Status) -> Error {
    match status.code() {
        Code::NotFound => Error::Rejected(Rejection::CertificateUnknown),
        code => unavailable("certificates", code),
    }
}

fn unavailable(dependency: &'static str, code: Code) -> Error {
    tracing::warn!(dependency, ?code, "personal details could not be had");
    Error::Unavailable { dependency }
}
