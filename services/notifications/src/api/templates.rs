//! `Templates`: the texts in force.

use proto::notifications::v1::templates_server;
use proto::notifications::v1::{ListTemplatesRequest, ListTemplatesResponse};
use tonic::{Request, Response, Status};

use super::convert;
use crate::templates::Catalogue;

/// The RPC service.
#[derive(Debug, Clone, Copy)]
pub struct Templates;

#[tonic::async_trait]
impl templates_server::Templates for Templates {
    async fn list_templates(
        &self,
        _: Request<ListTemplatesRequest>,
    ) -> Result<Response<ListTemplatesResponse>, Status> {
        let templates = Catalogue::shipped().list().map(convert::template).collect();
        Ok(Response::new(ListTemplatesResponse { templates }))
    }
}
