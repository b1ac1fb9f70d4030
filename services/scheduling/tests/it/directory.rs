//! Divisions, agencies, points and schools over gRPC.

use proto::identity::v1::Role;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::{
    AbolishAgencyRequest, AddAgencyRequest, AddPointRequest, AddSchoolRequest, Agency, ListDivisionsRequest,
    ListPointsRequest, ListSchoolsRequest,
};
use proto::types::v1::AgencyLevel;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, agencies_of, eventually, reason, refused, request_id};

#[tokio::test]
async fn the_tree_is_walked_from_the_nation_down() {
    let world = World::start().await;
    let children = async |parent: &str| {
        let request = ListDivisionsRequest { parent: parent.to_owned() };
        world.directory().list_divisions(request).await.unwrap().into_inner().divisions
    };
    assert_eq!(children("").await.len(), 31);
    let cities = children("32").await;
    assert!(cities.iter().any(|city| city.code == "3203" && city.name == "徐州市" && !city.pseudo));
    assert!(children("11").await.iter().all(|city| city.pseudo));
    assert!(children("3203").await.iter().any(|county| county.code == "320302" && county.parent == "3203"));
    let unknown = refused(world.directory().list_divisions(ListDivisionsRequest { parent: "99".to_owned() }).await);
    assert_eq!(unknown.violation("parent").unwrap().reason, "UNKNOWN_DIVISION");
}

#[tokio::test]
async fn agencies_are_offered_by_province_city_and_county() {
    let world = World::start().await;
    let [jiangsu, xuzhou, gulou] = world.agencies().await;
    assert_eq!(jiangsu.level(), AgencyLevel::Province);
    assert_eq!((xuzhou.level(), &xuzhou.parent_agency_id), (AgencyLevel::City, &jiangsu.agency_id));
    assert_eq!((gulou.level(), &gulou.parent_agency_id), (AgencyLevel::County, &xuzhou.agency_id));
    let request = agencies_of("32", "3203");
    let listed = world.directory().list_agencies(request).await.unwrap().into_inner().agencies;
    assert_eq!(listed, [jiangsu, xuzhou, gulou]);
    let elsewhere = agencies_of("33", "3203");
    let refusal = refused(world.directory().list_agencies(elsewhere).await);
    assert_eq!(refusal.violation("city").unwrap().reason, "UNKNOWN_DIVISION");
}

#[tokio::test]
async fn a_division_has_one_agency_and_a_request_one_effect() {
    let world = World::start().await;
    let request =
        AddAgencyRequest {
            request_id: request_id(), division: "320300".to_owned(), name: "徐州市教育局".to_owned()
        };
    let first = world.directory().add_agency(request.clone()).await.unwrap().into_inner();
    let again = world.directory().add_agency(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let reused = AddAgencyRequest { name: "徐州市教委".to_owned(), ..request.clone() };
    assert_eq!(reason(world.directory().add_agency(reused).await), "REQUEST_ID_REUSED");
    let second = AddAgencyRequest { request_id: request_id(), ..request };
    assert_eq!(reason(world.directory().add_agency(second).await), "AGENCY_EXISTS");
    let heading = AddAgencyRequest { request_id: request_id(), division: "320399".to_owned(), name: String::new() };
    let refusal = refused(world.directory().add_agency(heading).await);
    assert_eq!(refusal.code, Code::InvalidArgument);
    assert_eq!(refusal.violation("division").unwrap().reason, "UNKNOWN_DIVISION");
    assert_eq!(refusal.violation("name").unwrap().reason, "NOT_A_NAME");
}

#[tokio::test]
async fn schools_are_added_once_and_found_by_place_and_name() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let first = world.add_school(&xuzhou, "徐州市第一中学").await;
    let second = world.add_school(&xuzhou, "徐州市第三中学").await;
    let again = AddSchoolRequest {
        request_id: request_id(),
        name: first.name.clone(),
        division: first.division.clone(),
        agency_id: xuzhou.agency_id.clone(),
        kind: "31".to_owned(),
    };
    let refusal = refused(world.directory().add_school(again.clone()).await);
    assert_eq!((refusal.reason.as_str(), refusal.sentence.as_str()), ("SCHOOL_EXISTS", "学校名称已经存在!"));
    let elsewhere = AddSchoolRequest { division: "320102".to_owned(), request_id: request_id(), ..again.clone() };
    assert_eq!(reason(world.directory().add_school(elsewhere).await), "AGENCY_ELSEWHERE");
    let nowhere = AddSchoolRequest { agency_id: request_id(), request_id: request_id(), ..again.clone() };
    assert_eq!(reason(world.directory().add_school(nowhere).await), "UNKNOWN_AGENCY");
    let wrong = AddSchoolRequest {
        name: "中".to_owned(),
        division: "3203".to_owned(),
        agency_id: "x".to_owned(),
        kind: "99".to_owned(),
        request_id: String::new(),
    };
    let refusal = refused(world.directory().add_school(wrong).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "name", "division", "agency_id", "kind"]);

    let list = |division: &str, query: &str, page_size, page_token: String| {
        let request =
            ListSchoolsRequest { division: division.to_owned(), query: query.to_owned(), page_size, page_token };
        let mut client = world.directory();
        async move { client.list_schools(request).await.unwrap().into_inner() }
    };
    let all = eventually("the schools to be listed", || async {
        let listed = list("32", "", 0, String::new()).await;
        (listed.schools.len() == 2).then_some(listed)
    })
    .await;
    assert_eq!((all.schools, all.next_page_token), (vec![first.clone(), second.clone()], String::new()));
    assert_eq!(list("3203", "第三", 0, String::new()).await.schools, std::slice::from_ref(&second));
    assert!(list("3201", "", 0, String::new()).await.schools.is_empty());
    let page = list("320302", "", 1, String::new()).await;
    assert_eq!(page.schools, [first]);
    let next = list("320302", "", 1, page.next_page_token).await;
    assert_eq!((next.schools, next.next_page_token), (vec![second], String::new()));
}

#[tokio::test]
async fn rebuilt_views_are_the_same() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let school = world.add_school(&xuzhou, "徐州市第一中学").await;
    world.add_point(&xuzhou, "徐州市第一中学", Some(&school)).await;
    let plan = world.publish_plan().await;
    world.join(&plan, &xuzhou).await;
    for view in ["directory", "schools", "plans"] {
        let rebuilt = world.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
        assert!(rebuilt.position > 0);
    }
    let request = agencies_of("32", "3203");
    assert_eq!(world.directory().list_agencies(request).await.unwrap().into_inner().agencies.len(), 3);
}

#[tokio::test]
async fn points_belong_to_an_agency_and_may_be_its_schools() {
    let world = World::start().await;
    let [_, xuzhou, gulou] = world.agencies().await;
    let school = world.add_school(&xuzhou, "徐州市第一中学").await;
    let office = world.add_point(&xuzhou, "徐州市政务服务中心", None).await;
    let point = world.add_point(&xuzhou, "徐州市第一中学", Some(&school)).await;
    assert_eq!((office.division.as_str(), point.division.as_str()), ("320300", "320302"));
    let request = |name: &str, agency_id: &str, school_id: &str| AddPointRequest {
        request_id: request_id(),
        agency_id: agency_id.to_owned(),
        name: name.to_owned(),
        school_id: school_id.to_owned(),
        range: String::new(),
    };
    let refused_for = async |request| reason(world.directory().add_point(request).await);
    assert_eq!(refused_for(request("徐州市第一中学", &xuzhou.agency_id, "")).await, "POINT_EXISTS");
    assert_eq!(refused_for(request("新点", &request_id(), "")).await, "UNKNOWN_AGENCY");
    assert_eq!(refused_for(request("新点", &xuzhou.agency_id, &request_id())).await, "UNKNOWN_SCHOOL");
    let other = request("新点", &gulou.agency_id, &school.school_id);
    assert_eq!(refused_for(other).await, "SCHOOL_OF_ANOTHER_AGENCY");
    eventually("both points to be listed", || async {
        let request = ListPointsRequest { agency_id: xuzhou.agency_id.clone(), ..Default::default() };
        let listed = world.directory().list_points(request).await.unwrap().into_inner().points;
        (listed.len() == 2 && listed.contains(&office) && listed.contains(&point)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn special_divisions_have_their_agencies_and_schools() {
    let world = World::start().await;
    let officer = world.running.staff(Uuid::from_u128(0xd), Role::ScheduleOfficer, "000000", None).await;
    let directory = || DirectoryClient::new(officer.clone());
    let add = async |division: &str, name: &str| {
        let (request_id, division, name) = (request_id(), division.to_owned(), name.to_owned());
        directory()
            .add_agency(AddAgencyRequest { request_id, division, name })
            .await
            .unwrap()
            .into_inner()
            .agency
            .unwrap()
    };
    let school = |division: &str, agency: &Agency| AddSchoolRequest {
        request_id: request_id(),
        name: "实验小学".to_owned(),
        division: division.to_owned(),
        agency_id: agency.agency_id.clone(),
        kind: "21".to_owned(),
    };
    // 直辖市: the district stands right below the municipality, under whichever heading.
    let beijing = add("110000", "北京市教育委员会").await;
    let dongcheng = add("110101", "东城区教育委员会").await;
    assert_eq!((dongcheng.level(), &dongcheng.parent_agency_id), (AgencyLevel::County, &beijing.agency_id));
    directory().add_school(school("110101", &beijing)).await.unwrap();
    assert_eq!(reason(directory().add_school(school("110102", &dongcheng)).await), "AGENCY_ELSEWHERE");
    // 省管县: the county stands right below the province.
    let henan = add("410000", "河南省教育厅").await;
    let jiyuan = add("419001", "济源市教育体育局").await;
    assert_eq!((jiyuan.level(), &jiyuan.parent_agency_id), (AgencyLevel::County, &henan.agency_id));
    directory().add_school(school("419001", &jiyuan)).await.unwrap();
    // A city that is its own county has one agency, of the city.
    let guangdong = add("440000", "广东省教育厅").await;
    let dongguan = add("441900", "东莞市教育局").await;
    assert_eq!((dongguan.level(), &dongguan.parent_agency_id), (AgencyLevel::City, &guangdong.agency_id));
    directory().add_school(school("441900", &dongguan)).await.unwrap();
    // A heading has none.
    let heading =
        AddAgencyRequest {
            request_id: request_id(), division: "419000".to_owned(), name: "直辖县教育局".to_owned()
        };
    assert_eq!(reason(directory().add_agency(heading).await), "UNKNOWN_DIVISION");

    for (province, city, expected) in [
        ("11", "1101", vec![&beijing, &dongcheng]),
        ("41", "4190", vec![&henan, &jiyuan]),
        ("44", "4419", vec![&guangdong, &dongguan]),
    ] {
        eventually(city, || async {
            let listed = directory().list_agencies(agencies_of(province, city)).await.ok()?.into_inner().agencies;
            (listed.iter().collect::<Vec<_>>() == expected).then_some(())
        })
        .await;
    }
    // The end of a municipality, too, comes after that of its districts.
    let abolish = |agency: &Agency| AbolishAgencyRequest {
        request_id: request_id(),
        agency_id: agency.agency_id.clone(),
        effective_date: "2026-01-01".to_owned(),
        successor_agency_id: String::new(),
    };
    assert_eq!(reason(directory().abolish_agency(abolish(&beijing)).await), "AGENCIES_BELOW");
    assert_eq!(reason(directory().abolish_agency(abolish(&henan)).await), "AGENCIES_BELOW");
    directory().abolish_agency(abolish(&dongcheng)).await.unwrap();
    directory().abolish_agency(abolish(&beijing)).await.unwrap();
}
