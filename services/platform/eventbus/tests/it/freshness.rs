//! How old what is known may be: a stream that says nothing is no proof while its owner is silent.

use std::time::{Duration, Instant};

use cluster::nats;
use cluster::proxy::{ChaosProxy, Mode};
use eventbus::{NotReady, Reference};

use crate::checks::{until_stream_is_log, view_is_log};
use crate::consumers::Seen;
use crate::stage::{self, Node, database, until};

const STREAM: &str = "CERTIFICATES";
/// So long ago is fresh, with nothing wrong: an answer every two seconds, noted at most two seconds later.
const FRESH: Duration = Duration::from_secs(5);
/// Older than the rights of staff may be.
const OLD: Duration = Duration::from_secs(10);

/// An owner and a consumer, each connected to NATS, with a proxy between them and another one between owner and NATS.
struct Stage {
    server: nats::Server,
    to_nats: ChaosProxy,
    owner: Node,
    to_owner: ChaosProxy,
    of_consumer: cluster::database::TestDatabase,
    _of_owner: cluster::database::TestDatabase,
}

impl Stage {
    async fn set() -> Self {
        let (of_owner, of_consumer) = (database().await, database().await);
        let server = nats::Server::start().await.unwrap();
        let to_nats = ChaosProxy::start(server.port()).await.unwrap();
        let url = to_nats.in_front_of(&server.url()).unwrap();
        let owner = Node::relaying("certificates", &of_owner.url(), stage::nats(&url)).await;
        let port = owner.endpoint.rsplit(':').next().unwrap().parse().unwrap();
        let to_owner = ChaosProxy::start(port).await.unwrap();
        Self { server, to_nats, owner, to_owner, of_consumer, _of_owner: of_owner }
    }

    async fn consumer(&self) -> (Node, Reference<i64>) {
        let endpoint = self.to_owner.in_front_of(&self.owner.endpoint).unwrap();
        let channel = rpc::connect(&endpoint, &rpc::ClientTls::default()).unwrap();
        let url = self.of_consumer.url();
        let node = Node::start("scheduling", &url, stage::nats(&self.server.url()), |bus, _| {
            bus.view("certificates", Seen("seen")).source("certificates", channel, || None)
        })
        .await;
        let total = node.bus.reference("seen", |pool: sqlx::PgPool| async move {
            sqlx::query_scalar::<_, i64>("SELECT events FROM total").fetch_one(&pool).await
        });
        (node, total)
    }

    /// The owner is cut off from everybody; or nobody is any more.
    fn cut(&self, mode: &Mode) {
        self.to_nats.set(mode.clone());
        self.to_owner.set(mode.clone());
    }
}

async fn until_fresh(total: &Reference<i64>) {
    until("what is known to be fresh", async || total.age().is_some_and(|age| age < FRESH)).await;
}

async fn until_old(total: &Reference<i64>) {
    until("what is known to grow old", async || total.age().is_some_and(|age| age > OLD)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_recorded_before_it_was_cut_off_is_missed_by_nobody_who_takes_a_quiet_stream_for_news() {
    let mut stage = Stage::set().await;
    stage.owner.append(3).await;
    until_stream_is_log(&stage.server.url(), STREAM, &stage.owner.log).await;
    let (node, total) = stage.consumer().await;
    node.until_applied("seen", 3).await;
    until_fresh(&total).await;

    // NATS is there and answers the consumer: the stream has nothing new, and the owner something.
    stage.cut(&Mode::Blackhole);
    stage.owner.append(1).await;
    until_old(&total).await;
    until("the stream to be read without a problem", async || node.feed("seen").await.problem.is_empty()).await;
    assert!(total.age().unwrap() > OLD && node.feed("seen").await.position == 3);
    stage.cut(&Mode::Pass);
    node.until_applied("seen", 4).await;
    until_fresh(&total).await;

    // Dead owners close their connections.
    stage.cut(&Mode::Reset);
    until_old(&total).await;
    stage.cut(&Mode::Pass);
    until_fresh(&total).await;

    // Both are silent, and no connection is closed.
    stage.server.process().unwrap().freeze();
    stage.to_owner.set(Mode::Blackhole);
    until_old(&total).await;
    // NATS alone is no proof, as above; the owner alone is one.
    stage.to_owner.set(Mode::Pass);
    until_fresh(&total).await;
    stage.server.process().unwrap().thaw();
    stage.owner.append(1).await;
    node.until_applied("seen", 5).await;
    view_is_log(&node.pool, &stage.owner.log).await.unwrap();
    node.stop().await;
    stage.owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_stream_is_not_the_head_of_a_source_whose_owner_is_silent() {
    let stage = Stage::set().await;
    stage.owner.append(5).await;
    until_stream_is_log(&stage.server.url(), STREAM, &stage.owner.log).await;
    stage.cut(&Mode::Blackhole);
    let (node, total) = stage.consumer().await;
    node.until_applied("seen", 5).await;
    assert_eq!((total.require(), total.age()), (Err(NotReady), None));
    stage.cut(&Mode::Pass);
    until("the whole reference", async || total.require().is_ok_and(|total| *total == 5)).await;
    until_fresh(&total).await;
    node.stop().await;
    stage.owner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_never_quiet_is_known_to_be_fresh_all_the_time() {
    let stage = Stage::set().await;
    let (node, total) = stage.consumer().await;
    stage.owner.append(1).await;
    until_fresh(&total).await;
    let (begun, mut oldest) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < OLD + FRESH {
        let head = stage.owner.append(1).await;
        node.until_applied("seen", head - 20).await;
        oldest = oldest.max(total.age().unwrap());
    }
    assert!(oldest < OLD, "{oldest:?}");
    node.stop().await;
    stage.owner.stop().await;
}
