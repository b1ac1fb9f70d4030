//! What a change of a plan would touch, what an earlier one has superseded, and a window that is taken back.

use proto::applications::v1::{ApplicationAmended, ApplicationConfirmed, ApplicationWithdrawn};
use proto::identity::v1::Role;
use proto::scheduling::v1::plans_client::PlansClient;
use proto::scheduling::v1::preview_change_request::Change;
use proto::scheduling::v1::{
    AbolishAgencyRequest, AssignPointRequest, CancelWindowRequest, ClosePointRequest, CloseWindowRequest,
    ExtendWindowRequest, FinishPlanRequest, HalfDay, JoinAgencyRequest, ListSupersededSubmissionsRequest,
    OpenWindowRequest, PointAssignment, PreviewChangeRequest, PreviewChangeResponse, SupersededSubmission, Window,
};
use scheduling::domain::division::Code as Division;
use scheduling::domain::id::AgencyId;
use scheduling::domain::shanghai;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::availability::question;
use crate::harness::{World, at, eventually, reason, refused, request_id};
use crate::slot_world::{SlotWorld, book, certificate, number, person};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

async fn open(world: &World, plan: &str, agency: &str, (begin, end): (i64, i64)) -> Window {
    let request = OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.to_owned(),
        agency_id: agency.to_owned(),
        begin_time: at(begin),
        end_time: at(end),
        grace_minutes: 0,
    };
    world.plans().open_window(request).await.unwrap().into_inner().window.unwrap()
}

/// A window with four submissions, of which one was withdrawn and one is confirmed; two of them are of one person, who has booked.
struct Season {
    world: SlotWorld,
    window: Window,
}

impl Season {
    async fn start() -> Self {
        Self::until(HOUR).await
    }

    /// With a window that ends so many seconds from now.
    async fn until(end: i64) -> Self {
        let world = SlotWorld::start().await;
        let window = open(&world.world, &world.plan, &world.agency.agency_id, (-HOUR, end)).await;
        for (n, person) in [(1, person(1)), (2, person(2)), (3, person(3)), (4, person(1))] {
            world.submit_under(n, person, &window).await;
        }
        let applications = world.world.running.neighbour("applications");
        let withdrawn = ApplicationWithdrawn { enrolment_number: number(3), ..Default::default() };
        applications.publish(certificate(3), "320300", &withdrawn).await;
        let confirmed = ApplicationConfirmed { enrolment_number: number(2), ..Default::default() };
        applications.publish(certificate(2), "320300", &confirmed).await;
        world.known(1).await;
        let slot = world.slot(2, HalfDay::Morning);
        world.publish(&slot, 5).await;
        world.person(1).book_slot(book(1, &slot)).await.unwrap();
        Self { world, window }
    }

    async fn preview(&self, change: Change) -> Result<Response<PreviewChangeResponse>, Status> {
        self.world.world.plans().preview_change(PreviewChangeRequest { change: Some(change) }).await
    }

    /// Asks until this is the answer: views follow within moments.
    async fn touches(&self, change: Change, expected: PreviewChangeResponse) {
        eventually(&format!("{expected:?} of {change:?}"), || async {
            let counts = self.preview(change.clone()).await.ok()?.into_inner();
            (counts == expected).then_some(())
        })
        .await;
    }

    fn extend(&self, end: i64) -> Change {
        Change::Extend(self.extension(end))
    }

    fn extension(&self, end: i64) -> ExtendWindowRequest {
        let (plan_id, window_id) = (self.world.plan.clone(), self.window.window_id.clone());
        ExtendWindowRequest { request_id: request_id(), plan_id, window_id, end_time: at(end) }
    }

    fn close(&self, end: i64) -> Change {
        let (plan_id, window_id) = (self.world.plan.clone(), self.window.window_id.clone());
        Change::Close(CloseWindowRequest { request_id: String::new(), plan_id, window_id, end_time: at(end) })
    }

    fn join(&self, join_in: bool, is_open: bool) -> Change {
        let (plan_id, agency_id) = (self.world.plan.clone(), self.world.agency.agency_id.clone());
        Change::Join(JoinAgencyRequest { request_id: String::new(), plan_id, agency_id, join_in, is_open })
    }

    fn assign(&self, (begin, end): (i64, i64)) -> Change {
        let assignment = PointAssignment {
            point_id: self.world.point.point_id.clone(),
            confirm_begin_time: at(begin),
            confirm_end_time: at(end),
            ..Default::default()
        };
        let (plan_id, assignment) = (self.world.plan.clone(), Some(assignment));
        Change::Assign(AssignPointRequest { request_id: String::new(), plan_id, assignment })
    }

    fn finish(&self) -> Change {
        Change::Finish(FinishPlanRequest { request_id: String::new(), plan_id: self.world.plan.clone() })
    }

    async fn superseded(&self, agency_id: &str, page_token: &str) -> (Vec<SupersededSubmission>, String) {
        let request = ListSupersededSubmissionsRequest {
            plan_id: self.world.plan.clone(),
            agency_id: agency_id.to_owned(),
            page_size: 2,
            page_token: page_token.to_owned(),
        };
        let listed = self.world.world.plans().list_superseded_submissions(request).await.unwrap().into_inner();
        (listed.submissions, listed.next_page_token)
    }

    async fn recorded(&self) -> i64 {
        let pool = &self.world.world.running.service.ground.pool;
        sqlx::query_scalar("SELECT max(position) FROM event_log").fetch_one(pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_preview_counts_what_the_change_would_touch_and_changes_nothing() {
    let season = Season::start().await;
    let recorded = season.recorded().await;
    let none = PreviewChangeResponse { changes: true, ..Default::default() };
    // Two applications wait, both of one person; three stand and name the window.
    let all = PreviewChangeResponse { applications: 2, notices: 1, ..none };
    season.touches(season.extend(2 * HOUR), PreviewChangeResponse { superseded: 3, ..all }).await;
    season.touches(season.close(HOUR / 2), PreviewChangeResponse { superseded: 3, ..all }).await;
    season.touches(season.join(true, true), PreviewChangeResponse::default()).await;
    season.touches(season.assign((-DAY, DAY)), PreviewChangeResponse { bookings: 1, ..all }).await;
    season.touches(season.assign((-DAY, 4 * DAY)), all).await;
    let opened = OpenWindowRequest {
        plan_id: season.world.plan.clone(),
        agency_id: season.world.agency.agency_id.clone(),
        begin_time: at(2 * HOUR),
        end_time: at(3 * HOUR),
        ..Default::default()
    };
    season.touches(Change::Open(opened), none).await;
    assert_eq!(season.recorded().await, recorded);
}

#[tokio::test]
async fn filing_stops_when_the_window_is_over_and_the_preview_counts_whom_that_touches() {
    let season = Season::until(3).await;
    // Two applications wait, both of one person, who has booked.
    let all = PreviewChangeResponse { changes: true, applications: 2, notices: 1, ..Default::default() };
    season.touches(season.finish(), PreviewChangeResponse { bookings: 1, ..all }).await;
    season.touches(season.join(false, false), PreviewChangeResponse { bookings: 1, ..all }).await;
    season.touches(season.join(true, false), all).await;
    let finish = FinishPlanRequest { request_id: request_id(), plan_id: season.world.plan.clone() };
    season.world.world.plans().finish_plan(finish).await.unwrap();
}

#[tokio::test]
async fn the_end_of_an_agency_and_of_a_point_is_previewed() {
    let season = Season::until(3).await;
    let (world, all) = (
        &season.world,
        PreviewChangeResponse { changes: true, applications: 2, notices: 1, bookings: 1, ..Default::default() },
    );
    let abolish = |agency_id: &str| AbolishAgencyRequest {
        request_id: request_id(),
        agency_id: agency_id.to_owned(),
        effective_date: rpc::render_date(shanghai::day(lifecycle::clock::now())),
        successor_agency_id: String::new(),
    };
    // An agency of a county is below.
    assert_eq!(reason(season.preview(Change::Abolish(abolish(&world.agency.agency_id))).await), "AGENCIES_BELOW");
    assert_eq!(reason(season.preview(Change::Abolish(abolish(&request_id()))).await), "UNKNOWN_AGENCY");
    let gulou = AgencyId::of(Division::parse("320302").unwrap()).to_string();
    world.world.directory().abolish_agency(abolish(&gulou)).await.unwrap();
    season.touches(Change::Abolish(abolish(&gulou)), PreviewChangeResponse::default()).await;
    season.touches(Change::Abolish(abolish(&world.agency.agency_id)), all).await;

    let close = |point_id: &str| ClosePointRequest { request_id: request_id(), point_id: point_id.to_owned() };
    assert_eq!(reason(season.preview(Change::ClosePoint(close(&request_id()))).await), "UNKNOWN_POINT");
    season.touches(Change::ClosePoint(close(&world.point.point_id)), all).await;
    let wrong = refused(season.preview(Change::Abolish(AbolishAgencyRequest::default())).await);
    assert!(wrong.violation("agency_id").is_some() && wrong.violation("effective_date").is_some());
    let elsewhere = world.world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "330000", None).await;
    for change in [Change::ClosePoint(close(&world.point.point_id)), Change::Abolish(abolish(&world.agency.agency_id))]
    {
        let request = PreviewChangeRequest { change: Some(change) };
        assert_eq!(refused(PlansClient::new(elsewhere.clone()).preview_change(request).await).code, Code::NotFound);
    }
    world.world.directory().close_point(close(&world.point.point_id)).await.unwrap();
    season.touches(Change::ClosePoint(close(&world.point.point_id)), PreviewChangeResponse::default()).await;
}

#[tokio::test]
async fn a_preview_is_refused_as_the_change_itself() {
    let season = Season::start().await;
    let refusal = async |change| reason(season.preview(change).await);
    let extend = season.extend(2 * HOUR);
    eventually("the applications to be known", || async { season.preview(extend.clone()).await.ok() }).await;
    for change in [season.finish(), season.join(false, false), season.join(true, false)] {
        assert_eq!(refusal(change).await, "WINDOW_NOT_OVER");
    }
    assert_eq!(refusal(season.extend(HOUR / 2)).await, "NOT_LATER");
    assert_eq!(refusal(season.close(60)).await, "TOO_EARLY");
    assert_eq!(refusal(season.close(2 * HOUR)).await, "NOT_EARLIER");
    let unknown = ExtendWindowRequest { window_id: request_id(), ..season.extension(2 * HOUR) };
    assert_eq!(refusal(Change::Extend(unknown)).await, "UNKNOWN_WINDOW");
    let (plan_id, window_id) = (season.world.plan.clone(), season.window.window_id.clone());
    let cancel = CancelWindowRequest { request_id: String::new(), plan_id, window_id };
    assert_eq!(refusal(Change::Cancel(cancel)).await, "WINDOW_BEGUN");
    let elsewhere = FinishPlanRequest { request_id: String::new(), plan_id: request_id() };
    assert_eq!(refusal(Change::Finish(elsewhere)).await, "UNKNOWN_PLAN");
    let contradictory = refused(season.preview(season.join(false, true)).await);
    assert_eq!(contradictory.violation("is_open").unwrap().reason, "NOT_JOINED");
    let nothing = refused(season.world.world.plans().preview_change(PreviewChangeRequest::default()).await);
    assert_eq!(nothing.violation("change").unwrap().reason, "REQUIRED");
    let other = season.world.world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "330000", None).await;
    let change = Some(season.extend(2 * HOUR));
    let hidden = PlansClient::new(other).preview_change(PreviewChangeRequest { change }).await;
    assert_eq!(refused(hidden).code, Code::NotFound);
}

#[tokio::test]
async fn what_was_accepted_under_a_superseded_revision_is_listed() {
    let season = Season::start().await;
    let plans = || season.world.world.plans();
    season
        .touches(
            season.extend(2 * HOUR),
            PreviewChangeResponse { changes: true, applications: 2, notices: 1, superseded: 3, ..Default::default() },
        )
        .await;
    assert_eq!(season.superseded("", "").await, (Vec::new(), String::new()));
    let extended = plans().extend_window(season.extension(2 * HOUR)).await.unwrap().into_inner().window.unwrap();
    // Accepted under what is true now.
    season.world.submit_under(5, person(5), &extended).await;
    let counts =
        PreviewChangeResponse { changes: true, applications: 3, notices: 2, superseded: 4, ..Default::default() };
    season.touches(season.extend(3 * HOUR), counts).await;

    let (first, token) = season.superseded("", "").await;
    let (rest, end) = season.superseded("", &token).await;
    let listed: Vec<_> = first.iter().chain(&rest).map(|filed| filed.enrolment_number.clone()).collect();
    assert_eq!((listed, end), (vec![number(4), number(2), number(1)], String::new()));
    assert!(first.iter().chain(&rest).all(|filed| !filed.after_end), "an extension leaves them in order");
    let newest = &first[0];
    assert_eq!((newest.accepted_revision, newest.window.as_ref().unwrap()), (1, &extended));
    assert_eq!((&newest.agency_id, &newest.window_id), (&season.world.agency.agency_id, &extended.window_id));
    assert!(newest.submit_time.is_some());
    assert_eq!(season.superseded(&season.world.agency.agency_id, "").await.0, first);

    // Moved to another agency, it is listed there, under the window that it was accepted under.
    let mut form = season.world.form();
    form.agency_id = Uuid::from_u128(0x99).to_string();
    let amended = ApplicationAmended { enrolment_number: number(4), form: Some(form), ..Default::default() };
    season.world.world.running.neighbour("applications").publish(certificate(4), "320300", &amended).await;
    eventually("the new agency to be listed", || async {
        let (listed, _) = season.superseded("", "").await;
        (listed[0].agency_id == Uuid::from_u128(0x99).to_string()).then_some(())
    })
    .await;

    let unit = Some(Uuid::parse_str(&season.world.agency.agency_id).unwrap());
    let other = season.world.world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "320302", unit).await;
    for agency_id in [String::new(), season.world.agency.agency_id.clone()] {
        let request =
            ListSupersededSubmissionsRequest { plan_id: season.world.plan.clone(), agency_id, ..Default::default() };
        let hidden = PlansClient::new(other.clone()).list_superseded_submissions(request).await;
        assert_eq!(refused(hidden).code, Code::NotFound);
    }
    let rebuilt = season.world.world.running.service.bus.rebuild("filings", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

/// Replicas that have not heard go on accepting.
#[tokio::test]
async fn what_was_accepted_when_nobody_could_file_any_more_is_listed_first() {
    let season = Season::until(3).await;
    let (world, plans) = (&season.world, || season.world.world.plans());
    let (plan, agency) = (season.world.plan.clone(), season.world.agency.agency_id.clone());
    let cancelled = open(&world.world, &plan, &agency, (2 * HOUR, 3 * HOUR)).await;
    let ahead = open(&world.world, &plan, &agency, (4 * HOUR, 5 * HOUR)).await;
    let (plan_id, window_id) = (plan.clone(), cancelled.window_id.clone());
    plans().cancel_window(CancelWindowRequest { request_id: request_id(), plan_id, window_id }).await.unwrap();
    for (n, window, hours) in [(5, &cancelled, 2), (6, &ahead, 4), (7, &cancelled, 0)] {
        world.submit_under(n, person(n), window).await;
        let sql =
            "UPDATE views.filing SET submitted_at = submitted_at + $1 * interval '1 hour' WHERE enrolment_number = $2";
        // As it would have been recorded when the window would have begun.
        eventually("the submission to be known", || async {
            let query = sqlx::query(sql).bind(f64::from(hours)).bind(number(n));
            let updated = query.execute(&world.world.running.service.ground.pool).await.unwrap();
            (updated.rows_affected() == 1).then_some(())
        })
        .await;
    }
    let listed = async |expected: &[(u32, bool)]| {
        let (mut listed, mut token) = season.superseded("", "").await;
        while !token.is_empty() {
            let (more, next) = season.superseded(&agency, &token).await;
            listed.extend(more);
            token = next;
        }
        let shown: Vec<_> = listed.iter().map(|filed| (filed.enrolment_number.clone(), filed.after_end)).collect();
        let expected: Vec<_> = expected.iter().map(|(n, after_end)| (number(*n), *after_end)).collect();
        assert_eq!(shown, expected);
        listed
    };
    let first = listed(&[(5, true), (7, false)]).await.remove(0);
    let taken_back = first.window.unwrap();
    assert_eq!((first.accepted_revision, taken_back.revision), (1, 2));
    assert_eq!((taken_back.begin_time, taken_back.end_time), (cancelled.begin_time, cancelled.begin_time));

    let join = |is_open| {
        let (plan_id, agency_id) = (plan.clone(), agency.clone());
        JoinAgencyRequest { request_id: request_id(), plan_id, agency_id, join_in: true, is_open }
    };
    eventually("the first window to be over", || async { plans().join_agency(join(false)).await.ok() }).await;
    listed(&[(6, true), (5, true), (7, false)]).await;
    plans().join_agency(join(true)).await.unwrap();
    listed(&[(5, true), (7, false)]).await;
    let finish = FinishPlanRequest { request_id: request_id(), plan_id: plan.clone() };
    plans().finish_plan(finish).await.unwrap();
    listed(&[(6, true), (5, true), (7, false)]).await;
}

#[tokio::test]
async fn a_window_is_taken_back_before_it_begins() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let begun = open(&world, &plan, &xuzhou.agency_id, (-HOUR, HOUR)).await;
    let coming = open(&world, &plan, &xuzhou.agency_id, (2 * HOUR, 3 * HOUR)).await;
    let cancel = |window: &Window| CancelWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        window_id: window.window_id.clone(),
    };
    let refusal = refused(world.plans().cancel_window(cancel(&begun)).await);
    assert!(refusal.reason == "WINDOW_BEGUN" && refusal.sentence.contains("已于"), "{refusal:?}");
    let request = cancel(&coming);
    let cancelled = world.plans().cancel_window(request.clone()).await.unwrap().into_inner();
    assert_eq!(world.plans().cancel_window(request).await.unwrap().into_inner(), cancelled);
    assert_eq!(reason(world.plans().cancel_window(cancel(&coming)).await), "UNKNOWN_WINDOW");
    let open = eventually("the window to be gone", || async {
        let answer = world.availability().check_availability(question(&xuzhou)).await.ok()?.into_inner();
        (answer.windows == [begun.clone()]).then_some(answer)
    })
    .await;
    assert_eq!((open.reason.as_str(), open.next_begin_time), ("NO_POINT", None));
}
