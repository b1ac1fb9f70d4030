//! `WechatBindings`: a WeChat of one's own, and codes to it for whoever has forgotten the password.

use access::Caller;
use proto::identity::v1::wechat_bindings_server;
use proto::identity::v1::{
    BeginWechatBindingRequest, BeginWechatBindingResponse, CompleteWechatBindingRequest, CompleteWechatBindingResponse,
    GetWechatBindingRequest, GetWechatBindingResponse, SendRecoveryWechatCodeRequest, SendRecoveryWechatCodeResponse,
    UnbindWechatRequest, UnbindWechatResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{asked, convert, origin};
use crate::domain::limit::Deed;
use crate::handle::Handle;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct WechatBindings {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl wechat_bindings_server::WechatBindings for WechatBindings {
    async fn begin_wechat_binding(
        &self,
        request: Request<BeginWechatBindingRequest>,
    ) -> Result<Response<BeginWechatBindingResponse>, Status> {
        let (person, origin) = (Caller::of(&request).signed_in()?.id, origin::of(&request, &self.handle));
        let mut violations = Violations::new();
        let password = convert::known_password("password", request.into_inner().password, &mut violations);
        violations.into_result()?;
        let handle = self.handle.clone();
        let beginning = Box::pin(async move {
            handle.limit_origin(Deed::BindWechat, origin).await?;
            handle.begin_wechat_binding(person, password).await
        });
        let ticket = rpc::run(&self.handle.lifecycle, beginning).await?;
        Ok(Response::new(BeginWechatBindingResponse {
            ticket_id: ticket.id.to_string(),
            qr_text: ticket.qr_text,
            expire_time: Some(rpc::timestamp(ticket.expires_at)),
        }))
    }

    async fn complete_wechat_binding(
        &self,
        request: Request<CompleteWechatBindingRequest>,
    ) -> Result<Response<CompleteWechatBindingResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let ticket = rpc::parse_uuid("ticket_id", &request.get_ref().ticket_id, &mut violations);
        let (Some(asked), Some(ticket)) = (asked, ticket) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let completing = Box::pin(async move { handle.complete_wechat_binding(&asked, person, ticket).await });
        rpc::run(&self.handle.lifecycle, completing).await?;
        Ok(Response::new(CompleteWechatBindingResponse {}))
    }

    async fn get_wechat_binding(
        &self,
        request: Request<GetWechatBindingRequest>,
    ) -> Result<Response<GetWechatBindingResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let bound_at = self.handle.wechat_bound_at(person).await?;
        let bind_time = bound_at.map(rpc::timestamp);
        Ok(Response::new(GetWechatBindingResponse { bound: bind_time.is_some(), bind_time }))
    }

    async fn unbind_wechat(
        &self,
        request: Request<UnbindWechatRequest>,
    ) -> Result<Response<UnbindWechatResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let password = convert::known_password("password", request.password, &mut violations);
        let (Some(asked), true) = (asked, violations.is_empty()) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let unbinding = Box::pin(async move { handle.unbind_wechat(&asked, person, password).await });
        rpc::run(&self.handle.lifecycle, unbinding).await?;
        Ok(Response::new(UnbindWechatResponse {}))
    }

    async fn send_recovery_wechat_code(
        &self,
        request: Request<SendRecoveryWechatCodeRequest>,
    ) -> Result<Response<SendRecoveryWechatCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let recovery = rpc::parse_uuid("recovery_id", &request.get_ref().recovery_id, &mut violations);
        let Some(recovery) = recovery else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_recovery_wechat_code(recovery).await
        };
        let begun = rpc::run(&self.handle.lifecycle, sending).await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendRecoveryWechatCodeResponse { challenge_id, expire_time, resend_time }))
    }
}
