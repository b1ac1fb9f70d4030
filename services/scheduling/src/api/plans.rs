//! `Plans`: officers publish and change them; anybody who is signed in reads them.

use std::collections::BTreeMap;

use access::Caller;
use eventbus::Reference;
use lifecycle::{Lifecycle, clock};
use prost::Message as _;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::plans_server::Plans;
use rpc::{Violations, cut_page, page_size, page_size_within, parse_page_place, parse_page_position, parse_uuid};
use tonic::{Request, Response, Status};

use super::changes::{self, Abolition, Preview, Wanted, province, text};
use super::directory::decoded;
use super::plan_page::{self, Place};
use super::{asked, officer};
use crate::domain::id::{AgencyId, PlanId, WindowId};
use crate::domain::plan::{Event, State};
use crate::domain::touch::Touch;
use crate::domain::window::Window;
use crate::error::Error;
use crate::handle::{Answered, Asked, Handle};
use crate::store;
use crate::views::filings::Filings;
use crate::views::plans;

/// Characters of the longest 批次.
const LONGEST_BATCH: usize = 40;

/// Agencies on a page of a plan: a province has fewer.
const MOST_AGENCIES: usize = 500;

/// Serves `Plans`.
pub struct PlansApi {
    /// Use cases.
    pub handle: Handle,
    /// All plans.
    pub plans: Reference<plans::Plans>,
    /// Whether all applications are known.
    pub filed: Reference<()>,
    /// Whether all drafts are known.
    pub begun: Reference<()>,
    /// What was filed under which window.
    pub filings: Filings,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

impl PlansApi {
    async fn change(
        &self,
        asked: Asked,
        Wanted { plan, change }: Wanted,
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let handle = self.handle.clone();
        rpc::run(&self.lifecycle, async move { handle.change_plan(&asked, plan, change, answer).await }).await
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
        let wanted = changes::finish(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let position = self.change(asked, wanted, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::FinishPlanResponse { position }))
    }

    async fn join_agency(
        &self,
        request: Request<wire::JoinAgencyRequest>,
    ) -> Result<Response<wire::JoinAgencyResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let wanted = changes::join(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let position = self.change(asked, wanted, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::JoinAgencyResponse { position }))
    }

    async fn open_window(
        &self,
        request: Request<wire::OpenWindowRequest>,
    ) -> Result<Response<wire::OpenWindowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let wanted = changes::open(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let answered = self.change(asked, wanted, |events| {
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
        let wanted = changes::extend(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let answered = self.change(asked, wanted, |events| {
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
        let wanted = changes::close(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let answered = self.change(asked, wanted, |events| {
            wire::CloseWindowResponse { window: window(events), position: 0 }.encode_to_vec()
        });
        let answered = answered.await?;
        let answer = decoded(wire::CloseWindowResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::CloseWindowResponse { position: answered.position, ..answer }))
    }

    async fn cancel_window(
        &self,
        request: Request<wire::CancelWindowRequest>,
    ) -> Result<Response<wire::CancelWindowResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let wanted = changes::cancel(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let position = self.change(asked, wanted, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::CancelWindowResponse { position }))
    }

    async fn assign_point(
        &self,
        request: Request<wire::AssignPointRequest>,
    ) -> Result<Response<wire::AssignPointResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let wanted = changes::assign(body, &mut violations);
        let (Some(asked), Some(wanted)) = (asked, wanted) else { return Err(violations.into()) };
        let position = self.change(asked, wanted, |_| Vec::new()).await?.position;
        Ok(Response::new(wire::AssignPointResponse { position }))
    }

    async fn preview_change(
        &self,
        request: Request<wire::PreviewChangeRequest>,
    ) -> Result<Response<wire::PreviewChangeResponse>, Status> {
        let mut violations = Violations::new();
        let wanted = changes::any(request.get_ref().change.as_ref(), &mut violations);
        let Some(wanted) = wanted else { return Err(violations.into()) };
        self.filed.require().map_err(Error::from)?;
        self.begun.require().map_err(Error::from)?;
        let officer = officer(&Caller::of(&request));
        let touch = match wanted {
            Preview::Plan(Wanted { plan, change }) => self.handle.preview(&officer, plan, change).await?,
            Preview::Abolition(Abolition { agency, on, successor }) => {
                self.handle.preview_end(&officer, agency, on, successor).await?
            }
            Preview::Closing(point) => self.handle.preview_closing(&officer, point).await?,
        };
        let changes = touch.is_some();
        let touched = self.filings.touched(&touch.unwrap_or(Touch::Nobody), clock::now()).await.map_err(Error::View)?;
        Ok(Response::new(wire::PreviewChangeResponse {
            changes,
            applications: touched.applications,
            bookings: touched.bookings,
            notices: touched.people,
            superseded: touched.superseded,
            drafts: touched.drafts,
        }))
    }

    async fn list_superseded_submissions(
        &self,
        request: Request<wire::ListSupersededSubmissionsRequest>,
    ) -> Result<Response<wire::ListSupersededSubmissionsResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let plan = parse_uuid("plan_id", &body.plan_id, &mut violations).map(PlanId);
        let agency = match body.agency_id.as_str() {
            "" => None,
            agency => parse_uuid("agency_id", agency, &mut violations).map(AgencyId),
        };
        let size = page_size("page_size", body.page_size, &mut violations);
        let place = |place: &[u8]| {
            let (after_end, position) = place.split_first()?;
            Some((*after_end == 1, i64::from_be_bytes(position.try_into().ok()?)))
        };
        let place =
            parse_page_place("page_token", &body.page_token, &mut violations, place).unwrap_or((true, i64::MAX));
        let (Some(plan), true) = (plan, violations.is_empty()) else { return Err(violations.into()) };
        self.filed.require().map_err(Error::from)?;
        let at = self.handle.plan_of(&officer(&Caller::of(&request)), plan, agency).await?;
        let windows = at.state.plan().into_iter().flat_map(|plan| plan.windows(agency, &at.stopped));
        let windows: BTreeMap<WindowId, Window> = windows.map(|window| (window.id, window)).collect();
        let mut listed = self.filings.superseded(&windows, place, size + 1).await.map_err(Error::View)?;
        let next_page_token = cut_page(&mut listed, size, |(after_end, last)| {
            [&[u8::from(*after_end)], last.position.to_be_bytes().as_slice()].concat()
        });
        let submissions = listed.into_iter().map(|(after_end, filing)| wire::SupersededSubmission {
            enrolment_number: filing.number,
            agency_id: filing.agency.to_string(),
            window_id: filing.window.to_string(),
            accepted_revision: filing.revision,
            window: windows.get(&filing.window).map(store::window),
            submit_time: Some(rpc::timestamp(filing.submitted_at)),
            after_end,
        });
        Ok(Response::new(wire::ListSupersededSubmissionsResponse {
            submissions: submissions.collect(),
            next_page_token,
        }))
    }

    async fn get_plan(
        &self,
        request: Request<wire::GetPlanRequest>,
    ) -> Result<Response<wire::GetPlanResponse>, Status> {
        let wire::GetPlanRequest { plan_id, province: digits, page_size: asked, page_token } = request.into_inner();
        let plans = self.plans.require().map_err(Error::from)?;
        let mut violations = Violations::new();
        let found = if plan_id.is_empty() {
            province(&digits, &mut violations).and_then(|province| plans.current(province))
        } else {
            parse_uuid("plan_id", &plan_id, &mut violations).and_then(|id| plans.find(PlanId(id)))
        };
        let size = page_size_within("page_size", asked, MOST_AGENCIES, MOST_AGENCIES, &mut violations);
        let place = parse_page_place("page_token", &page_token, &mut violations, Place::read);
        violations.into_result()?;
        let name = if plan_id.is_empty() { digits } else { plan_id };
        let state = found.map(|at| &at.state).filter(|state| state.plan().is_some());
        let state = state.ok_or(Error::NotFound { kind: "plan", name })?;
        let (plan, next_page_token) = plan_page::render(state, place, size);
        Ok(Response::new(wire::GetPlanResponse { plan, next_page_token }))
    }

    async fn list_plans(
        &self,
        request: Request<wire::ListPlansRequest>,
    ) -> Result<Response<wire::ListPlansResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let batch = text("batch", &body.batch, 0..=LONGEST_BATCH, &mut violations);
        let size = page_size("page_size", body.page_size, &mut violations);
        let before = parse_page_position("page_token", &body.page_token, &mut violations);
        let (Some(batch), true) = (batch, violations.is_empty()) else { return Err(violations.into()) };
        let plans = self.plans.require().map_err(Error::from)?;
        let of_the_batch = plans.newest_first(before).filter_map(|(position, state)| {
            let plan = summary(state).filter(|plan| batch.is_empty() || plan.batch == batch)?;
            Some((position, plan))
        });
        let mut listed: Vec<_> = of_the_batch.take(size + 1).collect();
        let next_page_token = cut_page(&mut listed, size, |(position, _)| position.to_be_bytes());
        let plans = listed.into_iter().map(|(_, plan)| plan).collect();
        Ok(Response::new(wire::ListPlansResponse { plans, next_page_token }))
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
        | Event::WindowCancelled { .. }
        | Event::PointAssigned { .. } => None,
    })
}

fn summary(state: &State) -> Option<wire::PlanSummary> {
    let plan = state.plan()?;
    let agencies = plan.agencies.values().filter(|joined| joined.join_in).count();
    Some(wire::PlanSummary {
        plan_id: plan.id.to_string(),
        province: plan.province.as_str()[..2].to_owned(),
        batch: plan.batch.clone(),
        finished: matches!(state, State::Finished(_)),
        agencies: i32::try_from(agencies).unwrap_or(i32::MAX),
    })
}
