//! `DocumentTypes`: the table of document types, for clients that draw forms.

use proto::identity::v1::document_types_server;
use proto::identity::v1::{
    DocumentTypeRules, ListDocumentTypesRequest, ListDocumentTypesResponse, NumberCheck, ProfileField,
};
use tonic::{Request, Response, Status};

use super::convert;
use crate::domain::document_table::{Check, Requirement, TypeRules};
use crate::domain::personal::render_date;
use crate::handle::{Handle, today};
use crate::store::account_event;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct DocumentTypes {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl document_types_server::DocumentTypes for DocumentTypes {
    async fn list_document_types(
        &self,
        _: Request<ListDocumentTypesRequest>,
    ) -> Result<Response<ListDocumentTypesResponse>, Status> {
        let table = self.handle.document_types.on(today());
        Ok(Response::new(ListDocumentTypesResponse {
            version: table.version().cast_signed(),
            holds_from: render_date(table.holds_from()),
            types: table.all().iter().map(rules).collect(),
        }))
    }
}

fn rules(rules: &TypeRules) -> DocumentTypeRules {
    let check = match rules.check {
        Check::Gb11643 => NumberCheck::Gb11643,
        Check::Shape => NumberCheck::Shape,
    };
    let field = |(field, requirement): &(_, Requirement)| ProfileField {
        field: convert::profile_field(*field).to_owned(),
        required: *requirement == Requirement::Required,
    };
    DocumentTypeRules {
        document_type: account_event::document_type(rules.kind).into(),
        name: rules.name.clone(),
        pattern: rules.pattern.as_str().to_owned(),
        hint: rules.hint.clone(),
        check: check.into(),
        fields: rules.fields.iter().map(field).collect(),
    }
}
