//! `Keys`: the published signing keys.

use lifecycle::clock;
use proto::identity::v1::keys_server;
use proto::identity::v1::{ListSigningKeysRequest, ListSigningKeysResponse};
use tonic::{Request, Response, Status};

use crate::tokens::Tokens;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The keys.
    pub tokens: Tokens,
}

#[tonic::async_trait]
impl keys_server::Keys for Keys {
    async fn list_signing_keys(
        &self,
        _: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        Ok(Response::new(ListSigningKeysResponse { keys: self.tokens.published(clock::now()) }))
    }
}
