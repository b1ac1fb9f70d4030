//! `Availability`: answered from memory alone.

use eventbus::Reference;
use lifecycle::clock;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::availability_server::Availability;
use proto::types::v1::Stage;
use rpc::{Violations, parse_uuid};
use tonic::{Request, Response, Status};

use crate::domain::availability::{self, Answer, Closed};
use crate::domain::division::Divisions;
use crate::domain::id::{AgencyId, PointId};
use crate::domain::plan::State;
use crate::error::Error;
use crate::store;
use crate::views::directory::Agencies;
use crate::views::plans::Plans;

/// Serves `Availability`.
pub struct AvailabilityApi {
    /// All agencies.
    pub agencies: Reference<Agencies>,
    /// All plans.
    pub plans: Reference<Plans>,
}

#[tonic::async_trait]
impl Availability for AvailabilityApi {
    async fn check_availability(
        &self,
        request: Request<wire::CheckAvailabilityRequest>,
    ) -> Result<Response<wire::CheckAvailabilityResponse>, Status> {
        let body = request.get_ref();
        let mut violations = Violations::new();
        let offered = Divisions::national().offered(&body.province, &body.city);
        violations.check("city", offered.is_some(), "UNKNOWN_DIVISION", "该省没有这个市，请重新选择省、市。");
        violations.check("stage", is_a_stage(body.stage), "UNKNOWN_CODE", "请选择现任教学段。");
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations).map(AgencyId);
        let point = match body.point_id.as_str() {
            "" => None,
            point => parse_uuid("point_id", point, &mut violations).map(PointId),
        };
        let (Some(offered), Some(agency), true) = (offered, agency, violations.is_empty()) else {
            return Err(violations.into());
        };
        let is_offered = offered.iter().any(|division| AgencyId::of(division.code()) == agency);
        violations.check(
            "agency_id",
            is_offered,
            "NOT_OFFERED",
            "该机构不受理所选省、市的注册申请，请重新选择注册机构。",
        );
        violations.into_result()?;

        let (agencies, plans) =
            (self.agencies.require().map_err(Error::from)?, self.plans.require().map_err(Error::from)?);
        let not_found = || Error::NotFound { kind: "agency", name: agency.to_string() };
        let agency = agencies.find(agency).ok_or_else(not_found)?;
        let none = State::Empty;
        let plan = plans.current(agency.division.province()).map_or(&none, |at| &at.state);
        Ok(Response::new(render(&availability::check(plan, agency, point, clock::now()))))
    }
}

fn is_a_stage(stage: i32) -> bool {
    Stage::try_from(stage).is_ok_and(|stage| stage != Stage::Unspecified)
}

fn render(answer: &Answer) -> wire::CheckAvailabilityResponse {
    wire::CheckAvailabilityResponse {
        open: answer.closed.is_none(),
        reason: answer.closed.map(reason).unwrap_or_default().to_owned(),
        message: answer.message.clone(),
        windows: answer.windows.iter().map(store::window).collect(),
        current: answer.current.as_ref().map(store::window),
        next_begin_time: answer.next_begin.map(rpc::timestamp),
        points: answer.points.iter().map(store::assignment).collect(),
    }
}

fn reason(closed: Closed) -> &'static str {
    match closed {
        Closed::NoPlan => "NO_PLAN",
        Closed::PlanFinished => "PLAN_FINISHED",
        Closed::AgencyNotJoined => "AGENCY_NOT_JOINED",
        Closed::OnlineNotOpen => "ONLINE_NOT_OPEN",
        Closed::NoWindow => "NO_WINDOW",
        Closed::WindowNotOpen => "WINDOW_NOT_OPEN",
        Closed::NoPoint => "NO_POINT",
        Closed::PointClosed => "POINT_CLOSED",
    }
}
