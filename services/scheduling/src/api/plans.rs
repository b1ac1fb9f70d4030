//! `Plans`: officers publish and change them; anybody who is signed in reads them.

use eventbus::Reference;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::plans_server::Plans;
use rpc::{Violations, parse_timestamp, parse_uuid};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::asked;
use super::directory::decoded;
use crate::domain::division::{Code, Divisions};
use crate::domain::id::{AgencyId, PlanId, PointId, WindowId};
use crate::domain::plan::{Assignment, Event, State};
use crate::domain::window::LONGEST_GRACE_MINUTES;
use crate::error::Error;
use crate::handle::{Answered, Asked, Change, Handle};
use crate::store;
use crate::views::plans;

/// Characters of the longest 批次, 确认范围 and 注意事项.
const LONGEST_BATCH: usize = 40;
const LONGEST_RANGE: usize = 500;
const LONGEST_NOTES: usize = 5_000;

/// Serves `Plans`.
pub struct PlansApi {
    /// Use cases.
    pub handle: Handle,
    /// All plans.
    pub plans: Reference<plans::Plans>,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

impl PlansApi {
    async fn change(
        &self,
        asked: Asked,
        plan: Uuid,
        change: Change,
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let handle = self.handle.clone();
        rpc::run(&self.lifecycle, async move { handle.change_plan(&asked, PlanId(plan), change, answer).await }).await
    }
}

#[tonic::async_trait]
impl Plans for PlansApi {
    async fn publish_plan(
        &self,
        request: Request<wire::PublishPlanRequest>,
    ) -> Result<Response<wire::PublishPlanResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let province = province(&body.province, &mut violations);
        let batch = text("batch", &body.batch, 1..=LONGEST_BATCH, &mut violations);
        let (Some(asked), Some(province), Some(batch)) = (asked, province, batch) else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let answered =
            rpc::run(&self.lifecycle, async move { handle.publish_plan(&asked, province, batch, published).await });
        let answered = answered.await?;
        let answer = decoded(wire::PublishPlanResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::PublishPlanResponse { position: answered.position, ..answer }))
    }

    async fn finish_plan(
        &self,
        request: Request<wire::FinishPlanRequest>,
    ) -> Result<Response<wire::FinishPlanResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let (Some(asked), Some(plan)) = (asked, plan) else { return Err(violations.into()) };
        let position = self.change(asked, plan, Change::Finish, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::FinishPlanResponse { position }))
    }

    async fn join_agency(
        &self,
        request: Request<wire::JoinAgencyRequest>,
    ) -> Result<Response<wire::JoinAgencyResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations);
        let (join_in, is_open) = (body.join_in, body.is_open);
        violations.check("is_open", join_in || !is_open, "NOT_JOINED", "未参加注册的机构不能开通网报。");
        let (Some(asked), Some(plan), Some(agency), true) = (asked, plan, agency, violations.is_empty()) else {
            return Err(violations.into());
        };
        let change = Change::Join { agency: AgencyId(agency), join_in, is_open };
        let position = self.change(asked, plan, change, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::JoinAgencyResponse { position }))
    }

    async fn open_window(
        &self,
        request: Request<wire::OpenWindowRequest>,
    ) -> Result<Response<wire::OpenWindowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations);
        let times = span(("begin_time", body.begin_time), ("end_time", body.end_time), &mut violations);
        let grace_minutes = u32::try_from(body.grace_minutes).ok().filter(|minutes| *minutes <= LONGEST_GRACE_MINUTES);
        violations.check("grace_minutes", grace_minutes.is_some(), "OUT_OF_RANGE", "宽限时间应为0至120分钟。");
        let (Some(asked), Some(plan), Some(agency), Some((begin, end)), Some(grace_minutes)) =
            (asked, plan, agency, times, grace_minutes)
        else {
            return Err(violations.into());
        };
        let change = Change::Open { agency: AgencyId(agency), begin, end, grace_minutes };
        let answered = self.change(asked, plan, change, |events| {
            wire::OpenWindowResponse { window: window(events), position: 0 }.encode_to_vec()
        });
        let answered = answered.await?;
        let answer = decoded(wire::OpenWindowResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::OpenWindowResponse { position: answered.position, ..answer }))
    }

    async fn extend_window(
        &self,
        request: Request<wire::ExtendWindowRequest>,
    ) -> Result<Response<wire::ExtendWindowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let extended = parse_uuid("window_id", &body.window_id, &mut violations).map(WindowId);
        let end = parse_timestamp("end_time", body.end_time.as_ref(), &mut violations);
        let (Some(asked), Some(plan), Some(extended), Some(end)) = (asked, plan, extended, end) else {
            return Err(violations.into());
        };
        let answered = self.change(asked, plan, Change::Extend { window: extended, end }, |events| {
            wire::ExtendWindowResponse { window: window(events), position: 0 }.encode_to_vec()
        });
        let answered = answered.await?;
        let answer = decoded(wire::ExtendWindowResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::ExtendWindowResponse { position: answered.position, ..answer }))
    }

    async fn close_window(
        &self,
        request: Request<wire::CloseWindowRequest>,
    ) -> Result<Response<wire::CloseWindowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let closed = parse_uuid("window_id", &body.window_id, &mut violations).map(WindowId);
        let end = parse_timestamp("end_time", body.end_time.as_ref(), &mut violations);
        let (Some(asked), Some(plan), Some(closed), Some(end)) = (asked, plan, closed, end) else {
            return Err(violations.into());
        };
        let answered = self.change(asked, plan, Change::Close { window: closed, end }, |events| {
            wire::CloseWindowResponse { window: window(events), position: 0 }.encode_to_vec()
        });
        let answered = answered.await?;
        let answer = decoded(wire::CloseWindowResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::CloseWindowResponse { position: answered.position, ..answer }))
    }

    async fn assign_point(
        &self,
        request: Request<wire::AssignPointRequest>,
    ) -> Result<Response<wire::AssignPointResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations);
        let assignment = assignment(body.assignment.clone().unwrap_or_default(), &mut violations);
        let (Some(asked), Some(plan), Some(assignment)) = (asked, plan, assignment) else {
            return Err(violations.into());
        };
        let position = self.change(asked, plan, Change::Assign(assignment), |_| Vec::new()).await?.position;
        Ok(Response::new(wire::AssignPointResponse { position }))
    }

    async fn get_plan(
        &self,
        request: Request<wire::GetPlanRequest>,
    ) -> Result<Response<wire::GetPlanResponse>, Status> {
        let wire::GetPlanRequest { plan_id, province: digits } = request.into_inner();
        let plans = self.plans.require().map_err(Error::from)?;
        let mut violations = Violations::new();
        let found = if plan_id.is_empty() {
            province(&digits, &mut violations).and_then(|province| plans.current(province))
        } else {
            parse_uuid("plan_id", &plan_id, &mut violations).and_then(|id| plans.find(PlanId(id)))
        };
        violations.into_result()?;
        let name = if plan_id.is_empty() { digits } else { plan_id };
        let plan = found.and_then(|at| plan(&at.state)).ok_or(Error::NotFound { kind: "plan", name })?;
        Ok(Response::new(wire::GetPlanResponse { plan: Some(plan) }))
    }
}

fn published(events: &[Event]) -> Vec<u8> {
    let plan_id = events.iter().find_map(|event| match event {
        Event::PlanPublished { plan, .. } => Some(plan.to_string()),
        _ => None,
    });
    wire::PublishPlanResponse { plan_id: plan_id.unwrap_or_default(), position: 0 }.encode_to_vec()
}

/// The window that a change left behind.
fn window(events: &[Event]) -> Option<wire::Window> {
    events.iter().find_map(|event| match event {
        Event::WindowOpened { window, .. }
        | Event::WindowExtended { window, .. }
        | Event::WindowClosed { window, .. } => Some(store::window(window)),
        Event::PlanPublished { .. }
        | Event::PlanFinished
        | Event::AgencyJoined { .. }
        | Event::PointAssigned { .. } => None,
    })
}

fn province(digits: &str, violations: &mut Violations) -> Option<Code> {
    let province = Divisions::national().find(digits).filter(|division| division.digits.len() == 2);
    violations.check("province", province.is_some(), "UNKNOWN_DIVISION", "请填写两位省级行政区划代码。");
    province.map(crate::domain::division::Division::code)
}

fn text(
    field: &'static str,
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    violations: &mut Violations,
) -> Option<String> {
    let text = text.trim();
    let sentence = || format!("应为{}至{}个字。", length.start(), length.end());
    let fits = length.contains(&text.chars().count());
    violations.check(field, fits, "WRONG_LENGTH", sentence());
    fits.then(|| text.to_owned())
}

type Instant = (&'static str, Option<prost_types::Timestamp>);

fn span(begin: Instant, end: Instant, violations: &mut Violations) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let first = parse_timestamp(begin.0, begin.1.as_ref(), violations);
    let last = parse_timestamp(end.0, end.1.as_ref(), violations);
    let (first, last) = (first?, last?);
    violations.check(end.0, first < last, "NOT_AFTER_BEGIN", "截止时间应晚于开始时间。");
    (first < last).then_some((first, last))
}

fn assignment(asked: wire::PointAssignment, violations: &mut Violations) -> Option<Assignment> {
    let wire::PointAssignment { point_id, confirm_begin_time, confirm_end_time, range, notes } = asked;
    let point = parse_uuid("assignment.point_id", &point_id, violations);
    let begin = ("assignment.confirm_begin_time", confirm_begin_time);
    let end = ("assignment.confirm_end_time", confirm_end_time);
    let times = span(begin, end, violations);
    let range = text("assignment.range", &range, 0..=LONGEST_RANGE, violations);
    let notes = text("assignment.notes", &notes, 0..=LONGEST_NOTES, violations);
    let (confirm_begin, confirm_end) = times?;
    Some(Assignment { point: PointId(point?), confirm_begin, confirm_end, range: range?, notes: notes? })
}

fn plan(state: &State) -> Option<wire::Plan> {
    let plan = state.plan()?;
    let agencies = plan.agencies.iter().map(|(id, joined)| wire::AgencyPlan {
        agency_id: id.to_string(),
        join_in: joined.join_in,
        is_open: joined.is_open,
        windows: joined.windows.iter().map(store::window).collect(),
        points: joined.points.values().map(store::assignment).collect(),
    });
    Some(wire::Plan {
        plan_id: plan.id.to_string(),
        province: plan.province.as_str()[..2].to_owned(),
        batch: plan.batch.clone(),
        finished: matches!(state, State::Finished(_)),
        agencies: agencies.collect(),
    })
}
