//! `RealName`: has the caller's name checked.

use access::Caller;
use proto::identity::v1::real_name_server;
use proto::identity::v1::{VerifyRealNameRequest, VerifyRealNameResponse};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{asked, convert};
use crate::handle::Handle;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct RealName {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl real_name_server::RealName for RealName {
    async fn verify_real_name(
        &self,
        request: Request<VerifyRealNameRequest>,
    ) -> Result<Response<VerifyRealNameResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let name = convert::name(&request.get_ref().name, &mut violations);
        let (Some(asked), Some(name)) = (asked, name) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let checking = Box::pin(async move { handle.verify_real_name(&asked, person, &name).await });
        let passed = rpc::run(&self.handle.lifecycle, checking).await?;
        Ok(Response::new(VerifyRealNameResponse { passed }))
    }
}
