//! Feeds: a view has applied exactly the log, whichever way the events came and whatever failed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::HeaderMap;
use cluster::nats;
use eventbus::{Bus, NotReady, NotYet};
use eventlog::EventLog;
use lifecycle::ids;
use proto::operations::v1::event_feed_client::EventFeedClient;
use proto::operations::v1::relay_status::State;
use proto::operations::v1::{ReadEventsRequest, ReadEventsResponse};

use crate::checks::{jetstream, until_stream_is_log, view_is_log};
use crate::consumers::{POISON, Seen, Sevens};
use crate::stage::{self, Node, append, database, until};

const STREAM: &str = "CERTIFICATES";

/// A view of the events of certificates, with its owner to ask.
fn seen(owner: &Node) -> impl FnOnce(Bus, &EventLog) -> Bus + use<> {
    let channel = owner.channel();
    |bus, _| bus.view("certificates", Seen("seen")).source("certificates", channel, || None)
}

async fn owner(database: &str, nats: &str) -> Node {
    Node::relaying("certificates", database, stage::nats(nats)).await
}

async fn consumer(database: &str, nats: &str, wire: impl FnOnce(Bus, &EventLog) -> Bus) -> Node {
    Node::start("scheduling", database, stage::nats(nats), wire).await
}

/// Waits until a consumer has everything, and checks that it has it once.
async fn until_seen(consumer: &Node, owner: &Node) {
    consumer.until_applied("seen", owner.head()).await;
    view_is_log(&consumer.pool, &owner.log).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_view_follows_the_log_without_nats_and_reads_wait_for_a_position() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node =
        Node::start("certificates", &database.url(), stage::nats(&server.url()), |bus, _| bus.own_view(Seen("seen")))
            .await;
    until("the first head", async || node.feed("seen").await.reached_head).await;
    for number in 0..50 {
        let position = append(&node.log, ids::random(), 0, number).await.unwrap().position;
        node.bus.wait_for("seen", position).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM seen").fetch_one(&node.pool).await.unwrap();
        assert_eq!(rows, position, "what was waited for is there");
    }
    assert_eq!(node.bus.wait_for("seen", 51).await, Err(NotYet));
    view_is_log(&node.pool, &node.log).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_on_another_replica_waits_for_the_one_that_feeds() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let wire = |bus: Bus, _: &EventLog| bus.own_view(Seen("seen"));
    let feeding = Node::start("certificates", &database.url(), stage::nats(&server.url()), wire).await;
    feeding.append(1).await;
    feeding.until_applied("seen", 1).await;
    let other = Node::start("certificates", &database.url(), stage::nats(&server.url()), wire).await;
    for _ in 0..10 {
        let position = feeding.append(1).await;
        other.bus.wait_for("seen", position).await.unwrap();
    }
    // The lease goes to the other one at once when its holder stops.
    feeding.stop().await;
    other.append(20).await;
    until_seen(&other, &other).await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_another_service_survives_killed_servers_and_consumers() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let mut server = nats::Server::start().await.unwrap();
    let url = server.url();
    let owner = owner(&of_owner.url(), &url).await;
    let appending = async {
        for _ in 0..30 {
            owner.append(20).await;
        }
    };
    let failing = async {
        let mut node = consumer(&of_consumer.url(), &url, seen(&owner)).await;
        for round in 1..=3 {
            node.until_applied("seen", round * 60).await;
            server.kill();
            node.until_applied("seen", round * 60 + 40).await;
            server.restart().await.unwrap();
            node.kill().await;
            node = consumer(&of_consumer.url(), &url, seen(&owner)).await;
        }
        node
    };
    let ((), node) = tokio::join!(appending, failing);
    until_seen(&node, &owner).await;
    until_stream_is_log(&url, STREAM, &owner.log).await;
    node.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_of_a_consumer_apply_every_event_once() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    let mut first = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    let mut second = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    for round in 0..4 {
        owner.append(50).await;
        let killed = std::mem::replace(&mut first, second);
        if round % 2 == 0 {
            killed.kill().await;
        } else {
            killed.stop().await;
        }
        second = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    }
    until_seen(&second, &owner).await;
    first.stop().await;
    second.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_below_the_streams_first_message_reads_from_the_owner() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let without = nats::Server::stopped().unwrap();
    let node = owner(&of_owner.url(), &without.url()).await;
    node.append(1_200).await;
    node.stop().await;
    // What a stream is after its oldest messages were dropped.
    let config = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["dingzhu.certificates.>".to_owned()],
        first_sequence: Some(1_101),
        ..Default::default()
    };
    jetstream(&server.url()).await.create_stream(config).await.unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    until_stream_is_log(&server.url(), STREAM, &owner.log).await;
    let node = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    until_seen(&node, &owner).await;
    owner.append(30).await;
    until_seen(&node, &owner).await;
    node.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_the_middle_of_a_stream_comes_from_the_owner() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    // Unlike ours, one that lets messages be deleted.
    let config = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["dingzhu.certificates.>".to_owned()],
        ..Default::default()
    };
    let stream = jetstream(&server.url()).await.create_stream(config).await.unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    owner.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &owner.log).await;
    stream.delete_message(6).await.unwrap();
    let node = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    until_seen(&node, &owner).await;
    owner.append(5).await;
    until_seen(&node, &owner).await;
    node.stop().await;

    // Without an owner to ask, it is said.
    let alone = database().await;
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen"));
    let reader = consumer(&alone.url(), &server.url(), wire).await;
    until("the problem", async || reader.feed("seen").await.problem.contains("lacks 6")).await;
    reader.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_above_a_streams_last_message_waits_for_the_refill() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let mut server = nats::Server::start().await.unwrap();
    let node = owner(&of_owner.url(), &server.url()).await;
    node.append(60).await;
    // No owner to ask: only the stream.
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen"));
    let reader = consumer(&of_consumer.url(), &server.url(), wire).await;
    reader.until_applied("seen", 60).await;
    node.stop().await;
    server.wipe().unwrap();
    server.restart().await.unwrap();
    until("no stream", async || reader.feed("seen").await.problem.contains("there is no stream")).await;
    let config = async_nats::jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["dingzhu.certificates.>".to_owned()],
        ..Default::default()
    };
    jetstream(&server.url()).await.create_stream(config).await.unwrap();
    until("a short stream", async || reader.feed("seen").await.problem.contains("ends at 0 already")).await;
    let owner = owner(&of_owner.url(), &server.url()).await;
    owner.append(20).await;
    until_seen(&reader, &owner).await;
    until("no problem", async || reader.feed("seen").await.problem.is_empty()).await;
    reader.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_a_view_is_fed_by_the_owner() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let mut server = nats::Server::stopped().unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    owner.append(700).await;
    let node = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    until_seen(&node, &owner).await;
    owner.append(5).await;
    until_seen(&node, &owner).await;
    until("the head", async || node.feed("seen").await.reached_head).await;
    server.restart().await.unwrap();
    until_stream_is_log(&server.url(), STREAM, &owner.log).await;
    owner.append(5).await;
    until_seen(&node, &owner).await;
    node.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_relay_does_not_publish_comes_from_the_owner() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    owner.append(10).await;
    let node = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    until_seen(&node, &owner).await;
    // A fork silences the relay at the head of the stream, where no reader sees anything wrong.
    until_stream_is_log(&server.url(), STREAM, &owner.log).await;
    sqlx::query("UPDATE relay_state SET state = 'FORKED'").execute(&owner.pool).await.unwrap();
    owner.stop().await;
    let owner = self::owner(&of_owner.url(), &server.url()).await;
    owner.until_relay(State::Forked).await;
    node.stop().await;
    let node = consumer(&of_consumer.url(), &server.url(), seen(&owner)).await;
    owner.append(5).await;
    until_seen(&node, &owner).await;
    let stream = jetstream(&server.url()).await.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.last_sequence, 10);
    node.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_follow_halts_the_feed_and_nothing_of_it_is_applied() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let node = owner(&of_owner.url(), &server.url()).await;
    node.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
    let jetstream = jetstream(&server.url()).await;
    let stream = jetstream.get_stream(STREAM).await.unwrap();
    // The newest event once more, at a position that is not its own.
    let newest = stream.get_raw_message(10).await.unwrap();
    let of_the_event = newest.headers.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-"));
    let mut headers: HeaderMap =
        of_the_event.map(|(name, values)| (name.clone(), values.first().unwrap().clone())).collect();
    headers.insert("Nats-Expected-Last-Sequence", "10");
    jetstream.publish_with_headers(newest.subject, headers, newest.payload).await.unwrap().await.unwrap();
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen"));
    let reader = consumer(&of_consumer.url(), &server.url(), wire).await;
    until("a halted feed", async || reader.feed("seen").await.problem.contains("breaks at position 11")).await;
    let feed = reader.feed("seen").await;
    assert_eq!(feed.position, 10);
    assert!(!feed.reached_head);
    reader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_apply_an_event_halts_loudly_and_says_since_when() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node =
        Node::start("certificates", &database.url(), stage::nats(&server.url()), |bus, _| bus.own_view(Seen("seen")))
            .await;
    let health = rpc::Health::new(&[]);
    node.bus.report_to(health.clone());
    node.append(3).await;
    node.until_applied("seen", 3).await;
    append(&node.log, ids::random(), 0, POISON).await.unwrap();
    node.append(3).await;
    until("a halted feed", async || node.feed("seen").await.problem.contains("poison")).await;
    let feed = node.feed("seen").await;
    assert_eq!((feed.position, feed.lag), (3, 4), "views never park");
    assert!(feed.oldest_unread_age_seconds > 0.0);
    until("bad health", async || {
        health.components().iter().any(|(name, problem)| *name == "feeds" && problem.is_some())
    })
    .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_not_ready_before_its_source_was_once_read_to_the_end() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let mut server = nats::Server::stopped().unwrap();
    let owner = owner(&of_owner.url(), &server.url()).await;
    owner.append(3).await;
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen"));
    let count = |pool: sqlx::PgPool| async move {
        sqlx::query_scalar::<_, i64>("SELECT events FROM total").fetch_one(&pool).await
    };
    let node = consumer(&of_consumer.url(), &server.url(), wire).await;
    let total = node.bus.reference("seen", count);
    until("a problem", async || !node.feed("seen").await.problem.is_empty()).await;
    assert_eq!((total.require(), total.age()), (Err(NotReady), None));
    server.restart().await.unwrap();
    until("the whole reference", async || total.require().is_ok_and(|total| *total == 3)).await;
    owner.append(4).await;
    until("what came later", async || *total.get() == 7).await;
    assert!(total.age().unwrap() < std::time::Duration::from_secs(5));
    node.stop().await;

    // Having been complete once is kept over restarts.
    server.kill();
    let node = consumer(&of_consumer.url(), &server.url(), wire).await;
    let total = node.bus.reference("seen", count);
    until("the kept reference", async || total.require().is_ok_and(|total| *total == 7)).await;
    node.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_handed_what_concerns_it_and_its_references_are_loaded_for_nothing_else() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let wire = |bus: Bus, _: &EventLog| bus.own_view(Sevens);
    let (one, other) = (
        Node::start("certificates", &database.url(), stage::nats(&server.url()), wire).await,
        Node::start("certificates", &database.url(), stage::nats(&server.url()), wire).await,
    );
    let loads = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let handed = [(&one, &loads[0]), (&other, &loads[1])].map(|(node, loads)| {
        let loads = Arc::clone(loads);
        node.bus.reference("sevens", move |pool: sqlx::PgPool| {
            loads.fetch_add(1, Ordering::SeqCst);
            async move { sqlx::query_scalar::<_, i64>("SELECT events FROM handed").fetch_one(&pool).await }
        })
    });
    let shows = async |count: i64| {
        let what = format!("{count} on both replicas");
        until(&what, async || handed.iter().all(|handed| handed.require().is_ok_and(|handed| *handed == count))).await;
    };
    let head = one.append(30).await;
    shows(1).await;
    for node in [&one, &other] {
        node.until_applied("sevens", head).await;
    }
    let before = loads.each_ref().map(|loads| loads.load(Ordering::SeqCst));
    // None of these is a seven; they come in many pages.
    let mut head = 0;
    for _ in 0..20 {
        head = one.append(5).await;
    }
    for node in [&one, &other] {
        node.until_applied("sevens", head).await;
    }
    assert_eq!(loads.each_ref().map(|loads| loads.load(Ordering::SeqCst)), before);
    append(&one.log, ids::random(), 0, 7).await.unwrap();
    shows(2).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_feed_pages_filters_and_refuses_a_token_of_another_history() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = owner(&database.url(), &server.url()).await;
    node.append(1_100).await;
    let mut client = EventFeedClient::new(node.channel());
    let request = |after_position, types: &[&str]| ReadEventsRequest {
        after_position,
        types: types.iter().map(ToString::to_string).collect(),
        follow: false,
    };
    let mut read = async |request| -> Result<Vec<ReadEventsResponse>, tonic::Status> {
        let mut answers = client.read_events(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(answer) = answers.message().await? {
            all.push(answer);
        }
        Ok(all)
    };
    let all = read(request(0, &[])).await.unwrap();
    assert!(all.iter().all(|answer| answer.events.len() <= 500 && answer.head == 1_100));
    let positions: Vec<i64> = all.iter().flat_map(|answer| &answer.events).map(|event| event.position).collect();
    assert_eq!(positions, (1..=1_100).collect::<Vec<_>>());
    assert_eq!(all.last().unwrap().read_up_to, 1_100);
    let none = read(request(1_000, &["dingzhu.certificates.v1.SyncFailed"])).await.unwrap();
    assert!(none.iter().all(|answer| answer.events.is_empty()));
    assert_eq!(none.last().unwrap().read_up_to, 1_100);
    assert_eq!(read(request(1_100, &[])).await.unwrap().last().unwrap().read_up_to, 1_100);
    let ahead = read(request(1_101, &[])).await.unwrap_err();
    assert_eq!(rpc::Refusal::from_status(&ahead).reason, "POSITION_AHEAD");
    node.stop().await;
}
