//! `WatchAvailability` over gRPC: what a change of the plan tells, what the clock tells, and when nobody is told any more.

use std::time::Duration;

use proto::scheduling::v1::availability_client::AvailabilityClient;
use proto::scheduling::v1::{
    Agency, AssignPointRequest, CheckAvailabilityResponse, OpenWindowRequest, PointAssignment,
    WatchAvailabilityRequest, WatchAvailabilityResponse,
};
use scheduling::config::Settings;
use service::testing::Channel;
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::availability::{becomes, question};
use crate::harness::{World, at, eventually, refused, request_id};

const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: i64 = 3_600;

/// The next answer of a watch; it must come.
async fn next(watch: &mut Streaming<WatchAvailabilityResponse>) -> CheckAvailabilityResponse {
    let answer = tokio::time::timeout(PATIENCE, watch.message()).await.expect("waited in vain for an answer");
    answer.unwrap().expect("the watch goes on").answer.unwrap()
}

fn about(agency: &Agency) -> WatchAvailabilityRequest {
    WatchAvailabilityRequest { question: Some(question(agency)) }
}

fn client(world: &World, person: u128) -> AvailabilityClient<Channel> {
    AvailabilityClient::new(world.running.person(Uuid::from_u128(person)))
}

async fn open(world: &World, plan: &str, agency: &Agency, (begin, end): (i64, i64)) {
    let request = OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.to_owned(),
        agency_id: agency.agency_id.clone(),
        begin_time: at(begin),
        end_time: at(end),
        grace_minutes: 0,
    };
    world.plans().open_window(request).await.unwrap();
}

async fn assign(world: &World, plan: &str, point_id: &str, end: i64) {
    let assignment = PointAssignment {
        point_id: point_id.to_owned(),
        confirm_begin_time: at(-HOUR),
        confirm_end_time: at(end),
        range: "市直属学校教师".to_owned(),
        notes: "请携带证书原件".to_owned(),
    };
    let assignment = Some(assignment);
    let assign = AssignPointRequest { request_id: request_id(), plan_id: plan.to_owned(), assignment };
    world.plans().assign_point(assign).await.unwrap();
}

#[tokio::test]
async fn every_change_of_the_plan_is_told_and_nothing_else() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    becomes(&world, &question(&xuzhou), "NO_PLAN").await;
    let mut watch = world.availability().watch_availability(about(&xuzhou)).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await.reason, "NO_PLAN");
    let plan = world.publish_plan().await;
    assert_eq!(next(&mut watch).await.reason, "AGENCY_NOT_JOINED");
    // Of another agency: no news for this one.
    world.join(&plan, &gulou).await;
    becomes(&world, &question(&gulou), "NO_WINDOW").await;
    world.join(&plan, &xuzhou).await;
    assert_eq!(next(&mut watch).await.reason, "NO_WINDOW");
    open(&world, &plan, &xuzhou, (-HOUR, HOUR)).await;
    assert_eq!(next(&mut watch).await.reason, "NO_POINT");
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    assign(&world, &plan, &point.point_id, HOUR).await;
    let answer = next(&mut watch).await;
    assert!(answer.open && answer.points.len() == 1, "{answer:?}");
    assert!(answer.advice.contains("市直属"), "{}", answer.advice);
}

#[tokio::test]
async fn the_clock_tells_when_a_window_begins_when_a_point_has_confirmed_and_when_the_window_ends() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    // All is recorded before the window begins, so that nothing but the clock has anything to tell afterwards.
    assign(&world, &plan, &point.point_id, 8).await;
    open(&world, &plan, &xuzhou, (5, 11)).await;
    becomes(&world, &question(&xuzhou), "WINDOW_NOT_OPEN").await;
    let mut watch = world.availability().watch_availability(about(&xuzhou)).await.unwrap().into_inner();
    let before = next(&mut watch).await;
    assert!(before.reason == "WINDOW_NOT_OPEN" && before.message.contains("还未到网报时间"), "{before:?}");
    let inside = next(&mut watch).await;
    assert!(inside.open && inside.current.is_some(), "{inside:?}");
    assert_eq!(next(&mut watch).await.reason, "NO_POINT");
    let after = next(&mut watch).await;
    assert!(after.reason == "WINDOW_NOT_OPEN" && after.message.contains("网报时间已截止"), "{after:?}");
}

#[tokio::test]
async fn a_watch_is_refused_as_a_question_is() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let nothing = refused(world.availability().watch_availability(WatchAvailabilityRequest::default()).await);
    let fields: Vec<&str> = nothing.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["city", "stage", "agency_id"]);
    let mut elsewhere = about(&xuzhou);
    elsewhere.question.as_mut().unwrap().city = "3201".to_owned();
    let refusal = refused(world.availability().watch_availability(elsewhere).await);
    assert_eq!(refusal.violation("agency_id").unwrap().reason, "NOT_OFFERED");
    let mut at_a_time = about(&xuzhou);
    at_a_time.question.as_mut().unwrap().time = at(HOUR);
    let refusal = refused(world.availability().watch_availability(at_a_time).await);
    assert_eq!(refusal.violation("time").unwrap().reason, "NOT_EXPECTED");
}

#[tokio::test]
async fn there_are_so_many_watchers_and_whoever_leaves_makes_room() {
    let world = World::with(Settings { max_watchers: 1, ..Settings::default() }, Vec::new()).await;
    let [_, xuzhou, _] = world.agencies().await;
    becomes(&world, &question(&xuzhou), "NO_PLAN").await;
    let mut first = client(&world, 1).watch_availability(about(&xuzhou)).await.unwrap().into_inner();
    assert_eq!(next(&mut first).await.reason, "NO_PLAN");
    let refusal = refused(client(&world, 2).watch_availability(about(&xuzhou)).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_WATCHERS"));
    assert!(refusal.retry_after.is_some());
    drop(first);
    eventually("room for another one", || async { client(&world, 2).watch_availability(about(&xuzhou)).await.ok() })
        .await;
}

#[tokio::test]
async fn the_services_stop_ends_every_watch() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    becomes(&world, &question(&xuzhou), "NO_PLAN").await;
    let mut watch = world.availability().watch_availability(about(&xuzhou)).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await.reason, "NO_PLAN");
    let ended = async { tokio::time::timeout(PATIENCE, watch.message()).await.expect("the watch ends").unwrap() };
    let ((), last) = tokio::join!(world.running.stop(), ended);
    assert_eq!(last, None, "it ends without an error");
}
