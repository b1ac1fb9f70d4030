//! Code tables: which there are and where they come from, their rows, a province's additions, and the etag.

use proto::applications::v1::codes_client::CodesClient;
use proto::applications::v1::{self as wire, CodeTableOrigin};
use proto::scheduling::v1 as scheduling;
use proto::types::v1::Stage as TeachingStage;
use uuid::Uuid;

use crate::stage::{Stage, eventually, reason, refused};

async fn table(stage: &Stage, name: &str, province: &str, etag: &str) -> wire::GetCodeTableResponse {
    let teacher = stage.teacher().await;
    let request =
        wire::GetCodeTableRequest { name: name.to_owned(), province: province.to_owned(), etag: etag.to_owned() };
    CodesClient::new(stage.running.person(teacher.person)).get_code_table(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn tables_are_listed_with_where_they_come_from_and_read_once() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut codes = CodesClient::new(stage.running.person(teacher.person));
    let listed = codes.list_code_tables(wire::ListCodeTablesRequest::default()).await.unwrap().into_inner().tables;
    assert!(listed.is_sorted_by(|one, next| one.name < next.name) && listed.len() == 21);
    let education = listed.iter().find(|table| table.name == "education_gbt4658").unwrap();
    assert_eq!((education.origin(), education.standard.as_str()), (CodeTableOrigin::Standard, "GB/T 4658-2006"));
    assert_eq!((education.version, education.etag.len()), (1, 64));
    let ours = listed.iter().find(|table| table.name == "post_nature_ours").unwrap();
    assert_eq!((ours.origin(), ours.standard.as_str()), (CodeTableOrigin::Ours, ""));
    assert!(listed.iter().all(|table| !table.name.contains("jszg2017")));

    let read = table(&stage, "education_gbt4658", "", "").await;
    assert_eq!(read.table.as_ref(), Some(education));
    let bachelor = read.entries.iter().find(|entry| entry.code == "21").unwrap();
    assert_eq!(bachelor.name, "大学本科毕业");
    let again = table(&stage, "education_gbt4658", "", &education.etag).await;
    assert!(again.not_modified && again.entries.is_empty() && again.table == read.table);

    let unknown = wire::GetCodeTableRequest { name: "status_jszg2017".to_owned(), ..Default::default() };
    assert_eq!(reason(codes.get_code_table(unknown).await), "NOT_FOUND");
    let wrong = wire::ListCodeTablesRequest { province: "320".to_owned() };
    assert_eq!(refused(codes.list_code_tables(wrong).await).violation("province").unwrap().reason, "NOT_A_PROVINCE");
}

#[tokio::test]
async fn a_province_adds_subjects_to_the_table() {
    let stage = Stage::start().await;
    let national = table(&stage, "subject_ours", "", "").await;
    let junior = |entry: &&wire::CodeEntry| entry.group == "初级中学";
    assert!(national.entries.iter().filter(junior).any(|entry| entry.code == "物理"));
    let added = scheduling::SubjectAdded {
        province: "32".to_owned(),
        stage: TeachingStage::Junior.into(),
        subject: "书法".to_owned(),
    };
    stage.running.neighbour("scheduling").publish(Uuid::from_u128(0x51), "32", &added).await;
    let theirs = eventually("the subject", || async {
        let theirs = table(&stage, "subject_ours", "32", &national.table.as_ref().unwrap().etag).await;
        theirs.table.as_ref().unwrap().with_province.then_some(theirs)
    })
    .await;
    assert!(!theirs.not_modified);
    assert_eq!(theirs.entries.iter().rfind(junior).unwrap().code, "书法");
    assert_eq!(theirs.entries.len(), national.entries.len() + 1);
    let elsewhere = table(&stage, "subject_ours", "33", &national.table.as_ref().unwrap().etag).await;
    assert!(elsewhere.not_modified && !elsewhere.table.unwrap().with_province);
}
