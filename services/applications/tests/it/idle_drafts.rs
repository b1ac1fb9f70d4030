//! Drafts that nobody works on: reminded of twice, then deleted; never while somebody saves.

use applications::config::Settings;
use applications::domain::calendar::{render_date, shanghai_date};
use applications::domain::draft::{DraftEnd, DraftEvent, Reminder, Step};
use applications::store::drafts::Drafts;
use eventlog::Division;
use prost::Message as _;
use proto::applications::v1 as wire;
use time::Duration;
use uuid::Uuid;

use crate::stage::{Stage, Teacher, eventually, form, reason};

/// Sweeps once a second, or not again after its start.
async fn stage(sweep_seconds: u64) -> Stage {
    Stage::with_settings(Settings { draft_sweep_seconds: sweep_seconds, ..Settings::default() }).await
}

/// Puts everything that happened to drafts so many days back.
async fn days_pass(stage: &Stage, days: i32) {
    let sql = "UPDATE draft SET updated_at = updated_at - make_interval(days => $1), \
                   reminded_at = reminded_at - make_interval(days => $1)";
    sqlx::query(sql).bind(days).execute(&stage.running.service.ground.pool).await.unwrap();
}

async fn told(stage: &Stage, draft: Uuid) -> Vec<eventlog::Recorded> {
    stage.running.service.ground.log.load(draft).await.unwrap()
}

/// Waits for the last event of a draft to be of this kind.
async fn until(stage: &Stage, draft: Uuid, kind: &str, count: usize) -> eventlog::Recorded {
    eventually(kind, || async {
        let events = told(stage, draft).await;
        let of_the_kind = events.iter().filter(|event| event.kind.ends_with(kind)).count();
        (of_the_kind == count).then(|| events.last().cloned()).flatten()
    })
    .await
}

async fn save(stage: &Stage, teacher: &Teacher, draft_id: &str, revision: i32) {
    let save =
        wire::SaveDraftRequest { draft_id: draft_id.to_owned(), revision, form: Some(form()), ..Default::default() };
    stage.drafts(teacher).save_draft(save).await.unwrap();
}

fn in_days(days: i64) -> String {
    render_date(shanghai_date(lifecycle::clock::now() + Duration::days(days)))
}

#[tokio::test]
async fn an_idle_draft_is_reminded_of_twice_and_then_deleted() {
    let stage = stage(1).await;
    let (teacher, busy) = (stage.teacher().await, stage.teacher().await);
    let (draft_id, revision) = stage.ready_draft(&teacher).await;
    let draft = Uuid::parse_str(&draft_id).unwrap();
    let reminded = async |count| {
        let event = until(&stage, draft, "DraftReminded", count).await;
        assert_eq!(event.metadata.actor, "service:applications");
        assert_eq!(event.metadata.division.as_str(), "320303");
        let wire::DraftReminded { reminder, delete_date, person_id, .. } =
            wire::DraftReminded::decode(event.payload.as_slice()).unwrap();
        assert_eq!(person_id, teacher.person.to_string());
        (reminder, delete_date)
    };
    days_pass(&stage, 4).await;
    assert_eq!(reminded(1).await, (1, in_days(87)));
    // Whoever comes back begins a new pause.
    save(&stage, &teacher, &draft_id, revision).await;
    days_pass(&stage, 4).await;
    assert_eq!(reminded(2).await, (1, in_days(87)));
    days_pass(&stage, 80).await;
    assert_eq!(reminded(3).await, (2, in_days(7)));
    let (kept, _) = stage.ready_draft(&busy).await;
    days_pass(&stage, 7).await;
    let dropped = until(&stage, draft, "DraftDropped", 1).await;
    let expired = wire::DraftDropped { draft_id: draft_id.clone(), end: wire::DraftEnd::Expiry.into() };
    assert_eq!(wire::DraftDropped::decode(dropped.payload.as_slice()), Ok(expired));
    assert_eq!(reason(stage.drafts(&teacher).get_draft(wire::GetDraftRequest { draft_id }).await), "NOT_FOUND");
    // Seven days are enough for a reminder of the other one, not for its deletion.
    let kept = Uuid::parse_str(&kept).unwrap();
    until(&stage, kept, "DraftReminded", 1).await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM draft").fetch_one(&stage.running.service.ground.pool).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_draft_that_is_saved_meanwhile_is_kept() {
    let stage = stage(3_600).await;
    let teacher = stage.teacher().await;
    let (draft_id, revision) = stage.ready_draft(&teacher).await;
    let draft = Uuid::parse_str(&draft_id).unwrap();
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    let sql = "UPDATE draft SET reminders = 2, reminded_at = updated_at";
    sqlx::query(sql).execute(&stage.running.service.ground.pool).await.unwrap();
    days_pass(&stage, 8).await;
    let now = lifecycle::clock::now();
    let since = now - Duration::days(7);
    assert_eq!(drafts.idle(Step::Delete, since, 10).await.unwrap(), [draft]);
    assert_eq!(drafts.idle(Step::Remind(Reminder::Last), since, 10).await.unwrap(), Vec::<Uuid>::new());
    assert_eq!(drafts.idle(Step::Delete, now - Duration::days(9), 10).await.unwrap(), Vec::<Uuid>::new());
    save(&stage, &teacher, &draft_id, revision).await;
    assert!(drafts.begin_step(draft, Step::Delete, since, now).await.unwrap().is_none());
    stage.drafts(&teacher).get_draft(wire::GetDraftRequest { draft_id }).await.unwrap();
}

#[tokio::test]
async fn two_replicas_take_a_step_once() {
    let stage = stage(3_600).await;
    let teacher = stage.teacher().await;
    let (draft_id, _) = stage.ready_draft(&teacher).await;
    let draft = Uuid::parse_str(&draft_id).unwrap();
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    days_pass(&stage, 4).await;
    let now = lifecycle::clock::now();
    let since = now - Duration::days(3);
    let step = Step::Remind(Reminder::First);
    let first = drafts.begin_step(draft, step, since, now).await.unwrap().unwrap();
    let second = drafts.begin_step(draft, step, since, now);
    let recording = async {
        let event = DraftEvent::Dropped(DraftEnd::Expiry);
        first.commit(&event, "service:applications", Division::NONE).await.unwrap();
    };
    let (second, ()) = tokio::join!(second, recording);
    assert!(second.unwrap().is_none(), "the other one has taken it");
    stage.until_known("that all is told", "SELECT count(*) FROM untold_draft_event", 0).await;
    assert_eq!(told(&stage, draft).await.len(), 3, "begun, placed, and one event of the step");
}

#[tokio::test]
async fn nobody_is_reminded_of_what_is_filed() {
    let stage = stage(3_600).await;
    let teacher = stage.teacher().await;
    let submission = stage.submission(&teacher).await;
    let draft = Uuid::parse_str(&submission.draft_id).unwrap();
    days_pass(&stage, 4).await;
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    let now = lifecycle::clock::now();
    let since = now - Duration::days(3);
    let step = Step::Remind(Reminder::First);
    assert_eq!(drafts.idle(step, since, 10).await.unwrap(), [draft]);
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    // The sweep has not come by: the draft is still there.
    assert!(drafts.find(draft, teacher.person).await.unwrap().is_some());
    assert_eq!(drafts.idle(step, since, 10).await.unwrap(), Vec::<Uuid>::new());
    assert!(drafts.begin_step(draft, step, since, now).await.unwrap().is_none());
    assert!(drafts.begin_step(draft, Step::Delete, since, now).await.unwrap().is_none());
}

#[tokio::test]
async fn what_the_new_holder_of_the_certificate_files_does_not_keep_the_draft_of_the_former_one() {
    let stage = stage(3_600).await;
    let former = stage.teacher().await;
    let (draft_id, _) = stage.ready_draft(&former).await;
    let holder = Teacher { person: lifecycle::ids::random(), ..former.clone() };
    stage.rematch(&former, holder.person).await;
    stage.filed(&holder).await;
    days_pass(&stage, 4).await;
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    let since = lifecycle::clock::now() - Duration::days(3);
    let draft = Uuid::parse_str(&draft_id).unwrap();
    assert_eq!(drafts.idle(Step::Remind(Reminder::First), since, 10).await.unwrap(), [draft]);
}
