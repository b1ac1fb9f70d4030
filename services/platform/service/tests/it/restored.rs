//! Databases come from a backup: the erasures since then are applied before anything is served; an ordinary restart asks nobody.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::TryStreamExt as _;
use service::testing::Running;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;
use uuid::Uuid;

use crate::erasure::{Attempts, Notes, PERSON, notes};

/// Somebody who was erased before the backup.
const OTHER: Uuid = Uuid::from_u128(0x33);
const KEYS: &[&str] = &["person_key", "index_root", "erasure_mark"];
const EVENTS: &[&str] = &["event_log", "claim", "feed_checkpoint", "note"];

/// The rows of tables, as PostgreSQL dumps them.
struct Dump(Vec<(&'static str, Vec<u8>)>);

async fn dump(pool: &PgPool, tables: &[&'static str]) -> Dump {
    let mut dumped = Vec::new();
    for table in tables {
        let rows = pool.copy_out_raw(&format!("COPY public.{table} TO STDOUT")).await.unwrap();
        let rows = rows.try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        dumped.push((*table, rows.await.unwrap()));
    }
    Dump(dumped)
}

async fn restore(pool: &PgPool, dump: &Dump) {
    let guarded = "ALTER TABLE public.event_log DISABLE TRIGGER USER";
    sqlx::raw_sql(guarded).execute(pool).await.unwrap();
    for (table, rows) in &dump.0 {
        sqlx::raw_sql(AssertSqlSafe(format!("TRUNCATE public.{table} CASCADE"))).execute(pool).await.unwrap();
        let mut copy = pool.copy_in_raw(&format!("COPY public.{table} FROM STDIN")).await.unwrap();
        copy.send(rows.as_slice()).await.unwrap();
        copy.finish().await.unwrap();
    }
    sqlx::raw_sql("ALTER TABLE public.event_log ENABLE TRIGGER USER").execute(pool).await.unwrap();
}

/// A connection that outlives the service.
async fn operator(running: &Running<Notes>) -> PgPool {
    PgPool::connect(&running.database.url()).await.unwrap()
}

async fn has_key(pool: &PgPool) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM person_key WHERE person = $1 AND wrapped IS NOT NULL)";
    sqlx::query_scalar(sql).bind(PERSON).fetch_one(pool).await.unwrap()
}

async fn confirmations(pool: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM event_log WHERE type = 'dingzhu.types.v1.PersonalDataErased'";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Erases the person and restores these tables as they were before.
async fn erased_and_restored(attempts: &Attempts, tables: &[&'static str]) -> (Running<Notes>, PgPool) {
    let running = notes(attempts).await;
    let pool = operator(&running).await;
    let before = dump(&pool, tables).await;
    running.erase(PERSON).await;
    running.stop().await;
    assert!(!has_key(&pool).await);
    restore(&pool, &before).await;
    (running, pool)
}

/// It does not serve while the reaction is held up, and has forgotten again as soon as it does.
async fn serves_only_after_it_has_forgotten(running: &Running<Notes>, pool: &PgPool, attempts: &Attempts) {
    attempts.held.store(true, Ordering::SeqCst);
    let early = timeout(Duration::from_secs(2), running.start_again(&running.settings, attempts.clone())).await;
    assert!(early.is_err(), "nothing is served before the erasures are applied");
    attempts.held.store(false, Ordering::SeqCst);
    let patience = Duration::from_secs(30);
    let again = timeout(patience, running.start_again(&running.settings, attempts.clone())).await.unwrap().unwrap();
    assert!(!has_key(pool).await, "the key is destroyed when the service serves");
    assert_eq!(confirmations(pool).await, 1);
    let notes: i64 = sqlx::query_scalar("SELECT count(*) FROM public.note").fetch_one(pool).await.unwrap();
    assert_eq!(notes, 0);
    drop(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_key_database_is_found_out_and_forgets_again_before_anything_is_served() {
    let attempts = Attempts::default();
    let (running, pool) = erased_and_restored(&attempts, KEYS).await;
    assert!(has_key(&pool).await, "the backup has brought the key back");
    serves_only_after_it_has_forgotten(&running, &pool, &attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_event_database_is_found_out_by_the_mark_among_the_keys() {
    let attempts = Attempts::default();
    let (running, pool) = erased_and_restored(&attempts, EVENTS).await;
    assert_eq!(confirmations(&pool).await, 0);
    serves_only_after_it_has_forgotten(&running, &pool, &attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_restored_from_one_moment_are_found_out_by_the_file_outside() {
    let attempts = Attempts::default();
    let (running, pool) = erased_and_restored(&attempts, &[KEYS, EVENTS].concat()).await;
    assert!(has_key(&pool).await);
    serves_only_after_it_has_forgotten(&running, &pool, &attempts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_restart_asks_nobody() {
    let attempts = Attempts::default();
    let running = notes(&attempts).await;
    running.erase(PERSON).await;
    running.stop().await;
    let mut settings = running.settings.clone();
    settings.identity_url = "http://127.0.0.1:9".to_owned();
    let started = timeout(Duration::from_secs(10), running.start_again(&settings, attempts.clone())).await;
    drop(started.expect("it starts with identity away").unwrap());

    // Without the file nobody can say what the databases are.
    std::fs::remove_file(settings.erasure_mark_file.as_ref().unwrap()).unwrap();
    let lost = timeout(Duration::from_secs(2), running.start_again(&settings, attempts.clone())).await;
    assert!(lost.is_err(), "a machine that has lost the file waits for identity");
    let found = timeout(Duration::from_secs(30), running.start_again(&running.settings, attempts)).await;
    drop(found.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_service_that_ends_while_it_catches_up_is_found_out_again() {
    let attempts = Attempts::default();
    let running = notes(&attempts).await;
    let pool = operator(&running).await;
    running.erase(OTHER).await;
    let before = dump(&pool, &[KEYS, EVENTS].concat()).await;
    running.erase(PERSON).await;
    running.stop().await;
    restore(&pool, &before).await;
    let file = running.settings.erasure_mark_file.clone().unwrap();
    let newest = std::fs::read_to_string(&file).unwrap();

    // The older erasure is applied again, the newer one is held up: as if the service ended in between.
    attempts.held_for.lock().unwrap().replace(PERSON);
    let early = timeout(Duration::from_secs(4), running.start_again(&running.settings, attempts.clone())).await;
    assert!(early.is_err(), "nothing is served before the erasures are applied");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), newest, "the file still names what is missing");
    attempts.held_for.lock().unwrap().take();
    let patience = Duration::from_secs(30);
    drop(timeout(patience, running.start_again(&running.settings, attempts.clone())).await.unwrap().unwrap());
    assert!(!has_key(&pool).await, "the key is destroyed when the service serves");
    let beside = std::fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    let stem = file.file_stem().unwrap().to_owned();
    let left: Vec<_> = beside.map(|entry| entry.path()).filter(|path| path.file_stem() == Some(&stem)).collect();
    assert_eq!(left, [file], "no half-written file is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_service_does_not_serve_while_an_erasure_is_parked() {
    let attempts = Attempts::default();
    let running = notes(&attempts).await;
    let pool = operator(&running).await;
    let before = dump(&pool, &[KEYS, EVENTS].concat()).await;
    running.erase(PERSON).await;
    // A newer one, whose mark and confirmation make the witnesses agree.
    running.erase(OTHER).await;
    running.stop().await;
    restore(&pool, &before).await;

    attempts.panics_for.lock().unwrap().replace(PERSON);
    let patience = Duration::from_secs(30);
    let again = async || timeout(patience, running.start_again(&running.settings, attempts.clone())).await.unwrap();
    for start in ["the first", "a later"] {
        let why = again().await.expect_err(start).to_string();
        assert!(why.contains("at position") && why.contains("is not applied"), "{start}: {why}");
    }
    attempts.panics_for.lock().unwrap().take();
    drop(again().await.unwrap());
    assert!(!has_key(&pool).await);
    assert_eq!(confirmations(&pool).await, 2);
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM parked_event").fetch_one(&pool).await.unwrap();
    assert_eq!(parked, 0);
    let rows = "SELECT count(*) FROM feed_checkpoint WHERE name LIKE '%restored%'";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 0, "an ordinary restart asks nobody again");
}
