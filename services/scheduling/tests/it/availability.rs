//! `CheckAvailability` over gRPC: from no plan to open, and what a wrong question hears.

use proto::scheduling::v1::{
    Agency, AssignPointRequest, CheckAvailabilityRequest, CheckAvailabilityResponse, FinishPlanRequest,
    OpenWindowRequest, PointAssignment,
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
    }
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
async fn an_agency_opens_step_by_step_and_ends() {
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
    let finish = FinishPlanRequest { request_id: request_id(), plan_id: plan };
    world.plans().finish_plan(finish).await.unwrap();
    let finished = becomes(&world, &question, "PLAN_FINISHED").await;
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
    };
    let refusal = refused(world.availability().check_availability(wrong).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["city", "stage", "agency_id", "point_id"]);
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
