//! Forks: found at once, kept over restarts, ended by two persons, never by the machine.

use cluster::database::TestDatabase;
use cluster::nats;
use prost::Message as _;
use proto::operations::v1::relay_status::State;
use proto::operations::v1::resolve_fork_request::Step;
use proto::operations::v1::{EpochStarted, ResolveForkRequest};

use crate::checks::{jetstream, stream_is_log, until_stream_is_log};
use crate::consumers::Seen;
use crate::stage::{self, Node, by, database, until};

const STREAM: &str = "CERTIFICATES";

async fn relaying(database: &TestDatabase, server: &nats::Server) -> Node {
    Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await
}

fn resolve(step: Step, fork_digest: &str) -> ResolveForkRequest {
    let reason = "restored from last night's backup".to_owned();
    ResolveForkRequest { step: step.into(), fork_digest: fork_digest.to_owned(), reason }
}

/// The reason of the refusal.
async fn refused(node: &Node, actor: &'static str, request: ResolveForkRequest) -> String {
    let refusal = node.operations().resolve_fork(by(actor, request)).await.unwrap_err();
    rpc::Refusal::from_status(&refusal).reason
}

/// Two persons end the fork; gives the epoch that began.
pub async fn end_fork(node: &Node) -> i64 {
    let digest = node.relay().await.fork_digest;
    let mut operations = node.operations();
    let proposed = operations.resolve_fork(by("staff:one", resolve(Step::Propose, &digest))).await.unwrap();
    assert_eq!(proposed.into_inner().epoch, 0);
    operations.resolve_fork(by("staff:two", resolve(Step::Approve, &digest))).await.unwrap().into_inner().epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_stops_publishing_until_two_persons_decide() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&database, &server).await;
    node.append(30).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let jetstream = jetstream(&server.url()).await;
    jetstream.publish("dingzhu.certificates.sync_finished.00.00.00", "foreign".into()).await.unwrap().await.unwrap();
    node.until_relay(State::Forked).await;
    let relay = node.relay().await;
    assert!(relay.problem.contains("not one that this service published"), "{}", relay.problem);

    // Submissions go on, publishing does not.
    node.append(10).await;
    assert_eq!(jetstream.get_stream(STREAM).await.unwrap().cached_info().state.last_sequence, 31);
    assert!(stream_is_log(&jetstream, STREAM, &node.log).await.is_err());

    let digest = relay.fork_digest;
    assert_eq!(refused(&node, "staff:two", resolve(Step::Approve, &digest)).await, "NO_PROPOSAL");
    assert_eq!(refused(&node, "staff:one", resolve(Step::Propose, "another")).await, "DIGEST_MISMATCH");
    for (reason, why) in [("长".repeat(501), "TOO_LONG"), ("\u{1b}[2J".to_owned(), "NOT_PLAIN_TEXT")] {
        let request = ResolveForkRequest { reason, ..resolve(Step::Propose, &digest) };
        let refusal = node.operations().resolve_fork(by("staff:one", request)).await.unwrap_err();
        assert_eq!(rpc::Refusal::from_status(&refusal).violations[0].reason, why);
    }
    let unsigned = node.operations().resolve_fork(resolve(Step::Propose, &digest)).await.unwrap_err();
    assert_eq!(unsigned.code(), tonic::Code::Unauthenticated);
    node.operations().resolve_fork(by("staff:one", resolve(Step::Propose, &digest))).await.unwrap();
    assert_eq!(refused(&node, "staff:one", resolve(Step::Approve, &digest)).await, "SECOND_PERSON_NEEDED");
    assert_eq!(refused(&node, "staff:two", resolve(Step::Approve, "another")).await, "DIGEST_MISMATCH");
    // An approval that began the epoch and was cut short then: nobody heard of it, and the fork stands.
    let begun = EpochStarted { fork_digest: digest.clone(), ..EpochStarted::default() };
    node.log.start_epoch("staff:two", begun).await.unwrap();
    let approved = node.operations().resolve_fork(by("staff:two", resolve(Step::Approve, &digest))).await.unwrap();
    assert_eq!(approved.into_inner().epoch, 2);

    node.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.until_relay(State::Running).await;
    assert_eq!(refused(&node, "staff:one", resolve(Step::Propose, &digest)).await, "NOT_FORKED");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_while_the_relay_lags_is_found_when_it_comes_back() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&database, &server).await;
    node.append(10).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
    let jetstream = jetstream(&server.url()).await;
    jetstream.publish("dingzhu.certificates.x.00.00.00", "foreign".into()).await.unwrap().await.unwrap();
    let node = relaying(&database, &server).await;
    node.append(10).await;
    node.until_relay(State::Forked).await;
    assert_eq!(end_fork(&node).await, 2);
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
}

/// A database that was restored to `position`, as a backup would do it.
pub async fn restored(from: &Node, position: i64) -> TestDatabase {
    let target = database().await;
    let pool = eventlog::pool(&target.url(), "restore", 1).unwrap();
    for event in from.log.read(0, position).await.unwrap() {
        sqlx::query("INSERT INTO event_log VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
            .bind(event.position)
            .bind(event.epoch)
            .bind(event.stream)
            .bind(event.version)
            .bind(event.kind)
            .bind(event.payload)
            .bind(event.inner)
            .bind(event.sealed)
            .bind(event.metadata_bytes)
            .bind(event.event_id)
            .bind(event.recorded_at)
            .bind(event.hash)
            .execute(&pool)
            .await
            .unwrap();
    }
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_forked_over_restarts_until_two_persons_begin_a_new_epoch() {
    let (old, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&old, &server).await;
    node.append(30).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let new = restored(&node, 20).await;
    node.stop().await;

    // Appended past the old end while no relay runs: positions alone would not tell.
    let without = nats::Server::stopped().unwrap();
    let node = relaying(&new, &without).await;
    assert_eq!(node.append(25).await, 45);
    node.stop().await;

    let node = relaying(&new, &server).await;
    node.until_relay(State::Forked).await;
    let digest = node.relay().await.fork_digest;
    node.stop().await;
    let node = relaying(&new, &server).await;
    node.until_relay(State::Forked).await;
    assert_eq!(node.relay().await.fork_digest, digest, "the same fork after a restart");
    assert_eq!(node.append(5).await, 50, "submissions go on");
    let kept = jetstream(&server.url()).await.get_stream(STREAM).await.unwrap().cached_info().state.last_sequence;
    assert_eq!(kept, 30, "the stream is as it was");

    assert_eq!(end_fork(&node).await, 2);
    node.append(5).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let begun = node.log.read(50, 1).await.unwrap().remove(0);
    let started = EpochStarted::decode(begun.payload.as_slice()).unwrap();
    assert_eq!(started.reason, "", "what a person wrote is not published");
    assert!(EpochStarted::decode(begun.inner.as_slice()).unwrap().reason.contains("last night"));
    assert_eq!((begun.epoch, started.epoch), (2, 2));
    assert_eq!((started.proposed_by.as_str(), started.approved_by.as_str()), ("staff:one", "staff:two"));
    assert_eq!(started.fork_digest, digest);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_shorter_than_its_stream_is_forked() {
    let (old, server) = (database().await, nats::Server::start().await.unwrap());
    let node = relaying(&old, &server).await;
    node.append(30).await;
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    let new = restored(&node, 20).await;
    node.stop().await;
    let node = relaying(&new, &server).await;
    node.until_relay(State::Forked).await;
    assert!(node.relay().await.problem.contains("behind the end of the log"));
    assert_eq!(end_fork(&node).await, 2);
    until_stream_is_log(&server.url(), STREAM, &node.log).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_followed_the_lost_history_halts_and_is_right_after_its_rebuild() {
    let (old, server) = (database().await, nats::Server::start().await.unwrap());
    let consumer_database = database().await;
    let owner = relaying(&old, &server).await;
    owner.append(30).await;
    let new = restored(&owner, 20).await;
    let channel = owner.channel();
    let consumer = Node::start("scheduling", &consumer_database.url(), stage::nats(&server.url()), |bus, _| {
        bus.view("certificates", Seen("seen")).source("certificates", channel, || None)
    })
    .await;
    consumer.until_applied("seen", 30).await;
    // It may have come from the owner itself, before the stream had it.
    until("a stream of the lost history", async || owner.relay().await.published == 30).await;
    consumer.stop().await;
    owner.stop().await;

    let owner = relaying(&new, &server).await;
    owner.until_relay(State::Forked).await;
    end_fork(&owner).await;
    until_stream_is_log(&server.url(), STREAM, &owner.log).await;
    let channel = owner.channel();
    let consumer = Node::start("scheduling", &consumer_database.url(), stage::nats(&server.url()), |bus, _| {
        bus.view("certificates", Seen("seen")).source("certificates", channel, || None)
    })
    .await;
    // The new history is shorter than what the view has applied.
    until("a halted feed", async || consumer.feed("seen").await.problem.contains("the history of the source ends"))
        .await;
    owner.append(20).await;
    until("a broken chain", async || consumer.feed("seen").await.problem.contains("another event")).await;
    consumer.bus.rebuild("seen", |_| {}).await.unwrap();
    consumer.until_applied("seen", owner.head()).await;
    until("no problem", async || consumer.feed("seen").await.problem.is_empty()).await;
    crate::checks::view_is_log(&consumer.pool, &owner.log).await.unwrap();
    consumer.stop().await;
    owner.stop().await;
}
