//! Plans, windows and points over gRPC: every reason that an officer can meet.

use proto::identity::v1::Role;
use proto::scheduling::v1::plans_client::PlansClient;
use proto::scheduling::v1::{
    AgencyPlan, AssignPointRequest, CancelWindowRequest, CloseWindowRequest, ExtendWindowRequest, FinishPlanRequest,
    GetPlanRequest, JoinAgencyRequest, ListPlansRequest, OpenWindowRequest, PlanSummary, PointAssignment,
    PublishPlanRequest, Window,
};
use scheduling::domain::id::{AgencyId, PointId};
use scheduling::domain::plan::{Assignment, Event};
use tonic::{Code, Response};
use uuid::Uuid;

use crate::harness::{World, at, eventually, reason, refused, request_id};

const HOUR: i64 = 3_600;

fn open(plan: &str, agency: &str, begin: i64, end: i64) -> OpenWindowRequest {
    OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.to_owned(),
        agency_id: agency.to_owned(),
        begin_time: at(begin),
        end_time: at(end),
        grace_minutes: 30,
    }
}

async fn opened(world: &World, plan: &str, agency: &str, begin: i64, end: i64) -> Window {
    let answer = world.plans().open_window(open(plan, agency, begin, end)).await.unwrap();
    answer.into_inner().window.unwrap()
}

#[tokio::test]
async fn a_province_has_one_live_plan() {
    let world = World::start().await;
    let plan_id = world.publish_plan().await;
    let publish =
        || PublishPlanRequest {
            request_id: request_id(), province: "32".to_owned(), batch: "2027年春季".to_owned()
        };
    assert_eq!(reason(world.plans().publish_plan(publish()).await), "PLAN_EXISTS");
    let finish = || FinishPlanRequest { request_id: request_id(), plan_id: plan_id.clone() };
    world.plans().finish_plan(finish()).await.unwrap();
    assert_eq!(reason(world.plans().finish_plan(finish()).await), "PLAN_FINISHED");
    let next = world.plans().publish_plan(publish()).await.unwrap().into_inner().plan_id;
    let current = eventually("the new plan to be current", || async {
        let request = GetPlanRequest { province: "32".to_owned(), ..GetPlanRequest::default() };
        let plan = world.plans().get_plan(request).await.ok()?.into_inner().plan?;
        (plan.plan_id == next).then_some(plan)
    })
    .await;
    assert_eq!((current.batch.as_str(), current.finished), ("2027年春季", false));
    let wrong = PublishPlanRequest { request_id: request_id(), province: "3203".to_owned(), batch: " ".to_owned() };
    let refusal = refused(world.plans().publish_plan(wrong).await);
    assert_eq!(refusal.violation("province").unwrap().reason, "UNKNOWN_DIVISION");
    assert_eq!(refusal.violation("batch").unwrap().reason, "WRONG_LENGTH");
}

#[tokio::test]
async fn the_plans_of_a_batch_are_those_that_provinces_have_published() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let first = world.publish_plan().await;
    world.join(&first, &xuzhou).await;
    world.plans().finish_plan(FinishPlanRequest { request_id: request_id(), plan_id: first.clone() }).await.unwrap();
    let publish = async |province: &str, batch: &str| {
        let officer = world.running.staff(lifecycle::ids::random(), Role::ScheduleOfficer, province, None).await;
        let (request_id, province, batch) = (request_id(), province[..2].to_owned(), batch.to_owned());
        let request = PublishPlanRequest { request_id, province, batch };
        PlansClient::new(officer).publish_plan(request).await.unwrap().into_inner().plan_id
    };
    let spring = publish("320000", "2027年春季").await;
    let zhejiang = publish("330000", "2026年秋季").await;
    let list = |batch: &str, page_size, page_token: &str| {
        let (batch, page_token) = (batch.to_owned(), page_token.to_owned());
        let request = ListPlansRequest { batch, page_size, page_token };
        let mut plans = world.plans();
        async move { plans.list_plans(request).await.map(Response::into_inner) }
    };
    let all = eventually("three plans", || async {
        list("", 0, "").await.ok().map(|listed| listed.plans).filter(|plans| plans.len() == 3)
    })
    .await;
    let ids = |plans: &[PlanSummary]| plans.iter().map(|plan| plan.plan_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&all), [zhejiang.clone(), spring, first.clone()]);
    let autumn = list("2026年秋季", 1, "").await.unwrap();
    assert_eq!(ids(&autumn.plans), [zhejiang]);
    let rest = list("2026年秋季", 1, &autumn.next_page_token).await.unwrap();
    let expected = PlanSummary {
        plan_id: first,
        province: "32".to_owned(),
        batch: "2026年秋季".to_owned(),
        finished: true,
        agencies: 1,
    };
    assert_eq!((rest.plans, rest.next_page_token.as_str()), (vec![expected], ""));
    assert!(list("2025年秋季", 0, "").await.unwrap().plans.is_empty());
    let wrong = list(&"批".repeat(41), -1, "x").await.map(Response::new);
    let fields: Vec<String> = refused(wrong).violations.into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["batch", "page_size", "page_token"]);
}

#[tokio::test]
async fn a_plan_that_nobody_knows_is_refused() {
    let world = World::start().await;
    let finish = FinishPlanRequest { request_id: request_id(), plan_id: request_id() };
    assert_eq!(reason(world.plans().finish_plan(finish).await), "UNKNOWN_PLAN");
    let get = GetPlanRequest { plan_id: request_id(), ..GetPlanRequest::default() };
    let refusal = eventually("the plans to be loaded", || async {
        Some(refused(world.plans().get_plan(get.clone()).await))
            .filter(|refusal| refusal.reason != "REFERENCE_NOT_READY")
    })
    .await;
    assert_eq!(refusal.code, Code::NotFound);
}

#[tokio::test]
async fn an_agency_joins_before_it_opens_windows() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    let early = world.plans().open_window(open(&plan, &xuzhou.agency_id, 0, HOUR)).await;
    assert_eq!(reason(early), "AGENCY_NOT_JOINED");
    let join = |agency_id: String, join_in, is_open| JoinAgencyRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        agency_id,
        join_in,
        is_open,
    };
    assert_eq!(reason(world.plans().join_agency(join(request_id(), true, true)).await), "UNKNOWN_AGENCY");
    let contradictory = refused(world.plans().join_agency(join(xuzhou.agency_id.clone(), false, true)).await);
    assert_eq!(contradictory.violation("is_open").unwrap().reason, "NOT_JOINED");
    world.join(&plan, &xuzhou).await;
    world.join(&plan, &xuzhou).await;
    let window = opened(&world, &plan, &xuzhou.agency_id, -HOUR, HOUR).await;
    assert_eq!((window.revision, window.grace_minutes), (1, 30));
    let overlap = refused(world.plans().open_window(open(&plan, &xuzhou.agency_id, 0, 2 * HOUR)).await);
    assert_eq!(overlap.reason, "WINDOWS_OVERLAP");
    assert!(overlap.sentence.contains("重叠"), "{}", overlap.sentence);
    let past = world.plans().open_window(open(&plan, &xuzhou.agency_id, -9 * HOUR, -8 * HOUR)).await;
    assert_eq!(reason(past), "WINDOW_IN_THE_PAST");
    let wrong = OpenWindowRequest { grace_minutes: 121, ..open(&plan, &xuzhou.agency_id, HOUR, HOUR) };
    let refusal = refused(world.plans().open_window(wrong).await);
    assert_eq!(refusal.violation("end_time").unwrap().reason, "NOT_AFTER_BEGIN");
    assert_eq!(refusal.violation("grace_minutes").unwrap().reason, "OUT_OF_RANGE");
}

#[tokio::test]
async fn windows_end_later_at_once_and_earlier_after_ten_minutes() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let window = opened(&world, &plan, &xuzhou.agency_id, -HOUR, HOUR).await;
    let extend = |end| ExtendWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        window_id: window.window_id.clone(),
        end_time: at(end),
    };
    let close = |end| CloseWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        window_id: window.window_id.clone(),
        end_time: at(end),
    };
    assert_eq!(reason(world.plans().extend_window(extend(HOUR / 2)).await), "NOT_LATER");
    let longer = world.plans().extend_window(extend(2 * HOUR)).await.unwrap().into_inner().window.unwrap();
    assert_eq!((longer.revision, &longer.window_id), (2, &window.window_id));
    assert_eq!(reason(world.plans().close_window(close(3 * HOUR)).await), "NOT_EARLIER");
    assert_eq!(reason(world.plans().close_window(close(-2 * HOUR)).await), "ENDS_BEFORE_BEGIN");
    let early = refused(world.plans().close_window(close(60)).await);
    assert_eq!(early.reason, "TOO_EARLY");
    assert!(early.sentence.contains("10分钟"), "{}", early.sentence);
    let request = close(HOUR);
    let shorter = world.plans().close_window(request.clone()).await.unwrap().into_inner();
    assert_eq!(shorter.window.as_ref().unwrap().revision, 3);
    assert_eq!(world.plans().close_window(request).await.unwrap().into_inner(), shorter);
    let unknown = ExtendWindowRequest { window_id: request_id(), ..extend(3 * HOUR) };
    assert_eq!(reason(world.plans().extend_window(unknown).await), "UNKNOWN_WINDOW");
}

/// As a window ends earlier after ten minutes' notice only, nothing else shuts people out of it at once.
#[tokio::test]
async fn filing_does_not_stop_in_a_window_nor_a_plan_finish() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let leave = |is_open| JoinAgencyRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        agency_id: xuzhou.agency_id.clone(),
        join_in: is_open,
        is_open: false,
    };
    let finish = || FinishPlanRequest { request_id: request_id(), plan_id: plan.clone() };
    // Soon enough for people to have been told of it.
    let soon = opened(&world, &plan, &xuzhou.agency_id, 300, HOUR).await;
    let refusal = refused(world.plans().finish_plan(finish()).await);
    assert!(refusal.reason == "WINDOW_NOT_OVER" && refusal.sentence.contains("提前截止"), "{refusal:?}");
    assert_eq!(reason(world.plans().join_agency(leave(true)).await), "WINDOW_NOT_OVER");
    assert_eq!(reason(world.plans().join_agency(leave(false)).await), "WINDOW_NOT_OVER");
    let cancel = CancelWindowRequest { request_id: request_id(), plan_id: plan.clone(), window_id: soon.window_id };
    assert_eq!(reason(world.plans().cancel_window(cancel).await), "TOO_EARLY");

    let next = "2026年秋季".to_owned();
    let elsewhere = PublishPlanRequest { request_id: request_id(), province: "32".to_owned(), batch: next };
    assert_eq!(reason(world.plans().publish_plan(elsewhere).await), "PLAN_EXISTS", "nothing was finished");
}

#[tokio::test]
async fn filing_stops_as_soon_as_the_window_and_its_tickets_are_over() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let request = OpenWindowRequest { grace_minutes: 0, ..open(&plan, &xuzhou.agency_id, -HOUR, 2) };
    let window = world.plans().open_window(request).await.unwrap().into_inner().window.unwrap();
    eventually("the plan to finish", || async {
        let finish = FinishPlanRequest { request_id: request_id(), plan_id: plan.clone() };
        world.plans().finish_plan(finish).await.ok()
    })
    .await;
    let pool = &world.running.service.ground.pool;
    let sql = "SELECT recorded_at FROM event_log WHERE type = 'dingzhu.scheduling.v1.PlanFinished'";
    let finished: time::OffsetDateTime = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    assert!(finished.unix_timestamp() >= window.end_time.unwrap().seconds);
}

#[tokio::test]
async fn a_window_that_has_ended_is_not_extended() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let window = opened(&world, &plan, &xuzhou.agency_id, -HOUR, 2).await;
    let refusal = eventually("the window to end", || async {
        let request = ExtendWindowRequest {
            request_id: request_id(),
            plan_id: plan.clone(),
            window_id: window.window_id.clone(),
            // Never later than the present end as long as that has not passed.
            end_time: window.end_time,
        };
        Some(refused(world.plans().extend_window(request).await)).filter(|refusal| refusal.reason != "NOT_LATER")
    })
    .await;
    assert_eq!(refusal.reason, "WINDOW_CLOSED");
}

#[tokio::test]
async fn points_are_assigned_and_the_plan_shows_them() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let assign = |point_id: &str, notes: &str| AssignPointRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        assignment: Some(PointAssignment {
            point_id: point_id.to_owned(),
            confirm_begin_time: at(0),
            confirm_end_time: at(HOUR),
            range: "市直属学校教师".to_owned(),
            notes: notes.to_owned(),
        }),
    };
    assert_eq!(reason(world.plans().assign_point(assign(&point.point_id, "")).await), "AGENCY_NOT_JOINED");
    world.join(&plan, &xuzhou).await;
    assert_eq!(reason(world.plans().assign_point(assign(&request_id(), "")).await), "UNKNOWN_POINT");
    let wrong = AssignPointRequest { request_id: request_id(), plan_id: plan.clone(), assignment: None };
    let refusal = refused(world.plans().assign_point(wrong).await);
    assert!(refusal.violation("assignment.point_id").is_some());
    assert!(refusal.violation("assignment.confirm_begin_time").is_some());
    world.plans().assign_point(assign(&point.point_id, "请携带证书原件")).await.unwrap();
    let window = opened(&world, &plan, &xuzhou.agency_id, 0, HOUR).await;
    let shown = eventually("the plan to show the window", || async {
        let request = GetPlanRequest { plan_id: plan.clone(), ..GetPlanRequest::default() };
        let shown = world.plans().get_plan(request).await.ok()?.into_inner().plan?;
        shown.agencies.first().is_some_and(|agency| !agency.windows.is_empty()).then_some(shown)
    })
    .await;
    let agency = &shown.agencies[0];
    assert_eq!((&agency.agency_id, agency.join_in, agency.is_open), (&xuzhou.agency_id, true, true));
    assert_eq!(agency.windows, [window]);
    assert_eq!(agency.points[0].notes, "请携带证书原件");
}

/// More than a message holds: every point with the longest notes.
#[tokio::test]
async fn a_large_plan_comes_in_pages() {
    const POINTS: u128 = 600;
    let world = World::start().await;
    let [jiangsu, xuzhou, gulou] = world.agencies().await;
    let plan_id = world.publish_plan().await;
    for agency in [&jiangsu, &xuzhou, &gulou] {
        world.join(&plan_id, agency).await;
    }
    let stream = Uuid::parse_str(&plan_id).unwrap();
    let agency = AgencyId(Uuid::parse_str(&xuzhou.agency_id).unwrap());
    let instant = lifecycle::clock::now();
    let assigned = (1..=POINTS).map(|n| {
        let (point, notes) = (PointId(Uuid::from_u128(n)), "注".repeat(5_000));
        let (confirm_begin, confirm_end, range) = (instant, instant, String::new());
        Event::PointAssigned { agency, assignment: Assignment { point, confirm_begin, confirm_end, range, notes } }
    });
    for (events, version) in assigned.collect::<Vec<_>>().chunks(100).zip((4..).step_by(100)) {
        world.record(stream, version, events, Vec::new()).await;
    }
    let page = async |page_size, page_token: &str| {
        let (plan_id, page_token) = (plan_id.clone(), page_token.to_owned());
        let request = GetPlanRequest { plan_id, page_size, page_token, ..GetPlanRequest::default() };
        world.plans().get_plan(request).await.map(Response::into_inner)
    };
    let all = async |page_size| {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let answer = page(page_size, &token).await.ok()?;
            token = answer.next_page_token;
            pages.push(answer.plan?.agencies);
            if token.is_empty() {
                return Some(pages);
            }
        }
    };
    let points = |pages: &[Vec<AgencyPlan>]| -> Vec<String> {
        let points = pages.iter().flatten().flat_map(|agency| &agency.points);
        points.map(|point| point.point_id.clone()).collect()
    };
    let expected: Vec<String> = (1..=POINTS).map(|n| Uuid::from_u128(n).to_string()).collect();
    for page_size in [0, 1] {
        let pages = eventually("all points", || async {
            all(page_size).await.filter(|pages| points(pages).len() == expected.len())
        })
        .await;
        assert!(pages.len() > 2 && points(&pages) == expected, "{} pages", pages.len());
        let mut agencies: Vec<String> = pages.into_iter().flatten().map(|agency| agency.agency_id).collect();
        agencies.dedup();
        let mut known = [&jiangsu, &xuzhou, &gulou].map(|agency| agency.agency_id.clone());
        known.sort_unstable();
        assert_eq!(agencies, known);
    }
    let wrong = refused(page(-1, "x").await.map(Response::new));
    let fields: Vec<String> = wrong.violations.into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["page_size", "page_token"]);
}
