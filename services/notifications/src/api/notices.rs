//! `Notices`: the caller's own messages, and the deliveries for operators.

use access::Caller;
use lifecycle::Lifecycle;
use proto::notifications::v1::notices_server;
use proto::notifications::v1::{
    ListDeliveriesRequest, ListDeliveriesResponse, ListNoticesRequest, ListNoticesResponse, MarkNoticeReadRequest,
    MarkNoticeReadResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::convert;
use crate::error::Error;
use crate::handle::Handle;
use crate::store::{DeliveryState, Place};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Notices {
    /// The use cases.
    pub handle: Handle,
    /// Runs what must not end with its caller.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl notices_server::Notices for Notices {
    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let before = rpc::parse_page_position("page_token", &request.page_token, &mut violations);
        violations.into_result()?;

        let inbox = &self.handle.inbox;
        let mut entries = inbox.list(person, request.unread_only, before, size + 1).await.map_err(Error::from)?;
        let unread = inbox.unread(person).await.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut entries, size, |entry| entry.position.to_be_bytes());
        Ok(Response::new(ListNoticesResponse {
            notices: entries.into_iter().map(convert::notice).collect::<Result<_, _>>()?,
            next_page_token,
            unread: i32::try_from(unread).unwrap_or(i32::MAX),
        }))
    }

    async fn mark_notice_read(
        &self,
        request: Request<MarkNoticeReadRequest>,
    ) -> Result<Response<MarkNoticeReadResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let notice = rpc::parse_uuid("notice_id", &request.get_ref().notice_id, &mut violations);
        violations.into_result()?;
        let notice = notice.expect("a field without violations was parsed");
        let handle = self.handle.clone();
        rpc::run(&self.lifecycle, async move { handle.mark_read(person, notice).await }).await?;
        Ok(Response::new(MarkNoticeReadResponse {}))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let request = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let behind = rpc::parse_page_place("page_token", &request.page_token, &mut violations, Place::from_bytes);
        let state = DeliveryState::parse(request.state);
        violations.check("state", request.state == 0 || state.is_some(), "UNKNOWN_VALUE", "投递状态不在可选范围内。");
        violations.into_result()?;

        let page = self.handle.store.list_deliveries(state, behind, size).await.map_err(Error::from)?;
        Ok(Response::new(ListDeliveriesResponse {
            deliveries: page.deliveries.into_iter().map(convert::delivery).collect(),
            next_page_token: page.next.map(|place| rpc::page_token(&place.to_bytes())).unwrap_or_default(),
        }))
    }
}
