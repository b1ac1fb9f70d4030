//! What scheduling says of agencies, points, schools and subjects is followed by the checks of a form.

use proto::applications::v1 as wire;
use proto::scheduling::v1 as scheduling;
use proto::types::v1::Stage as TeachingStage;

use crate::stage::{COUNTY, POINT, SCHOOL, Stage, Teacher, eventually, form, request_id};

/// Waits until the check of the draft finds exactly these problems; gives their sentences.
async fn found(stage: &Stage, teacher: &Teacher, draft_id: &str, expected: &[(&str, &str)]) -> Vec<String> {
    eventually(&format!("{expected:?}"), || async {
        let check = wire::CheckDraftRequest { draft_id: draft_id.to_owned() };
        let problems = stage.drafts(teacher).check_draft(check).await.ok()?.into_inner().problems;
        let told: Vec<_> = problems.iter().map(|problem| (problem.field.as_str(), problem.reason.as_str())).collect();
        (told == expected).then(|| problems.iter().map(|problem| problem.message.clone()).collect())
    })
    .await
}

#[tokio::test]
async fn a_form_is_checked_against_the_directory_as_it_has_become() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let draft_id = stage.drafts(&teacher).start_draft(start).await.unwrap().into_inner().draft_id;
    let mut calligraphy = form();
    calligraphy.coded.as_mut().unwrap().subject = "书法".to_owned();
    let save = wire::SaveDraftRequest {
        draft_id: draft_id.clone(),
        revision: 1,
        form: Some(calligraphy),
        ..Default::default()
    };
    stage.drafts(&teacher).save_draft(save).await.unwrap();
    let found = async |expected: &[(&str, &str)]| found(&stage, &teacher, &draft_id, expected).await;
    let subject = ("coded.subject", "NOT_OF_THE_STAGE");
    found(&[subject]).await;

    let scheduling = stage.running.neighbour("scheduling");
    let (province, junior) = ("32".to_owned(), TeachingStage::Junior.into());
    let added = scheduling::SubjectAdded { province: province.clone(), stage: junior, subject: "书法".to_owned() };
    scheduling.publish(lifecycle::ids::random(), "320000", &added).await;
    found(&[]).await;
    let off = scheduling::SubjectSwitched { province, stage: junior, subject: "书法".to_owned(), on: false };
    scheduling.publish(lifecycle::ids::random(), "320000", &off).await;
    found(&[subject]).await;
    let on = scheduling::SubjectSwitched { on: true, ..off };
    scheduling.publish(lifecycle::ids::random(), "320000", &on).await;
    found(&[]).await;

    let renamed = |name: &str, effective_date: &str| scheduling::AgencyRenamed {
        agency_id: COUNTY.to_string(),
        name: name.to_owned(),
        effective_date: effective_date.to_owned(),
    };
    scheduling.publish(COUNTY, "320303", &renamed("云龙区教育体育局", "2020-01-01")).await;
    scheduling.publish(COUNTY, "320303", &renamed("云龙区教委", "2999-01-01")).await;
    let abolished = scheduling::AgencyAbolished {
        agency_id: COUNTY.to_string(),
        effective_date: "2026-01-01".to_owned(),
        successor_agency_id: String::new(),
    };
    scheduling.publish(COUNTY, "320303", &abolished).await;
    let agency = ("coded.agency_id", "AGENCY_ABOLISHED");
    let told = found(&[agency]).await;
    assert_eq!(told, ["云龙区教育体育局已于2026年1月1日撤销，请改选承接其职责的注册机构。"]);

    scheduling.publish(POINT, "320303", &scheduling::PointClosed { point_id: POINT.to_string() }).await;
    let point = ("coded.point_id", "POINT_ABOLISHED");
    found(&[agency, point]).await;
    let renamed = scheduling::SchoolRenamed { school_id: SCHOOL.to_string(), name: "示范初级中学".to_owned() };
    scheduling.publish(SCHOOL, "320303", &renamed).await;
    stage.until_known("the new name", "SELECT count(*) FROM views.school WHERE name = '示范初级中学'", 1).await;
    scheduling.publish(SCHOOL, "320303", &scheduling::SchoolClosed { school_id: SCHOOL.to_string() }).await;
    found(&[("coded.school_id", "UNKNOWN_SCHOOL"), agency, point]).await;
    for view in ["directory", "schools"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}
