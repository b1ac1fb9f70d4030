//! What happens while an application is under way: the next season is planned, its certificate is lost, the point's dates end, form and
//! facts change under somebody's eyes.

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::explanations_client::ExplanationsClient;
use proto::applications::v1::{self as wire, Action, Status as State};
use proto::certificates::v1 as register;
use proto::scheduling::v1 as scheduling;
use service::testing::Channel;
use uuid::Uuid;

use crate::stage::{
    COUNTY, POINT, Stage, Teacher, at, confirm, eventually, facts, form, reason, record_facts, refused, request_id,
};

async fn verdict(channel: Channel, key: &wire::ApplicationKey, action: Action) -> wire::ActionVerdict {
    let request = wire::ExplainApplicationRequest { key: Some(key.clone()) };
    let explained = ExplanationsClient::new(channel).explain_application(request).await.unwrap().into_inner();
    explained.actions.into_iter().find(|verdict| verdict.action() == action).unwrap()
}

fn amend(key: &wire::ApplicationKey, pledge: Option<wire::Pledge>) -> wire::AmendApplicationRequest {
    wire::AmendApplicationRequest { request_id: request_id(), key: Some(key.clone()), form: Some(form()), pledge }
}

fn withdraw(key: &wire::ApplicationKey) -> wire::WithdrawApplicationRequest {
    wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(key.clone()) }
}

fn pass(key: &wire::ApplicationKey) -> wire::PassReviewRequest {
    wire::PassReviewRequest { request_id: request_id(), key: Some(key.clone()), ..Default::default() }
}

fn send_back(key: &wire::ApplicationKey) -> wire::SendBackRequest {
    wire::SendBackRequest { request_id: request_id(), key: Some(key.clone()), reason: "请核对".to_owned() }
}

#[tokio::test]
async fn what_was_filed_goes_on_in_its_own_season_when_the_next_one_is_planned() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let waiting = stage.teacher().await;
    let (draft_id, _) = stage.ready_draft(&waiting).await;
    let next = Uuid::from_u128(0x4f);
    let (plan_id, province, batch) = (next.to_string(), "32".to_owned(), "2027年春季".to_owned());
    let published = scheduling::PlanPublished { plan_id, province, batch };
    stage.running.neighbour("scheduling").publish(next, "32", &published).await;
    eventually("the next plan in memory", || async {
        let check = wire::CheckDraftRequest { draft_id: draft_id.clone() };
        let checked = stage.drafts(&waiting).check_draft(check).await.ok()?.into_inner();
        checked.obstacles.iter().any(|obstacle| obstacle.reason == "AGENCY_NOT_JOINED").then_some(())
    })
    .await;
    let own = stage.running.person(teacher.person);
    assert!(verdict(own, &key, Action::Amend).await.until_time.is_some(), "the point's dates still end");
    let pledge = stage.pledge(&teacher).await;
    stage.applications(&teacher).amend_application(amend(&key, pledge)).await.unwrap();
    let mut clerk = ConfirmationClient::new(stage.clerk(POINT).await);
    clerk.record_facts(record_facts(&key, facts())).await.unwrap();
    clerk.confirm_application(confirm(&key)).await.unwrap();
}

/// The register takes the certificate from its holder, and it is known.
async fn unmatch(stage: &Stage, teacher: &Teacher) {
    let unmatched = register::CertificateUnmatched { certificate_id: teacher.certificate.to_string() };
    stage.running.neighbour("certificates").publish(teacher.certificate, "00", &unmatched).await;
    // The probe's is the other one.
    stage.until_known("the loss", "SELECT count(*) FROM views.certificate WHERE person_id IS NOT NULL", 1).await;
}

#[tokio::test]
async fn whoever_loses_the_certificate_is_neither_confirmed_nor_passed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let by_clerk = stage.clerk(POINT).await;
    let mut clerk = ConfirmationClient::new(by_clerk.clone());
    clerk.record_facts(record_facts(&key, facts())).await.unwrap();
    unmatch(&stage, &teacher).await;
    let refusal = refused(clerk.confirm_application(confirm(&key)).await);
    assert_eq!(refusal.reason, "CERTIFICATE_UNKNOWN");
    assert!(refusal.sentence.contains("请退回"), "{}", refusal.sentence);
    let told = verdict(by_clerk, &key, Action::Confirm).await;
    assert_eq!((told.reason, told.sentence), (refusal.reason, refusal.sentence));
    stage.rematch(&teacher, teacher.person).await;
    clerk.confirm_application(confirm(&key)).await.unwrap();
    stage.rematch(&teacher, Uuid::from_u128(9)).await;
    let mut county = stage.review(COUNTY).await;
    assert_eq!(reason(county.pass_review(pass(&key)).await), "CERTIFICATE_UNKNOWN");
    county.send_back(send_back(&key)).await.unwrap();
}

#[tokio::test]
async fn what_is_pending_after_the_points_dates_can_be_withdrawn() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.confirmed(&teacher).await;
    let absent = stage.teacher().await;
    let never_confirmed = stage.filed(&absent).await;
    let assignment = scheduling::PointAssignment {
        point_id: POINT.to_string(),
        confirm_begin_time: Some(at(-7_200)),
        confirm_end_time: Some(at(-3_600)),
        ..Default::default()
    };
    stage.assign(assignment).await;
    stage.review(COUNTY).await.send_back(send_back(&key)).await.unwrap();
    let own = || stage.running.person(teacher.person);
    eventually("the end of the point's dates", || async {
        (verdict(own(), &key, Action::Amend).await.reason == "CONFIRMATION_ENDED").then_some(())
    })
    .await;
    let mut applicant = stage.applications(&teacher);
    let refusal = refused(applicant.amend_application(amend(&key, stage.pledge(&teacher).await)).await);
    assert_eq!(refusal.reason, "CONFIRMATION_ENDED");
    assert!(refusal.sentence.contains("可撤回"), "{}", refusal.sentence);
    let told = verdict(own(), &key, Action::Withdraw).await;
    assert!(told.may && told.until_time.is_none(), "{told:?}");
    let withdrawn = applicant.withdraw_application(withdraw(&key)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(withdrawn.status(), State::Withdrawn);
    stage.applications(&absent).withdraw_application(withdraw(&never_confirmed)).await.unwrap();
}

#[tokio::test]
async fn only_the_form_that_was_looked_at_is_confirmed_and_no_facts_are_lost() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let key = stage.filed(&teacher).await;
    let by_clerk = stage.clerk(POINT).await;
    let (mut clerk, mut reading) =
        (ConfirmationClient::new(by_clerk.clone()), ApplicationsClient::new(by_clerk.clone()));
    let get = wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let seen = reading.get_application(get.clone()).await.unwrap().into_inner().application.unwrap();

    let mut school = ConfirmationClient::new(stage.liaison().await);
    school.record_facts(record_facts(&key, facts())).await.unwrap();
    let mine = wire::Facts { health: wire::Finding::Failed.into(), ..facts() };
    let record = |seen_version| wire::RecordFactsRequest { seen_version, ..record_facts(&key, mine.clone()) };
    let refusal = refused(clerk.record_facts(record(seen.version)).await);
    assert_eq!(refusal.reason, "FACTS_CHANGED");
    assert!(refusal.sentence.contains("重新打开"), "{}", refusal.sentence);
    assert_eq!(refused(clerk.record_facts(record(-1)).await).violations[0].field, "seen_version");
    let again = reading.get_application(get.clone()).await.unwrap().into_inner().application.unwrap();
    let once = record(again.version);
    clerk.record_facts(once.clone()).await.unwrap();
    clerk.record_facts(once).await.unwrap();

    let pledge = stage.pledge(&teacher).await;
    stage.applications(&teacher).amend_application(amend(&key, pledge)).await.unwrap();
    let of = |form_version| wire::ConfirmApplicationRequest { form_version, ..confirm(&key) };
    let refusal = refused(clerk.confirm_application(of(seen.form_version)).await);
    assert_eq!(refusal.reason, "FORM_CHANGED");
    assert!(refusal.sentence.contains("重新打开"), "{}", refusal.sentence);
    assert_eq!(refused(clerk.confirm_application(of(-1)).await).violations[0].field, "form_version");
    let newest = reading.get_application(get).await.unwrap().into_inner().application.unwrap();
    clerk.confirm_application(of(newest.form_version)).await.unwrap();
}
