//! The relay: every event at its own position, whatever happens to the server.

use async_nats::jetstream::stream;
use cluster::nats;
use proto::operations::v1::relay_status::State;

use crate::checks::{jetstream, until_stream_is_log};
use crate::stage::{self, Node, database, until};

const STREAM: &str = "CERTIFICATES";

async fn relaying(database: &cluster::database::TestDatabase, server: &nats::Server) -> Node {
    Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_stands_at_its_own_position_with_all_that_proves_it() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&database, &server).await;
    node.append(40).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;

    let stream = jetstream(&server.url()).await.get_stream(STREAM).await.unwrap();
    let message = stream.get_raw_message(7).await.unwrap();
    assert_eq!(&*message.subject, "dingzhu.certificates.sync_finished.32.03.02");
    let header = |name: &str| message.headers.get(name).unwrap().to_string();
    assert_eq!(header("ce-specversion"), "1.0");
    assert_eq!(header("ce-source"), "/dingzhu/certificates");
    assert_eq!(header("ce-dataschema"), "proto:dingzhu.certificates.v1.SyncFinished");
    assert!(header("ce-time").ends_with('Z'));
    assert_eq!(header("dz-version"), "1");
    assert_eq!(header("traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let config = stream.cached_info().config.clone();
    assert!(config.deny_delete && config.deny_purge);

    let relay = node.relay().await;
    assert_eq!((relay.state(), relay.problem.as_str()), (State::Running, ""));
    until("a lag of nothing", async || node.relay().await.lag == 0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_under_load_leave_no_gap_and_no_double() {
    let database = database().await;
    let mut server = nats::Server::start().await.unwrap();
    let node = relaying(&database, &server).await;
    let appending = tokio::join!(
        async {
            for _ in 0..40 {
                node.append(25).await;
            }
        },
        async {
            for enough in [60, 300, 600] {
                until("some load", async || node.head() >= enough).await;
                server.kill();
                node.until_relay(State::Disconnected).await;
                server.restart().await.unwrap();
            }
        }
    );
    let ((), ()) = appending;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    assert_eq!(node.head(), 1_000);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_store_is_filled_again() {
    let database = database().await;
    let mut server = nats::Server::start().await.unwrap();
    let node = relaying(&database, &server).await;
    node.append(120).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    server.wipe().unwrap();
    node.append(30).await;
    server.restart().await.unwrap();
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_be_published_that_a_wiped_stream_does_not_hold() {
    let database = database().await;
    let mut server = nats::Server::start().await.unwrap();
    let node = relaying(&database, &server).await;
    let head = node.append(1_500).await;
    // Long enough for what is published to be kept in the database, too.
    let kept = "SELECT published FROM public.relay_state";
    until("what is published to be kept", async || {
        sqlx::query_scalar::<_, i64>(kept).fetch_one(&node.pool).await.unwrap() == head
    })
    .await;
    server.wipe().unwrap();
    server.restart().await.unwrap();
    let jetstream = jetstream(&server.url()).await;
    until("the stream to be filled again", async || {
        let relay = node.relay().await;
        if relay.state() != State::Running {
            return false;
        }
        // Asked after the status: the stream only grows.
        let holds = jetstream.get_stream(STREAM).await.map_or(0, |stream| stream.cached_info().state.last_sequence);
        assert!(relay.published <= holds.cast_signed(), "{relay:?}, and the stream holds {holds}");
        relay.published == head
    })
    .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_is_made_anew_also_when_nothing_is_appended() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&database, &server).await;
    node.append(50).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let jetstream = jetstream(&server.url()).await;
    jetstream.delete_stream(STREAM).await.unwrap();
    until("a new stream", async || jetstream.get_stream(STREAM).await.is_ok()).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_stream_is_never_altered() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let jetstream = jetstream(&server.url()).await;
    let own = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["dingzhu.certificates.>".to_owned()],
        description: Some("made by an operator".to_owned()),
        ..Default::default()
    };
    jetstream.create_stream(own).await.unwrap();
    let node = relaying(&database, &server).await;
    node.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let kept = jetstream.get_stream(STREAM).await.unwrap().cached_info().config.clone();
    assert_eq!(kept.description.as_deref(), Some("made by an operator"));
    assert!(!kept.deny_delete);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_services_start_and_submissions_succeed_and_the_backlog_drains_afterwards() {
    let database = database().await;
    let mut server = nats::Server::stopped().unwrap();
    let node = relaying(&database, &server).await;
    assert_eq!(node.append(20).await, 20);
    node.until_relay(State::Disconnected).await;
    let relay = node.relay().await;
    assert_eq!(relay.lag, 20);
    assert!(relay.problem.contains("NATS cannot be reached"), "{}", relay.problem);
    server.restart().await.unwrap();
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.until_relay(State::Running).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_relay_goes_on_where_the_stream_ends() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&database, &server).await;
    node.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
    let node = relaying(&database, &server).await;
    assert_eq!(node.append(10).await, 20);
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_publish_turns_the_health_bad() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let users = r#"authorization { users: [ { user: "certificates", password: "secret", permissions: {
        publish: { allow: ["$JS.API.>"] }, subscribe: { allow: ["_INBOX_certificates.>"] } } } ] }"#;
    let port = cluster::ports::free().unwrap();
    let server = nats::Server::start_in(&folder.path().join("nats"), port, users).await.unwrap();
    let mut settings = stage::nats(&server.url());
    (settings.user, settings.password_file) = (Some("certificates".to_owned()), Some(password));
    let node = Node::relaying("certificates", &database.url(), settings).await;
    let health = rpc::Health::new(&[]);
    node.bus.report_to(health.clone());
    until("a healthy relay", async || health.components().contains(&("relay", None))).await;
    node.append(1).await;
    until("the refusal in the health", async || {
        let refused = |problem: &Option<String>| problem.as_ref().is_some_and(|text| text.contains("Permissions"));
        health.components().iter().any(|(name, problem)| *name == "relay" && refused(problem))
    })
    .await;
    assert!(health.serving(), "calls are answered all the same");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_published_in_batches_where_the_stream_takes_them() {
    let database = database().await;
    let mut server = nats::Server::stopped().unwrap();
    let node = relaying(&database, &server).await;
    node.append(600).await;
    server.restart().await.unwrap();
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let stream = jetstream(&server.url()).await.get_stream(STREAM).await.unwrap();
    let batch = async |position| {
        let message = stream.get_raw_message(position).await.unwrap();
        message.headers.get("Nats-Batch-Id").map(ToString::to_string)
    };
    assert!(batch(1).await.is_some());
    assert_eq!((batch(1).await, batch(501).await), (batch(500).await, batch(600).await));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_from_before_there_were_batches_is_filled_too() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let jetstream = jetstream(&server.url()).await;
    let subjects = vec!["dingzhu.certificates.>".to_owned()];
    let config = stream::Config { name: STREAM.to_owned(), subjects, ..stream::Config::default() };
    assert!(!config.allow_atomic_publish);
    jetstream.create_stream(config).await.unwrap();
    let node = relaying(&database, &server).await;
    node.append(60).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let stream = jetstream.get_stream(STREAM).await.unwrap();
    let is_batched = async |position: i64| {
        let message = stream.get_raw_message(position.cast_unsigned()).await.unwrap();
        message.headers.get("Nats-Batch-Id").is_some()
    };
    assert!(!is_batched(60).await);

    // From when an operator allows them they are used, without a restart.
    let mut config = stream.cached_info().config.clone();
    config.allow_atomic_publish = true;
    jetstream.update_stream(&config).await.unwrap();
    cluster::wait::until("batches", std::time::Duration::from_secs(30), async || {
        let last = node.append(20).await;
        until_stream_is_log(&server.url(), STREAM, &node.log).await;
        is_batched(last).await.then_some(())
    })
    .await
    .unwrap();
    node.stop().await;
}
