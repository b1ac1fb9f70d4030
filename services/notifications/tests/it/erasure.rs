//! A person is erased: the inbox is empty, nothing more is sent, no address of theirs stands anywhere, and nobody is told again.

use cluster::wait;
use eventlog::Verdict;
use proto::applications::v1::ApplicationWithdrawn;
use proto::notifications::v1::export_client::ExportClient;
use proto::notifications::v1::notices_client::NoticesClient;
use proto::notifications::v1::{DeliveryState, ExportMyDataRequest, ListDeliveriesRequest, MarkNoticeReadRequest};
use proto::types::v1::PersonalDataErased;
use tonic::Code;
use uuid::Uuid;

use crate::stage::{DEADLINE, NUMBER, Stage, person};

const OTHER_NUMBER: &str = "20263203020000025";

fn counts(confirmed: &PersonalDataErased) -> Vec<(&str, i64)> {
    confirmed.erased.iter().map(|erased| (erased.kind.as_str(), erased.count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_is_forgotten_with_inbox_addresses_and_read_marks() {
    let stage = Stage::set(&[]).await;
    let (gone, stays) = (person(1), person(2));
    stage.contacts.set(gone, "13800001111", "teacher.one@school.example");
    stage.contacts.set(stays, "13800002222", "teacher.two@school.example");
    let certificate = stage.submit(gone, NUMBER).await;
    stage.submit(stays, OTHER_NUMBER).await;
    let inbox = stage.inbox_of(gone, 1).await;
    stage.inbox_of(stays, 1).await;
    stage.settled().await;
    let mut export = ExportClient::new(stage.running.person(gone));
    let exported = export.export_my_data(ExportMyDataRequest {}).await.unwrap().into_inner().json;
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported["messages"].as_array().unwrap().len(), 1, "one's own only");
    assert_eq!(exported["messages"][0]["enrolment_number"], NUMBER);
    let read = MarkNoticeReadRequest { notice_id: inbox.notices[0].notice_id.clone() };
    NoticesClient::new(stage.running.person(gone)).mark_notice_read(read).await.unwrap();
    assert!(stage.everything_stored().await.contains("138****1111"), "a masked address stands in the records before");

    let confirmed = stage.running.erase(gone).await;
    assert_eq!(counts(&confirmed), [("inbox_notice", 1), ("masked_address", 2), ("read_mark", 1)]);
    let ground = &stage.running.service.ground;
    let followed = async || service::erasure::caught_up(&ground.log, "inbox").await.ok();
    wait::until("the inbox to follow", DEADLINE, followed).await.unwrap();
    let left = "SELECT count(*) FROM views.inbox WHERE person_id = $1";
    let left: i64 = sqlx::query_scalar(left).bind(gone).fetch_one(&ground.pool).await.unwrap();
    assert_eq!(left, 0);
    let stored = stage.everything_stored().await;
    assert!(!stored.contains("138****1111"), "no address is left");
    assert!(stored.contains("138****2222"), "nobody else is forgotten");
    assert_eq!(stage.inbox(stays).await.notices.len(), 1);
    let verdict = ground.log.verify(1, |_, _| {}).await.unwrap();
    assert!(!matches!(verdict, Verdict::Broken { .. }), "{verdict:?}");

    // The service applications has forgotten them, too; what happens to the application later is told to nobody.
    let forgotten = PersonalDataErased { erasure_id: Uuid::from_u128(5).to_string(), ..confirmed };
    stage.applications().publish(Uuid::from_u128(5), "00", &forgotten).await;
    let withdrawn =
        ApplicationWithdrawn { certificate_id: certificate.to_string(), enrolment_number: NUMBER.to_owned() };
    let last = stage.applications().publish(certificate, "320302", &withdrawn).await;
    let bus = &stage.running.service.bus;
    let told = async || bus.wait_for("application-steps", last.position).await.ok();
    wait::until("the step to be passed over", DEADLINE, told).await.unwrap();
    let notices = stage.log().await.iter().filter(|event| event.kind.ends_with("NoticeQueued")).count();
    assert_eq!(notices, 2);
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM parked_event").fetch_one(&ground.pool).await.unwrap();
    assert_eq!(parked, 0);
    for view in ["inbox", "applicants", "authority"] {
        let rebuilt = bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_to_an_erased_person_never_arrives() {
    let stage = Stage::set(&["--delivery-first-pause-ms", "600000", "--delivery-longest-pause-ms", "600000"]).await;
    stage.contacts.fail(person(1), Code::Unavailable);
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    let mut operator = stage.operator().await;
    let mut deliveries = async || {
        let request = ListDeliveriesRequest { page_size: 200, ..Default::default() };
        operator.list_deliveries(request).await.unwrap().into_inner().deliveries
    };
    wait::until("the first tries to fail", DEADLINE, async || {
        let all = deliveries().await;
        (all.iter().filter(|one| one.problem.starts_with("IDENTITY")).count() == 2).then_some(())
    })
    .await
    .unwrap();

    stage.running.erase(person(1)).await;
    let all = deliveries().await;
    let failed = all.iter().filter(|one| one.state == i32::from(DeliveryState::Failed)).count();
    assert_eq!((failed, all.len()), (2, 3), "{all:?}");
    assert!(all.iter().all(|one| one.state != i32::from(DeliveryState::Queued)));
    assert!(stage.files("mail").is_empty() && stage.files("sms").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_comes_after_the_erasure_is_told_to_nobody() {
    let stage = Stage::set(&[]).await;
    let certificate = stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    stage.running.erase(person(1)).await;
    // The service applications has not forgotten them yet.
    let withdrawn =
        ApplicationWithdrawn { certificate_id: certificate.to_string(), enrolment_number: NUMBER.to_owned() };
    let last = stage.applications().publish(certificate, "320302", &withdrawn).await;
    let bus = &stage.running.service.bus;
    let told = async || bus.wait_for("application-steps", last.position).await.ok();
    wait::until("the step to be passed over", DEADLINE, told).await.unwrap();
    let notices = stage.log().await.iter().filter(|event| event.kind.ends_with("NoticeQueued")).count();
    assert_eq!(notices, 1);
}
