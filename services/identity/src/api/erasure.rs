//! `Erasure`: the request to be forgotten, its withdrawal, the receipt.

use access::Caller;
use proto::identity::v1::erasure_server;
use proto::identity::v1::{
    GetReceiptRequest, GetReceiptResponse, RequestErasureRequest, RequestErasureResponse, ServiceReceipt,
    WithdrawErasureRequest, WithdrawErasureResponse,
};
use proto::types::v1::ErasedKind;
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert;
use crate::handle::{Asked, Asking, Handle};
use crate::hashing::Password;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl erasure_server::Erasure for Erasure {
    async fn request_erasure(
        &self,
        request: Request<RequestErasureRequest>,
    ) -> Result<Response<RequestErasureResponse>, Status> {
        let (caller, fingerprint) = (Caller::of(&request), rpc::fingerprint(request.get_ref()));
        let person = caller.signed_in()?.id;
        let request = request.into_inner();
        let (id, password) = parse(&request.request_id, request.password)?;
        let (handle, asked) = (self.handle.clone(), Asked { actor: caller.actor(), id, fingerprint });
        let asking = Box::pin(async move { handle.request_erasure(&asked, person, password).await });
        Ok(Response::new(match rpc::run(&self.handle.lifecycle, asking).await? {
            Asking::Erased(erasure) => {
                RequestErasureResponse { erasure_id: erasure.to_string(), archive_end_date: String::new() }
            }
            Asking::Restricted(end) => RequestErasureResponse { erasure_id: String::new(), archive_end_date: end },
        }))
    }

    async fn withdraw_erasure(
        &self,
        request: Request<WithdrawErasureRequest>,
    ) -> Result<Response<WithdrawErasureResponse>, Status> {
        let (caller, fingerprint) = (Caller::of(&request), rpc::fingerprint(request.get_ref()));
        let person = caller.signed_in()?.id;
        let request = request.into_inner();
        let (id, password) = parse(&request.request_id, request.password)?;
        let (handle, asked) = (self.handle.clone(), Asked { actor: caller.actor(), id, fingerprint });
        let withdrawing = async move { handle.withdraw_erasure(&asked, person, password).await };
        rpc::run(&self.handle.lifecycle, withdrawing).await?;
        Ok(Response::new(WithdrawErasureResponse {}))
    }

    async fn get_receipt(&self, request: Request<GetReceiptRequest>) -> Result<Response<GetReceiptResponse>, Status> {
        let mut violations = Violations::new();
        let erasure = rpc::parse_uuid("erasure_id", &request.get_ref().erasure_id, &mut violations);
        let Some(erasure) = erasure else { return Err(violations.into()) };
        let receipt = self.handle.receipt(erasure).await?;
        let complete = receipt.services.iter().all(|(_, confirmed)| confirmed.is_some());
        let services = receipt.services.into_iter().map(|(service, confirmed)| {
            let (confirm_time, erased) =
                confirmed.map(|confirmed| (rpc::timestamp(confirmed.at), confirmed.erased)).unzip();
            let erased = erased.unwrap_or_default().into_iter();
            let erased = erased.map(|(kind, count)| ErasedKind { kind, count }).collect();
            ServiceReceipt { service: service.to_owned(), confirm_time, erased }
        });
        Ok(Response::new(GetReceiptResponse {
            services: services.collect(),
            complete,
            erase_time: Some(rpc::timestamp(receipt.erased_at)),
        }))
    }
}

fn parse(request_id: &str, password: String) -> Result<(Uuid, Password), Violations> {
    let mut violations = Violations::new();
    let id = rpc::parse_uuid("request_id", request_id, &mut violations);
    let password = convert::known_password("password", password, &mut violations);
    match (id, violations.is_empty()) {
        (Some(id), true) => Ok((id, password)),
        _ => Err(violations),
    }
}
