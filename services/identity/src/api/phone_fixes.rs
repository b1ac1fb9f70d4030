//! `PhoneFixes`: asked for by anyone, listed and settled by the helpdesk.

use access::Caller;
use eventbus::BusHandle;
use proto::identity::v1 as api;
use proto::identity::v1::phone_fixes_server;
use proto::identity::v1::{
    ListPhoneFixesRequest, ListPhoneFixesResponse, PhoneFix, RequestPhoneFixRequest, RequestPhoneFixResponse, Role,
    SendPhoneFixCodeRequest, SendPhoneFixCodeResponse, SettlePhoneFixRequest, SettlePhoneFixResponse,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use vault::mask;

use super::{asked, convert, origin, staff};
use crate::domain::account::FixOutcome;
use crate::domain::document_table::DocumentTypes;
use crate::domain::limit::Deed;
use crate::domain::role::Division;
use crate::error::Error;
use crate::handle::{Asked, Handle, OpenFix, PhoneFixAsked};
use crate::store::phone_fix::Claimed;
use crate::views::phone_fixes;

/// Shortest and longest evidence, in characters.
const EVIDENCE: std::ops::RangeInclusive<usize> = 10..=1000;

/// The RPC service.
#[derive(Clone)]
pub struct PhoneFixes {
    /// The use cases.
    pub handle: Handle,
    /// Knows how far the view has come.
    pub bus: BusHandle,
}

#[tonic::async_trait]
impl phone_fixes_server::PhoneFixes for PhoneFixes {
    async fn send_phone_fix_code(
        &self,
        request: Request<SendPhoneFixCodeRequest>,
    ) -> Result<Response<SendPhoneFixCodeResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let phone = convert::phone(&request.get_ref().phone, &mut violations);
        let Some(phone) = phone else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let sending = async move {
            handle.limit_origin(Deed::SendCode, origin).await?;
            handle.send_phone_fix_code(&phone).await
        };
        let begun = rpc::run(&self.handle.lifecycle, sending).await?;
        let (challenge_id, expire_time, resend_time) = convert::begun(&begun);
        Ok(Response::new(SendPhoneFixCodeResponse { challenge_id, expire_time, resend_time }))
    }

    async fn request_phone_fix(
        &self,
        request: Request<RequestPhoneFixRequest>,
    ) -> Result<Response<RequestPhoneFixResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let (asked, fix) = parse(&request, &self.handle.document_types)?;
        let handle = self.handle.clone();
        let requesting = Box::pin(async move {
            handle.limit_origin(Deed::FixPhone, origin).await?;
            handle.request_phone_fix(&asked, &fix).await
        });
        rpc::run(&self.handle.lifecycle, requesting).await?;
        Ok(Response::new(RequestPhoneFixResponse {}))
    }

    async fn list_phone_fixes(
        &self,
        request: Request<ListPhoneFixesRequest>,
    ) -> Result<Response<ListPhoneFixesResponse>, Status> {
        let caller = Caller::of(&request);
        let viewer = caller.signed_in()?.id;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let after = rpc::parse_page_position("page_token", &request.page_token, &mut violations);
        violations.into_result()?;
        self.bus.wait_for(phone_fixes::NAME, request.min_position).await.map_err(|_| Error::ViewBehind)?;
        let (view, divisions) = (&self.handle.phone_fixes, staff::divisions(&caller, &[Role::Helpdesk]));
        let mut rows = view.list(&divisions, after.unwrap_or(0), size + 1).await.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| row.position.to_be_bytes());
        let fixes = self.handle.open_fixes(viewer, &divisions, rows).await?;
        Ok(Response::new(ListPhoneFixesResponse { fixes: fixes.into_iter().map(render).collect(), next_page_token }))
    }

    async fn settle_phone_fix(
        &self,
        request: Request<SettlePhoneFixRequest>,
    ) -> Result<Response<SettlePhoneFixResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let request = request.into_inner();
        let person = rpc::parse_uuid("person_id", &request.person_id, &mut violations);
        let fix = rpc::parse_uuid("fix_id", &request.fix_id, &mut violations);
        let outcome = FixOutcome::from_code(request.outcome);
        violations.check("outcome", outcome.is_some(), "UNKNOWN_VALUE", "请选择处理结果。");
        let (Some(asked), Some(person), Some(fix), Some(outcome)) = (asked, person, fix, outcome) else {
            return Err(violations.into());
        };
        let by = staff::authority(&caller, Role::Helpdesk, person);
        let handle = self.handle.clone();
        let settling = Box::pin(async move { handle.settle_phone_fix(&asked, person, fix, outcome, &by).await });
        let position = rpc::run(&self.handle.lifecycle, settling).await?;
        Ok(Response::new(SettlePhoneFixResponse { position }))
    }
}

fn parse(
    request: &Request<RequestPhoneFixRequest>,
    types: &DocumentTypes,
) -> Result<(Asked, PhoneFixAsked), Violations> {
    let mut violations = Violations::new();
    let asked = asked(request, &request.get_ref().request_id, &mut violations);
    let request = request.get_ref();
    let document = convert::document(types, request.document_type, &request.number, &mut violations);
    let name = convert::name(&request.name, &mut violations);
    let phone = convert::phone(&request.phone, &mut violations);
    let challenge = rpc::parse_uuid("challenge_id", &request.challenge_id, &mut violations);
    let code = convert::code("code", &request.code, &mut violations);
    let province = Some(request.province.as_str()).filter(|text| text.len() == 2 && *text != "00");
    let province = province.and_then(|text| Division::parse(&format!("{text}0000")));
    violations.check("province", province.is_some(), "MALFORMED", "省级行政区划代码应为前2位数字，如 32。");
    let evidence = request.evidence.trim().to_owned();
    let fits = EVIDENCE.contains(&evidence.chars().count()) && !evidence.contains('\0');
    violations.check("evidence", fits, "MALFORMED", "请用10至1000个字说明情况和可以核实身份的材料。");
    match (asked, document, name, phone, challenge, province, violations.is_empty()) {
        (Some(asked), Some(document), Some(name), Some(phone), Some(challenge), Some(province), true) => {
            let claimed = Claimed { phone, evidence };
            Ok((asked, PhoneFixAsked { document, name, claimed, code: (challenge, code), province }))
        }
        _ => Err(violations),
    }
}

fn render(fix: OpenFix) -> PhoneFix {
    api::PhoneFix {
        fix_id: fix.row.fix_id.to_string(),
        person_id: fix.row.person.to_string(),
        province: fix.row.division[..2].to_owned(),
        request_time: Some(rpc::timestamp(fix.row.requested_at)),
        masked_number: mask::number(&fix.known.number),
        masked_name: mask::name(&fix.known.name),
        masked_phone: mask::phone(&fix.known.phone),
        masked_new_phone: mask::phone(&fix.claimed.phone),
        evidence: fix.claimed.evidence,
    }
}
