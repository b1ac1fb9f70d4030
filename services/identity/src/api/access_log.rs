//! `AccessLog`: one's own records, the looks of the helpdesk, and reveals that another service is about to make.

use access::Caller;
use proto::identity::v1::access_log_server;
use proto::identity::v1::{
    Access as ApiAccess, FindPersonRequest, FindPersonResponse, ListMyAccessRequest, ListMyAccessResponse, PersonField,
    RecordRevealRequest, RecordRevealResponse, RevealRequest, RevealResponse, Role as ApiRole,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{convert, staff};
use crate::domain::access::{Access, Field};
use crate::handle::{Handle, Looking};
use crate::store::access_records::{field, field_code};
use crate::store::account_event;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl access_log_server::AccessLog for AccessLog {
    async fn list_my_access(
        &self,
        request: Request<ListMyAccessRequest>,
    ) -> Result<Response<ListMyAccessResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let before = rpc::parse_page_position("page_token", &request.page_token, &mut violations);
        violations.into_result()?;
        let mut accesses = self.handle.accesses(person, before, size + 1).await?;
        let next_page_token = rpc::cut_page(&mut accesses, size, |(place, _)| place.to_be_bytes());
        Ok(Response::new(ListMyAccessResponse {
            accesses: accesses.into_iter().map(|(_, access)| render(access)).collect(),
            next_page_token,
        }))
    }

    async fn reveal(&self, request: Request<RevealRequest>) -> Result<Response<RevealResponse>, Status> {
        let caller = Caller::of(&request);
        let viewer = caller.signed_in()?.id;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let parsed = parse(&request.person_id, &request.fields, &request.purpose, false, &mut violations);
        let Some((person, fields)) = parsed else { return Err(violations.into()) };
        let provinces = staff::divisions(&caller, &[ApiRole::Helpdesk]);
        let handle = self.handle.clone();
        let revealing = async move { handle.reveal(viewer, &provinces, person, &fields, &request.purpose).await };
        let known = rpc::run(&self.handle.lifecycle, revealing).await?;
        Ok(Response::new(RevealResponse {
            number: known.number,
            name: known.name,
            phone: known.phone,
            email: known.email,
            sex: known.sex,
            birth_date: known.birth_date,
            ethnicity: known.ethnicity,
        }))
    }

    async fn find_person(&self, request: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        let caller = Caller::of(&request);
        let viewer = caller.signed_in()?.id;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let types = &self.handle.document_types;
        let document = convert::document(types, request.document_type, &request.number, &mut violations);
        convert::purpose(&request.purpose, &mut violations);
        let (Some(document), true) = (document, violations.is_empty()) else { return Err(violations.into()) };
        let provinces = staff::divisions(&caller, &[ApiRole::Helpdesk]);
        let handle = self.handle.clone();
        let finding = async move { handle.find_person(viewer, &provinces, &document, &request.purpose).await };
        let found = rpc::run(&self.handle.lifecycle, finding).await?;
        Ok(Response::new(FindPersonResponse {
            person_id: found.person.to_string(),
            masked_number: vault::mask::number(&found.personal.number),
            masked_name: vault::mask::name(&found.personal.name),
            masked_phone: vault::mask::phone(&found.personal.phone),
        }))
    }

    async fn record_reveal(
        &self,
        request: Request<RecordRevealRequest>,
    ) -> Result<Response<RecordRevealResponse>, Status> {
        let looking = looking(&Caller::of(&request));
        let request = request.into_inner();
        let mut violations = Violations::new();
        let grant = rpc::parse_uuid("grant_id", &request.grant_id, &mut violations);
        let parsed = parse(&request.person_id, &request.fields, &request.purpose, true, &mut violations);
        let (Some(grant), Some((person, fields))) = (grant, parsed) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let recording = async move { handle.record_reveal(looking, grant, person, fields, &request.purpose).await };
        rpc::run(&self.handle.lifecycle, recording).await?;
        Ok(Response::new(RecordRevealResponse {}))
    }
}

/// Who stands behind a call of another service.
pub(super) fn looking(caller: &Caller) -> Looking {
    Looking {
        service: caller.service.clone().unwrap_or_else(|| "identity".to_owned()),
        viewer: caller.person.as_ref().map(|person| person.id),
        role: None,
    }
}

fn parse(
    person_id: &str,
    fields: &[i32],
    purpose: &str,
    form: bool,
    violations: &mut Violations,
) -> Option<(Uuid, Vec<Field>)> {
    let person = rpc::parse_uuid("person_id", person_id, violations);
    let known: Vec<Field> = fields.iter().filter_map(|number| field(PersonField::try_from(*number).ok()?)).collect();
    let allowed = known.len() == fields.len() && !known.contains(&Field::Evidence);
    let allowed = allowed && (form || !known.contains(&Field::Form));
    violations.check("fields", !fields.is_empty(), "REQUIRED", "请至少选择一项要查看的信息。");
    violations.check("fields", allowed, "UNKNOWN_VALUE", "所选信息项无法识别。");
    convert::purpose(purpose, violations);
    person.filter(|_| violations.is_empty()).map(|person| (person, known))
}

fn render(access: Access) -> ApiAccess {
    let (role, division) =
        access.role.map(|(role, division)| (account_event::role_code(role), division.as_str().to_owned())).unzip();
    ApiAccess {
        time: Some(rpc::timestamp(access.at)),
        service: access.service,
        role: role.unwrap_or_default().into(),
        division: division.unwrap_or_default(),
        purpose: access.purpose,
        fields: access.fields.into_iter().map(|field| field_code(field).into()).collect(),
        for_myself: access.viewer == Some(access.person),
    }
}
