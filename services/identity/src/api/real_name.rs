//! `RealName`: has the caller's name checked.

use access::Caller;
use proto::identity::v1::real_name_server;
use proto::identity::v1::{VerifyRealNameRequest, VerifyRealNameResponse};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::convert;
use crate::handle::{Asked, Handle};

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
        let caller = Caller::of(&request);
        let person = caller.signed_in()?.id;
        let fingerprint = rpc::fingerprint(request.get_ref());
        let mut violations = Violations::new();
        let id = rpc::parse_uuid("request_id", &request.get_ref().request_id, &mut violations);
        let name = convert::name(&request.get_ref().name, &mut violations);
        let (Some(id), Some(name)) = (id, name) else { return Err(violations.into()) };
        let (handle, asked) = (self.handle.clone(), Asked { actor: caller.actor(), id, fingerprint });
        let checking = Box::pin(async move { handle.verify_real_name(&asked, person, &name).await });
        let passed = rpc::run(&self.handle.lifecycle, checking).await?;
        Ok(Response::new(VerifyRealNameResponse { passed }))
    }
}
