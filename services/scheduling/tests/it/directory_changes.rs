//! Agencies, points and schools that are renamed, moved and ended, over gRPC.

use proto::identity::v1::Role;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::{
    AbolishAgencyRequest, AddPointRequest, AddSchoolRequest, Agency, AssignPointRequest, CheckAvailabilityRequest,
    ClosePointRequest, CloseSchoolRequest, GetAgencyRequest, GetAgencyResponse, ListAgenciesRequest, ListPointsRequest,
    ListSchoolsRequest, MoveSchoolRequest, OpenWindowRequest, Point, PointAssignment, RenameAgencyRequest,
    RenamePointRequest, RenameSchoolRequest, School, SetPointRangeRequest,
};
use scheduling::domain::shanghai;
use time::{Date, Duration};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, agencies_of, at, eventually, reason, refused, request_id};

fn day(days: i64) -> String {
    let today: Date = shanghai::day(lifecycle::clock::now());
    rpc::render_date(today + Duration::days(days))
}

fn rename(agency: &Agency, name: &str, date: &str) -> RenameAgencyRequest {
    RenameAgencyRequest {
        request_id: request_id(),
        agency_id: agency.agency_id.clone(),
        name: name.to_owned(),
        effective_date: date.to_owned(),
    }
}

fn abolish(agency: &Agency, date: &str, successor: Option<&Agency>) -> AbolishAgencyRequest {
    AbolishAgencyRequest {
        request_id: request_id(),
        agency_id: agency.agency_id.clone(),
        effective_date: date.to_owned(),
        successor_agency_id: successor.map(|successor| successor.agency_id.clone()).unwrap_or_default(),
    }
}

async fn get(world: &World, agency: &Agency, date: &str) -> GetAgencyResponse {
    let request = GetAgencyRequest { agency_id: agency.agency_id.clone(), date: date.to_owned() };
    world.directory().get_agency(request).await.unwrap().into_inner()
}

/// The names that are offered in 徐州 on a day, once they are these.
async fn offered(world: &World, date: &str, expected: &[&str]) {
    eventually(&format!("{expected:?} to be offered"), || async {
        let request = ListAgenciesRequest { date: date.to_owned(), ..agencies_of("32", "3203") };
        let listed = world.directory().list_agencies(request).await.unwrap().into_inner().agencies;
        (listed.iter().map(|agency| agency.name.as_str()).collect::<Vec<_>>() == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_agency_is_called_by_the_name_of_the_day() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let in_the_past = rename(&xuzhou, "徐州市教育委员会", "1995-03-01");
    let first = world.directory().rename_agency(in_the_past.clone()).await.unwrap().into_inner();
    assert_eq!(world.directory().rename_agency(in_the_past).await.unwrap().into_inner(), first, "one effect");
    world.directory().rename_agency(rename(&xuzhou, "徐州市教育局", "2004-08-01")).await.unwrap();
    world.directory().rename_agency(rename(&xuzhou, "徐州市教育体育局", &day(1))).await.unwrap();

    offered(&world, &day(1), &["江苏省教育厅", "徐州市教育体育局", "鼓楼区教育局"]).await;
    offered(&world, "", &["江苏省教育厅", "徐州市教育局", "鼓楼区教育局"]).await;
    offered(&world, "2001-06-15", &["江苏省教育厅", "徐州市教育委员会", "鼓楼区教育局"]).await;
    let then = get(&world, &xuzhou, "1995-03-01").await;
    assert_eq!(then.agency.unwrap(), Agency { name: "徐州市教育委员会".to_owned(), ..xuzhou.clone() });
    let names: Vec<_> = then.names.iter().map(|name| (name.effective_date.as_str(), name.name.as_str())).collect();
    let tomorrow = day(1);
    let expected = [
        ("", "徐州市教育局"),
        ("1995-03-01", "徐州市教育委员会"),
        ("2004-08-01", "徐州市教育局"),
        (tomorrow.as_str(), "徐州市教育体育局"),
    ];
    assert_eq!(names, expected);
    assert_eq!((then.abolished_date, then.successor_agency_id), (String::new(), String::new()));
}

#[tokio::test]
async fn an_abolished_agency_is_not_offered_and_gets_nothing_new() {
    let world = World::start().await;
    let [jiangsu, xuzhou, gulou] = world.agencies().await;
    let school = world.add_school(&gulou, "鼓楼小学").await;
    let point = world.add_point(&gulou, "鼓楼区政务服务中心", None).await;
    let plan = world.publish_plan().await;
    world.join(&plan, &gulou).await;
    let add_school = AddSchoolRequest {
        request_id: request_id(),
        name: "鼓楼第二小学".to_owned(),
        division: "320302".to_owned(),
        agency_id: gulou.agency_id.clone(),
        kind: "21".to_owned(),
    };
    let added = world.directory().add_school(add_school.clone()).await.unwrap().into_inner();

    world.directory().abolish_agency(abolish(&gulou, &day(1), Some(&xuzhou))).await.unwrap();
    offered(&world, "", &["江苏省教育厅", "徐州市教育局", "鼓楼区教育局"]).await;
    let other_day = refused(world.directory().abolish_agency(abolish(&gulou, &day(0), Some(&xuzhou))).await);
    assert_eq!(other_day.reason, "AGENCY_ABOLISHED");
    world.directory().abolish_agency(abolish(&gulou, &day(1), Some(&xuzhou))).await.unwrap();

    // Its last day is over: another one, which ended today.
    let yunlong = world.add_agency("320303", "云龙区教育局").await;
    let yunlong_point = world.add_point(&yunlong, "云龙区政务服务中心", None).await;
    let yunlong_school = world.add_school_in("320303", &yunlong, "云龙小学").await;
    world.join(&plan, &yunlong).await;
    world.directory().abolish_agency(abolish(&yunlong, &day(0), Some(&gulou))).await.unwrap();
    offered(&world, &day(-1), &["江苏省教育厅", "徐州市教育局", "鼓楼区教育局", "云龙区教育局"]).await;
    offered(&world, &day(1), &["江苏省教育厅", "徐州市教育局"]).await;
    let told = get(&world, &yunlong, "").await;
    assert_eq!((told.abolished_date, told.successor_agency_id), (day(0), gulou.agency_id.clone()));
    assert_eq!(told.agency.unwrap(), yunlong, "what it was stays readable");

    let refusal = refused(
        world
            .directory()
            .add_school(AddSchoolRequest {
                request_id: request_id(),
                division: "320303".to_owned(),
                agency_id: yunlong.agency_id.clone(),
                ..add_school.clone()
            })
            .await,
    );
    let today = shanghai::render_day(shanghai::day(lifecycle::clock::now()));
    assert_eq!(refusal.reason, "AGENCY_ABOLISHED");
    assert_eq!(refusal.sentence, format!("云龙区教育局自{today}起撤销，请选择承接其职责的注册机构。"));
    let new_point = AddPointRequest {
        request_id: request_id(),
        agency_id: yunlong.agency_id.clone(),
        name: "新点".to_owned(),
        ..AddPointRequest::default()
    };
    assert_eq!(reason(world.directory().add_point(new_point).await), "AGENCY_ABOLISHED");
    let open = OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        agency_id: yunlong.agency_id.clone(),
        begin_time: at(60),
        end_time: at(3_600),
        grace_minutes: 0,
    };
    assert_eq!(reason(world.plans().open_window(open).await), "AGENCY_ABOLISHED");
    assert_eq!(reason(world.plans().assign_point(assign(&plan, &yunlong_point)).await), "AGENCY_ABOLISHED");
    world.plans().assign_point(assign(&plan, &point)).await.unwrap();
    let check = CheckAvailabilityRequest {
        province: "32".to_owned(),
        city: "3203".to_owned(),
        stage: 1,
        agency_id: yunlong.agency_id.clone(),
        point_id: String::new(),
        time: None,
    };
    assert_eq!(refused(world.availability().check_availability(check).await).code, Code::NotFound);
    assert_eq!(points(&world, &yunlong).await, [yunlong_point], "what it had stays readable");
    eventually("its school to stay readable", || async {
        (schools(&world, "320303", "").await == std::slice::from_ref(&yunlong_school)).then_some(())
    })
    .await;

    let move_school = MoveSchoolRequest {
        request_id: request_id(),
        school_id: school.school_id.clone(),
        agency_id: jiangsu.agency_id.clone(),
    };
    world.directory().move_school(move_school).await.unwrap();
    let to_the_ended = MoveSchoolRequest {
        request_id: request_id(),
        school_id: yunlong_school.school_id.clone(),
        agency_id: yunlong.agency_id.clone(),
    };
    assert_eq!(reason(world.directory().move_school(to_the_ended).await), "AGENCY_ABOLISHED");
    assert_eq!(
        reason(world.directory().rename_agency(rename(&yunlong, "云龙教育局", &day(0))).await),
        "AGENCY_ABOLISHED"
    );
    assert_eq!(added, world.directory().add_school(add_school).await.unwrap().into_inner(), "answered before");
}

fn assign(plan: &str, point: &Point) -> AssignPointRequest {
    let assignment = PointAssignment {
        point_id: point.point_id.clone(),
        confirm_begin_time: at(60),
        confirm_end_time: at(3_600),
        ..PointAssignment::default()
    };
    AssignPointRequest { request_id: request_id(), plan_id: plan.to_owned(), assignment: Some(assignment) }
}

async fn points(world: &World, agency: &Agency) -> Vec<Point> {
    let request = ListPointsRequest { agency_id: agency.agency_id.clone(), ..ListPointsRequest::default() };
    world.directory().list_points(request).await.unwrap().into_inner().points
}

async fn schools(world: &World, division: &str, query: &str) -> Vec<School> {
    let (division, query) = (division.to_owned(), query.to_owned());
    let request = ListSchoolsRequest { division, query, ..ListSchoolsRequest::default() };
    world.directory().list_schools(request).await.unwrap().into_inner().schools
}

#[tokio::test]
async fn an_answer_given_before_the_agency_ended_is_given_again() {
    let world = World::start().await;
    let gulou = world.add_agency("320302", "鼓楼区教育局").await;
    let add = AddPointRequest {
        request_id: request_id(),
        agency_id: gulou.agency_id.clone(),
        name: "鼓楼区政务服务中心".to_owned(),
        ..AddPointRequest::default()
    };
    let first = world.directory().add_point(add.clone()).await.unwrap().into_inner();
    world.directory().abolish_agency(abolish(&gulou, &day(0), None)).await.unwrap();
    assert_eq!(world.directory().add_point(add.clone()).await.unwrap().into_inner(), first);
    let another = AddPointRequest { request_id: request_id(), ..add };
    assert_eq!(reason(world.directory().add_point(another).await), "AGENCY_ABOLISHED");
}

#[tokio::test]
async fn an_agency_ends_after_those_below_and_in_favour_of_one_of_its_province() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let refused_for = async |request| reason(world.directory().abolish_agency(request).await);
    assert_eq!(refused_for(abolish(&xuzhou, &day(0), None)).await, "AGENCIES_BELOW");
    assert_eq!(refused_for(abolish(&gulou, &day(0), Some(&gulou))).await, "SUCCEEDS_ITSELF");
    let nobody = Agency { agency_id: request_id(), ..gulou.clone() };
    assert_eq!(refused_for(abolish(&gulou, &day(0), Some(&nobody))).await, "UNKNOWN_AGENCY");
    assert_eq!(refused_for(abolish(&nobody, &day(0), None)).await, "UNKNOWN_AGENCY");
    world.directory().abolish_agency(abolish(&gulou, &day(0), Some(&xuzhou))).await.unwrap();
    assert_eq!(refused_for(abolish(&xuzhou, &day(-1), None)).await, "AGENCIES_BELOW", "the day before it is there");
    world.directory().abolish_agency(abolish(&xuzhou, &day(0), None)).await.unwrap();
    let wrong = AbolishAgencyRequest {
        effective_date: "2026-02-30".to_owned(),
        successor_agency_id: "x".to_owned(),
        ..AbolishAgencyRequest::default()
    };
    let refusal = refused(world.directory().abolish_agency(wrong).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "agency_id", "effective_date", "successor_agency_id"]);
}

#[tokio::test]
async fn only_the_officer_of_an_agency_changes_what_is_its_own() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let of_the_city = world.add_school(&xuzhou, "徐州市第一中学").await;
    let of_the_county = world.add_school(&gulou, "鼓楼小学").await;
    let point = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let unit = Some(Uuid::parse_str(&gulou.agency_id).unwrap());
    let county = world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "320302", unit).await;
    let mut county = DirectoryClient::new(county);
    assert_eq!(refused(county.rename_agency(rename(&xuzhou, "徐州教育局", "2020-01-01")).await).code, Code::NotFound);
    assert_eq!(refused(county.abolish_agency(abolish(&xuzhou, "2020-01-01", None)).await).code, Code::NotFound);
    let close = |school: &School| CloseSchoolRequest { request_id: request_id(), school_id: school.school_id.clone() };
    assert_eq!(refused(county.close_school(close(&of_the_city)).await).code, Code::NotFound, "it stands in the county");
    let close_point = ClosePointRequest { request_id: request_id(), point_id: point.point_id };
    assert_eq!(refused(county.close_point(close_point).await).code, Code::NotFound);
    let give_away = MoveSchoolRequest {
        request_id: request_id(),
        school_id: of_the_county.school_id.clone(),
        agency_id: xuzhou.agency_id,
    };
    assert_eq!(refused(county.move_school(give_away).await).code, Code::NotFound, "both agencies have to agree");
    county.close_school(close(&of_the_county)).await.unwrap();
}

#[tokio::test]
async fn schools_are_renamed_moved_and_closed() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let first = world.add_school(&xuzhou, "徐州市第一中学").await;
    let second = world.add_school(&xuzhou, "徐州市第三中学").await;
    let rename = |school: &School, name: &str| RenameSchoolRequest {
        request_id: request_id(),
        school_id: school.school_id.clone(),
        name: name.to_owned(),
    };
    assert_eq!(reason(world.directory().rename_school(rename(&first, "徐州市第三中学")).await), "SCHOOL_EXISTS");
    world.directory().rename_school(rename(&first, "江苏省徐州中学")).await.unwrap();
    world.directory().rename_school(rename(&second, "徐州市第一中学")).await.unwrap();
    let moved = MoveSchoolRequest {
        request_id: request_id(),
        school_id: second.school_id.clone(),
        agency_id: gulou.agency_id.clone(),
    };
    let once = world.directory().move_school(moved.clone()).await.unwrap().into_inner();
    assert_eq!(world.directory().move_school(moved).await.unwrap().into_inner(), once, "one effect");
    let expected = [
        School { name: "徐州市第一中学".to_owned(), agency_id: gulou.agency_id.clone(), ..second.clone() },
        School { name: "江苏省徐州中学".to_owned(), ..first.clone() },
    ];
    eventually("both schools to be listed as they are", || async {
        (schools(&world, "3203", "").await == expected).then_some(())
    })
    .await;
    assert_eq!(schools(&world, "3203", "jssxzzx").await, expected[1..], "found by its new initials");
    assert!(schools(&world, "3203", "xzsdszx").await.is_empty(), "and not by those of a name that is gone");

    let close = CloseSchoolRequest { request_id: request_id(), school_id: first.school_id.clone() };
    world.directory().close_school(close.clone()).await.unwrap();
    world.directory().close_school(CloseSchoolRequest { request_id: request_id(), ..close }).await.unwrap();
    eventually("the closed school to be listed no more", || async {
        (schools(&world, "3203", "").await == expected[..1]).then_some(())
    })
    .await;
    assert_eq!(reason(world.directory().rename_school(rename(&first, "徐州中学")).await), "SCHOOL_CLOSED");
    let nobody = School { school_id: request_id(), ..first.clone() };
    assert_eq!(reason(world.directory().rename_school(rename(&nobody, "徐州中学")).await), "UNKNOWN_SCHOOL");
    let elsewhere = MoveSchoolRequest {
        request_id: request_id(),
        school_id: second.school_id.clone(),
        agency_id: world.add_agency("320303", "云龙区教育局").await.agency_id,
    };
    assert_eq!(reason(world.directory().move_school(elsewhere).await), "AGENCY_ELSEWHERE");
    let at_the_closed = AddPointRequest {
        request_id: request_id(),
        agency_id: xuzhou.agency_id.clone(),
        name: "江苏省徐州中学".to_owned(),
        school_id: first.school_id,
        range: String::new(),
    };
    assert_eq!(reason(world.directory().add_point(at_the_closed).await), "SCHOOL_CLOSED");
    world.add_school(&xuzhou, "江苏省徐州中学").await;
    let rebuilt = world.running.service.bus.rebuild("schools", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn points_are_renamed_described_closed_and_paged() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    let first = world.add_point(&xuzhou, "第一确认点", None).await;
    let second = world.add_point(&xuzhou, "第二确认点", None).await;
    let third = world.add_point(&xuzhou, "第三确认点", None).await;
    assert_eq!(first.range, "本校教师");
    let rename = |point: &Point, name: &str| RenamePointRequest {
        request_id: request_id(),
        point_id: point.point_id.clone(),
        name: name.to_owned(),
    };
    assert_eq!(reason(world.directory().rename_point(rename(&first, "第二确认点")).await), "POINT_EXISTS");
    world.directory().rename_point(rename(&first, "政务服务中心")).await.unwrap();
    let set = |range: &str| SetPointRangeRequest {
        request_id: request_id(),
        point_id: second.point_id.clone(),
        range: range.to_owned(),
    };
    world.directory().set_point_range(set("市直属学校教师")).await.unwrap();
    let too_long = refused(world.directory().set_point_range(set(&"长".repeat(501))).await);
    assert_eq!(too_long.violation("range").unwrap().reason, "WRONG_LENGTH");
    let close = ClosePointRequest { request_id: request_id(), point_id: third.point_id.clone() };
    world.directory().close_point(close).await.unwrap();
    let expected = [
        Point { name: "政务服务中心".to_owned(), ..first },
        Point { range: "市直属学校教师".to_owned(), ..second.clone() },
    ];
    eventually("the open points to be listed as they are", || async {
        (points(&world, &xuzhou).await == expected).then_some(())
    })
    .await;
    let page = async |page_token: String| {
        let agency_id = xuzhou.agency_id.clone();
        let request = ListPointsRequest { agency_id, page_size: 1, page_token };
        world.directory().list_points(request).await.unwrap().into_inner()
    };
    let one = page(String::new()).await;
    let two = page(one.next_page_token).await;
    assert_eq!(
        (one.points, two.points, two.next_page_token.as_str()),
        (vec![expected[0].clone()], vec![expected[1].clone()], "")
    );

    assert_eq!(reason(world.directory().rename_point(rename(&third, "第四确认点")).await), "POINT_ABOLISHED");
    assert_eq!(reason(world.plans().assign_point(assign(&plan, &third)).await), "POINT_ABOLISHED");
    let nobody = Point { point_id: request_id(), ..third };
    assert_eq!(reason(world.directory().rename_point(rename(&nobody, "第四确认点")).await), "UNKNOWN_POINT");
    world.add_point(&xuzhou, "第三确认点", None).await;
    world.add_point(&gulou, "第二确认点", None).await;
    let rebuilt = world.running.service.bus.rebuild("directory", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}
