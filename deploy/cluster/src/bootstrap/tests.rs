//! Each role may do its own work and nothing else, on real servers.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt as _;
use tempfile::TempDir;

use super::*;
use crate::{environment, nats, postgres};

async fn sql(url: &str, text: &'static str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(text).execute(&mut connection).await.map(|_| ())
}

/// The database addresses that a service gets, with the one for migrations.
fn urls(layout: &Layout, service: Service) -> (String, String, String) {
    let table: BTreeMap<String, String> = environment::of_service(layout, service, 1).unwrap().into_iter().collect();
    let migrate = environment::of_migration(layout, service).unwrap().1;
    (table["DINGZHU_DATABASE_URL"].clone(), table["DINGZHU_KEYS_DATABASE_URL"].clone(), migrate)
}

async fn start_postgres() -> (TempDir, Layout, postgres::Server) {
    let folder = tempfile::tempdir().unwrap();
    crate::running::open_for_traversal(folder.path()).unwrap();
    let layout = Layout::private(folder.path()).unwrap();
    keys(&layout).unwrap();
    let password = Some(secrets::keep(&layout.postgres_password()).unwrap());
    let server = postgres::Server::start_in(&layout.postgres_folder, layout.postgres_port, password).await.unwrap();
    databases(&layout).await.unwrap();
    (folder, layout, server)
}

#[tokio::test]
async fn a_service_reads_and_writes_what_migrations_make_and_changes_no_schema() {
    let (_folder, layout, _server) = start_postgres().await;
    databases(&layout).await.unwrap();
    let (service, keys, migrate) = urls(&layout, Service::Identity);
    sql(&migrate, "CREATE TABLE session (n int); CREATE SCHEMA views").await.unwrap();
    sql(&service, "INSERT INTO session VALUES (1)").await.unwrap();
    assert!(sql(&service, "CREATE TABLE mine (n int)").await.is_err());
    assert!(sql(&service, "DROP TABLE session").await.is_err());
    assert!(sql(&service, "TRUNCATE session").await.is_err());
    sql(&migrate, "ALTER TABLE session ADD COLUMN m int").await.unwrap();
    sql(&keys, "CREATE TABLE person_key (n int)").await.unwrap();
    let owner = "DO $$ BEGIN ASSERT (SELECT tableowner FROM pg_tables WHERE tablename = 'session') = 'dingzhu_identity_owner'; END $$";
    sql(&migrate, owner).await.unwrap();
}

#[tokio::test]
async fn no_service_enters_the_database_of_another_or_its_own_keys_by_the_wrong_role() {
    let (_folder, layout, _server) = start_postgres().await;
    let (service, ..) = urls(&layout, Service::Identity);
    sql(&service, "SELECT 1").await.unwrap();
    for database in ["dingzhu_scheduling", "dingzhu_scheduling_keys", "dingzhu_identity_keys"] {
        let elsewhere = format!("{}/{database}", service.rsplit_once('/').unwrap().0);
        let refused = sql(&elsewhere, "SELECT 1").await.unwrap_err().to_string();
        assert!(refused.contains("permission denied for database"), "{refused}");
    }
}

async fn nats_as(server: &nats::Server, layout: &Layout, service: Service) -> jetstream::Context {
    let password = secrets::keep(&layout.secret(service, "nats")).unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password(service.name().to_owned(), password)
        .custom_inbox_prefix(format!("_INBOX_{service}"))
        .request_timeout(Some(Duration::from_secs(1)));
    let client = options.connect(server.url()).await.unwrap();
    let mut context = jetstream::new(client);
    context.set_timeout(Duration::from_secs(1));
    context
}

fn stream(service: Service) -> jetstream::stream::Config {
    let subjects = vec![format!("dingzhu.{service}.>")];
    jetstream::stream::Config { name: service.stream(), subjects, ..Default::default() }
}

#[tokio::test]
async fn a_nats_user_publishes_its_own_stream_and_reads_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::private(folder.path()).unwrap();
    keys(&layout).unwrap();
    let users = nats_users(&layout).unwrap();
    let server = nats::Server::start_in(&layout.nats_folder(), layout.nats_port, &users).await.unwrap();
    assert!(async_nats::connect(server.url()).await.is_err(), "nobody enters without a name");

    let identity = nats_as(&server, &layout, Service::Identity).await;
    identity.create_stream(stream(Service::Identity)).await.unwrap();
    assert!(identity.create_stream(stream(Service::Scheduling)).await.is_err());
    identity.publish("dingzhu.identity.x", "1".into()).await.unwrap().await.unwrap();

    let scheduling = nats_as(&server, &layout, Service::Scheduling).await;
    let foreign = scheduling.publish("dingzhu.identity.x", "2".into()).await.unwrap();
    assert!(foreign.await.is_err(), "a foreign message");
    assert!(scheduling.delete_stream("IDENTITY").await.is_err());

    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: 1 },
        ack_policy: AckPolicy::None,
        memory_storage: true,
        num_replicas: 1,
        ..Default::default()
    };
    let consumer = scheduling.create_consumer_on_stream(config, "IDENTITY").await.unwrap();
    let mut messages = consumer.stream().messages().await.unwrap();
    assert_eq!(&*messages.next().await.unwrap().unwrap().payload, b"1");
    let stream = identity.get_stream("IDENTITY").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
}
