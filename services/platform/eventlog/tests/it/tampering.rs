//! Append-only by trigger and by grant, and every change that gets past both is found.

use eventlog::{Append, Verdict};
use sqlx::{Connection as _, PgConnection};

use crate::fixture::{Fixture, anew, request, to};

async fn five_events() -> Fixture {
    let fixture = Fixture::start().await;
    for number in 0..5 {
        let request = request(lifecycle::ids::random(), "body", "answer");
        fixture
            .log
            .append(Append { request: Some(request), actor: format!("person:{number}"), ..anew() })
            .await
            .unwrap();
    }
    assert_eq!(fixture.log.verify(1, |_, _| {}).await.unwrap(), Verdict::Intact { head: 5 });
    fixture
}

#[tokio::test]
async fn one_changed_byte_in_any_column_is_found() {
    let fixture = five_events().await;
    fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER; CREATE TABLE pristine AS TABLE event_log").await;
    for change in [
        "UPDATE event_log SET payload = set_byte(payload, 0, 1) WHERE position = 3",
        r#"UPDATE event_log SET "inner" = set_byte("inner", 2, 1) WHERE position = 3"#,
        "UPDATE event_log SET sealed = sealed || '\\x00' WHERE position = 3",
        // The actor `person:2`, and with it the digest of the metadata.
        "UPDATE event_log SET metadata = overlay(metadata PLACING 'person:9'::bytea FROM position('person:2'::bytea IN metadata)) WHERE position = 3",
        "UPDATE event_log SET event_id = gen_random_uuid() WHERE position = 3",
        "UPDATE event_log SET stream = gen_random_uuid() WHERE position = 3",
        "UPDATE event_log SET version = 2 WHERE position = 3",
        "UPDATE event_log SET epoch = 2 WHERE position = 3",
        "UPDATE event_log SET type = 'test.v1.Happene' WHERE position = 3",
        "UPDATE event_log SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 3",
        "UPDATE event_log SET hash = set_byte(hash, 31, (get_byte(hash, 31) + 1) % 256) WHERE position = 3",
        "DELETE FROM event_log WHERE position = 3",
        "UPDATE event_log SET position = CASE position WHEN 3 THEN 40 ELSE 30 END WHERE position IN (3, 4);
         UPDATE event_log SET position = position / 10 WHERE position IN (30, 40)",
    ] {
        fixture.execute(change).await;
        assert_eq!(fixture.log.verify(1, |_, _| {}).await.unwrap(), Verdict::Broken { position: 3 }, "{change}");
        fixture.execute("TRUNCATE event_log; INSERT INTO event_log TABLE pristine").await;
        assert_eq!(fixture.log.verify(1, |_, _| {}).await.unwrap(), Verdict::Intact { head: 5 });
    }
}

#[tokio::test]
async fn verification_can_start_anywhere_and_tells_how_far_it_is() {
    let fixture = five_events().await;
    let mut pages = Vec::new();
    let verdict = fixture.log.verify(4, |position, head| pages.push((position, head))).await.unwrap();
    assert_eq!((verdict, pages), (Verdict::Intact { head: 5 }, vec![(5, 5)]));
    fixture.execute("ALTER TABLE event_log DISABLE TRIGGER USER").await;
    fixture.execute("UPDATE event_log SET payload = '' WHERE position = 3").await;
    assert_eq!(fixture.log.verify(4, |_, _| {}).await.unwrap(), Verdict::Intact { head: 5 });
    assert_eq!(fixture.log.verify(3, |_, _| {}).await.unwrap(), Verdict::Broken { position: 3 });
}

#[tokio::test]
async fn an_empty_log_is_intact() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.log.verify(1, |_, _| {}).await.unwrap(), Verdict::Intact { head: 0 });
}

#[tokio::test]
async fn not_even_the_owner_changes_the_log_by_accident() {
    let fixture = five_events().await;
    for change in ["UPDATE event_log SET epoch = 2", "DELETE FROM event_log", "TRUNCATE event_log"] {
        let error = sqlx::raw_sql(change).execute(fixture.log.pool()).await.unwrap_err();
        assert!(error.as_database_error().unwrap().message().contains("append-only"), "{change}: {error}");
    }
    assert_eq!(fixture.events().await, 5);
}

#[tokio::test]
async fn the_role_of_the_service_can_append_and_nothing_else() {
    let database = cluster::database::TestDatabase::create().await.unwrap();
    let mut owner = PgConnection::connect(&database.url()).await.unwrap();
    // The role that a deployment gives the service has the database's name.
    let role = database.name().to_owned();
    let execute = async |connection: &mut PgConnection, sql: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
    };
    let roles = format!("CREATE ROLE {role} LOGIN; CREATE ROLE {role}_report LOGIN");
    execute(&mut owner, roles).await.unwrap();
    let fixture = Fixture::at(&database.url()).await;

    let service =
        fixture.log_by(&database.url().replace("postgres@", &format!("{role}@")), eventlog::Settings::default()).await;
    let append = Append {
        claims: vec![crate::fixture::take("key")],
        request: Some(request(lifecycle::ids::random(), "body", "answer")),
        ..anew()
    };
    let stream = append.stream;
    service.append(append).await.unwrap();
    service.append(Append { claims: vec![crate::fixture::release("key")], ..to(stream, 1) }).await.unwrap();
    assert_eq!(service.verify(1, |_, _| {}).await.unwrap(), Verdict::Intact { head: 2 });

    let denied =
        |error: sqlx::Error| error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501"));
    for change in [
        "UPDATE event_log SET epoch = 2",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "ALTER TABLE event_log DISABLE TRIGGER USER",
        "DROP TRIGGER event_log_is_append_only ON event_log",
        "UPDATE request SET answer = ''",
        "DELETE FROM request",
    ] {
        assert!(denied(sqlx::raw_sql(change).execute(service.pool()).await.unwrap_err()), "{change}");
    }
    let mut report =
        PgConnection::connect(&database.url().replace("postgres@", &format!("{role}_report@"))).await.unwrap();
    sqlx::raw_sql("SELECT position, payload FROM event_log").execute(&mut report).await.unwrap();
    for secret in [r#"SELECT "inner" FROM event_log"#, "SELECT metadata FROM event_log", "SELECT answer FROM request"] {
        assert!(denied(sqlx::raw_sql(secret).execute(&mut report).await.unwrap_err()), "{secret}");
    }
    report.close().await.unwrap();
    service.pool().close().await;
    let gone = format!("DROP OWNED BY {role}, {role}_report; DROP ROLE {role}, {role}_report");
    execute(&mut owner, gone).await.unwrap();
}
