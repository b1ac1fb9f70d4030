//! What others hear of drafts: that one was begun, where it belongs, that it is gone; and nothing of what was filled in.

use applications::domain::draft::DraftEvent;
use applications::store::drafts::{Draft, Drafts, seal};
use proto::applications::v1 as wire;
use uuid::Uuid;

use crate::stage::{OTHER_POINT, POINT, SCHOOL, Stage, Teacher, form, reason, request_id};

/// Kinds and payloads of a draft's own stream.
async fn told(stage: &Stage, draft_id: &str) -> Vec<(String, Vec<u8>)> {
    let events = stage.running.service.ground.log.load(Uuid::parse_str(draft_id).unwrap()).await.unwrap();
    assert!(events.iter().all(|event| event.inner.is_empty() && event.sealed.is_empty()));
    events.into_iter().map(|event| (event.kind.rsplit('.').next().unwrap().to_owned(), event.payload)).collect()
}

/// Waits until the log has been told of everything that has happened to drafts.
async fn all_told(stage: &Stage) {
    stage.until_known("that all is told", "SELECT count(*) FROM untold_draft_event", 0).await;
}

/// All that happened to a draft.
async fn kinds(stage: &Stage, draft_id: &str) -> Vec<String> {
    all_told(stage).await;
    told(stage, draft_id).await.into_iter().map(|(kind, _)| kind).collect()
}

async fn start(stage: &Stage, teacher: &Teacher) -> String {
    let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
    stage.drafts(teacher).start_draft(start).await.unwrap().into_inner().draft_id
}

async fn save(stage: &Stage, teacher: &Teacher, draft_id: &str, revision: i32, form: wire::Form) {
    let save =
        wire::SaveDraftRequest { draft_id: draft_id.to_owned(), revision, form: Some(form), ..Default::default() };
    stage.drafts(teacher).save_draft(save).await.unwrap();
}

#[tokio::test]
async fn a_draft_tells_of_its_beginning_its_place_and_its_end() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    assert_eq!(start(&stage, &teacher).await, draft_id);
    let mut half = form();
    let coded = half.coded.as_mut().unwrap();
    (coded.school_id, coded.agency_id, coded.point_id) = (String::new(), String::new(), String::new());
    save(&stage, &teacher, &draft_id, 1, half).await;
    assert_eq!(kinds(&stage, &draft_id).await, ["DraftStarted"]);
    save(&stage, &teacher, &draft_id, 2, form()).await;
    let mut elsewhere = form();
    elsewhere.coded.as_mut().unwrap().title = "Z2".to_owned();
    save(&stage, &teacher, &draft_id, 3, elsewhere.clone()).await;
    elsewhere.coded.as_mut().unwrap().point_id = OTHER_POINT.to_string();
    save(&stage, &teacher, &draft_id, 4, elsewhere).await;
    stage.drafts(&teacher).drop_draft(wire::DropDraftRequest { draft_id: draft_id.clone() }).await.unwrap();

    all_told(&stage).await;
    let told = told(&stage, &draft_id).await;
    let expected = ["DraftStarted", "DraftPlaced", "DraftPlaced", "DraftDropped"];
    assert_eq!(told.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), expected);
    let started = wire::DraftStarted {
        draft_id: draft_id.clone(),
        certificate_id: teacher.certificate.to_string(),
        person_id: teacher.person.to_string(),
    };
    assert_eq!(prost::Message::decode(told[0].1.as_slice()), Ok(started));
    let placed = |point: Uuid| wire::DraftPlaced {
        draft_id: draft_id.clone(),
        agency_id: form().coded.unwrap().agency_id,
        point_id: point.to_string(),
        school_id: SCHOOL.to_string(),
    };
    assert_eq!(prost::Message::decode(told[1].1.as_slice()), Ok(placed(POINT)));
    assert_eq!(prost::Message::decode(told[2].1.as_slice()), Ok(placed(OTHER_POINT)));
    let dropped = wire::DraftDropped { draft_id: draft_id.clone(), end: wire::DraftEnd::Applicant.into() };
    assert_eq!(prost::Message::decode(told[3].1.as_slice()), Ok(dropped));

    let other = start(&stage, &teacher).await;
    assert_ne!(other, draft_id, "there is room for the next draft");
}

#[tokio::test]
async fn two_devices_begin_one_draft_and_one_event_tells_of_it() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let begun = futures::future::join_all((0..6).map(|_| start(&stage, &teacher))).await;
    assert!(begun.iter().all(|draft| *draft == begun[0]), "{begun:?}");
    all_told(&stage).await;
    let sql = "SELECT count(*) FROM event_log WHERE type LIKE '%.DraftStarted' AND position > $1";
    let count: i64 = sqlx::query_scalar(sql).bind(2_i64).fetch_one(&stage.running.service.ground.pool).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_refused_pledge_is_told_as_the_end_of_the_draft() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut submission = stage.submission(&teacher).await;
    submission.pledge = Some(wire::Pledge { accepted: false, ..wire::Pledge::default() });
    let draft_id = submission.draft_id.clone();
    let mut applicant = stage.applications(&teacher);
    assert_eq!(reason(applicant.submit_application(submission.clone()).await), "PLEDGE_REFUSED");
    assert_eq!(reason(applicant.submit_application(submission.clone()).await), "PLEDGE_REFUSED", "told or not");
    all_told(&stage).await;
    assert_eq!(reason(applicant.submit_application(submission.clone()).await), "PLEDGE_REFUSED");
    let other = stage.teacher().await;
    assert_eq!(reason(stage.applications(&other).submit_application(submission).await), "NOT_FOUND");
    assert_eq!(told(&stage, &draft_id).await.len(), 3, "begun, placed, and dropped once");
    let (kind, payload) = told(&stage, &draft_id).await.pop().unwrap();
    let end = wire::DraftEnd::PledgeRefused.into();
    assert_eq!(kind, "DraftDropped");
    assert_eq!(prost::Message::decode(payload.as_slice()), Ok(wire::DraftDropped { draft_id, end }));
}

#[tokio::test]
async fn a_submission_adds_nothing_to_the_draft_and_the_lists_pass_over_its_events() {
    let stage = Stage::start().await;
    let (teacher, other) = (stage.teacher().await, stage.teacher().await);
    let submission = stage.submission(&teacher).await;
    let draft_id = submission.draft_id.clone();
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    start(&stage, &other).await;
    stage.until_known("the closed draft", "SELECT count(*) FROM draft", 1).await;
    assert_eq!(kinds(&stage, &draft_id).await, ["DraftStarted", "DraftPlaced"]);
    for view in ["applications", "rules"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

/// What the migration writes for drafts from before there were events.
#[tokio::test]
async fn a_draft_from_before_there_were_events_is_told_of() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    all_told(&stage).await;
    let pool = &stage.running.service.ground.pool;
    let old = lifecycle::ids::random();
    let sql = "UPDATE draft SET draft_id = $1 WHERE draft_id::text = $2";
    sqlx::query(sql).bind(old).bind(&draft_id).execute(pool).await.unwrap();
    let migration = include_str!("../../migrations/20261126000051_tell_of_drafts_later.sql");
    let insert = migration.split(';').find_map(|part| part.find("INSERT INTO").map(|at| &part[at..])).unwrap();
    sqlx::query(insert).execute(pool).await.unwrap();
    all_told(&stage).await;
    let [(kind, payload)] = told(&stage, &old.to_string()).await.try_into().unwrap();
    assert_eq!(kind, "DraftStarted");
    let started = wire::DraftStarted {
        draft_id: old.to_string(),
        certificate_id: teacher.certificate.to_string(),
        person_id: teacher.person.to_string(),
    };
    assert_eq!(prost::Message::decode(payload.as_slice()), Ok(started));
}

/// Whoever told has died between the log and the deletion.
#[tokio::test]
async fn what_stands_in_the_log_is_not_told_again() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    save(&stage, &teacher, &draft_id, 1, form()).await;
    all_told(&stage).await;
    let again = "INSERT INTO untold_draft_event (draft_id, event_id, type, payload, actor, division) \
                 SELECT stream, event_id, type, payload, 'person', '000000' FROM event_log \
                 WHERE stream::text = $1 ORDER BY version";
    let pool = &stage.running.service.ground.pool;
    assert_eq!(sqlx::query(again).bind(&draft_id).execute(pool).await.unwrap().rows_affected(), 2);
    assert_eq!(kinds(&stage, &draft_id).await, ["DraftStarted", "DraftPlaced"]);
}

/// Two replicas tell at once, of drafts with several events each.
#[tokio::test]
async fn two_replicas_tell_each_event_once_and_in_order() {
    let stage = Stage::start().await;
    let teachers = futures::future::join_all((0..6).map(|_| stage.teacher())).await;
    let ground = &stage.running.service.ground;
    let (drafts, log) = (Drafts::new(ground.pool.clone()), ground.log.clone());
    let told = std::sync::atomic::AtomicUsize::new(0);
    let telling = async {
        loop {
            let round = drafts.tell(&log, 0, 2).await.unwrap();
            told.fetch_add(round.events, std::sync::atomic::Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    let changing = futures::future::join_all(teachers.iter().map(async |teacher| {
        let draft_id = start(&stage, teacher).await;
        save(&stage, teacher, &draft_id, 1, form()).await;
        let mut elsewhere = form();
        elsewhere.coded.as_mut().unwrap().point_id = OTHER_POINT.to_string();
        save(&stage, teacher, &draft_id, 2, elsewhere).await;
        stage.drafts(teacher).drop_draft(wire::DropDraftRequest { draft_id: draft_id.clone() }).await.unwrap();
        draft_id
    }));
    let changed = tokio::select! {
        changed = changing => changed,
        () = telling => unreachable!("it tells for ever"),
    };
    for draft_id in changed {
        let expected = ["DraftStarted", "DraftPlaced", "DraftPlaced", "DraftDropped"];
        assert_eq!(kinds(&stage, &draft_id).await, expected);
    }
    assert!(told.into_inner() > 0, "the second one had its share");
}

/// A replica of the version before tells of a draft itself: also of one whose beginning waits here to be told.
#[tokio::test]
async fn a_beginning_is_told_once_whoever_tells() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    all_told(&stage).await;
    let again = "INSERT INTO untold_draft_event (draft_id, event_id, type, payload, actor, division) \
                 SELECT stream, gen_random_uuid(), type, payload, 'person', '000000' FROM event_log WHERE stream::text = $1";
    let pool = &stage.running.service.ground.pool;
    assert_eq!(sqlx::query(again).bind(&draft_id).execute(pool).await.unwrap().rows_affected(), 1);
    assert_eq!(kinds(&stage, &draft_id).await, ["DraftStarted"]);
}

/// A replica has begun the draft and could not tell of it yet, when another one is asked to file it.
#[tokio::test]
async fn a_draft_is_told_of_before_it_is_filed() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let mut submission = stage.submission(&teacher).await;
    let ground = &stage.running.service.ground;
    let drafts = Drafts::new(ground.pool.clone());
    let filled = drafts.find(Uuid::parse_str(&submission.draft_id).unwrap(), teacher.person).await.unwrap().unwrap();
    stage.drafts(&teacher).drop_draft(wire::DropDraftRequest { draft_id: submission.draft_id }).await.unwrap();
    all_told(&stage).await;
    let key = ground.vault.obtain(teacher.person).await.unwrap();
    let plain = filled.open(&key).unwrap();
    let id = lifecycle::ids::random();
    let draft = Draft { id, sealed: seal(&key, id, filled.certificate, filled.revision, &plain), ..filled };
    // Nobody wakes the service that is to file it.
    let started = DraftEvent::Started { certificate: draft.certificate, person: draft.person };
    let begun = drafts.begin_insert(&draft).await.unwrap().unwrap();
    begun.commit(&started, "person", eventlog::Division::NONE).await.unwrap();
    let agreed = draft.agreement.unwrap();
    drafts.accept(id, draft.person, &agreed, draft.updated_at).await.unwrap();
    submission.draft_id = id.to_string();
    stage.applications(&teacher).submit_application(submission).await.unwrap();
    let sql = "SELECT type FROM event_log ORDER BY position DESC LIMIT 2";
    let newest: Vec<String> = sqlx::query_scalar(sql).fetch_all(&ground.pool).await.unwrap();
    assert_eq!(newest, ["dingzhu.applications.v1.ApplicationSubmitted", "dingzhu.applications.v1.DraftStarted"]);
}

#[tokio::test]
async fn without_its_event_no_change_stands() {
    let stage = Stage::start().await;
    let teacher = stage.teacher().await;
    let draft_id = start(&stage, &teacher).await;
    let drafts = Drafts::new(stage.running.service.ground.pool.clone());
    let id = Uuid::parse_str(&draft_id).unwrap();
    let dropping = drafts.begin_drop(id, teacher.person).await.unwrap();
    assert!(dropping.is_some());
    drop(dropping);
    stage.drafts(&teacher).get_draft(wire::GetDraftRequest { draft_id: draft_id.clone() }).await.unwrap();
    assert_eq!(kinds(&stage, &draft_id).await, ["DraftStarted"]);
}
