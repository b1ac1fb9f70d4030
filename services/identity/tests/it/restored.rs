//! Identity's own databases come from a backup from before an erasure: nobody is served before it is applied once more.

use std::time::Duration;

use cluster::nats;
use eventbus::NatsSettings;
use proto::identity::v1::sessions_client::SessionsClient;
use service::Settings;
use service::testing::Again;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal};
use crate::erasure::{confirmed, erase, registry};

const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that outlives the service, and that no replica of it has.
async fn operator(desk: &Desk) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect(&desk.identity.database.url()).await.unwrap()
}

async fn tables(pool: &PgPool) -> Vec<String> {
    let sql = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'views') ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

/// Keeps everything as it is at one moment.
async fn back_up(pool: &PgPool) {
    let copy = |(number, table)| format!("CREATE TABLE backup.t{number} AS TABLE {table};");
    let copies: Vec<String> = tables(pool).await.iter().enumerate().map(copy).collect();
    let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE SCHEMA backup; {} COMMIT", copies.concat());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

/// Brings it back, once nobody uses it.
async fn restore(pool: &PgPool) {
    let used = async || -> Option<()> {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'identity%'";
        let users: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        (users == 0).then_some(())
    };
    cluster::wait::until("the service to be gone", PATIENCE, used).await.unwrap();
    let replace = |(number, table)| {
        format!("DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE backup.t{number};")
    };
    let replaced: Vec<String> = tables(pool).await.iter().enumerate().map(replace).collect();
    let sql = format!("BEGIN; SET LOCAL session_replication_role = replica; {} COMMIT", replaced.concat());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

fn beside(settings: &Settings, server: &nats::Server) -> Settings {
    let nats = NatsSettings { url: server.url(), user: None, password_file: None, replicas: 1 };
    Settings { nats, ..settings.clone() }
}

async fn has_key(pool: &PgPool, person: Uuid) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM person_key WHERE person = $1 AND wrapped IS NOT NULL)";
    sqlx::query_scalar(sql).bind(person).fetch_one(pool).await.unwrap()
}

async fn erasures(pool: &PgPool, person: Uuid) -> i64 {
    let sql = "SELECT count(*) FROM event_log WHERE stream = $1 AND type = 'dingzhu.identity.v1.PersonErased'";
    sqlx::query_scalar(sql).bind(person).fetch_one(pool).await.unwrap()
}

/// Starts identity once more beside this server, until its stream holds the whole log.
async fn publish_all(desk: &Desk, pool: &PgPool, server: &nats::Server) {
    let again = start(desk, &beside(&desk.identity.settings, server)).await;
    let published = async || -> Option<()> {
        let sql = "SELECT published = (SELECT max(position) FROM event_log) FROM relay_state";
        sqlx::query_scalar(sql).fetch_one(pool).await.unwrap_or(false).then_some(())
    };
    cluster::wait::until("the log to be published", PATIENCE, published).await.unwrap();
    drop(again);
}

async fn start(desk: &Desk, settings: &Settings) -> Again {
    timeout(PATIENCE, desk.identity.start_again(settings, desk.settings.clone())).await.unwrap().unwrap()
}

/// A desk that has forgotten the teacher, and whose databases come from before; the person, and the erasure.
async fn restored(teacher: &Teacher, server: Option<&nats::Server>) -> (Desk, PgPool, Uuid, String) {
    let desk = registry().await;
    let token = desk.newcomer(teacher).await.access_token;
    let person = desk.person_id(&token).await;
    desk.newcomer(&Teacher::new(2)).await;
    let pool = operator(&desk).await;
    back_up(&pool).await;
    let erasure = erase(&desk, &token, teacher).await.erasure_id;
    confirmed(&desk, &erasure).await;
    desk.identity.stop().await;
    if let Some(server) = server {
        publish_all(&desk, &pool, server).await;
    }
    restore(&pool).await;
    assert!(has_key(&pool, person).await, "the backup has brought the key back");
    assert_eq!(erasures(&pool, person).await, 0, "and has lost the erasure");
    (desk, pool, person, erasure)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_the_restored_log_has_lost_is_taken_from_the_stream_before_anybody_is_served() {
    let server = nats::Server::start().await.unwrap();
    let teacher = Teacher::new(1);
    let (desk, pool, person, erasure) = restored(&teacher, Some(&server)).await;
    let away = desk.identity.start_again(&desk.identity.settings, desk.settings.clone());
    assert!(timeout(Duration::from_secs(2), away).await.is_err(), "nobody is served while the stream cannot be read");

    let again = start(&desk, &beside(&desk.identity.settings, &server)).await;
    assert!(!has_key(&pool, person).await, "the key is destroyed when the service serves");
    assert_eq!(erasures(&pool, person).await, 1);
    let sql = "SELECT count(*) FROM claim WHERE kind = 'erased' AND key = $1";
    let claim = erasure.parse::<Uuid>().unwrap().as_bytes().to_vec();
    let confirmations: i64 = sqlx::query_scalar(sql).bind(claim).fetch_one(&pool).await.unwrap();
    assert_eq!(confirmations, 1);
    let left =
        "SELECT (SELECT count(*) FROM session WHERE person = $1) + (SELECT count(*) FROM claim WHERE kind = 'account')";
    let left: i64 = sqlx::query_scalar(left).bind(person).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 1, "no session, and the other account's number alone");
    let mut sessions = SessionsClient::new(again.person(person));
    assert_eq!(refusal(sessions.start_sign_in(teacher.credentials()).await).reason, "WRONG_CREDENTIALS");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_is_nowhere_any_more_keeps_identity_from_serving_until_it_is_accepted() {
    let server = nats::Server::start().await.unwrap();
    let (desk, pool, person, erasure) = restored(&Teacher::new(1), None).await;
    let settings = beside(&desk.identity.settings, &server);
    for _ in 0..2 {
        let refused = timeout(PATIENCE, desk.identity.start_again(&settings, desk.settings.clone())).await.unwrap();
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(&format!("DINGZHU_ACCEPT_LOST_ERASURE={erasure}")), "{why}");
    }
    let accepted = Settings { accept_lost_erasure: Some(erasure.parse().unwrap()), ..settings };
    let again = start(&desk, &accepted).await;
    assert!(has_key(&pool, person).await, "nothing says any more whose key it was");
    drop(again);
}
