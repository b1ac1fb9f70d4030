//! Wrong programs, to show that the checks of this suite can fail.

use cluster::nats;
use eventlog::EventLog;
use sqlx::PgPool;

use crate::checks::{jetstream, stream_is_log, view_is_log};
use crate::stage::{Node, command, database, event};
use crate::{consumers, stage};

const SUBJECT: &str = "dingzhu.certificates.sync_finished.32.03.02";

/// Publishes what it is about to record; PostgreSQL then refuses the record.
async fn publish_before_commit(jetstream: &async_nats::jetstream::Context, log: &EventLog) {
    let event = event(1);
    jetstream.publish(SUBJECT, event.payload.clone().into()).await.unwrap().await.unwrap();
    let refused = log.append(command(lifecycle::ids::random(), 5, event)).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_before_the_commit_is_caught() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let node = Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await;
    node.append(5).await;
    crate::checks::until_stream_is_log(&server.url(), "CERTIFICATES", &node.log).await;
    let jetstream = jetstream(&server.url()).await;
    publish_before_commit(&jetstream, &node.log).await;
    assert!(stream_is_log(&jetstream, "CERTIFICATES", &node.log).await.is_err());
    node.until_relay(proto::operations::v1::relay_status::State::Forked).await;
    node.stop().await;
}

/// Applies in one transaction and moves its checkpoint in another; `dies` before the second.
async fn checkpoint_outside_the_transaction(log: &EventLog, views: &PgPool, dies: bool) -> Result<(), sqlx::Error> {
    let checkpoint = "SELECT position FROM feed_checkpoint WHERE name = 'mutant'";
    let position: i64 = sqlx::query_scalar(checkpoint).fetch_one(views).await?;
    for event in log.read(position, 10).await.unwrap() {
        // A view without unique keys, such as a count, would not even notice.
        let insert = sqlx::query("INSERT INTO views.seen (position, event_id, payload) VALUES ($1, $2, $3)");
        insert.bind(event.position).bind(event.event_id).bind(event.payload).execute(views).await?;
    }
    if dies {
        return Ok(());
    }
    let moved = sqlx::query("UPDATE feed_checkpoint SET position = position + 10 WHERE name = 'mutant'");
    moved.execute(views).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_outside_the_transaction_is_caught() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await;
    node.append(20).await;
    let table = "CREATE TABLE views.seen (position bigint, event_id uuid, payload bytea); \
                 INSERT INTO feed_checkpoint (name, source, epoch, position, hash) \
                 VALUES ('mutant', 'certificates', 0, 0, decode(repeat('00', 32), 'hex'))";
    sqlx::raw_sql(table).execute(&node.pool).await.unwrap();
    checkpoint_outside_the_transaction(&node.log, &node.pool, false).await.unwrap();
    checkpoint_outside_the_transaction(&node.log, &node.pool, true).await.unwrap();
    assert!(view_is_log(&node.pool, &node.log).await.is_ok(), "without a repeat nobody sees it");
    checkpoint_outside_the_transaction(&node.log, &node.pool, false).await.unwrap();
    assert!(view_is_log(&node.pool, &node.log).await.is_err(), "the repeat after a crash applies twice");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_without_request_memory_is_caught() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::relaying("notifications", &database.url(), stage::nats(&server.url())).await;
    let cause = lifecycle::ids::random();
    for repeat in 0..2 {
        let mut answer = event(0);
        answer.kind = "dingzhu.certificates.v1.SyncStarted".to_owned();
        answer.payload =
            prost::Message::encode_to_vec(&proto::certificates::v1::SyncStarted { sync_id: "1".to_owned() });
        node.log.append(command(cause, repeat, answer)).await.unwrap();
    }
    assert_ne!(consumers::answered(&node.log).await, [1], "the second effect is seen");
    node.stop().await;
}
