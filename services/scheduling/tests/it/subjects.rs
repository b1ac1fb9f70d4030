//! Subjects of a province over gRPC.

use proto::scheduling::v1::{AddSubjectRequest, ListSubjectsRequest, Subject, SwitchSubjectRequest};
use proto::types::v1::Stage;
use scheduling::domain::subject::{self, national};
use tonic::Code;

use crate::harness::{World, eventually, reason, refused, request_id};

async fn list(world: &World, province: &str, stage: Stage) -> Vec<Subject> {
    let request = ListSubjectsRequest { province: province.to_owned(), stage: stage.into() };
    world.directory().list_subjects(request).await.unwrap().into_inner().subjects
}

fn add(province: &str, subject: &str) -> AddSubjectRequest {
    AddSubjectRequest {
        request_id: request_id(),
        province: province.to_owned(),
        stage: Stage::Primary.into(),
        subject: subject.to_owned(),
    }
}

fn switch(province: &str, subject: &str, on: bool) -> SwitchSubjectRequest {
    SwitchSubjectRequest {
        request_id: request_id(),
        province: province.to_owned(),
        stage: Stage::Primary.into(),
        subject: subject.to_owned(),
        on,
    }
}

fn listed(name: &str, own: bool, on: bool) -> Subject {
    Subject { name: name.to_owned(), own, on }
}

#[tokio::test]
async fn a_province_has_the_subjects_of_the_nation_and_its_own() {
    let world = World::start().await;
    let primary = list(&world, "32", Stage::Primary).await;
    let expected: Vec<_> = national(subject::Stage::Primary).iter().map(|name| listed(name, false, true)).collect();
    assert_eq!(primary, expected);
    assert_eq!(list(&world, "32", Stage::Kindergarten).await, [listed("无", false, true)]);

    let request = add("32", "书法");
    let once = world.directory().add_subject(request.clone()).await.unwrap().into_inner();
    assert_eq!(world.directory().add_subject(request).await.unwrap().into_inner(), once, "one effect");
    world.directory().add_subject(add("32", "编程")).await.unwrap();
    world.directory().switch_subject(switch("32", "语文", false)).await.unwrap();
    world.directory().switch_subject(switch("32", "书法", false)).await.unwrap();
    assert_eq!(reason(world.directory().add_subject(add("32", "书法")).await), "SUBJECT_EXISTS");
    assert_eq!(reason(world.directory().add_subject(add("32", "数学")).await), "SUBJECT_EXISTS");
    assert_eq!(reason(world.directory().switch_subject(switch("32", "天文", true)).await), "UNKNOWN_SUBJECT");
    let mut expected = expected;
    expected[0].on = false;
    expected.extend([listed("书法", true, false), listed("编程", true, true)]);
    eventually("the province's word to be listed", || async {
        (list(&world, "32", Stage::Primary).await == expected).then_some(())
    })
    .await;
    assert_eq!(list(&world, "33", Stage::Primary).await, primary, "another province is not asked");
    assert_eq!(list(&world, "32", Stage::Junior).await.len(), national(subject::Stage::Junior).len());
    let rebuilt = world.running.service.bus.rebuild("subjects", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn only_a_provinces_officer_says_what_it_has() {
    let world = World::start().await;
    assert_eq!(refused(world.directory().add_subject(add("33", "书法")).await).code, Code::NotFound);
    assert_eq!(refused(world.directory().switch_subject(switch("33", "语文", false)).await).code, Code::NotFound);
    let wrong = AddSubjectRequest { province: "3203".to_owned(), stage: 9, ..add("", "书 法") };
    let refusal = refused(world.directory().add_subject(wrong).await);
    let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["province", "stage", "subject"]);
}

#[test]
fn applications_begin_with_the_same_subjects() {
    let tables = include_str!("../../../applications/codes/tables.1.json");
    let tables: serde_json::Value = serde_json::from_str(tables).unwrap();
    for stage in subject::Stage::ALL {
        let table = tables["subject_ours"][stage.name()].as_array().unwrap();
        let names: Vec<&str> = table.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names, national(stage), "{}", stage.name());
    }
}
