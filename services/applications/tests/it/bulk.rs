//! Many applications in one call: item by item, dry and real, once and again, and what a call as a whole is refused for.

use proto::applications::v1::bulk_client::BulkClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::item_result::Result as Came;
use proto::applications::v1::{self as wire, Status as State, Turn};
use proto::certificates::v1::RestrictionKind;
use proto::types::v1::Conclusion;
use service::testing::Channel;
use tonic::{Response, Status, Streaming};

use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, Stage, facts, reason, record_facts, refused, request_id,
};

/// What came of an item, in short: its status or the reason.
pub(crate) fn told(result: &wire::ItemResult) -> String {
    match result.result.as_ref().unwrap() {
        Came::Outcome(outcome) => outcome.status().as_str_name().trim_start_matches("STATUS_").to_owned(),
        Came::Refusal(refusal) => {
            assert!(!refusal.message.is_empty(), "{refusal:?}");
            refusal.reason.clone()
        }
    }
}

/// All results of a call, which must come in the order of its items.
async fn results<M>(
    answers: Result<Response<Streaming<M>>, Status>,
    result: impl Fn(M) -> Option<wire::ItemResult>,
) -> Vec<wire::ItemResult> {
    let (mut answers, mut results) = (answers.unwrap().into_inner(), Vec::new());
    while let Some(answer) = answers.message().await.unwrap() {
        let result = result(answer).unwrap();
        assert_eq!(usize::try_from(result.position), Ok(results.len()));
        results.push(result);
    }
    results
}

async fn confirm(client: &mut BulkClient<Channel>, request: wire::ConfirmApplicationsRequest) -> Vec<wire::ItemResult> {
    results(client.confirm_applications(request).await, |answer| answer.result).await
}

fn confirmation(keys: &[wire::ApplicationKey], dry_run: bool) -> wire::ConfirmApplicationsRequest {
    wire::ConfirmApplicationsRequest { request_id: request_id(), keys: keys.to_vec(), dry_run }
}

async fn with_facts(stage: &Stage) -> wire::ApplicationKey {
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut school = ConfirmationClient::new(stage.liaison().await);
    school.record_facts(record_facts(&key, facts())).await.unwrap();
    key
}

fn head(stage: &Stage) -> i64 {
    *stage.running.service.ground.log.head().borrow()
}

#[tokio::test]
async fn each_item_is_confirmed_or_says_why_not_and_a_repeated_call_answers_the_same() {
    let stage = Stage::start().await;
    let (first, second, third) = (with_facts(&stage).await, with_facts(&stage).await, with_facts(&stage).await);
    let without_facts = stage.filed(&stage.teacher().await).await;
    let confirmed = stage.confirmed(&stage.teacher().await).await;
    let mut unknown = first.clone();
    unknown.certificate_id = request_id();
    let keys = [first, without_facts, second, unknown, confirmed, third];
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);

    let request = confirmation(&keys, true);
    let before = head(&stage);
    let dry = confirm(&mut clerk, request.clone()).await;
    let expected = ["CONFIRMED", "FACTS_MISSING", "CONFIRMED", "NOT_FOUND", "WRONG_STATE", "CONFIRMED"];
    assert_eq!(dry.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(dry.iter().filter_map(|result| result.key.clone()).collect::<Vec<_>>(), keys);
    assert_eq!(head(&stage), before, "a dry run records nothing");

    let request = wire::ConfirmApplicationsRequest { dry_run: false, ..request };
    let done = confirm(&mut clerk, request.clone()).await;
    assert_eq!(done, dry, "the dry run said what would come");
    assert_eq!(head(&stage), before + 3);
    let again = confirm(&mut clerk, request.clone()).await;
    assert_eq!(again, done);
    let part = wire::ConfirmApplicationsRequest { keys: keys[4..].to_vec(), ..request };
    assert_eq!(confirm(&mut clerk, part).await.iter().map(told).collect::<Vec<_>>(), expected[4..]);
    assert_eq!(head(&stage), before + 3, "what was done is not done twice");
    let other = confirm(&mut clerk, confirmation(&keys[..1], false)).await;
    assert_eq!(other.iter().map(told).collect::<Vec<_>>(), ["WRONG_STATE"], "another call is another request");
}

#[tokio::test]
async fn anothers_applications_are_not_found_and_do_not_keep_the_own_ones_back() {
    let stage = Stage::start().await;
    let own = with_facts(&stage).await;
    let mut other = BulkClient::new(stage.clerk(OTHER_POINT).await);
    let seen = confirm(&mut other, confirmation(std::slice::from_ref(&own), false)).await;
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["NOT_FOUND"]);
    let dry = confirm(&mut other, confirmation(std::slice::from_ref(&own), true)).await;
    assert_eq!(dry.iter().map(told).collect::<Vec<_>>(), ["NOT_FOUND"], "a dry run tells no more");
    let mut liaison = BulkClient::new(stage.liaison().await);
    assert_eq!(reason(liaison.confirm_applications(confirmation(&[own], false)).await), "ROLE_REQUIRED");
}

#[tokio::test]
async fn a_call_goes_all_the_way_from_return_to_conclusion() {
    let stage = Stage::start().await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(with_facts(&stage).await);
    }
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let mut school = BulkClient::new(stage.liaison().await);
    confirm(&mut clerk, confirmation(&keys, false)).await;

    let back = wire::ReturnApplicationsRequest {
        request_id: request_id(),
        keys: keys[2..].to_vec(),
        dry_run: false,
        reason: "职称有误".to_owned(),
    };
    let nothing_said = wire::ReturnApplicationsRequest { reason: " ".to_owned(), ..back.clone() };
    assert_eq!(refused(school.return_applications(nothing_said).await).violations[0].field, "reason");
    let returned = results(school.return_applications(back.clone()).await, |answer| answer.result).await;
    let Some(Came::Outcome(outcome)) = &returned[0].result else { panic!("{returned:?}") };
    assert_eq!((outcome.status(), outcome.turn()), (State::PendingOnlineConfirmation, Turn::Applicant));
    let changed = wire::ReturnApplicationsRequest { reason: "学科有误".to_owned(), ..back };
    let reused = results(school.return_applications(changed).await, |answer| answer.result).await;
    assert_eq!(told(&reused[0]), "REQUEST_ID_REUSED", "the same id with another reason");

    let pass = || wire::PassReviewsRequest {
        request_id: request_id(),
        keys: keys.clone(),
        dry_run: false,
        opinion: "同意".to_owned(),
    };
    let (mut county, mut city) =
        (BulkClient::new(stage.reviewer(COUNTY).await), BulkClient::new(stage.reviewer(CITY).await));
    let early = results(city.pass_reviews(pass()).await, |answer| answer.result).await;
    assert_eq!(early.iter().map(told).collect::<Vec<_>>(), ["NOT_YOUR_TURN", "NOT_YOUR_TURN", "WRONG_STATE"]);
    let passed = results(county.pass_reviews(pass()).await, |answer| answer.result).await;
    assert_eq!(passed.iter().map(told).collect::<Vec<_>>(), ["CONFIRMED", "CONFIRMED", "WRONG_STATE"]);
    results(city.pass_reviews(pass()).await, |answer| answer.result).await;

    let conclude = |dry_run| {
        let item = |key: &wire::ApplicationKey, conclusion: Conclusion, reason: &str| wire::ConclusionItem {
            key: Some(key.clone()),
            conclusion: conclusion.into(),
            reason: reason.to_owned(),
        };
        let items = vec![
            item(&keys[0], Conclusion::Qualified, ""),
            item(&keys[1], Conclusion::Deferred, ""),
            item(&keys[2], Conclusion::Failed, "经查不实"),
        ];
        wire::ConcludeApplicationsRequest { request_id: request_id(), items, dry_run }
    };
    let mut province = BulkClient::new(stage.reviewer(PROVINCE).await);
    let before = head(&stage);
    let dry = results(province.conclude_applications(conclude(true)).await, |answer| answer.result).await;
    let expected = ["CONCLUDED", "REASON_REQUIRED", "WRONG_STATE"];
    assert_eq!(dry.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(head(&stage), before);
    let concluded = results(province.conclude_applications(conclude(false)).await, |answer| answer.result).await;
    assert_eq!(concluded.iter().map(told).collect::<Vec<_>>(), expected);
    let mut with_reason = conclude(false);
    with_reason.items =
        vec![wire::ConclusionItem { reason: "材料待核实".to_owned(), ..with_reason.items[1].clone() }];
    let concluded = results(province.conclude_applications(with_reason).await, |answer| answer.result).await;
    let Some(Came::Outcome(outcome)) = &concluded[0].result else { panic!("{concluded:?}") };
    assert_eq!(outcome.conclusion(), Conclusion::Deferred);
}

#[tokio::test]
async fn a_restricted_certificate_holds_its_own_item_alone() {
    let stage = Stage::start().await;
    let (teacher, good) = (stage.teacher().await, with_facts(&stage).await);
    let key = stage.filed(&teacher).await;
    ConfirmationClient::new(stage.clerk(POINT).await).record_facts(record_facts(&key, facts())).await.unwrap();
    stage.restrict(&teacher, RestrictionKind::Forfeited).await;
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let seen = confirm(&mut clerk, confirmation(&[key, good], false)).await;
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), ["CERTIFICATE_RESTRICTED", "CONFIRMED"]);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_or_comes_again_is_refused_and_the_rest_is_done() {
    let stage = Stage::start().await;
    let (key, other) = (with_facts(&stage).await, with_facts(&stage).await);
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let rubbish = wire::ApplicationKey { certificate_id: "x".to_owned(), enrolment_number: "x".to_owned() };
    let no_number = wire::ApplicationKey { enrolment_number: "20263203030000010".to_owned(), ..key.clone() };
    let keys = [key.clone(), rubbish, no_number, key.clone(), other.clone()];
    let seen = confirm(&mut clerk, confirmation(&keys, false)).await;
    let expected = ["CONFIRMED", "NOT_A_UUID", "NOT_AN_ENROLMENT_NUMBER", "GIVEN_TWICE", "CONFIRMED"];
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(seen.into_iter().filter_map(|result| result.key).collect::<Vec<_>>(), keys, "as they were given");

    let item = |key: Option<&wire::ApplicationKey>, conclusion: Conclusion, reason: &str| wire::ConclusionItem {
        key: key.cloned(),
        conclusion: conclusion.into(),
        reason: reason.to_owned(),
    };
    let third = with_facts(&stage).await;
    let items = vec![
        item(None, Conclusion::Qualified, ""),
        item(Some(&key), Conclusion::Revoked, ""),
        item(Some(&other), Conclusion::Deferred, &"长".repeat(1_001)),
        item(Some(&third), Conclusion::Deferred, "材料\u{0}存疑"),
        item(Some(&key), Conclusion::Qualified, ""),
    ];
    let request = wire::ConcludeApplicationsRequest { request_id: request_id(), items, dry_run: false };
    let mut province = BulkClient::new(stage.reviewer(PROVINCE).await);
    let seen = results(province.conclude_applications(request).await, |answer| answer.result).await;
    let expected = ["REQUIRED", "UNKNOWN_VALUE", "TOO_LONG", "NOT_PLAIN_TEXT", "GIVEN_TWICE"];
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(seen[0].key, None);
}

#[tokio::test]
async fn a_call_that_is_not_right_begins_nothing_and_hears_all_that_is_wrong() {
    let stage = Stage::start().await;
    let key = with_facts(&stage).await;
    let before = head(&stage);
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let wrong = async |clerk: &mut BulkClient<Channel>, request: wire::ConfirmApplicationsRequest| {
        let refusal = refused(clerk.confirm_applications(request).await);
        assert_eq!(refusal.reason, "INVALID_FIELDS");
        let named = refusal.violations.into_iter().map(|one| (one.field, one.reason));
        named.collect::<Vec<_>>()
    };
    let named = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    assert_eq!(wrong(&mut clerk, confirmation(&[], false)).await, [named("keys", "REQUIRED")]);
    let many = vec![key; 1_001];
    assert_eq!(wrong(&mut clerk, confirmation(&many, false)).await, [named("keys", "TOO_MANY_ITEMS")]);
    let nameless = wire::ConfirmApplicationsRequest { request_id: String::new(), ..confirmation(&[], false) };
    assert_eq!(wrong(&mut clerk, nameless).await, [named("request_id", "REQUIRED"), named("keys", "REQUIRED")]);
    assert_eq!(head(&stage), before);
}

#[tokio::test]
async fn the_largest_call_answers_every_item() {
    let stage = Stage::start().await;
    let good = with_facts(&stage).await;
    let strange = |_| wire::ApplicationKey { certificate_id: request_id(), ..good.clone() };
    let mut keys: Vec<_> = (0..999).map(strange).collect();
    keys.push(good.clone());
    let mut clerk = BulkClient::new(stage.clerk(POINT).await);
    let seen = confirm(&mut clerk, confirmation(&keys, false)).await;
    assert_eq!(seen.len(), 1_000);
    assert!(seen[..999].iter().all(|result| told(result) == "NOT_FOUND"));
    assert_eq!(told(&seen[999]), "CONFIRMED");
}
