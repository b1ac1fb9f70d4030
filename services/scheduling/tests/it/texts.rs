//! Texts in words: what is in none of them, and a view that meets it all the same.

use proto::scheduling::v1::{
    AddPointRequest, AssignPointRequest, ListGraduateSchoolsRequest, ListPlansRequest, ListPointsRequest,
    ListSchoolsRequest, PointAssignment, PublishPlanRequest, SetPointRangeRequest,
};
use scheduling::domain::id::PointId;
use scheduling::domain::point;
use uuid::Uuid;

use crate::harness::{World, at, eventually, refused, request_id};

#[tokio::test]
async fn control_characters_are_refused_in_texts_and_queries() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let plan_id = world.publish_plan().await;
    world.join(&plan_id, &xuzhou).await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let assign = |range: &str, notes: &str| AssignPointRequest {
        request_id: request_id(),
        plan_id: plan_id.clone(),
        assignment: Some(PointAssignment {
            point_id: point.point_id.clone(),
            confirm_begin_time: at(0),
            confirm_end_time: at(3_600),
            range: range.to_owned(),
            notes: notes.to_owned(),
        }),
    };
    let set = |range: &str| {
        let (point_id, range) = (point.point_id.clone(), range.to_owned());
        SetPointRangeRequest { request_id: request_id(), point_id, range }
    };
    let add = |range: &str| AddPointRequest {
        request_id: request_id(),
        agency_id: xuzhou.agency_id.clone(),
        name: "徐州市第二确认点".to_owned(),
        range: range.to_owned(),
        ..AddPointRequest::default()
    };
    for wrong in ["本校\0教师", "\0", "本校\u{7}教师", "本校\t教师"] {
        let (wrong, not_plain) = (wrong.to_owned(), "NOT_PLAIN_TEXT");
        let refusal = refused(world.directory().add_point(add(&wrong)).await);
        assert_eq!(refusal.violation("range").unwrap().reason, not_plain, "{wrong:?}");
        let refusal = refused(world.directory().set_point_range(set(&wrong)).await);
        assert_eq!(refusal.violation("range").unwrap().reason, not_plain, "{wrong:?}");
        let refusal = refused(world.plans().assign_point(assign(&wrong, &wrong)).await);
        assert_eq!(refusal.violation("assignment.range").unwrap().reason, not_plain, "{wrong:?}");
        assert_eq!(refusal.violation("assignment.notes").unwrap().reason, not_plain, "{wrong:?}");
        let (request_id, province) = (request_id(), "33".to_owned());
        let publish = PublishPlanRequest { request_id, province, batch: wrong.clone() };
        let refusal = refused(world.plans().publish_plan(publish).await);
        assert_eq!(refusal.violation("batch").unwrap().reason, not_plain, "{wrong:?}");
        let list = ListPlansRequest { batch: wrong.clone(), ..ListPlansRequest::default() };
        let refusal = refused(world.plans().list_plans(list).await);
        assert_eq!(refusal.violation("batch").unwrap().reason, not_plain, "{wrong:?}");
        let division = "32".to_owned();
        let schools = ListSchoolsRequest { division, query: wrong.clone(), ..ListSchoolsRequest::default() };
        let refusal = refused(world.directory().list_schools(schools).await);
        assert_eq!(refusal.violation("query").unwrap().reason, not_plain, "{wrong:?}");
        let schools = ListGraduateSchoolsRequest { query: wrong.clone(), ..ListGraduateSchoolsRequest::default() };
        let refusal = refused(world.directory().list_graduate_schools(schools).await);
        assert_eq!(refusal.violation("query").unwrap().reason, not_plain, "{wrong:?}");
    }
    let (agency_id, page_token) = (xuzhou.agency_id.clone(), rpc::page_token("徐州\0".as_bytes()));
    let list = ListPointsRequest { agency_id, page_token: page_token.clone(), ..ListPointsRequest::default() };
    let refusal = refused(world.directory().list_points(list).await);
    assert_eq!(refusal.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");
    let list = ListSchoolsRequest { division: "32".to_owned(), page_token, ..ListSchoolsRequest::default() };
    let refusal = refused(world.directory().list_schools(list).await);
    assert_eq!(refusal.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");

    world.plans().assign_point(assign("市直属学校，\n幼儿园", "一、带原件\r\n二、带复印件")).await.unwrap();
    world.directory().set_point_range(set("市直属学校，\n幼儿园")).await.unwrap();
}

#[tokio::test]
async fn a_nul_that_was_recorded_once_does_not_halt_the_directory() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let id = Uuid::parse_str(&point.point_id).unwrap();
    let set = point::Event::PointRangeSet { point: PointId(id), range: "本校\0教师".to_owned() };
    world.record(id, 1, &[set], Vec::new()).await;
    let other = Uuid::from_u128(0xd0);
    let added = point::Point {
        id: PointId(other),
        agency: scheduling::domain::id::AgencyId(Uuid::parse_str(&xuzhou.agency_id).unwrap()),
        name: scheduling::domain::name::Name::parse("徐州市第二确认点").unwrap(),
        division: scheduling::domain::division::Code::parse("320300").unwrap(),
        school: None,
        range: "\0".to_owned(),
    };
    world.record(other, 0, &[point::Event::PointAdded(added)], Vec::new()).await;
    eventually("both ranges to be listed", || async {
        let request = ListPointsRequest { agency_id: xuzhou.agency_id.clone(), ..ListPointsRequest::default() };
        let mut points = world.directory().list_points(request).await.unwrap().into_inner().points;
        points.sort_unstable_by(|one, other| other.range.cmp(&one.range));
        (points.len() == 2 && points[0].range == "\u{fffd}" && points[1].range == "本校\u{fffd}教师").then_some(())
    })
    .await;
    let rebuilt = world.running.service.bus.rebuild("directory", |_| ()).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}
