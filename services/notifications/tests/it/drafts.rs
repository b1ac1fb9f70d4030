//! A draft on which nobody works: its owner is reminded once and once again, by the channels of the texts; nobody else is.

use proto::applications::v1::{DraftDropped, DraftReminded, DraftStarted};
use proto::notifications::v1::Channel;
use uuid::Uuid;

use crate::stage::{Stage, person};

const DRAFT: Uuid = Uuid::from_u128(0xd1);

async fn remind(stage: &Stage, of: Uuid, reminder: i32) {
    let reminded = DraftReminded {
        draft_id: DRAFT.to_string(),
        person_id: of.to_string(),
        reminder,
        delete_date: "2027-02-03".to_owned(),
    };
    stage.applications().publish(DRAFT, "320302", &reminded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_idle_draft_is_reminded_once_and_once_again() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), "13800001111", "teacher.one@school.example");
    let started = DraftStarted { draft_id: DRAFT.to_string(), person_id: person(1).to_string(), ..Default::default() };
    stage.applications().publish(DRAFT, "320302", &started).await;
    remind(&stage, person(1), 1).await;
    remind(&stage, person(1), 2).await;
    let dropped = DraftDropped { draft_id: DRAFT.to_string(), end: 2 };
    stage.applications().publish(DRAFT, "320302", &dropped).await;

    let inbox = stage.inbox_of(person(1), 2).await;
    let told: Vec<_> = inbox.notices.iter().rev().map(|notice| notice.template.as_str()).collect();
    assert_eq!(told, ["draft_reminder", "draft_last_reminder"]);
    for notice in &inbox.notices {
        assert!(notice.body.contains("2027年2月3日") && !notice.body.contains('{'), "{}", notice.body);
        assert_eq!(notice.enrolment_number, "");
    }
    let deliveries = stage.settled().await;
    let by = |channel: Channel| deliveries.iter().filter(|delivery| delivery.channel == i32::from(channel)).count();
    assert_eq!((by(Channel::Inbox), by(Channel::Mail), by(Channel::Sms)), (2, 2, 1));
    assert!(stage.files("sms")[0].contains("2027年2月3日"));
    assert_eq!(stage.inbox(person(2)).await.notices.len(), 0);
    for view in ["inbox", "applicants"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_reminded_of_nothing() {
    let stage = Stage::set(&[]).await;
    stage.running.erase(person(1)).await;
    remind(&stage, person(1), 1).await;
    remind(&stage, person(2), 1).await;
    stage.inbox_of(person(2), 1).await;
    let queued = stage.log().await.into_iter().filter(|event| event.kind.ends_with(".NoticeQueued"));
    assert_eq!(queued.count(), 1);
}
