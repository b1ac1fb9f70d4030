//! What a caller of `Notices` and `Templates` is told: own notices only, page by page, and every refusal.

use cluster::wait;
use proto::identity::v1::{Entry, Role};
use proto::notifications::v1::notices_client::NoticesClient;
use proto::notifications::v1::templates_client::TemplatesClient;
use proto::notifications::v1::{
    DeliveryState, ListDeliveriesRequest, ListNoticesRequest, ListTemplatesRequest, MarkNoticeReadRequest,
};
use rpc::Refusal;
use service::testing::person_token;
use tonic::Code;

use crate::stage::{DEADLINE, Stage, person};

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_is_read_page_by_page_newest_first() {
    let stage = Stage::set(&[]).await;
    for serial in 0..5 {
        stage.submit(person(1), &format!("2026320302000{serial}")).await;
    }
    stage.submit(person(2), "20263203020009").await;
    stage.inbox_of(person(1), 5).await;

    let mut notices = NoticesClient::new(stage.running.person(person(1)));
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListNoticesRequest { page_size: 2, page_token, unread_only: false };
        let page = notices.list_notices(request).await.unwrap().into_inner();
        assert_eq!(page.unread, 5);
        seen.extend(page.notices.into_iter().map(|notice| notice.enrolment_number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|serial| format!("2026320302000{serial}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_read_by_its_own_person_only_and_twice_changes_nothing() {
    let stage = Stage::set(&[]).await;
    stage.submit(person(1), "20263203020001").await;
    stage.submit(person(1), "20263203020002").await;
    let newest = stage.inbox_of(person(1), 2).await.notices[0].notice_id.clone();
    let request = || MarkNoticeReadRequest { notice_id: newest.clone() };

    let mut stranger = NoticesClient::new(stage.running.person(person(2)));
    let refused = stranger.mark_notice_read(request()).await.unwrap_err();
    assert_eq!((refused.code(), Refusal::from_status(&refused).reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    assert_eq!(stage.inbox(person(1)).await.unread, 2);

    let mut owner = NoticesClient::new(stage.running.person(person(1)));
    for _ in 0..2 {
        owner.mark_notice_read(request()).await.unwrap();
    }
    let inbox = stage.inbox(person(1)).await;
    assert_eq!((inbox.unread, inbox.notices[0].read, inbox.notices[1].read), (1, true, false));
    let unread = ListNoticesRequest { unread_only: true, ..Default::default() };
    let unread = owner.list_notices(unread).await.unwrap().into_inner().notices;
    assert_eq!(unread.len(), 1);
    assert_ne!(unread[0].notice_id, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_refused_all_at_once() {
    let stage = Stage::set(&[]).await;
    let mut notices = NoticesClient::new(stage.running.person(person(1)));
    let request = ListNoticesRequest { page_size: -1, page_token: "x".to_owned(), unread_only: false };
    let refused = Refusal::from_status(&notices.list_notices(request).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
    assert_eq!(refused.violation("page_size").unwrap().reason, "NEGATIVE");
    assert_eq!(refused.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");

    let elsewhere = ListNoticesRequest { page_token: rpc::page_token(b"a place elsewhere"), ..Default::default() };
    let refused = Refusal::from_status(&notices.list_notices(elsewhere).await.unwrap_err());
    assert_eq!(refused.violation("page_token").unwrap().reason, "NOT_A_PAGE_TOKEN");

    let request = MarkNoticeReadRequest { notice_id: "1".to_owned() };
    let refused = Refusal::from_status(&notices.mark_notice_read(request).await.unwrap_err());
    assert_eq!(refused.violation("notice_id").unwrap().reason, "NOT_A_UUID");

    let mut operator = stage.operator().await;
    let request = ListDeliveriesRequest { state: 9, page_size: -1, page_token: "x".to_owned() };
    let refused = Refusal::from_status(&operator.list_deliveries(request).await.unwrap_err());
    let fields: Vec<_> = refused.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["page_size", "page_token", "state"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so() {
    let stage = Stage::set(&[]).await;
    let reason = |status: tonic::Status| (status.code(), Refusal::from_status(&status).reason);
    let mut anyone = NoticesClient::new(stage.running.anyone());
    let refused = anyone.list_notices(ListNoticesRequest::default()).await.unwrap_err();
    assert_eq!(reason(refused), (Code::Unauthenticated, "SIGN_IN_REQUIRED".to_owned()));

    let mut applicant = NoticesClient::new(stage.running.person(person(1)));
    let refused = applicant.list_deliveries(ListDeliveriesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let auditor = stage.running.staff(person(3), Role::Auditor, "320000", None).await;
    let refused = NoticesClient::new(auditor).list_deliveries(ListDeliveriesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    // An incomplete profile admits to nothing but itself.
    let token = person_token(person(4), Entry::Registration, false);
    let mut newcomer = NoticesClient::new(stage.running.with_token(&token));
    let refused = newcomer.list_notices(ListNoticesRequest::default()).await.unwrap_err();
    assert_eq!(reason(refused), (Code::PermissionDenied, "PROFILE_INCOMPLETE".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_deliveries_by_state_and_page_by_page() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), "13800001111", "");
    for serial in 0..3 {
        stage.submit(person(1), &format!("2026320302000{serial}")).await;
    }
    let mut operator = stage.operator().await;
    let mut pages = async |state: DeliveryState, page_size: i32| {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListDeliveriesRequest { state: state.into(), page_size, page_token };
            let page = operator.list_deliveries(request).await.unwrap().into_inner();
            all.extend(page.deliveries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    };
    let without = wait::until("three deliveries without address", DEADLINE, async || {
        let without = pages(DeliveryState::NoAddress, 1).await;
        (without.len() == 3).then_some(without)
    });
    let without = without.await.unwrap();
    assert!(without.iter().all(|delivery| delivery.problem == "NO_ADDRESS" && delivery.attempts == 1));
    let delivered = wait::until("six deliveries", DEADLINE, async || {
        (pages(DeliveryState::Delivered, 4).await.len() == 6).then_some(())
    });
    delivered.await.unwrap();
    let mut all: Vec<_> = pages(DeliveryState::Unspecified, 2).await;
    assert_eq!(all.len(), 9);
    all.dedup_by_key(|delivery| (delivery.notice_id.clone(), delivery.channel));
    assert_eq!(all.len(), 9, "no page repeats another");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_templates_in_force_can_be_read() {
    let stage = Stage::set(&[]).await;
    let mut templates = TemplatesClient::new(stage.running.person(person(1)));
    let list = templates.list_templates(ListTemplatesRequest {}).await.unwrap().into_inner().templates;
    assert_eq!(list.len(), 32);
    let submitted = list.iter().find(|template| template.name == "application_submitted").unwrap();
    assert_eq!((submitted.version, submitted.channels.len()), (1, 3));
    assert!(submitted.title.contains("{enrolment_number}"));
    assert!(list.iter().all(|template| !template.body.is_empty()));
}
