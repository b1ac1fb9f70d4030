//! `Export`: the messages of the caller, as JSON.

use access::Caller;
use proto::notifications::v1::export_server;
use proto::notifications::v1::{ExportMyDataRequest, ExportMyDataResponse};
use serde_json::json;
use tonic::{Request, Response, Status};

use super::convert;
use crate::error::Error;
use crate::handle::Handle;

/// Messages in an export at most.
const MOST: usize = 1_000;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Export {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl export_server::Export for Export {
    async fn export_my_data(
        &self,
        request: Request<ExportMyDataRequest>,
    ) -> Result<Response<ExportMyDataResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let entries = self.handle.inbox.list(person, false, None, MOST).await.map_err(Error::from)?;
        let mut messages = Vec::with_capacity(entries.len());
        for entry in entries {
            let notice = convert::notice(entry)?;
            messages.push(json!({
                "notice_id": notice.notice_id,
                "time": notice.create_time.map(|time| time.to_string()),
                "enrolment_number": notice.enrolment_number,
                "title": notice.title,
                "body": notice.body,
                "read": notice.read,
            }));
        }
        Ok(Response::new(ExportMyDataResponse { json: json!({ "messages": messages }).to_string() }))
    }
}
