//! `Sessions`: signing in, in two steps, and what follows.

use access::Caller;
use proto::identity::v1::sessions_server;
use proto::identity::v1::{
    CompleteSignInRequest, CompleteSignInResponse, EndSessionRequest, EndSessionResponse, RefreshSessionRequest,
    RefreshSessionResponse, StartSignInRequest, StartSignInResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{convert, origin};
use crate::error::Error;
use crate::handle::{Handle, RefreshToken};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl sessions_server::Sessions for Sessions {
    async fn start_sign_in(
        &self,
        request: Request<StartSignInRequest>,
    ) -> Result<Response<StartSignInResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let request = request.into_inner();
        let mut violations = Violations::new();
        let document =
            convert::document(&self.handle.document_types, request.document_type, &request.number, &mut violations);
        let password = convert::known_password("password", request.password, &mut violations);
        let entry = convert::entry(request.entry, &mut violations);
        let (Some(document), Some(entry), true) = (document, entry, violations.is_empty()) else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let starting = Box::pin(async move { handle.start_sign_in(&document, password, entry, origin).await });
        let started = rpc::run(&self.handle.lifecycle, starting).await?;
        Ok(Response::new(StartSignInResponse {
            attempt_id: started.code.id.to_string(),
            masked_phone: vault::mask::phone(&started.phone),
            expire_time: Some(rpc::timestamp(started.code.expires_at)),
        }))
    }

    async fn complete_sign_in(
        &self,
        request: Request<CompleteSignInRequest>,
    ) -> Result<Response<CompleteSignInResponse>, Status> {
        let request = request.into_inner();
        let mut violations = Violations::new();
        let attempt = rpc::parse_uuid("attempt_id", &request.attempt_id, &mut violations);
        let code = convert::code("code", &request.code, &mut violations);
        let (Some(attempt), true) = (attempt, violations.is_empty()) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let signed_in =
            rpc::run(&self.handle.lifecycle, async move { handle.complete_sign_in(attempt, &code).await }).await?;
        let subject = convert::subject(&signed_in.tokens);
        let answer = CompleteSignInResponse {
            tokens: Some(convert::tokens(signed_in.tokens)),
            profile_complete: signed_in.profile_complete,
            second_factor: convert::next_step(signed_in.next_step).into(),
        };
        Ok(convert::signed_in(answer, subject))
    }

    async fn refresh_session(
        &self,
        request: Request<RefreshSessionRequest>,
    ) -> Result<Response<RefreshSessionResponse>, Status> {
        let token = RefreshToken::parse(&request.get_ref().refresh_token).ok_or(Error::SessionEnded)?;
        let handle = self.handle.clone();
        let tokens = rpc::run(&self.handle.lifecycle, async move { handle.refresh_session(&token).await }).await?;
        Ok(Response::new(RefreshSessionResponse { tokens: Some(convert::tokens(tokens)) }))
    }

    async fn end_session(&self, request: Request<EndSessionRequest>) -> Result<Response<EndSessionResponse>, Status> {
        let session = Caller::of(&request).signed_in()?.session;
        let handle = self.handle.clone();
        rpc::run(&self.handle.lifecycle, async move { handle.end_session(session).await }).await?;
        Ok(Response::new(EndSessionResponse {}))
    }
}
