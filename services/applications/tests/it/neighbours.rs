//! What identity and certificates know in these tests, of whoever asks for themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use proto::certificates::v1 as register;
use proto::certificates::v1::certificates_server::{Certificates, CertificatesServer};
use proto::identity::v1 as identity;
use proto::identity::v1::access_log_server::{AccessLog, AccessLogServer};
use proto::identity::v1::profiles_server::{Profiles, ProfilesServer};
use service::testing::Neighbour;
use tonic::{Request, Response, Status};

/// The one document number of these tests, under a county code that belongs to nobody.
pub(crate) const NUMBER: &str = "320399199001010018";
pub(crate) const CERTIFICATE_NUMBER: &str = "20153203932000018";

#[derive(Clone)]
struct Known;

/// The reveals that identity was told of, and whether it can be told.
#[derive(Clone, Default)]
pub(crate) struct Reveals {
    pub(crate) recorded: Arc<Mutex<Vec<identity::RecordRevealRequest>>>,
    pub(crate) away: Arc<AtomicBool>,
    /// Whoever asks has another name by now.
    pub(crate) renamed: Arc<AtomicBool>,
}

pub(crate) async fn identity(reveals: Reveals) -> Neighbour {
    let surface = rpc::Surface::new().offer(ProfilesServer::new(reveals.clone())).offer(AccessLogServer::new(reveals));
    Neighbour::start("identity", surface).await
}

#[tonic::async_trait]
impl AccessLog for Reveals {
    async fn record_reveal(
        &self,
        request: Request<identity::RecordRevealRequest>,
    ) -> Result<Response<identity::RecordRevealResponse>, Status> {
        passed_along(&request)?;
        if self.away.load(Ordering::Relaxed) {
            return Err(Status::unavailable("away"));
        }
        self.recorded.lock().unwrap().push(request.into_inner());
        Ok(Response::new(identity::RecordRevealResponse {}))
    }

    async fn list_my_access(
        &self,
        _: Request<identity::ListMyAccessRequest>,
    ) -> Result<Response<identity::ListMyAccessResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn reveal(&self, _: Request<identity::RevealRequest>) -> Result<Response<identity::RevealResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn find_person(
        &self,
        _: Request<identity::FindPersonRequest>,
    ) -> Result<Response<identity::FindPersonResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

pub(crate) async fn certificates() -> Neighbour {
    Neighbour::start("certificates", rpc::Surface::new().offer(CertificatesServer::new(Known))).await
}

fn passed_along<T>(request: &Request<T>) -> Result<(), Status> {
    let behalf = request.metadata().get("x-dingzhu-on-behalf-of");
    if behalf.is_some() { Ok(()) } else { Err(Status::permission_denied("without the person's own rights")) }
}

#[tonic::async_trait]
impl Profiles for Reveals {
    async fn get_person_details(
        &self,
        request: Request<identity::GetPersonDetailsRequest>,
    ) -> Result<Response<identity::GetPersonDetailsResponse>, Status> {
        passed_along(&request)?;
        Ok(Response::new(identity::GetPersonDetailsResponse {
            person_id: request.get_ref().person_id.clone(),
            document_type: identity::DocumentType::ResidentId.into(),
            number: NUMBER.to_owned(),
            name: (if self.renamed.load(Ordering::Relaxed) { "测试改名" } else { "测试教师" }).to_owned(),
            sex: "1".to_owned(),
            birth_date: "1990-01-01".to_owned(),
            ethnicity: "01".to_owned(),
            phone: "10000000000".to_owned(),
            email: "teacher@school.example".to_owned(),
        }))
    }

    async fn get_profile(
        &self,
        _: Request<identity::GetProfileRequest>,
    ) -> Result<Response<identity::GetProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn complete_profile(
        &self,
        _: Request<identity::CompleteProfileRequest>,
    ) -> Result<Response<identity::CompleteProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn change_profile(
        &self,
        _: Request<identity::ChangeProfileRequest>,
    ) -> Result<Response<identity::ChangeProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn find_person_by_number(
        &self,
        _: Request<identity::FindPersonByNumberRequest>,
    ) -> Result<Response<identity::FindPersonByNumberResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_contact(
        &self,
        _: Request<identity::GetContactRequest>,
    ) -> Result<Response<identity::GetContactResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

#[tonic::async_trait]
impl Certificates for Known {
    async fn get_certificate_details(
        &self,
        request: Request<register::GetCertificateDetailsRequest>,
    ) -> Result<Response<register::GetCertificateDetailsResponse>, Status> {
        passed_along(&request)?;
        let certificate_id = request.get_ref().certificate_id.clone();
        let certificate = register::Certificate {
            certificate_id,
            subject: "物理".to_owned(),
            issuing_agency: "示范教育局".to_owned(),
            issue_date: "2015-07-01".to_owned(),
            ..Default::default()
        };
        Ok(Response::new(register::GetCertificateDetailsResponse {
            number: CERTIFICATE_NUMBER.to_owned(),
            certificate: Some(certificate),
        }))
    }

    async fn list_my_certificates(
        &self,
        _: Request<register::ListMyCertificatesRequest>,
    ) -> Result<Response<register::ListMyCertificatesResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn add_certificate(
        &self,
        _: Request<register::AddCertificateRequest>,
    ) -> Result<Response<register::AddCertificateResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn explain_missing(
        &self,
        _: Request<register::ExplainMissingRequest>,
    ) -> Result<Response<register::ExplainMissingResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_certificate(
        &self,
        _: Request<register::GetCertificateRequest>,
    ) -> Result<Response<register::GetCertificateResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}
