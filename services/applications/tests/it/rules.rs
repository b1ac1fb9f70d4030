//! Rule sets: the national default, a province's own, and who publishes it.

use proto::applications::v1::rules_client::RulesClient;
use proto::applications::v1::{self as wire, ReviewLevel};
use proto::identity::v1::Role;
use uuid::Uuid;

use crate::stage::{COUNTY, Stage, eventually, reason, refused, request_id};

async fn in_force(stage: &Stage) -> wire::RuleSet {
    let teacher = stage.teacher().await;
    let request = wire::GetRuleSetRequest { province: "32".to_owned() };
    stage.rules(&teacher).get_rule_set(request).await.unwrap().into_inner().rule_set.unwrap()
}

#[tokio::test]
async fn a_province_publishes_versions_and_applications_follow_the_newest() {
    let stage = Stage::start().await;
    let national = in_force(&stage).await;
    assert_eq!((national.province.as_str(), national.version, national.interval_months), ("00", 0, 54));
    let officer = stage.running.staff(Uuid::from_u128(0xa), Role::RuleOfficer, "320000", None).await;
    let mut rules = RulesClient::new(officer);
    let province = wire::RuleSet {
        province: "32".to_owned(),
        levels: vec![ReviewLevel::County.into(), ReviewLevel::Province.into()],
        extra_required_fields: vec!["personal.telephone".to_owned()],
        ..national
    };
    let publish = wire::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(province.clone()) };
    let published = rules.publish_rule_set(publish.clone()).await.unwrap().into_inner();
    assert_eq!(published.version, 1);
    assert_eq!(rules.publish_rule_set(publish).await.unwrap().into_inner().version, 1);
    let second = wire::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(province.clone()) };
    assert_eq!(rules.publish_rule_set(second).await.unwrap().into_inner().version, 2);
    eventually("the second version", || async { (in_force(&stage).await.version == 2).then_some(()) }).await;

    // Its extra field is asked for, and the city does not review.
    let teacher = stage.teacher().await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    let draft = stage.drafts(&teacher).start_draft(start).await.unwrap().into_inner();
    let save = wire::SaveDraftRequest {
        draft_id: draft.draft_id,
        revision: 1,
        form: Some(crate::stage::form()),
        ..Default::default()
    };
    let problems = stage.drafts(&teacher).save_draft(save).await.unwrap().into_inner().problems;
    assert_eq!(problems[0].field, "personal.telephone");
    let third = wire::RuleSet { extra_required_fields: Vec::new(), ..province };
    let third = wire::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(third) };
    rules.publish_rule_set(third).await.unwrap();
    eventually("the third version", || async { (in_force(&stage).await.version == 3).then_some(()) }).await;
    let key = stage.confirmed(&stage.teacher().await).await;
    let pass = wire::PassReviewRequest { request_id: request_id(), key: Some(key), opinion: String::new() };
    let passed = stage.review(COUNTY).await.pass_review(pass).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(passed.level(), ReviewLevel::Province);
}

#[tokio::test]
async fn only_the_provinces_officer_publishes_and_only_sensible_sets() {
    let stage = Stage::start().await;
    let officer = stage.running.staff(Uuid::from_u128(0xb), Role::RuleOfficer, "330000", None).await;
    let mut rules = RulesClient::new(officer);
    let publish = |rule_set| wire::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(rule_set) };
    let national = in_force(&stage).await;
    let foreign = wire::RuleSet { province: "32".to_owned(), ..national.clone() };
    assert_eq!(reason(rules.publish_rule_set(publish(foreign)).await), "NOT_FOUND");
    assert_eq!(reason(rules.publish_rule_set(publish(national.clone())).await), "NOT_FOUND");
    let senseless = wire::RuleSet {
        province: "3".to_owned(),
        interval_months: 0,
        training_unit: "9".to_owned(),
        levels: vec![ReviewLevel::Province.into(), ReviewLevel::County.into()],
        extra_required_fields: vec!["personal.blood_group".to_owned()],
        ..national
    };
    let refusal = refused(rules.publish_rule_set(publish(senseless)).await);
    assert_eq!((refusal.reason.as_str(), refusal.violations.len()), ("INVALID_FIELDS", 5));
}
