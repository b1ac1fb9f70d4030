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

use super::{asked, convert};
use crate::handle::{Asking, Handle};

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
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let password = convert::known_password("password", request.into_inner().password, &mut violations);
        let (Some(asked), true) = (asked, violations.is_empty()) else { return Err(violations.into()) };
        let handle = self.handle.clone();
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
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let password = convert::known_password("password", request.into_inner().password, &mut violations);
        let (Some(asked), true) = (asked, violations.is_empty()) else { return Err(violations.into()) };
        let handle = self.handle.clone();
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
