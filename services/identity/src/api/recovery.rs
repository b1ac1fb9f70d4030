//! `Recovery`: a new password for whoever has forgotten the old one.

use proto::identity::v1::recovery_server;
use proto::identity::v1::{
    ResetPasswordByCodeRequest, ResetPasswordByCodeResponse, ResetPasswordByLinkRequest, ResetPasswordByLinkResponse,
    SendRecoveryCodeRequest, SendRecoveryCodeResponse, SendRecoveryLinkRequest, SendRecoveryLinkResponse,
    StartRecoveryRequest, StartRecoveryResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{asked, convert, origin};
use crate::domain::limit::Deed;
use crate::error::Error;
use crate::handle::{Handle, LinkToken};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl recovery_server::Recovery for Recovery {
    async fn start_recovery(
        &self,
        request: Request<StartRecoveryRequest>,
    ) -> Result<Response<StartRecoveryResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let request = request.into_inner();
        let mut violations = Violations::new();
        let document =
            convert::document(&self.handle.document_types, request.document_type, &request.number, &mut violations);
        let name = convert::name(&request.name, &mut violations);
        let (Some(document), Some(name)) = (document, name) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let starting = Box::pin(async move {
            handle.limit_origin(Deed::Recover, origin).await?;
            handle.start_recovery(&document, &name).await
        });
        let begun = rpc::run(&self.handle.lifecycle, starting).await?;
        Ok(Response::new(StartRecoveryResponse {
            recovery_id: begun.id.to_string(),
            masked_phone: begun.shown.phone,
            masked_email: begun.shown.email,
            expire_time: Some(rpc::timestamp(begun.expires_at)),
        }))
    }

    async fn send_recovery_code(
        &self,
        request: Request<SendRecoveryCodeRequest>,
    ) -> Result<Response<SendRecoveryCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let recovery = parse_recovery(&request.get_ref().recovery_id)?;
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_recovery_code(recovery).await
        };
        let begun = rpc::run(&self.handle.lifecycle, sending).await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendRecoveryCodeResponse { challenge_id, expire_time, resend_time }))
    }

    async fn send_recovery_link(
        &self,
        request: Request<SendRecoveryLinkRequest>,
    ) -> Result<Response<SendRecoveryLinkResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let recovery = parse_recovery(&request.get_ref().recovery_id)?;
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_recovery_link(recovery).await
        };
        let made = rpc::run(&self.handle.lifecycle, sending).await?;
        Ok(Response::new(SendRecoveryLinkResponse {
            expire_time: Some(rpc::timestamp(made.expires_at)),
            resend_time: Some(rpc::timestamp(made.resend_at)),
        }))
    }

    async fn reset_password_by_code(
        &self,
        request: Request<ResetPasswordByCodeRequest>,
    ) -> Result<Response<ResetPasswordByCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let challenge = rpc::parse_uuid("challenge_id", &request.challenge_id, &mut violations);
        let code = convert::code("code", &request.code, &mut violations);
        let password = convert::new_password("new_password", request.new_password, &mut violations);
        let (Some(asked), Some(challenge), true) = (asked, challenge, violations.is_empty()) else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let resetting = Box::pin(async move {
            handle.limit_origin(Deed::Recover, origin).await?;
            handle.reset_by_code(&asked, challenge, &code, password).await
        });
        rpc::run(&self.handle.lifecycle, resetting).await?;
        Ok(Response::new(ResetPasswordByCodeResponse {}))
    }

    async fn reset_password_by_link(
        &self,
        request: Request<ResetPasswordByLinkRequest>,
    ) -> Result<Response<ResetPasswordByLinkResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let password = convert::new_password("new_password", request.new_password, &mut violations);
        let (Some(asked), true) = (asked, violations.is_empty()) else { return Err(violations.into()) };
        let token = LinkToken::parse(&request.token).ok_or(Error::LinkExpired)?;
        let handle = self.handle.clone();
        let resetting = Box::pin(async move {
            handle.limit_origin(Deed::Recover, origin).await?;
            handle.reset_by_link(&asked, &token, password).await
        });
        rpc::run(&self.handle.lifecycle, resetting).await?;
        Ok(Response::new(ResetPasswordByLinkResponse {}))
    }
}

fn parse_recovery(text: &str) -> Result<Uuid, Violations> {
    let mut violations = Violations::new();
    rpc::parse_uuid("recovery_id", text, &mut violations).ok_or(violations)
}
