//! Graduate schools over gRPC: 新增学校, and how they are found.

use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::{AddGraduateSchoolRequest, GraduateSchool, ListGraduateSchoolsRequest};
use scheduling::domain::graduate_school::MOST_ADDED;
use service::testing::Channel;
use uuid::Uuid;

use crate::harness::{World, eventually, reason, refused, request_id};

fn person(world: &World, n: u128) -> DirectoryClient<Channel> {
    DirectoryClient::new(world.running.person(Uuid::from_u128(0xb0 + n)))
}

fn add(province: &str, name: &str, kind: &str) -> AddGraduateSchoolRequest {
    let (province, name, kind) = (province.to_owned(), name.to_owned(), kind.to_owned());
    AddGraduateSchoolRequest { request_id: request_id(), name, province, kind }
}

async fn found(world: &World, province: &str, query: &str) -> Vec<GraduateSchool> {
    let (province, query) = (province.to_owned(), query.to_owned());
    let request = ListGraduateSchoolsRequest { province, query, ..ListGraduateSchoolsRequest::default() };
    person(world, 9).list_graduate_schools(request).await.unwrap().into_inner().schools
}

#[tokio::test]
async fn a_school_is_added_once_and_found_by_everybody() {
    let world = World::start().await;
    let request = add("32", "江苏师范大学", "1");
    let first = person(&world, 1).add_graduate_school(request.clone()).await.unwrap().into_inner();
    assert_eq!(person(&world, 1).add_graduate_school(request.clone()).await.unwrap().into_inner(), first);
    let refusal = refused(person(&world, 2).add_graduate_school(add("32", "江苏师范大学", "9")).await);
    assert_eq!((refusal.reason.as_str(), refusal.sentence.as_str()), ("SCHOOL_EXISTS", "学校名称已经存在!"));
    let second = person(&world, 2).add_graduate_school(add("33", "江苏师范大学", "1")).await.unwrap().into_inner();
    let abroad =
        person(&world, 2).add_graduate_school(add("", "University of Oxford", "4")).await.unwrap().into_inner();
    let [first, second, abroad] = [first, second, abroad].map(|added| added.school.unwrap());
    eventually("all of them to be listed", || async {
        (found(&world, "", "").await == [abroad.clone(), first.clone(), second.clone()]).then_some(())
    })
    .await;
    for query in ["jssf", "师范", "江苏师范大学"] {
        assert_eq!(found(&world, "32", query).await, std::slice::from_ref(&first), "{query}");
    }
    assert_eq!(found(&world, "", "ford").await, [abroad]);
    assert!(found(&world, "32", "jsdx").await.is_empty());
    let page = |page_token| ListGraduateSchoolsRequest { page_size: 2, page_token, ..Default::default() };
    let one = person(&world, 9).list_graduate_schools(page(String::new())).await.unwrap().into_inner();
    let two = person(&world, 9).list_graduate_schools(page(one.next_page_token)).await.unwrap().into_inner();
    assert_eq!((one.schools.len(), two.schools, two.next_page_token.as_str()), (2, vec![second], ""));
    let rebuilt = world.running.service.bus.rebuild("graduate_schools", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn a_person_adds_a_few_and_no_more() {
    let world = World::start().await;
    let mut person = person(&world, 1);
    for n in 0..MOST_ADDED {
        person.add_graduate_school(add("32", &format!("第{n}师范学校"), "3")).await.unwrap();
    }
    let one_more = person.add_graduate_school(add("32", "江苏师范大学", "1")).await;
    assert_eq!(reason(one_more), "TOO_MANY_SCHOOLS");
    self::person(&world, 2).add_graduate_school(add("32", "江苏师范大学", "1")).await.unwrap();
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_school_is_said_at_once() {
    let world = World::start().await;
    let fields = |refusal: rpc::ReadRefusal| {
        refusal.violations.into_iter().map(|violation| (violation.field, violation.reason)).collect::<Vec<_>>()
    };
    let wrong = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    let refusal = refused(person(&world, 1).add_graduate_school(add("3203", "大学320303199001010018", "5")).await);
    let expected = [wrong("name", "NOT_A_NAME"), wrong("kind", "UNKNOWN_CODE"), wrong("province", "UNKNOWN_DIVISION")];
    assert_eq!(fields(refusal), expected);
    let refusal = refused(person(&world, 1).add_graduate_school(add("32", "University of Oxford", "4")).await);
    assert_eq!(fields(refusal), [wrong("province", "UNKNOWN_DIVISION")]);
}
