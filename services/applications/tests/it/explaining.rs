//! What an explanation says: the same as the commands, to each caller; time limit, advice and warnings beside it.

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::explanations_client::ExplanationsClient;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::applications::v1::{self as wire, Action, NextStep, Status as State};
use proto::types::v1::Conclusion;
use service::testing::Channel;
use uuid::Uuid;

use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, Stage, confirm, eventually, facts, reason, record_facts, refused,
    request_id,
};

async fn explained(channel: Channel, key: &wire::ApplicationKey) -> wire::ExplainApplicationResponse {
    let request = wire::ExplainApplicationRequest { key: Some(key.clone()) };
    ExplanationsClient::new(channel).explain_application(request).await.unwrap().into_inner()
}

fn verdict(explained: &wire::ExplainApplicationResponse, action: Action) -> &wire::ActionVerdict {
    explained.actions.iter().find(|verdict| verdict.action() == action).unwrap()
}

fn may(explained: &wire::ExplainApplicationResponse) -> Vec<Action> {
    explained.actions.iter().filter(|verdict| verdict.may).map(wire::ActionVerdict::action).collect()
}

fn pass(key: &wire::ApplicationKey) -> wire::PassReviewRequest {
    wire::PassReviewRequest { request_id: request_id(), key: Some(key.clone()), opinion: String::new() }
}

#[tokio::test]
async fn everybody_concerned_hears_what_they_may_and_why_not_as_the_commands_say_it() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let own = explained(stage.running.person(teacher.person), &key).await;
    assert_eq!((own.status(), own.turn(), own.next_step()), SCHOOLS_TURN);
    assert!(own.state.contains("网报待确认") && own.next_sentence.contains("登记注册条件"));
    assert_eq!(may(&own), [Action::Amend, Action::Withdraw]);
    assert!(verdict(&own, Action::Amend).until_time.is_some(), "until the point's confirmation ends");
    assert_eq!(verdict(&own, Action::Confirm).reason, "ROLE_REQUIRED");

    let clerk = stage.clerk(POINT).await;
    let seen = explained(clerk.clone(), &key).await;
    assert_eq!(may(&seen), [Action::RecordFacts, Action::RefuseConfirmation]);
    let told = verdict(&seen, Action::Confirm);
    let mut confirmation = ConfirmationClient::new(clerk.clone());
    let heard = refused(confirmation.confirm_application(confirm(&key)).await);
    assert_eq!((&told.reason, &told.sentence), (&heard.reason, &heard.sentence));
    assert!(told.sentence.contains("师德考核") && told.cause.is_none());

    confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
    confirmation.confirm_application(confirm(&key)).await.unwrap();
    let seen = explained(clerk, &key).await;
    let told = verdict(&seen, Action::Confirm);
    let heard = refused(confirmation.confirm_application(confirm(&key)).await);
    assert_eq!((&told.reason, &told.sentence), (&heard.reason, &heard.sentence));
    let cause = told.cause.as_ref().unwrap();
    assert_eq!((cause.version, cause.r#type.as_str()), (3, "dingzhu.applications.v1.ApplicationConfirmed"));
    assert!(cause.time.is_some());
    assert_eq!(may(&seen), [Action::Return]);
    let county = explained(stage.reviewer(COUNTY).await, &key).await;
    assert_eq!(may(&county), [Action::RecordFacts, Action::Pass, Action::SendBack]);
    let city = explained(stage.reviewer(CITY).await, &key).await;
    assert_eq!(may(&city), []);
    let heard = refused(stage.review(CITY).await.pass_review(pass(&key)).await);
    assert_eq!(verdict(&city, Action::Pass).sentence, heard.sentence);

    for channel in [stage.clerk(OTHER_POINT).await, stage.reviewer(Uuid::from_u128(404)).await] {
        let request = wire::ExplainApplicationRequest { key: Some(key.clone()) };
        assert_eq!(reason(ExplanationsClient::new(channel).explain_application(request).await), "NOT_FOUND");
    }
}

const SCHOOLS_TURN: (State, wire::Turn, NextStep) =
    (State::PendingOnlineConfirmation, wire::Turn::School, NextStep::RecordFacts);

#[tokio::test]
async fn a_conclusion_has_its_publicity_its_note_its_time_limit_and_advice() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    let mut applicant = stage.applications(&teacher);
    let get = || wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let application = applicant.get_application(get()).await.unwrap().into_inner().application.unwrap();
    let limit = application.time_limit.unwrap();
    assert_eq!((limit.days, limit.day, limit.overdue), (90, 0, false), "the acceptance period is not over");
    assert!(limit.due_date > limit.accepted_until_date);

    stage.review(COUNTY).await.pass_review(pass(&key)).await.unwrap();
    stage.review(CITY).await.pass_review(pass(&key)).await.unwrap();
    let officer = stage.reviewer(PROVINCE).await;
    let mut province = stage.review(PROVINCE).await;
    let conclude = wire::ConcludeApplicationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        conclusion: Conclusion::Qualified.into(),
        reason: String::new(),
    };
    let ready = explained(officer.clone(), &key).await;
    let conclusions: Vec<(bool, bool)> = ready
        .actions
        .iter()
        .filter(|verdict| verdict.action() == Action::Conclude)
        .map(|verdict| (verdict.may, verdict.reason_required))
        .collect();
    assert_eq!(conclusions, [(true, false), (true, true), (true, true)]);
    province.conclude_application(conclude).await.unwrap();

    let record = |fact: Fact, until: &str| wire::RecordConclusionFactRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        fact: fact.into(),
        publicity_end_date: until.to_owned(),
        ..Default::default()
    };
    let short = refused(province.record_conclusion_fact(record(Fact::PublicityBegun, "2020-01-01")).await);
    assert_eq!(short.reason, "PUBLICITY_TOO_SHORT");
    assert_eq!(
        reason(province.record_conclusion_fact(record(Fact::NotePrinted, "2099-01-01")).await),
        "INVALID_FIELDS"
    );
    province.record_conclusion_fact(record(Fact::PublicityBegun, "2099-01-01")).await.unwrap();
    let heard = refused(province.record_conclusion_fact(record(Fact::PublicityEnded, "")).await);
    assert_eq!((heard.reason.as_str(), heard.sentence.contains("2099年1月1日")), ("PUBLICITY_NOT_OVER", true));
    assert_eq!(reason(province.record_conclusion_fact(record(Fact::NotePrinted, "")).await), "PUBLICITY_NOT_OVER");
    let seen = explained(officer, &key).await;
    assert_eq!(seen.next_step(), NextStep::EndPublicity);
    let told = verdict(&seen, Action::EndPublicity);
    assert_eq!((&told.reason, &told.sentence), (&heard.reason, &heard.sentence));
    assert!(told.from_time.is_some());
    assert!(told.cause.as_ref().unwrap().r#type.ends_with("PublicityBegun"));
    let topics: Vec<i32> = seen.advice.iter().map(|advice| advice.topic).collect();
    assert_eq!(topics, [1, 2, 3], "the next application, and both appeals");
    assert!(seen.advice.iter().all(|advice| !advice.sentence.is_empty() && advice.date.len() == 10));
    assert_eq!(seen.time_limit.unwrap().days, 90);

    let application = applicant.get_application(get()).await.unwrap().into_inner().application.unwrap();
    let record = application.conclusion_record.unwrap();
    assert_eq!(record.publicity_planned_end_date, "2099-01-01");
    assert!(record.certificate_note.starts_with("首次注册：注册合格。"));
    assert!(
        record.certificate_note.contains("320000教育局") && record.certificate_note.contains(&key.enrolment_number)
    );
}

#[tokio::test]
async fn a_second_live_application_of_a_person_is_told_to_applicant_and_clerk() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let first = stage.filed(&teacher).await;
    stage.until_known("the application", "SELECT count(*) FROM views.application", 1).await;
    let warned = |application: wire::Application| application.warnings.into_iter().map(|warning| warning.reason);
    let get = |key: &wire::ApplicationKey| wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let mut applicant = stage.applications(&teacher);
    let alone = applicant.get_application(get(&first)).await.unwrap().into_inner().application.unwrap();
    assert_eq!(alone.warnings, []);

    let other = stage.certified(teacher.person).await;
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: other.certificate.to_string() };
    let draft_id = stage.drafts(&other).start_draft(start).await.unwrap().into_inner().draft_id;
    let check = wire::CheckDraftRequest { draft_id };
    let warnings = stage.drafts(&other).check_draft(check).await.unwrap().into_inner().warnings;
    assert!(warnings.iter().any(|warning| warning.reason == "SECOND_LIVE_APPLICATION"));
    let second = stage.filed(&other).await;
    eventually("the second application", || {
        let mut applicant = applicant.clone();
        let second = second.clone();
        async move {
            let seen = applicant.get_application(get(&second)).await.unwrap().into_inner().application.unwrap();
            warned(seen).any(|reason| reason == "SECOND_LIVE_APPLICATION").then_some(())
        }
    })
    .await;
    stage.until_known("both applications", "SELECT count(*) FROM views.application", 2).await;
    for key in [&first, &second] {
        let clerk = stage.clerk(POINT).await;
        let seen = ApplicationsClient::new(clerk.clone()).get_application(get(key)).await.unwrap().into_inner();
        assert!(warned(seen.application.unwrap()).eq(["SECOND_LIVE_APPLICATION"]));
        assert_eq!(explained(clerk, key).await.warnings.len(), 1);
    }
    let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(first) };
    applicant.withdraw_application(withdraw).await.unwrap();
    eventually("the withdrawal", || {
        let mut applicant = applicant.clone();
        let second = second.clone();
        async move {
            let seen = applicant.get_application(get(&second)).await.unwrap().into_inner().application.unwrap();
            seen.warnings.is_empty().then_some(())
        }
    })
    .await;
}
