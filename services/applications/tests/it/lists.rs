//! Work lists: what every filter leaves of a scope, pages that stay in place, tokens that belong to one filter.

use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::{self as wire, ReviewLevel, Status as State, Turn};
use proto::identity::v1::Role;
use proto::types::v1::{Conclusion, Stage as TeachingStage};
use service::testing::Channel;
use uuid::Uuid;

use crate::crowd::Crowd;
use crate::stage::{
    CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, SCHOOL, Stage, at, confirm, facts, record_facts, refused, request_id,
};

type Key = wire::ApplicationKey;

/// One application of every standing.
pub(crate) struct Standings {
    pub(crate) filed: Key,
    pub(crate) with_facts: Key,
    pub(crate) refused: Key,
    pub(crate) returned: Key,
    pub(crate) confirmed: Key,
    pub(crate) concluded: Key,
    pub(crate) withdrawn: Key,
}

impl Standings {
    pub(crate) async fn of(stage: &Stage) -> Self {
        let mut confirmation = ConfirmationClient::new(stage.clerk(POINT).await);
        let mut keys = Vec::new();
        let mut teachers = Vec::new();
        for _ in 0..7 {
            let teacher = stage.teacher().await;
            keys.push(stage.filed(&teacher).await);
            teachers.push(teacher);
        }
        let [filed, with_facts, refused, returned, confirmed, concluded, withdrawn] = keys.try_into().unwrap();
        for key in [&with_facts, &returned, &confirmed, &concluded] {
            confirmation.record_facts(record_facts(key, facts())).await.unwrap();
        }
        let (key, reason) = (Some(refused.clone()), "照片与本人不符".to_owned());
        let refuse = wire::RefuseConfirmationRequest { request_id: request_id(), key, reason };
        confirmation.refuse_confirmation(refuse).await.unwrap();
        for key in [&returned, &confirmed, &concluded] {
            confirmation.confirm_application(confirm(key)).await.unwrap();
        }
        let (key, reason) = (Some(returned.clone()), "材料不全".to_owned());
        let send = wire::ReturnApplicationRequest { request_id: request_id(), key, reason };
        confirmation.return_application(send).await.unwrap();
        for agency in [COUNTY, CITY] {
            stage.review(agency).await.pass_review(pass(&concluded)).await.unwrap();
        }
        stage.review(PROVINCE).await.conclude_application(qualify(&concluded)).await.unwrap();
        let withdraw = wire::WithdrawApplicationRequest { request_id: request_id(), key: Some(withdrawn.clone()) };
        stage.applications(&teachers[6]).withdraw_application(withdraw).await.unwrap();
        Self { filed, with_facts, refused, returned, confirmed, concluded, withdrawn }
    }

    fn all(&self) -> Vec<&Key> {
        let Self { filed, with_facts, refused, returned, confirmed, concluded, withdrawn } = self;
        vec![filed, with_facts, refused, returned, confirmed, concluded, withdrawn]
    }
}

pub(crate) fn pass(key: &Key) -> wire::PassReviewRequest {
    wire::PassReviewRequest { request_id: request_id(), key: Some(key.clone()), opinion: String::new() }
}

pub(crate) fn qualify(key: &Key) -> wire::ConcludeApplicationRequest {
    let (request_id, conclusion) = (request_id(), Conclusion::Qualified.into());
    wire::ConcludeApplicationRequest { request_id, key: Some(key.clone()), conclusion, reason: String::new() }
}

/// The list of a filter up to what is recorded now.
pub(crate) fn list(stage: &Stage, filter: wire::ApplicationFilter) -> wire::ListApplicationsRequest {
    let min_position = *stage.running.service.ground.log.head().borrow();
    wire::ListApplicationsRequest { filter: Some(filter), min_position, ..Default::default() }
}

/// All pages of a list, each of so many.
pub(crate) async fn all_pages(
    client: &mut ApplicationsClient<Channel>,
    mut request: wire::ListApplicationsRequest,
    page_size: i32,
) -> Vec<wire::ApplicationSummary> {
    request.page_size = page_size;
    let mut all = Vec::new();
    loop {
        let page = client.list_applications(request.clone()).await.unwrap().into_inner();
        assert!(page.applications.len() <= usize::try_from(page_size).unwrap());
        all.extend(page.applications);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn every_filter_leaves_what_it_says() {
    let stage = Stage::start().await;
    let before = at(0);
    let standings = Standings::of(&stage).await;
    let all = standings.all();
    let Standings { filed, with_facts, refused, returned, confirmed, concluded, withdrawn } = &standings;
    let mut county = ApplicationsClient::new(stage.reviewer(COUNTY).await);
    let mut leaves = async |what: &str, filter: wire::ApplicationFilter, expected: &[&Key]| {
        let listed = all_pages(&mut county, list(&stage, filter), 50).await;
        let found: Vec<Key> = listed.into_iter().rev().filter_map(|summary| summary.key).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{what}");
    };
    let any = wire::ApplicationFilter::default;
    let of = |statuses: &[State]| wire::ApplicationFilter {
        statuses: statuses.iter().map(|status| (*status).into()).collect(),
        ..any()
    };
    let turn = |turn: Turn| wire::ApplicationFilter { turn: turn.into(), ..any() };
    leaves("nothing", any(), &all).await;
    leaves("a status", of(&[State::Concluded]), &[concluded]).await;
    leaves("statuses", of(&[State::Concluded, State::Withdrawn]), &[concluded, withdrawn]).await;
    leaves("the school's turn", turn(Turn::School), &[filed]).await;
    leaves("the point's turn", turn(Turn::Point), &[with_facts]).await;
    leaves("the applicant's turn", turn(Turn::Applicant), &[refused, returned]).await;
    leaves("the county's turn", turn(Turn::County), &[confirmed]).await;
    leaves("the city's turn", turn(Turn::City), &[]).await;
    leaves("nobody's turn", turn(Turn::Nobody), &[concluded, withdrawn]).await;
    leaves("level", wire::ApplicationFilter { level: ReviewLevel::County.into(), ..any() }, &[confirmed]).await;
    let conclusion = Conclusion::Qualified.into();
    leaves("conclusion", wire::ApplicationFilter { conclusion, ..any() }, &[concluded]).await;
    leaves("stage", wire::ApplicationFilter { stage: TeachingStage::Junior.into(), ..any() }, &all).await;
    leaves("another stage", wire::ApplicationFilter { stage: TeachingStage::Primary.into(), ..any() }, &[]).await;
    let flag = |refused, mending, facts| wire::ApplicationFilter {
        confirmation_refused: refused,
        mending,
        facts_recorded: facts,
        ..any()
    };
    leaves("refused", flag(Some(true), None, None), &[refused]).await;
    leaves("mending", flag(None, Some(true), None), &[refused, returned]).await;
    leaves("mending, not refused", flag(Some(false), Some(true), None), &[returned]).await;
    leaves("facts", flag(None, None, Some(true)), &[with_facts, returned, confirmed, concluded]).await;
    leaves("no facts", flag(None, None, Some(false)), &[filed, refused, withdrawn]).await;
    leaves("since", wire::ApplicationFilter { submitted_from_time: Some(before), ..any() }, &all).await;
    leaves("until", wire::ApplicationFilter { submitted_before_time: Some(before), ..any() }, &[]).await;
    leaves("later", wire::ApplicationFilter { submitted_from_time: Some(at(3_600)), ..any() }, &[]).await;
    let agency =
        |agency: Uuid, without_below| wire::ApplicationFilter { agency_id: agency.to_string(), without_below, ..any() };
    leaves("the city and below", agency(CITY, false), &all).await;
    leaves("the city alone", agency(CITY, true), &[]).await;
    leaves("the county alone", agency(COUNTY, true), &all).await;
    leaves("an unknown agency", agency(Uuid::from_u128(404), false), &[]).await;
    leaves("point", wire::ApplicationFilter { point_id: POINT.to_string(), ..any() }, &all).await;
    leaves("another point", wire::ApplicationFilter { point_id: OTHER_POINT.to_string(), ..any() }, &[]).await;
    leaves("school", wire::ApplicationFilter { school_id: SCHOOL.to_string(), ..any() }, &all).await;
    let enrolment_number = returned.enrolment_number.clone();
    leaves("number", wire::ApplicationFilter { enrolment_number, ..any() }, &[returned]).await;
    let both = wire::ApplicationFilter { mending: Some(true), ..turn(Turn::School) };
    leaves("what contradicts itself", both, &[]).await;
}

#[tokio::test]
async fn whoever_holds_a_role_finds_their_own_when_they_ask_for_them() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let own = stage.filed(&teacher).await;
    let others = stage.filed(&stage.teacher().await).await;
    // A liaison elsewhere, who teaches at this school.
    let elsewhere = Some(Uuid::from_u128(404));
    let channel = stage.running.staff(teacher.person, Role::Liaison, "320303", elsewhere).await;
    let mut liaison = ApplicationsClient::new(channel);
    let asked = |own| list(&stage, wire::ApplicationFilter { own, ..Default::default() });
    let found = async |client: &mut ApplicationsClient<Channel>, own| {
        let listed = client.list_applications(asked(own)).await.unwrap().into_inner().applications;
        listed.into_iter().filter_map(|summary| summary.key).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut liaison, false).await, []);
    assert_eq!(found(&mut liaison, true).await, std::slice::from_ref(&own));
    let mut county = ApplicationsClient::new(stage.reviewer(COUNTY).await);
    assert_eq!(found(&mut county, false).await, [others, own]);
    assert_eq!(found(&mut county, true).await, [], "nobody else's");
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_refused_with_all_its_fields() {
    let stage = Stage::start().await;
    let mut county = ApplicationsClient::new(stage.reviewer(COUNTY).await);
    let filter = wire::ApplicationFilter {
        statuses: vec![1, 99],
        level: 99,
        turn: 99,
        conclusion: 99,
        stage: 99,
        submitted_from_time: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        submitted_before_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
        agency_id: "no id".to_owned(),
        point_id: "no id".to_owned(),
        school_id: "no id".to_owned(),
        enrolment_number: "20263203030000001".to_owned(),
        ..Default::default()
    };
    let request = wire::ListApplicationsRequest { filter: Some(filter), page_size: -1, ..Default::default() };
    let refusal = refused(county.list_applications(request).await);
    let mut wrong: Vec<(&str, &str)> = refusal
        .violations
        .iter()
        .map(|violation| (violation.field.trim_start_matches("filter."), violation.reason.as_str()))
        .collect();
    wrong.sort_unstable();
    let expected = [
        ("agency_id", "NOT_A_UUID"),
        ("conclusion", "UNKNOWN_VALUE"),
        ("enrolment_number", "NOT_AN_ENROLMENT_NUMBER"),
        ("level", "UNKNOWN_VALUE"),
        ("page_size", "NEGATIVE"),
        ("point_id", "NOT_A_UUID"),
        ("school_id", "NOT_A_UUID"),
        ("stage", "UNKNOWN_VALUE"),
        ("statuses", "UNKNOWN_VALUE"),
        ("submitted_before_time", "NOT_A_TIME"),
        ("submitted_from_time", "NOT_A_TIME"),
        ("turn", "UNKNOWN_VALUE"),
    ];
    assert_eq!(wrong, expected);
}

#[tokio::test]
async fn a_page_token_belongs_to_the_filter_that_it_was_given_for() {
    let stage = Stage::start().await;
    Crowd::settle(&stage, 20).await;
    let mut province = ApplicationsClient::new(stage.reviewer(PROVINCE).await);
    let plain = wire::ListApplicationsRequest { page_size: 5, ..Default::default() };
    let first = province.list_applications(plain.clone()).await.unwrap().into_inner();
    let page_token = first.next_page_token;
    let next = wire::ListApplicationsRequest { page_token: page_token.clone(), ..plain.clone() };
    province.list_applications(next.clone()).await.unwrap();
    // The size may change from page to page.
    province.list_applications(wire::ListApplicationsRequest { page_size: 7, ..next.clone() }).await.unwrap();

    let narrower = Some(wire::ApplicationFilter { mending: Some(false), ..Default::default() });
    let of_another = wire::ListApplicationsRequest { filter: narrower, ..next };
    let of_another_list = rpc::page_token(&7_i64.to_be_bytes());
    let too_short = rpc::page_token(b"1234567");
    let requests = [
        of_another,
        wire::ListApplicationsRequest { page_token: of_another_list, ..plain.clone() },
        wire::ListApplicationsRequest { page_token: too_short, ..plain.clone() },
        wire::ListApplicationsRequest { page_token: "rubbish".to_owned(), ..plain },
    ];
    for request in requests {
        let refusal = refused(province.list_applications(request).await);
        assert_eq!(refusal.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_leave_out_while_rows_change_and_more_come() {
    let stage = Stage::start().await;
    let crowd = Crowd::settle(&stage, 60).await;
    let mut province = ApplicationsClient::new(stage.reviewer(PROVINCE).await);
    let mut request = wire::ListApplicationsRequest { page_size: 7, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = province.list_applications(request.clone()).await.unwrap().into_inner();
        seen.extend(page.applications.into_iter().map(|summary| summary.key.unwrap().enrolment_number));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        crowd.change_everything(&stage).await;
        Crowd::settle(&stage, 3).await;
    }
    assert_eq!(seen, crowd.of_the_province());
}
