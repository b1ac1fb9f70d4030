//! `Restrictions`: officers of the issuing province restrict a certificate and lift it.

use access::Caller;
use lifecycle::Lifecycle;
use proto::certificates::v1 as wire;
use proto::certificates::v1::restrictions_server::Restrictions;
use proto::identity::v1::Role;
use rpc::{Violations, parse_date, parse_uuid};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{asked, published};
use crate::domain::certificate::Command;
use crate::error::Error;
use crate::handle::{Asked, Handle};
use crate::store::events::read_restriction;

/// Characters of the longest reference.
pub(super) const LONGEST_REFERENCE: usize = 100;

/// Serves `Restrictions`.
pub struct RestrictionsApi {
    /// Use cases.
    pub handle: Handle,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Restrictions for RestrictionsApi {
    async fn restrict_certificate(
        &self,
        request: Request<wire::RestrictCertificateRequest>,
    ) -> Result<Response<wire::RestrictCertificateResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let id = parse_uuid("certificate_id", &body.certificate_id, &mut violations);
        let kind = read_restriction(body.kind);
        violations.check("kind", kind.is_some(), "UNKNOWN_KIND", "请选择限制种类。");
        let end = if body.end_date.is_empty() { None } else { parse_date("end_date", &body.end_date, &mut violations) };
        let file_reference = published("file_reference", &body.file_reference, LONGEST_REFERENCE, &mut violations);
        let (Some(asked), Some(id), Some(kind), true) = (asked, id, kind, violations.is_empty()) else {
            return Err(violations.into());
        };
        let command = Command::Restrict { kind, end, file_reference };
        let position = self.change(&Caller::of(&request), asked, id, command).await?;
        Ok(Response::new(wire::RestrictCertificateResponse { position }))
    }

    async fn lift_restriction(
        &self,
        request: Request<wire::LiftRestrictionRequest>,
    ) -> Result<Response<wire::LiftRestrictionResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let id = parse_uuid("certificate_id", &body.certificate_id, &mut violations);
        let file_reference = published("file_reference", &body.file_reference, LONGEST_REFERENCE, &mut violations);
        let (Some(asked), Some(id), true) = (asked, id, violations.is_empty()) else { return Err(violations.into()) };
        let position = self.change(&Caller::of(&request), asked, id, Command::Lift { file_reference }).await?;
        Ok(Response::new(wire::LiftRestrictionResponse { position }))
    }
}

impl RestrictionsApi {
    async fn change(&self, caller: &Caller, asked: Asked, id: Uuid, command: Command) -> Result<i64, Error> {
        let loaded = self.handle.load(id).await?;
        if !loaded.is_of_province(|province| caller.holds_for_division(Role::RegisterOfficer, province)) {
            return Err(Error::NotFound);
        }
        let handle = self.handle.clone();
        let changed = rpc::run(&self.lifecycle, async move { handle.change(&asked, id, command, Vec::new()).await });
        Ok(changed.await?.position)
    }
}
