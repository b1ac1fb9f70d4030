//! A point that confirms, its clerk, and applications that wait for confirmation there.

use proto::applications::v1::{ApplicationSubmitted, CodedPart};
use proto::identity::v1::Role;
use proto::scheduling::v1::slots_client::SlotsClient;
use proto::scheduling::v1::{
    Agency, AssignPointRequest, BookSlotRequest, GetMyBookingRequest, GetPlanRequest, HalfDay, Point, PointAssignment,
    PublishCapacityRequest, Slot, Window,
};
use rpc::Refusal;
use scheduling::config::Settings;
use scheduling::domain::shanghai::SHANGHAI;
use service::testing::{Channel, Neighbour};
use time::Duration;
use uuid::Uuid;

use crate::harness::{World, at, eventually, request_id};

const DAY: i64 = 86_400;
/// School of every application.
pub(crate) const SCHOOL: Uuid = Uuid::from_u128(0x5c);
/// Days before and after today on which the point confirms.
pub(crate) const DATES: i64 = 5;

/// The service beside applications, with a point of 徐州 that confirms these days.
pub(crate) struct SlotWorld {
    pub(crate) world: World,
    pub(crate) agency: Agency,
    pub(crate) plan: String,
    pub(crate) point: Point,
    pub(crate) clerk: SlotsClient<Channel>,
}

/// 报名号 and record of the n-th application.
pub(crate) fn number(n: u32) -> String {
    format!("2026320300{n:07}")
}

pub(crate) fn certificate(n: u32) -> Uuid {
    Uuid::from_u128(0xce00_0000 + u128::from(n))
}

/// The person of the n-th application.
pub(crate) fn person(n: u32) -> Uuid {
    Uuid::from_u128(0xfe00_0000 + u128::from(n))
}

impl SlotWorld {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let applications = Neighbour::start("applications", rpc::Surface::new()).await;
        let world = World::with(settings, vec![applications]).await;
        let [_, xuzhou, _] = world.agencies().await;
        let plan = world.publish_plan().await;
        world.join(&plan, &xuzhou).await;
        let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
        let assignment = PointAssignment {
            point_id: point.point_id.clone(),
            confirm_begin_time: at(-DATES * DAY),
            confirm_end_time: at(DATES * DAY),
            range: "市直属学校教师".to_owned(),
            notes: "请携带证书原件".to_owned(),
        };
        let assign =
            AssignPointRequest { request_id: request_id(), plan_id: plan.clone(), assignment: Some(assignment) };
        world.plans().assign_point(assign).await.unwrap();
        eventually("the plan to show the point", || async {
            let request = GetPlanRequest { plan_id: plan.clone(), ..GetPlanRequest::default() };
            let plan = world.plans().get_plan(request).await.ok()?.into_inner().plan?;
            plan.agencies.first().is_some_and(|agency| !agency.points.is_empty()).then_some(())
        })
        .await;
        let unit = Some(Uuid::parse_str(&point.point_id).unwrap());
        let clerk = world.running.staff(Uuid::from_u128(0xc1), Role::Clerk, "320300", unit).await;
        Self { world, agency: xuzhou, plan, point, clerk: SlotsClient::new(clerk) }
    }

    /// The same half-day of another day, counted from today.
    pub(crate) fn slot(&self, days: i64, half: HalfDay) -> Slot {
        let date = lifecycle::clock::now().to_offset(SHANGHAI).date() + Duration::days(days);
        Slot { point_id: self.point.point_id.clone(), date: rpc::render_date(date), half_day: half.into() }
    }

    pub(crate) fn person(&self, n: u32) -> SlotsClient<Channel> {
        SlotsClient::new(self.world.running.person(person(n)))
    }

    pub(crate) async fn publish(&self, slot: &Slot, capacity: i32) {
        let slot = Some(slot.clone());
        let request = PublishCapacityRequest { request_id: request_id(), slot, capacity };
        self.clerk.clone().publish_capacity(request).await.unwrap();
    }

    /// The form of an application for this point.
    pub(crate) fn form(&self) -> CodedPart {
        let (point_id, school_id) = (self.point.point_id.clone(), SCHOOL.to_string());
        CodedPart { point_id, school_id, agency_id: self.agency.agency_id.clone(), ..CodedPart::default() }
    }

    /// Submits the n-th application of the n-th person.
    pub(crate) async fn submit(&self, n: u32) {
        self.submit_under(n, person(n), &Window { window_id: Uuid::from_u128(0x41).to_string(), ..Window::default() })
            .await;
    }

    /// Submits the n-th application of a person under a window as it is.
    pub(crate) async fn submit_under(&self, n: u32, person: Uuid, window: &Window) {
        let submitted = ApplicationSubmitted {
            certificate_id: certificate(n).to_string(),
            enrolment_number: number(n),
            person_id: person.to_string(),
            form: Some(self.form()),
            window_id: window.window_id.clone(),
            window_revision: window.revision,
            ..ApplicationSubmitted::default()
        };
        self.world.running.neighbour("applications").publish(certificate(n), "320300", &submitted).await;
    }

    /// Waits until the n-th application is known here.
    pub(crate) async fn known(&self, n: u32) {
        eventually("the application to be known", || async {
            let request = GetMyBookingRequest { enrolment_number: number(n) };
            self.person(n).get_my_booking(request).await.ok()
        })
        .await;
    }
}

/// A booking of the n-th application.
pub(crate) fn book(n: u32, slot: &Slot) -> BookSlotRequest {
    BookSlotRequest { request_id: request_id(), enrolment_number: number(n), slot: Some(slot.clone()) }
}

/// The reason of a refusal, or nothing.
pub(crate) fn outcome<T>(answer: Result<T, tonic::Status>) -> String {
    answer.err().map(|status| Refusal::from_status(&status).reason).unwrap_or_default()
}
