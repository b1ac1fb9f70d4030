//! Texts of provinces: a province's own takes the place of ours, and what was agreed to before is agreed to again.

use proto::applications::v1::drafts_client::DraftsClient;
use proto::applications::v1::texts_client::TextsClient;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use service::testing::Channel;
use tonic::Code;
use uuid::Uuid;

use crate::stage::{Stage, Teacher, eventually, reason, refused, request_id};

async fn officer(stage: &Stage) -> TextsClient<Channel> {
    TextsClient::new(stage.running.staff(Uuid::from_u128(0xa), Role::RuleOfficer, "320000", None).await)
}

fn publish(name: &str, body: &str) -> wire::PublishTextRequest {
    let (request_id, province) = (request_id(), "32".to_owned());
    wire::PublishTextRequest { request_id, province, name: name.to_owned(), body: body.to_owned() }
}

async fn shown(stage: &Stage, teacher: &Teacher, province: &str, name: &str) -> wire::Text {
    let list = wire::ListTextsRequest { province: province.to_owned() };
    let texts = stage.drafts(teacher).list_texts(list).await.unwrap().into_inner().texts;
    assert_eq!(texts.len(), 5);
    texts.into_iter().find(|text| text.name == name).unwrap()
}

async fn until_shown(stage: &Stage, teacher: &Teacher, name: &str, version: i32) -> wire::Text {
    eventually("the text", || async {
        let text = shown(stage, teacher, "32", name).await;
        (!text.modelled && text.version == version).then_some(text)
    })
    .await
}

async fn accept(stage: &Stage, teacher: &Teacher, draft_id: &str, text: &wire::Text) -> Result<i32, String> {
    let accept = wire::AcceptAgreementRequest {
        draft_id: draft_id.to_owned(),
        text_version: text.version,
        text_digest: text.digest.clone(),
    };
    match stage.drafts(teacher).accept_agreement(accept).await {
        Ok(accepted) => Ok(accepted.into_inner().revision),
        refused => Err(reason(refused)),
    }
}

#[tokio::test]
async fn a_province_publishes_versions_and_shows_the_newest() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let ours = shown(&stage, &teacher, "32", "notice").await;
    assert!(ours.modelled && ours.province.is_empty() && ours.body.contains("本文本为示范文本"));
    let mut texts = officer(&stage).await;
    let first = publish("notice", "江苏省注意事项\n一、请携带证书原件。");
    let published = texts.publish_text(first.clone()).await.unwrap().into_inner();
    assert_eq!(published.version, 1);
    assert_eq!(texts.publish_text(first).await.unwrap().into_inner().digest, published.digest);
    let second = publish("notice", "江苏省注意事项\n一、请携带证书原件和复印件。");
    assert_eq!(texts.publish_text(second.clone()).await.unwrap().into_inner().version, 2);
    let newest = until_shown(&stage, &teacher, "notice", 2).await;
    assert_eq!((newest.body.as_str(), newest.province.as_str()), (second.body.as_str(), "32"));
    assert!(shown(&stage, &teacher, "33", "notice").await.modelled);
    assert!(shown(&stage, &teacher, "", "notice").await.modelled);
    assert!(shown(&stage, &teacher, "32", "pledge").await.modelled);
    for view in ["texts", "applications"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test]
async fn an_agreement_to_an_earlier_text_is_given_again() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let draft_id = submission.draft_id.clone();
    let agreed = async || {
        let get = wire::GetDraftRequest { draft_id: draft_id.clone() };
        stage.drafts(&teacher).get_draft(get).await.unwrap().into_inner().agreement_accepted
    };
    assert!(agreed().await);
    let ours = shown(&stage, &teacher, "", "agreement").await;
    officer(&stage).await.publish_text(publish("agreement", "江苏省网上申报协议")).await.unwrap();
    let theirs = until_shown(&stage, &teacher, "agreement", 1).await;
    assert!(!agreed().await);
    let check = wire::CheckDraftRequest { draft_id: draft_id.clone() };
    let found = stage.drafts(&teacher).check_draft(check).await.unwrap().into_inner().obstacles;
    assert_eq!((found.len(), found[0].field.as_str(), found[0].reason.as_str()), (1, "agreement", "TEXT_CHANGED"));
    let refusal = refused(stage.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["text"].as_str()), ("TEXT_CHANGED", "agreement"));
    // Ours is still shown elsewhere, so that it may be agreed to; here it does not help.
    accept(&stage, &teacher, &draft_id, &ours).await.unwrap();
    assert_eq!(reason(stage.applications(&teacher).submit_application(submission.clone()).await), "TEXT_CHANGED");
    accept(&stage, &teacher, &draft_id, &theirs).await.unwrap();
    assert!(agreed().await);
    let submission = wire::SubmitApplicationRequest { request_id: request_id(), ..submission };
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    let recorded = stage.running.service.ground.log.load(teacher.certificate).await.unwrap();
    let submitted: wire::ApplicationSubmitted = prost::Message::decode(recorded[0].payload.as_slice()).unwrap();
    assert_eq!((submitted.agreement_version, submitted.agreement_digest), (1, theirs.digest));
}

#[tokio::test]
async fn the_pledge_is_the_provinces_too() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    officer(&stage).await.publish_text(publish("pledge", "江苏省个人承诺书")).await.unwrap();
    let theirs = until_shown(&stage, &teacher, "pledge", 1).await;
    let refusal = refused(stage.applications(&teacher).submit_application(submission.clone()).await);
    assert_eq!((refusal.reason.as_str(), refusal.metadata["text"].as_str()), ("TEXT_CHANGED", "pledge"));
    let pledge = Some(wire::Pledge { accepted: true, text_version: 1, text_digest: theirs.digest });
    let submission = wire::SubmitApplicationRequest { request_id: request_id(), pledge, ..submission };
    stage.applications(&teacher).submit_application(submission).await.unwrap();
}

#[tokio::test]
async fn a_text_that_nobody_shows_any_more_is_not_agreed_to() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let (draft_id, _) = stage.ready_draft(&teacher).await;
    let mut texts = officer(&stage).await;
    texts.publish_text(publish("agreement", "第一版")).await.unwrap();
    let first = until_shown(&stage, &teacher, "agreement", 1).await;
    accept(&stage, &teacher, &draft_id, &first).await.unwrap();
    texts.publish_text(publish("agreement", "第二版")).await.unwrap();
    until_shown(&stage, &teacher, "agreement", 2).await;
    assert_eq!(accept(&stage, &teacher, &draft_id, &first).await, Err("TEXT_CHANGED".to_owned()));
}

#[tokio::test]
async fn what_is_no_public_notice_is_refused_and_so_is_another_provinces_officer() {
    let stage = Stage::start().await;
    let mut texts = officer(&stage).await;
    let wrong = wire::PublishTextRequest { province: "3".to_owned(), ..publish("novel", "证书20153200000000000号") };
    let refusal = refused(texts.publish_text(wrong).await);
    let reasons = ["province", "name", "body"].map(|field| refusal.violation(field).unwrap().reason.clone());
    assert_eq!(reasons, ["NOT_A_PROVINCE", "UNKNOWN_TEXT", "NUMBER_IN_TEXT"]);
    for (body, reason) in [(" ", "REQUIRED"), ("一\t二", "NOT_PLAIN_TEXT"), (&*"字".repeat(20_001), "TOO_LONG")] {
        let refusal = refused(texts.publish_text(publish("notice", body)).await);
        assert_eq!(refusal.violation("body").unwrap().reason, reason);
    }
    let elsewhere = wire::PublishTextRequest { province: "33".to_owned(), ..publish("notice", "注意事项") };
    assert_eq!(refused(texts.publish_text(elsewhere).await).code, Code::NotFound);
    let teacher = stage.teacher().await;
    let mut drafts = DraftsClient::new(stage.running.person(teacher.person));
    let list = wire::ListTextsRequest { province: "3a".to_owned() };
    assert_eq!(refused(drafts.list_texts(list).await).violation("province").unwrap().reason, "NOT_A_PROVINCE");
}
