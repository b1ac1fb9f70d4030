//! `SecondFactor`: enrolled, confirmed and verified by staff, reset by a security administrator.

use access::Caller;
use proto::identity::v1::second_factor_server;
use proto::identity::v1::{
    ConfirmTotpRequest, ConfirmTotpResponse, EnrolTotpRequest, EnrolTotpResponse, ResetTotpRequest, ResetTotpResponse,
    Role, VerifyTotpRequest, VerifyTotpResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{asked, convert, staff};
use crate::handle::Handle;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl second_factor_server::SecondFactor for SecondFactor {
    async fn enrol_totp(&self, request: Request<EnrolTotpRequest>) -> Result<Response<EnrolTotpResponse>, Status> {
        let caller = Caller::of(&request);
        let (person, session) = caller.signed_in().map(|person| (person.id, person.session))?;
        let handle = self.handle.clone();
        let proposed =
            rpc::run(&self.handle.lifecycle, async move { handle.enrol_totp(person, session).await }).await?;
        Ok(Response::new(EnrolTotpResponse {
            otpauth_uri: proposed.secret.uri(&proposed.account),
            secret: proposed.secret.render(),
        }))
    }

    async fn confirm_totp(
        &self,
        request: Request<ConfirmTotpRequest>,
    ) -> Result<Response<ConfirmTotpResponse>, Status> {
        let caller = Caller::of(&request);
        let (person, session) = caller.signed_in().map(|person| (person.id, person.session))?;
        let code = parse_code(&request.get_ref().code)?;
        let handle = self.handle.clone();
        let confirming = async move { Box::pin(handle.confirm_totp(person, session, &code)).await };
        let tokens = rpc::run(&self.handle.lifecycle, confirming).await?;
        Ok(Response::new(ConfirmTotpResponse { tokens: Some(convert::tokens(tokens)) }))
    }

    async fn verify_totp(&self, request: Request<VerifyTotpRequest>) -> Result<Response<VerifyTotpResponse>, Status> {
        let caller = Caller::of(&request);
        let (person, session) = caller.signed_in().map(|person| (person.id, person.session))?;
        let code = parse_code(&request.get_ref().code)?;
        let handle = self.handle.clone();
        let verifying = async move { handle.verify_totp(person, session, &code).await };
        let tokens = rpc::run(&self.handle.lifecycle, verifying).await?;
        Ok(Response::new(VerifyTotpResponse { tokens: Some(convert::tokens(tokens)) }))
    }

    async fn reset_totp(&self, request: Request<ResetTotpRequest>) -> Result<Response<ResetTotpResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let person = rpc::parse_uuid("person_id", &request.person_id, &mut violations);
        let (Some(asked), Some(person)) = (asked, person) else { return Err(violations.into()) };
        let (handle, by) = (self.handle.clone(), staff::authority(&caller, Role::SecurityAdmin, person));
        let resetting = async move { Box::pin(handle.reset_totp(&asked, person, &by)).await };
        let position = rpc::run(&self.handle.lifecycle, resetting).await?;
        Ok(Response::new(ResetTotpResponse { position }))
    }
}

fn parse_code(text: &str) -> Result<String, Violations> {
    let mut violations = Violations::new();
    let code = convert::totp(text, &mut violations);
    violations.into_result().map(|()| code)
}
