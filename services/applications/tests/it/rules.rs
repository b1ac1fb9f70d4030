//! Rule sets: the national default, a province's own, and who publishes it.

use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::rules_client::RulesClient;
use proto::applications::v1::{self as wire, ReviewLevel};
use proto::identity::v1::Role;
use uuid::Uuid;

use crate::stage::{COUNTY, POINT, Stage, eventually, facts, reason, record_facts, refused, request_id};

async fn in_force(stage: &Stage) -> wire::RuleSet {
    let teacher = stage.teacher().await;
    let request = wire::GetRuleSetRequest { province: "32".to_owned(), ..Default::default() };
    stage.rules(&teacher).get_rule_set(request).await.unwrap().into_inner().rule_set.unwrap()
}

#[tokio::test]
async fn a_province_publishes_versions_and_applications_follow_the_newest() {
    let stage = Stage::start().await;
    let national = in_force(&stage).await;
    assert_eq!((national.province.as_str(), national.version, national.interval_months), ("00", 1, 54));
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

#[tokio::test]
async fn a_version_for_a_later_day_waits_for_it_and_every_version_can_be_read() {
    let stage = Stage::start().await;
    let national = in_force(&stage).await;
    let officer = stage.running.staff(Uuid::from_u128(0xa), Role::RuleOfficer, "320000", None).await;
    let mut rules = RulesClient::new(officer);
    let today = rpc::render_date(applications::domain::calendar::shanghai_date(lifecycle::clock::now()));
    let publish = |effective_date: &str, interval_months| wire::PublishRuleSetRequest {
        request_id: request_id(),
        rule_set: Some(wire::RuleSet {
            province: "32".to_owned(),
            effective_date: effective_date.to_owned(),
            interval_months,
            ..national.clone()
        }),
    };
    let past = refused(rules.publish_rule_set(publish("2020-01-01", 50)).await);
    assert_eq!((past.violations[0].field.as_str(), past.violations[0].reason.as_str()), EFFECTIVE_DATE_PAST);
    rules.publish_rule_set(publish(&today, 50)).await.unwrap();
    rules.publish_rule_set(publish("2099-01-01", 58)).await.unwrap();
    let get =
        |version, date: &str| wire::GetRuleSetRequest { province: "32".to_owned(), version, date: date.to_owned() };
    eventually("both versions", || {
        let mut rules = rules.clone();
        async move {
            let answer = rules.get_rule_set(get(0, "")).await.unwrap().into_inner();
            let versions: Vec<i32> = answer.versions.iter().map(|one| one.version).collect();
            (versions == [1, 2]).then_some(())
        }
    })
    .await;
    let mut interval = async |version, date: &str| {
        let found = rules.get_rule_set(get(version, date)).await.unwrap().into_inner();
        found.rule_set.unwrap().interval_months
    };
    assert_eq!(interval(0, "").await, 50, "the later one is not in force yet");
    assert_eq!(interval(0, "2099-01-01").await, 58);
    assert_eq!(interval(2, "").await, 58);
    assert_eq!(interval(0, "2020-01-01").await, 54, "before the first one the national set holds");
    assert_eq!(reason(rules.get_rule_set(get(3, "")).await), "NOT_FOUND");
    assert_eq!(reason(rules.get_rule_set(get(1, "2099-01-01")).await), "INVALID_FIELDS");
}

const EFFECTIVE_DATE_PAST: (&str, &str) = ("rule_set.effective_date", "IN_THE_PAST");

#[tokio::test]
async fn a_school_outside_the_scope_is_refused_when_checked_and_when_submitted() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut private = crate::stage::form();
    private.coded.as_mut().unwrap().school_nature = "2".to_owned();
    let mut submission = stage.submission(&teacher).await;
    let draft_id = submission.draft_id.clone();
    let save = wire::SaveDraftRequest {
        draft_id: draft_id.clone(),
        revision: submission.revision,
        form: Some(private),
        ..Default::default()
    };
    submission.revision = stage.drafts(&teacher).save_draft(save).await.unwrap().into_inner().revision;
    let check = wire::CheckDraftRequest { draft_id };
    let problems = stage.drafts(&teacher).check_draft(check).await.unwrap().into_inner().problems;
    assert_eq!((problems[0].field.as_str(), problems[0].reason.as_str()), ("coded.school_id", "SCHOOL_OUT_OF_SCOPE"));
    assert!(problems[0].message.contains("民办学校"));
    let refusal = refused(stage.applications(&teacher).submit_application(submission).await);
    assert_eq!(refusal.violations[0].reason, "SCHOOL_OUT_OF_SCOPE");
}

/// All that a dry run answers.
async fn tried(
    rules: &mut RulesClient<service::testing::Channel>,
    request: wire::DryRunRulesRequest,
) -> (Vec<wire::OutcomeChange>, wire::DryRunProgress) {
    use wire::dry_run_rules_response::Part;
    let mut stream = rules.dry_run_rules(request).await.unwrap().into_inner();
    let (mut changes, mut last) = (Vec::new(), wire::DryRunProgress::default());
    while let Some(answer) = stream.message().await.unwrap() {
        match answer.part.unwrap() {
            Part::Change(change) => changes.push(change),
            Part::Progress(progress) => last = progress,
        }
    }
    assert!(last.done, "the last message says that it is the last");
    (changes, last)
}

#[tokio::test]
async fn a_dry_run_lists_whose_outcome_would_change_and_records_nothing() {
    let stage = Stage::start().await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(stage.filed(&stage.teacher().await).await);
    }
    stage.until_known("the applications", "SELECT count(*) FROM views.application", 3).await;
    let national = in_force(&stage).await;
    let officer = stage.running.staff(Uuid::from_u128(0xa), Role::RuleOfficer, "320000", None).await;
    let mut rules = RulesClient::new(officer);
    let head = *stage.running.service.ground.log.head().borrow();
    let of_jiangsu = |change: fn(&mut wire::RuleSet)| {
        let mut rule_set = wire::RuleSet { province: "32".to_owned(), ..national.clone() };
        change(&mut rule_set);
        wire::DryRunRulesRequest { rule_set: Some(rule_set), ..Default::default() }
    };
    let (changes, counts) = tried(&mut rules, of_jiangsu(|_| {})).await;
    assert_eq!((changes.len(), counts.examined, counts.changed), (0, 3, 0), "the same rules change nothing");

    let full = |rules: &mut wire::RuleSet| {
        rules.first_registration_full_check = true;
        rules.levels = vec![ReviewLevel::County.into(), ReviewLevel::Province.into()];
    };
    let (changes, counts) = tried(&mut rules, of_jiangsu(full)).await;
    let listed: Vec<_> = changes.iter().map(|change| change.key.clone().unwrap()).collect();
    assert_eq!(listed, keys, "in the order of their submission");
    assert_eq!((counts.changed, counts.missing_facts_changed, counts.route_changed), (3, 3, 3));
    assert_eq!((counts.earliest_date_changed, counts.scope_changed, counts.resume_token.as_str()), (0, 0, ""));
    let (before, after) = (changes[0].before.clone().unwrap(), changes[0].after.clone().unwrap());
    assert_eq!((before.rule_set_version, after.rule_set_version), (1, 1), "of the nation, and the province's first");
    assert_eq!((before.levels.len(), after.levels.len()), (3, 2));
    assert!(before.missing_facts.contains(&"聘用合同".to_owned()));
    assert!(after.missing_facts.contains(&"培训学时或学分".to_owned()));

    // A cap on what is listed, and on from there.
    let first = wire::DryRunRulesRequest { page_size: 2, ..of_jiangsu(full) };
    let (changes, counts) = tried(&mut rules, first.clone()).await;
    assert_eq!((changes.len(), counts.changed), (2, 3), "all are counted");
    let rest = wire::DryRunRulesRequest { resume_token: counts.resume_token, ..first };
    let (changes, counts) = tried(&mut rules, rest).await;
    assert_eq!(changes[0].key.as_ref(), Some(&keys[2]));
    assert_eq!((changes.len(), counts.examined, counts.resume_token.as_str()), (1, 1, ""));

    assert_eq!(*stage.running.service.ground.log.head().borrow(), head, "nothing was recorded");
    assert_eq!(in_force(&stage).await.version, national.version);
    let foreign = stage.running.staff(Uuid::from_u128(0xb), Role::RuleOfficer, "330000", None).await;
    assert_eq!(reason(RulesClient::new(foreign).dry_run_rules(of_jiangsu(full)).await), "NOT_FOUND");
    let rubbish = wire::DryRunRulesRequest { resume_token: "rubbish".to_owned(), ..of_jiangsu(full) };
    assert_eq!(reason(rules.dry_run_rules(rubbish).await), "INVALID_FIELDS");
}

#[tokio::test]
async fn a_dry_run_judges_a_certificate_in_conflict_as_a_conclusion_would() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
    confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
    stage.until_known("the application", "SELECT count(*) FROM views.application", 1).await;
    let officer = stage.running.staff(Uuid::from_u128(0xa), Role::RuleOfficer, "320000", None).await;
    let mut rules = RulesClient::new(officer);
    let levels = vec![ReviewLevel::Province.into()];
    let rule_set = wire::RuleSet { province: "32".to_owned(), levels, ..in_force(&stage).await };
    let request = wire::DryRunRulesRequest { rule_set: Some(rule_set), ..Default::default() };
    let mut proposals = async || {
        let (changes, _) = tried(&mut rules, request.clone()).await;
        let proposal = |outlook: &Option<wire::Outlook>| outlook.clone().unwrap().assessment.unwrap().proposal();
        (proposal(&changes[0].before), proposal(&changes[0].after))
    };
    assert_eq!(proposals().await, (wire::Proposal::Qualified, wire::Proposal::Qualified));
    stage.contradict(&teacher, 1).await;
    assert_eq!(proposals().await, (wire::Proposal::NeedsDecision, wire::Proposal::NeedsDecision));
    stage.settle(&teacher, 1).await;
    assert_eq!(proposals().await, (wire::Proposal::Qualified, wire::Proposal::Qualified));
}
