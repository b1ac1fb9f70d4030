//! `CheckAvailability` over gRPC: from no plan to open, and what a wrong question hears.

use proto::scheduling::v1::{
    Agency, AssignPointRequest, CheckAvailabilityRequest, CheckAvailabilityResponse, ClosePointRequest,
    FinishPlanRequest, OpenWindowRequest, PointAssignment,
};
use proto::types::v1::Stage;
use tonic::Code;

use crate::harness::{World, at, eventually, refused, request_id};

const HOUR: i64 = 3_600;

pub(crate) fn question(agency: &Agency) -> CheckAvailabilityRequest {
    CheckAvailabilityRequest {
        province: "32".to_owned(),
        city: "3203".to_owned(),
        stage: Stage::Senior.into(),
        agency_id: agency.agency_id.clone(),
        point_id: String::new(),
        time: None,
    }
}

fn asked_at(question: &CheckAvailabilityRequest, time: Option<prost_types::Timestamp>) -> CheckAvailabilityRequest {
    CheckAvailabilityRequest { time, ..question.clone() }
}

pub(crate) async fn becomes(
    world: &World,
    question: &CheckAvailabilityRequest,
    reason: &str,
) -> CheckAvailabilityResponse {
    eventually(reason, || async {
        let answer = world.availability().check_availability(question.clone()).await.ok()?.into_inner();
        (answer.reason == reason).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn an_agency_opens_step_by_step() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let question = question(&xuzhou);
    becomes(&world, &question, "NO_PLAN").await;
    let plan = world.publish_plan().await;
    becomes(&world, &question, "AGENCY_NOT_JOINED").await;
    world.join(&plan, &xuzhou).await;
    becomes(&world, &question, "NO_WINDOW").await;
    let window = |begin, end| OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        agency_id: xuzhou.agency_id.clone(),
        begin_time: at(begin),
        end_time: at(end),
        grace_minutes: 0,
    };
    world.plans().open_window(window(2 * HOUR, 3 * HOUR)).await.unwrap();
    let closed = becomes(&world, &question, "WINDOW_NOT_OPEN").await;
    assert!(closed.message.contains("还未到网报时间"), "{}", closed.message);
    assert!(closed.next_begin_time.is_some() && closed.current.is_none());
    world.plans().open_window(window(-HOUR, HOUR)).await.unwrap();
    becomes(&world, &question, "NO_POINT").await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let assignment = PointAssignment {
        point_id: point.point_id.clone(),
        confirm_begin_time: at(0),
        confirm_end_time: at(HOUR),
        range: "市直属学校教师".to_owned(),
        notes: "请携带证书原件".to_owned(),
    };
    let assign = AssignPointRequest { request_id: request_id(), plan_id: plan.clone(), assignment: Some(assignment) };
    world.plans().assign_point(assign).await.unwrap();
    let open = becomes(&world, &question, "").await;
    assert!(open.open && open.current.is_some());
    assert_eq!((open.windows.len(), open.points.len()), (2, 1));
    let at_point = CheckAvailabilityRequest { point_id: point.point_id, ..question.clone() };
    assert!(becomes(&world, &at_point, "").await.open);
    let elsewhere = CheckAvailabilityRequest { point_id: request_id(), ..question.clone() };
    becomes(&world, &elsewhere, "POINT_CLOSED").await;
    becomes(&world, &super::availability::question(&gulou), "AGENCY_NOT_JOINED").await;
}

#[tokio::test]
async fn a_time_that_is_named_is_judged_as_the_present_is() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan_id = world.publish_plan().await;
    world.join(&plan_id, &xuzhou).await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let assignment = PointAssignment {
        point_id: point.point_id.clone(),
        confirm_begin_time: at(0),
        confirm_end_time: at(9 * HOUR),
        ..PointAssignment::default()
    };
    let assign =
        AssignPointRequest { request_id: request_id(), plan_id: plan_id.clone(), assignment: Some(assignment) };
    world.plans().assign_point(assign).await.unwrap();
    let window = OpenWindowRequest {
        request_id: request_id(),
        plan_id,
        agency_id: xuzhou.agency_id.clone(),
        begin_time: at(2 * HOUR),
        end_time: at(4 * HOUR),
        grace_minutes: 0,
    };
    let window = world.plans().open_window(window).await.unwrap().into_inner().window.unwrap();
    let question = question(&xuzhou);
    becomes(&world, &question, "WINDOW_NOT_OPEN").await;
    let inside = becomes(&world, &asked_at(&question, at(3 * HOUR)), "").await;
    assert_eq!((inside.open, inside.current.as_ref(), inside.points.len()), (true, Some(&window), 1));
    assert!(becomes(&world, &asked_at(&question, window.begin_time), "").await.open);
    let end = becomes(&world, &asked_at(&question, window.end_time), "WINDOW_NOT_OPEN").await;
    assert!(end.message.contains("网报时间已截止") && end.next_begin_time.is_none(), "{}", end.message);
    let before = becomes(&world, &asked_at(&question, at(-HOUR)), "WINDOW_NOT_OPEN").await;
    assert!(before.message.contains("还未到网报时间") && before.next_begin_time == window.begin_time);
}

/// A plan keeps the dates of a point that is closed; nobody is sent there.
#[tokio::test]
async fn a_closed_point_is_not_offered_and_the_last_one_leaves_none() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan_id = world.publish_plan().await;
    world.join(&plan_id, &xuzhou).await;
    let window = OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan_id.clone(),
        agency_id: xuzhou.agency_id.clone(),
        begin_time: at(-HOUR),
        end_time: at(HOUR),
        grace_minutes: 0,
    };
    world.plans().open_window(window).await.unwrap();
    let mut points = Vec::new();
    for name in ["徐州市政务服务中心", "徐州市第一中学"] {
        let point_id = world.add_point(&xuzhou, name, None).await.point_id;
        let assignment = PointAssignment {
            point_id: point_id.clone(),
            confirm_begin_time: at(0),
            confirm_end_time: at(9 * HOUR),
            ..PointAssignment::default()
        };
        let assignment = Some(assignment);
        let assign = AssignPointRequest { request_id: request_id(), plan_id: plan_id.clone(), assignment };
        world.plans().assign_point(assign).await.unwrap();
        points.push(point_id);
    }
    let question = question(&xuzhou);
    let offers = async |expected: usize| {
        eventually("so many points", || async {
            let answer = world.availability().check_availability(question.clone()).await.ok()?.into_inner();
            (answer.points.len() == expected).then_some(answer)
        })
        .await
    };
    assert!(offers(2).await.open);
    let close = |point_id: &str| ClosePointRequest { request_id: request_id(), point_id: point_id.to_owned() };
    world.directory().close_point(close(&points[0])).await.unwrap();
    let answer = offers(1).await;
    assert_eq!((answer.open, &answer.points[0].point_id), (true, &points[1]));
    let closed = CheckAvailabilityRequest { point_id: points[0].clone(), ..question.clone() };
    becomes(&world, &closed, "POINT_CLOSED").await;
    world.directory().close_point(close(&points[1])).await.unwrap();
    let none = becomes(&world, &question, "NO_POINT").await;
    assert!(!none.open && none.points.is_empty());
    assert_eq!(none.message, "徐州市教育局目前还没有安排确认点，请与该机构联系！");
    let rebuilt = world.running.service.bus.rebuild("directory", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn a_finished_plan_is_told() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan_id = world.publish_plan().await;
    world.join(&plan_id, &xuzhou).await;
    world.plans().finish_plan(FinishPlanRequest { request_id: request_id(), plan_id }).await.unwrap();
    let finished = becomes(&world, &question(&xuzhou), "PLAN_FINISHED").await;
    assert_eq!(finished.message, "该机构当前注册工作已经结束");
}

#[tokio::test]
async fn a_wrong_question_hears_of_all_its_fields() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let wrong = CheckAvailabilityRequest {
        province: "33".to_owned(),
        city: "3203".to_owned(),
        stage: 0,
        agency_id: "x".to_owned(),
        point_id: "y".to_owned(),
        time: at(367 * 24 * HOUR),
    };
    let refusal = refused(world.availability().check_availability(wrong.clone()).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["city", "stage", "agency_id", "point_id", "time"]);
    for (time, reason) in [(at(-367 * 24 * HOUR), Some("OUT_OF_RANGE")), (at(365 * 24 * HOUR), None), (None, None)] {
        let refusal = refused(world.availability().check_availability(asked_at(&wrong, time)).await);
        assert_eq!(refusal.violation("time").map(|violation| violation.reason.as_str()), reason);
    }
    let elsewhere = CheckAvailabilityRequest { city: "3201".to_owned(), ..question(&xuzhou) };
    let refusal = refused(world.availability().check_availability(elsewhere).await);
    assert_eq!(refusal.violation("agency_id").unwrap().reason, "NOT_OFFERED");
    let not_there = scheduling::domain::id::AgencyId::of(scheduling::domain::division::Code::parse("320303").unwrap());
    let missing = CheckAvailabilityRequest { agency_id: not_there.to_string(), ..question(&xuzhou) };
    let refusal = eventually("the views to be loaded", || async {
        let refusal = refused(world.availability().check_availability(missing.clone()).await);
        Some(refusal).filter(|refusal| refusal.reason != "REFERENCE_NOT_READY")
    })
    .await;
    assert_eq!(refusal.code, Code::NotFound);
}
