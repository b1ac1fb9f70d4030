//! `Credentials`: password, phone and mail address, changed by their person.

use access::Caller;
use proto::identity::v1::credentials_server;
use proto::identity::v1::{
    ChangeEmailRequest, ChangeEmailResponse, ChangePasswordRequest, ChangePasswordResponse, ChangePhoneRequest,
    ChangePhoneResponse, SendEmailCodeRequest, SendEmailCodeResponse, SendNewPhoneCodeRequest,
    SendNewPhoneCodeResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{asked, convert, origin};
use crate::domain::limit::Deed;
use crate::handle::{Handle, NewContact};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl credentials_server::Credentials for Credentials {
    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        let own = Caller::of(&request).signed_in().map(|person| (person.id, person.session))?;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let password = convert::known_password("password", request.password, &mut violations);
        let new = convert::new_password("new_password", request.new_password, &mut violations);
        let (Some(asked), true) = (asked, violations.is_empty()) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let changing = Box::pin(async move { handle.change_password(&asked, own, password, new).await });
        rpc::run(&self.handle.lifecycle, changing).await?;
        Ok(Response::new(ChangePasswordResponse {}))
    }

    async fn send_new_phone_code(
        &self,
        request: Request<SendNewPhoneCodeRequest>,
    ) -> Result<Response<SendNewPhoneCodeResponse>, Status> {
        let (person, origin) = (Caller::of(&request).signed_in()?.id, origin::of(&request, &self.handle));
        let mut violations = Violations::new();
        let phone = convert::phone(&request.get_ref().phone, &mut violations);
        let Some(phone) = phone else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_new_phone_code(person, &phone).await
        };
        let begun = rpc::run(&self.handle.lifecycle, sending).await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendNewPhoneCodeResponse { challenge_id, expire_time, resend_time }))
    }

    async fn change_phone(
        &self,
        request: Request<ChangePhoneRequest>,
    ) -> Result<Response<ChangePhoneResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let password = convert::known_password("password", request.password, &mut violations);
        let phone = convert::phone(&request.phone, &mut violations);
        let challenge = rpc::parse_uuid("challenge_id", &request.challenge_id, &mut violations);
        let code = convert::code("code", &request.code, &mut violations);
        let (Some(asked), Some(address), Some(challenge), true) = (asked, phone, challenge, violations.is_empty())
        else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let new = NewContact { address, challenge, code };
        let changing = Box::pin(async move { handle.change_phone(&asked, person, password, &new).await });
        rpc::run(&self.handle.lifecycle, changing).await?;
        Ok(Response::new(ChangePhoneResponse {}))
    }

    async fn send_email_code(
        &self,
        request: Request<SendEmailCodeRequest>,
    ) -> Result<Response<SendEmailCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let email = convert::email(&request.get_ref().email, &mut violations);
        let Some(email) = email else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_email_code(&email).await
        };
        let begun = rpc::run(&self.handle.lifecycle, sending).await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendEmailCodeResponse { challenge_id, expire_time, resend_time }))
    }

    async fn change_email(
        &self,
        request: Request<ChangeEmailRequest>,
    ) -> Result<Response<ChangeEmailResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let password = convert::known_password("password", request.password, &mut violations);
        let email = convert::email(&request.email, &mut violations);
        let challenge = rpc::parse_uuid("challenge_id", &request.challenge_id, &mut violations);
        let code = convert::code("code", &request.code, &mut violations);
        let (Some(asked), Some(address), Some(challenge), true) = (asked, email, challenge, violations.is_empty())
        else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let new = NewContact { address, challenge, code };
        let changing = Box::pin(async move { handle.change_email(&asked, person, password, &new).await });
        rpc::run(&self.handle.lifecycle, changing).await?;
        Ok(Response::new(ChangeEmailResponse {}))
    }
}
