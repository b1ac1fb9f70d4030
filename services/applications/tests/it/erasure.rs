//! A person is erased: their drafts are gone, what they wrote cannot be read, what was decided stands.

use eventlog::Verdict;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::export_client::ExportClient;
use proto::applications::v1::{self as wire};

use crate::neighbours::NUMBER;
use crate::stage::{COUNTY, POINT, Stage, eventually, reason};

#[tokio::test]
async fn an_applicant_is_forgotten_and_the_record_of_the_certificate_stays() {
    let stage = Stage::start().await;
    let (teacher, other) = (stage.teacher().await, stage.teacher().await);
    let key = stage.confirmed(&teacher).await;
    let others = stage.filed(&other).await;
    stage.ready_draft(&stage.certified(teacher.person).await).await;
    let kept = "SELECT count(*) FROM public.draft WHERE person_id = $1";
    let drafts = async || {
        let drafts = sqlx::query_scalar(kept).bind(teacher.person).fetch_one(&stage.running.service.ground.pool);
        let drafts: i64 = drafts.await.unwrap();
        drafts
    };
    eventually("the filed draft to be closed", async || (drafts().await == 1).then_some(())).await;
    let mut export = ExportClient::new(stage.running.person(teacher.person));
    let exported = export.export_my_data(wire::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    let list = |name: &str| exported[name].as_array().cloned().unwrap_or_default();
    let (applications, begun) = (list("applications"), list("drafts"));
    assert_eq!((applications.len(), begun.len()), (1, 1), "one's own only");
    assert_eq!(applications[0]["personal"]["number"], NUMBER);
    assert_eq!(applications[0]["personal"]["filled_in"]["address"], "徐州市云龙区示范路1号");
    assert_eq!(applications[0]["history"].as_array().unwrap().len(), 3);
    assert_eq!(begun[0]["form"]["subject"], "物理");
    let (running, log) = (&stage.running, &stage.running.service.ground.log);
    assert_eq!(running.opens_with_any_key(&[teacher.certificate]).await, 2, "the form and the note of the facts");

    let confirmed = running.erase(teacher.person).await;
    let counts: Vec<_> = confirmed.erased.iter().map(|erased| (erased.kind.as_str(), erased.count)).collect();
    assert_eq!(counts, [("application", 1), ("sealed_event", 2), ("draft", 1)]);
    assert_eq!(running.opens_with_any_key(&[teacher.certificate]).await, 0, "no key of the key database opens it");
    assert_eq!(running.opens_with_any_key(&[other.certificate]).await, 1, "nobody else is forgotten");
    let verdict = log.verify(1, |_, _| {}).await.unwrap();
    assert!(!matches!(verdict, Verdict::Broken { .. }), "{verdict:?}");
    assert_eq!(drafts().await, 0);

    let reveal_purpose = "核对申请表".to_owned();
    let get = wire::GetApplicationRequest { key: Some(key.clone()), reveal_purpose, ..Default::default() };
    let mut clerk = ApplicationsClient::new(stage.clerk(POINT).await);
    let seen = clerk.get_application(get).await.unwrap().into_inner().application.unwrap();
    assert_eq!(seen.status(), wire::Status::Confirmed);
    assert_eq!(seen.applicant.unwrap_or_default().name, "");
    assert_eq!(seen.form.unwrap().personal.unwrap_or_default().address, "");
    let get = wire::GetApplicationRequest { key: Some(others), ..Default::default() };
    let seen = stage.applications(&other).get_application(get).await.unwrap().into_inner().application.unwrap();
    assert_eq!(seen.applicant.unwrap().name, "测试教师");

    for view in ["applications", "certificates", "authority"] {
        let rebuilt = running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
    eventually("the person's token to count no more", async || {
        let listed = stage.applications(&teacher).list_applications(wire::ListApplicationsRequest::default()).await;
        listed.is_err().then(|| assert_eq!(reason(listed), "TOKEN_INVALID"))
    })
    .await;
    let sent_back =
        wire::SendBackRequest {
            request_id: crate::stage::request_id(), key: Some(key), reason: "材料有误".to_owned()
        };
    stage.review(COUNTY).await.send_back(sent_back).await.unwrap();
    assert_eq!(running.opens_with_any_key(&[teacher.certificate]).await, 0, "words about nobody are not kept");
}
