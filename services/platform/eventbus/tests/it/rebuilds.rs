//! Rebuild: byte for byte the live view at an equal position; a damaged one is made right.

use cluster::nats;
use eventbus::{Bus, RebuildError, Rebuilt};
use eventlog::EventLog;
use proto::operations::v1::{RebuildViewRequest, VerifyLogRequest};

use crate::checks::view_is_log;
use crate::consumers::Seen;
use crate::stage::{self, Node, database};

fn own(bus: Bus, _: &EventLog) -> Bus {
    bus.own_view(Seen("seen"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_rebuilt_under_load_is_the_live_one_byte_for_byte() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::start("certificates", &database.url(), stage::nats(&server.url()), own).await;
    node.append(1_000).await;
    node.until_applied("seen", 1_000).await;
    let (head, rebuilt) = tokio::join!(node.append(300), node.bus.rebuild("seen", |_| {}));
    let Rebuilt { position, live_digest, rebuilt_digest } = rebuilt.unwrap();
    assert!(position >= 1_000 && position <= head);
    assert_eq!(live_digest, rebuilt_digest);
    node.until_applied("seen", head).await;
    view_is_log(&node.pool, &node.log).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_view_is_found_and_made_right_over_grpc() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::start("certificates", &database.url(), stage::nats(&server.url()), own).await;
    node.append(50).await;
    node.until_applied("seen", 50).await;
    sqlx::query("DELETE FROM views.seen WHERE position = 20").execute(&node.pool).await.unwrap();
    assert!(view_is_log(&node.pool, &node.log).await.is_err());
    let request = RebuildViewRequest { view: "seen".to_owned() };
    let mut answers = node.operations().rebuild_view(request.clone()).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.unwrap();
    assert!(last.done && last.live_digest != last.rebuilt_digest && last.target == 50);
    view_is_log(&node.pool, &node.log).await.unwrap();
    node.append(10).await;
    node.until_applied("seen", 60).await;
    view_is_log(&node.pool, &node.log).await.unwrap();

    let again = node.bus.rebuild("seen", |_| {}).await.unwrap();
    assert_eq!(again.live_digest, again.rebuilt_digest);
    let request = RebuildViewRequest { view: "nobody".to_owned() };
    let mut answers = node.operations().rebuild_view(request).await.unwrap().into_inner();
    let refused = answers.message().await.unwrap_err();
    assert_eq!(rpc::Refusal::from_status(&refused).reason, "UNKNOWN_VIEW");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_another_service_is_rebuilt_from_its_owner() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let owner = Node::relaying("certificates", &of_owner.url(), stage::nats(&server.url())).await;
    owner.append(1_300).await;
    let channel = owner.channel();
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen")).source("certificates", channel, || None);
    let consumer = Node::start("scheduling", &of_consumer.url(), stage::nats(&server.url()), wire).await;
    consumer.until_applied("seen", 1_300).await;
    let mut seen = Vec::new();
    let rebuilt = consumer.bus.rebuild("seen", |progress| seen.push(progress.position)).await.unwrap();
    assert_eq!((rebuilt.position, rebuilt.live_digest), (1_300, rebuilt.rebuilt_digest));
    assert_eq!(seen.last(), Some(&1_300));
    owner.append(10).await;
    consumer.until_applied("seen", 1_310).await;
    view_is_log(&consumer.pool, &owner.log).await.unwrap();
    consumer.stop().await;
    owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_events_cannot_be_reached_the_view_stays_and_the_operator_may_try_again() {
    let (of_owner, of_consumer) = (database().await, database().await);
    let server = nats::Server::start().await.unwrap();
    let owner = Node::relaying("certificates", &of_owner.url(), stage::nats(&server.url())).await;
    owner.append(30).await;
    let channel = owner.channel();
    let wire = |bus: Bus, _: &EventLog| bus.view("certificates", Seen("seen")).source("certificates", channel, || None);
    let consumer = Node::start("scheduling", &of_consumer.url(), stage::nats(&server.url()), wire).await;
    consumer.until_applied("seen", 30).await;
    owner.stop().await;
    drop(server);
    let request = RebuildViewRequest { view: "seen".to_owned() };
    let mut answers = consumer.operations().rebuild_view(request).await.unwrap().into_inner();
    let refused = answers.message().await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert_eq!(rpc::Refusal::from_status(&refused).reason, "DEPENDENCY_UNAVAILABLE");
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM views.seen").fetch_one(&consumer.pool).await.unwrap();
    assert_eq!(seen, 30);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_rebuilt_once_at_a_time() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::start("certificates", &database.url(), stage::nats(&server.url()), own).await;
    node.append(20).await;
    node.until_applied("seen", 20).await;
    let (first, second) = tokio::join!(node.bus.rebuild("seen", |_| {}), node.bus.rebuild("seen", |_| {}));
    let running = [&first, &second].into_iter().filter(|done| matches!(done, Err(RebuildError::Running))).count();
    let rebuilt = [&first, &second].into_iter().filter(|done| done.is_ok()).count();
    assert!(rebuilt == 2 || (rebuilt, running) == (1, 1), "{first:?} {second:?}");
    view_is_log(&node.pool, &node.log).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_verified_over_grpc_and_a_changed_row_found() {
    let database = database().await;
    let server = nats::Server::stopped().unwrap();
    let node = Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await;
    node.append(30).await;
    let verify = async || {
        let request = VerifyLogRequest { from_position: 0 };
        let mut answers = node.operations().verify_log(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await.unwrap() {
            last = Some(answer);
        }
        last.unwrap()
    };
    let intact = verify().await;
    assert!(intact.done && intact.intact && intact.head == 30);
    let tamper = "ALTER TABLE event_log DISABLE TRIGGER USER; UPDATE event_log SET payload = 'x' WHERE position = 12";
    sqlx::raw_sql(tamper).execute(&node.pool).await.unwrap();
    let broken = verify().await;
    assert!(broken.done && !broken.intact);
    assert_eq!(broken.broken_at, 12);
    node.stop().await;
}
