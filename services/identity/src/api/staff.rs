//! `Staff`: roles, granted and taken back by security administrators, listed for them and for auditors.

use access::Caller;
use eventbus::BusHandle;
use proto::identity::v1::staff_server;
use proto::identity::v1::{
    Grant, GrantRoleRequest, GrantRoleResponse, ListGrantsRequest, ListGrantsResponse, RevokeRoleRequest,
    RevokeRoleResponse, Role, Scope,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{asked, convert};
use crate::domain::account::Authority;
use crate::domain::role::Division;
use crate::error::Error;
use crate::handle::Handle;
use crate::views::grants::{self, Filter, Row};

/// The RPC service.
#[derive(Clone)]
pub struct Staff {
    /// The use cases.
    pub handle: Handle,
    /// Knows how far the view has come.
    pub bus: BusHandle,
}

#[tonic::async_trait]
impl staff_server::Staff for Staff {
    async fn grant_role(&self, request: Request<GrantRoleRequest>) -> Result<Response<GrantRoleResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let person = rpc::parse_uuid("person_id", &request.person_id, &mut violations);
        let role = convert::role_and_scope(request.role, request.scope, &mut violations);
        let (Some(asked), Some(person), Some((role, scope)), true) = (asked, person, role, violations.is_empty())
        else {
            return Err(violations.into());
        };
        let (handle, by) = (self.handle.clone(), authority(&caller, Role::SecurityAdmin, person));
        let granting = async move { handle.grant_role(&asked, person, role, scope, &by).await };
        let (grant, position) = rpc::run(&self.handle.lifecycle, granting).await?;
        Ok(Response::new(GrantRoleResponse { grant_id: grant.to_string(), position }))
    }

    async fn revoke_role(&self, request: Request<RevokeRoleRequest>) -> Result<Response<RevokeRoleResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let person = rpc::parse_uuid("person_id", &request.person_id, &mut violations);
        let grant = rpc::parse_uuid("grant_id", &request.grant_id, &mut violations);
        let (Some(asked), Some(person), Some(grant)) = (asked, person, grant) else { return Err(violations.into()) };
        let (handle, by) = (self.handle.clone(), authority(&caller, Role::SecurityAdmin, person));
        let revoking = async move { handle.revoke_role(&asked, person, grant, &by).await };
        let position = rpc::run(&self.handle.lifecycle, revoking).await?;
        Ok(Response::new(RevokeRoleResponse { position }))
    }

    async fn list_grants(&self, request: Request<ListGrantsRequest>) -> Result<Response<ListGrantsResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let province = request.province.as_str();
        let is_province = province.is_empty() || province.len() == 2 && province.bytes().all(|b| b.is_ascii_digit());
        violations.check("province", is_province, "MALFORMED", "省级行政区划代码应为前2位数字，如 32。");
        let before = rpc::parse_page_position("page_token", &request.page_token, &mut violations);
        let mut optional =
            |field, text: &str| (!text.is_empty()).then(|| rpc::parse_uuid(field, text, &mut violations)).flatten();
        let (person, unit) = (optional("person_id", &request.person_id), optional("unit_id", &request.unit_id));
        let role = Role::try_from(request.role);
        violations.check("role", role.is_ok(), "UNKNOWN_VALUE", "请选择角色。");
        let role = role.ok().filter(|role| *role != Role::Unspecified).map(i32::from);
        let filter = Filter { province: province.to_owned(), person, role, unit };
        violations.into_result()?;

        self.bus.wait_for(grants::NAME, request.min_position).await.map_err(|_| Error::ViewBehind)?;
        let covering: Vec<Division> = divisions(&caller, &[Role::SecurityAdmin, Role::Auditor]);
        let mut rows = self.handle.grants.list(&covering, &filter, before, size + 1).await.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| row.position.to_be_bytes());
        Ok(Response::new(ListGrantsResponse { grants: rows.into_iter().map(render).collect(), next_page_token }))
    }
}

/// Whoever calls, as far as this role reaches; that they hold it is the access table's business.
pub(super) fn authority(caller: &Caller, role: Role, concerned: Uuid) -> Authority {
    Authority::Administrator {
        is_self: caller.person.as_ref().is_some_and(|person| person.id == concerned),
        divisions: divisions(caller, &[role]),
    }
}

/// Where the caller holds one of these roles.
pub(super) fn divisions(caller: &Caller, roles: &[Role]) -> Vec<Division> {
    let scopes = roles.iter().flat_map(|role| caller.holds(*role));
    scopes.filter_map(|scope| Division::parse(scope.division.as_str())).collect()
}

fn render(row: Row) -> Grant {
    Grant {
        grant_id: row.grant_id.to_string(),
        person_id: row.person.to_string(),
        role: row.role,
        scope: Some(Scope { division: row.division, unit_id: convert::unit_id(row.unit) }),
        grant_time: Some(rpc::timestamp(row.granted_at)),
    }
}
