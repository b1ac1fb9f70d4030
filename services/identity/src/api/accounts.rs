//! `Accounts`: phone codes and new accounts.

use proto::identity::v1::accounts_server;
use proto::identity::v1::{
    RegisterAccountRequest, RegisterAccountResponse, SendPhoneCodeRequest, SendPhoneCodeResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{asked, convert, origin};
use crate::domain::document_table::DocumentTypes;
use crate::domain::limit::Deed;
use crate::handle::{Asked, Handle, NewContact, Registration};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl accounts_server::Accounts for Accounts {
    async fn send_phone_code(
        &self,
        request: Request<SendPhoneCodeRequest>,
    ) -> Result<Response<SendPhoneCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let phone = convert::phone(&request.get_ref().phone, &mut violations);
        let Some(phone) = phone else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let begun = rpc::run(&self.handle.lifecycle, async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_phone_code(&phone).await
        })
        .await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendPhoneCodeResponse { challenge_id, expire_time, resend_time }))
    }

    async fn register_account(
        &self,
        request: Request<RegisterAccountRequest>,
    ) -> Result<Response<RegisterAccountResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let (asked, registration) = parse(&request, &self.handle.document_types)?;
        let masked_number = vault::mask::number(registration.document.number());
        let handle = self.handle.clone();
        rpc::run(&self.handle.lifecycle, async move {
            handle.limit_origin(Deed::Register, origin).await?;
            handle.register(&asked, &registration).await
        })
        .await?;
        Ok(Response::new(RegisterAccountResponse { masked_number }))
    }
}

fn parse(
    request: &Request<RegisterAccountRequest>,
    types: &DocumentTypes,
) -> Result<(Asked, Registration), Violations> {
    let mut violations = Violations::new();
    let asked = asked(request, &request.get_ref().request_id, &mut violations);
    let request = request.get_ref();
    let document = convert::document(types, request.document_type, &request.number, &mut violations);
    let name = convert::name(&request.name, &mut violations);
    let phone = convert::phone(&request.phone, &mut violations);
    let phone_challenge = rpc::parse_uuid("phone_challenge_id", &request.phone_challenge_id, &mut violations);
    let phone_code = convert::code("phone_code", &request.phone_code, &mut violations);
    let password = convert::new_password("password", request.password.clone(), &mut violations);
    let email = convert::email(&request.email, &mut violations);
    let email_challenge = rpc::parse_uuid("email_challenge_id", &request.email_challenge_id, &mut violations);
    let email_code = convert::code("email_code", &request.email_code, &mut violations);
    let contact = |address: Option<String>, challenge: Option<Uuid>, code| {
        Some(NewContact { address: address?, challenge: challenge?, code })
    };
    let phone = contact(phone, phone_challenge, phone_code);
    let email = contact(email, email_challenge, email_code);
    match (asked, document, name, phone, email, violations.is_empty()) {
        (Some(asked), Some(document), Some(name), Some(phone), Some(email), true) => {
            Ok((asked, Registration { document, name, phone, email, password }))
        }
        _ => Err(violations),
    }
}
