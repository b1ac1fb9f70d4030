//! Drafts that a change of a plan would touch: counted from their events, until they are filed, dropped or nobody's.

use proto::applications::v1::{DraftDropped, DraftEnd, DraftPlaced, DraftReminded, DraftStarted};
use proto::scheduling::v1::preview_change_request::Change;
use proto::scheduling::v1::{
    AssignPointRequest, CancelWindowRequest, ExtendWindowRequest, FinishPlanRequest, JoinAgencyRequest,
    OpenWindowRequest, PointAssignment, PreviewChangeRequest, Window,
};
use proto::types::v1::PersonalDataErased;
use uuid::Uuid;

use crate::harness::{at, eventually, request_id};
use crate::slot_world::{SlotWorld, certificate, person};

const HOUR: i64 = 3_600;

fn draft(n: u32) -> Uuid {
    Uuid::from_u128(0xd0_0000 + u128::from(n))
}

/// Drafts 1 to 4 have chosen agency and point, 5 the agency, 6 nothing, 7 another agency; 1 and 2 are of one person.
struct Drafts {
    world: SlotWorld,
}

impl Drafts {
    async fn start() -> Self {
        let drafts = Self { world: SlotWorld::start().await };
        let (agency, point) = (drafts.world.agency.agency_id.clone(), drafts.world.point.point_id.clone());
        for n in 1..=7 {
            drafts.begin(n, person(n.max(2))).await;
        }
        for n in 1..=4 {
            drafts.place(n, &agency, &point).await;
        }
        drafts.place(5, &agency, "").await;
        drafts.place(7, &Uuid::from_u128(0x99).to_string(), &Uuid::from_u128(0x98).to_string()).await;
        drafts
    }

    async fn publish<M: prost::Message + prost::Name>(&self, n: u32, event: &M) {
        self.world.world.running.neighbour("applications").publish(draft(n), "320300", event).await;
    }

    async fn begin(&self, n: u32, person: Uuid) {
        let (draft_id, certificate_id) = (draft(n).to_string(), certificate(n).to_string());
        self.publish(n, &DraftStarted { draft_id, certificate_id, person_id: person.to_string() }).await;
    }

    async fn place(&self, n: u32, agency: &str, point: &str) {
        let (agency_id, point_id) = (agency.to_owned(), point.to_owned());
        let placed = DraftPlaced { draft_id: draft(n).to_string(), agency_id, point_id, school_id: String::new() };
        self.publish(n, &placed).await;
    }

    /// Waits until a change touches so many drafts and people.
    async fn touches(&self, change: Change, (drafts, notices): (i64, i64)) {
        eventually(&format!("{drafts} drafts of {notices} people"), || async {
            let request = PreviewChangeRequest { change: Some(change.clone()) };
            let counts = self.world.world.plans().preview_change(request).await.ok()?.into_inner();
            (counts.drafts == drafts && counts.notices == notices).then_some(())
        })
        .await;
    }

    fn finish(&self) -> Change {
        Change::Finish(FinishPlanRequest { request_id: String::new(), plan_id: self.world.plan.clone() })
    }

    fn leave(&self) -> Change {
        let (plan_id, agency_id) = (self.world.plan.clone(), self.world.agency.agency_id.clone());
        let (join_in, is_open) = (false, false);
        Change::Join(JoinAgencyRequest { request_id: String::new(), plan_id, agency_id, join_in, is_open })
    }

    fn assign(&self) -> Change {
        let point_id = self.world.point.point_id.clone();
        let (confirm_begin_time, confirm_end_time) = (at(-HOUR), at(HOUR));
        let assignment =
            PointAssignment { point_id, confirm_begin_time, confirm_end_time, ..PointAssignment::default() };
        let (plan_id, assignment) = (self.world.plan.clone(), Some(assignment));
        Change::Assign(AssignPointRequest { request_id: String::new(), plan_id, assignment })
    }

    fn opening(&self) -> OpenWindowRequest {
        OpenWindowRequest {
            request_id: request_id(),
            plan_id: self.world.plan.clone(),
            agency_id: self.world.agency.agency_id.clone(),
            begin_time: at(HOUR),
            end_time: at(2 * HOUR),
            ..OpenWindowRequest::default()
        }
    }
}

#[tokio::test]
async fn a_preview_counts_drafts_by_the_agency_and_the_point_that_they_have_chosen() {
    let drafts = Drafts::start().await;
    drafts.touches(drafts.finish(), (5, 4)).await;
    drafts.touches(drafts.leave(), (5, 4)).await;
    drafts.touches(drafts.assign(), (4, 3)).await;
    // A window that nobody has filed under yet matters to whoever may.
    drafts.touches(Change::Open(drafts.opening()), (5, 4)).await;
    let opened = drafts.world.world.plans().open_window(drafts.opening()).await.unwrap();
    let window_id = opened.into_inner().window.unwrap().window_id;
    let (plan_id, request_id) = (drafts.world.plan.clone(), String::new());
    let cancel = CancelWindowRequest { request_id, plan_id: plan_id.clone(), window_id: window_id.clone() };
    drafts.touches(Change::Cancel(cancel), (5, 4)).await;
    let request_id = String::new();
    let extend = ExtendWindowRequest { request_id, plan_id, window_id, end_time: at(3 * HOUR) };
    drafts.touches(Change::Extend(extend), (5, 4)).await;
    // One moves to another agency, one comes.
    drafts.place(4, &Uuid::from_u128(0x99).to_string(), "").await;
    drafts.touches(drafts.leave(), (4, 3)).await;
    drafts.touches(drafts.assign(), (3, 2)).await;
    let (agency, point) = (drafts.world.agency.agency_id.clone(), drafts.world.point.point_id.clone());
    drafts.place(6, &agency, &point).await;
    drafts.touches(drafts.leave(), (5, 4)).await;
    drafts.touches(drafts.assign(), (4, 3)).await;
    drafts.place(6, "", "").await;
    drafts.touches(drafts.leave(), (4, 3)).await;
}

#[tokio::test]
async fn a_draft_counts_until_it_is_filed_dropped_or_nobodys() {
    let drafts = Drafts::start().await;
    drafts.touches(drafts.leave(), (5, 4)).await;
    // The certificate and the person of the first one: it is filed, and its application counts in its place.
    let window = Window { window_id: Uuid::from_u128(0x41).to_string(), ..Window::default() };
    drafts.world.submit_under(1, person(2), &window).await;
    drafts.touches(drafts.leave(), (4, 4)).await;
    // Somebody else's submission for a certificate closes nobody's draft.
    drafts.world.submit_under(2, person(9), &window).await;
    drafts.touches(drafts.leave(), (4, 5)).await;
    let reminded = DraftReminded { draft_id: draft(3).to_string(), ..DraftReminded::default() };
    drafts.publish(3, &reminded).await;
    let dropped = DraftDropped { draft_id: draft(3).to_string(), end: DraftEnd::Expiry.into() };
    drafts.publish(3, &dropped).await;
    drafts.touches(drafts.leave(), (3, 4)).await;
    let erased = PersonalDataErased {
        erasure_id: Uuid::from_u128(0xee).to_string(),
        person_id: person(4).to_string(),
        erased: Vec::new(),
    };
    drafts.world.world.running.neighbour("applications").publish(Uuid::from_u128(0xee), "00", &erased).await;
    drafts.touches(drafts.leave(), (2, 3)).await;
    // The same person's next draft for a certificate that they filed before.
    let agency = drafts.world.agency.agency_id.clone();
    let (draft_id, certificate_id) = (draft(8).to_string(), certificate(1).to_string());
    drafts.publish(8, &DraftStarted { draft_id, certificate_id, person_id: person(2).to_string() }).await;
    drafts.place(8, &agency, "").await;
    drafts.touches(drafts.leave(), (3, 3)).await;

    let rebuilt = drafts.world.world.running.service.bus.rebuild("drafts", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    drafts.touches(drafts.leave(), (3, 3)).await;
}
