//! Reactions: one effect per event, however often they run; what is refused parks, with what follows it in its stream.

use cluster::nats;
use eventbus::{Bus, ReactionIds};
use lifecycle::ids;
use proto::operations::v1::{ListParkedEventsRequest, RedriveParkedEventsRequest};
use uuid::Uuid;

use crate::consumers::{Answer, Mood, answered};
use crate::stage::{self, Node, append, database, until};

/// An owner of events and a service that reacts to them.
struct Pair {
    owner: Node,
    consumer: Node,
    answer: Answer,
    databases: (cluster::database::TestDatabase, cluster::database::TestDatabase),
    server: nats::Server,
}

impl Pair {
    async fn start() -> Self {
        let databases = (database().await, database().await);
        let server = nats::Server::start().await.unwrap();
        let owner = Node::relaying("certificates", &databases.0.url(), stage::nats(&server.url())).await;
        let (consumer, answer) = Self::consumer(&databases.1.url(), &server.url()).await;
        Self { owner, consumer, answer, databases, server }
    }

    async fn consumer(database: &str, nats: &str) -> (Node, Answer) {
        let mut answer = None;
        let wire = |bus: Bus, log: &eventlog::EventLog| {
            bus.reaction("certificates", answer.insert(Answer::new(log, 1, Mood::default())).clone())
        };
        let consumer = Node::start("notifications", database, stage::nats(nats), wire).await;
        (consumer, answer.unwrap())
    }

    /// Appends one event of a stream.
    async fn event(&self, stream: Uuid, version: i64, number: i64) -> i64 {
        append(&self.owner.log, stream, version, number).await.unwrap().position
    }

    async fn until_answered(&self, positions: &[i64]) {
        let what = format!("answers to {positions:?}");
        until(&what, async || answered(&self.consumer.log).await == positions).await;
    }

    async fn stop(self) {
        self.consumer.stop().await;
        self.owner.stop().await;
    }
}

#[test]
fn the_ids_of_a_reaction_depend_on_consumer_event_and_ordinal_alone() {
    let event = Uuid::from_u128(7);
    let id = |consumer, event, ordinal| ReactionIds::new(consumer, event).request_id(ordinal);
    assert_eq!(id("notifications/answer", event, 0), id("notifications/answer", event, 0));
    let others = [
        id("notifications/other", event, 0),
        id("notifications/answer", Uuid::from_u128(8), 0),
        id("notifications/answer", event, 1),
    ];
    assert!(others.iter().all(|other| *other != id("notifications/answer", event, 0)));
    // Kept for ever: events that were answered by an older program must not be answered again.
    assert_eq!(id("notifications/answer", event, 0).get_version_num(), 5);
    assert_eq!(id("notifications/answer", event, 0).to_string(), "fc2b50ba-1839-5372-81e5-c100ea4f6ba7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_parks_with_the_later_ones_of_its_stream_and_is_redriven_in_order() {
    let pair = Pair::start().await;
    pair.answer.set(|mood| mood.rejects.extend([2]));
    let (sick, well) = (ids::random(), ids::random());
    pair.event(sick, 0, 1).await;
    pair.event(sick, 1, 2).await;
    pair.event(well, 0, 3).await;
    pair.event(sick, 2, 4).await;
    pair.event(well, 1, 5).await;
    // Others go on.
    pair.until_answered(&[1, 3, 5]).await;
    until("parked events", async || pair.consumer.feed("answer").await.parked == 2).await;

    let mut operations = pair.consumer.operations();
    let list = ListParkedEventsRequest { feed: "answer".to_owned(), page_size: 1, page_token: String::new() };
    let first = operations.list_parked_events(list.clone()).await.unwrap().into_inner();
    assert_eq!((first.events[0].position, first.events[0].problem.as_str()), (2, "2 is refused"));
    assert_eq!(first.events[0].key, sick.to_string());
    let list = ListParkedEventsRequest { page_token: first.next_page_token, ..list };
    let second = operations.list_parked_events(list).await.unwrap().into_inner();
    assert_eq!(second.events[0].position, 4);
    assert!(second.events[0].problem.contains("an earlier event"));

    let redrive = RedriveParkedEventsRequest { feed: "answer".to_owned(), key: String::new() };
    let still = operations.redrive_parked_events(redrive.clone()).await.unwrap().into_inner();
    assert_eq!((still.applied, still.still_parked), (0, 2), "its cause is not gone");
    let list = ListParkedEventsRequest { feed: "answer".to_owned(), page_size: 0, page_token: String::new() };
    let parked = operations.list_parked_events(list).await.unwrap().into_inner().events;
    assert_eq!((parked[0].attempts, parked[1].attempts), (2, 1));
    pair.event(sick, 3, 6).await;
    until("one more parked", async || pair.consumer.feed("answer").await.parked == 3).await;

    pair.answer.set(|mood| mood.rejects.clear());
    let done = operations.redrive_parked_events(redrive).await.unwrap().into_inner();
    assert_eq!((done.applied, done.still_parked), (3, 0));
    pair.event(sick, 4, 7).await;
    pair.until_answered(&[1, 3, 5, 2, 4, 6, 7]).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_waited_for_and_nothing_overtakes_it() {
    let pair = Pair::start().await;
    pair.answer.set(|mood| mood.waits_at.extend([2]));
    for number in 1..=4 {
        pair.event(ids::random(), 0, number).await;
    }
    until("a waiting feed", async || pair.consumer.feed("answer").await.problem.contains("does not answer")).await;
    pair.until_answered(&[1]).await;
    assert_eq!(pair.consumer.feed("answer").await.parked, 0);
    pair.answer.set(|mood| mood.waits_at.clear());
    pair.until_answered(&[1, 2, 3, 4]).await;
    until("no problem", async || pair.consumer.feed("answer").await.problem.is_empty()).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_append_of_a_reaction_and_its_checkpoint_has_no_second_effect() {
    let mut pair = Pair::start().await;
    for round in 1..=3 {
        let hangs = round * 10;
        pair.answer.set(|mood| mood.hangs_after.extend([hangs]));
        for number in 0..3 {
            pair.event(ids::random(), 0, round * 10 - 2 + number).await;
        }
        // The last event of the round is answered, and its checkpoint never written.
        let answers = usize::try_from(round * 3).unwrap();
        until("the answer that hangs", async || answered(&pair.consumer.log).await.len() >= answers).await;
        let (consumer, answer) = Pair::consumer(&pair.databases.1.url(), &pair.server.url()).await;
        let killed = std::mem::replace(&mut pair.consumer, consumer);
        pair.answer = answer;
        killed.kill().await;
        let all: Vec<i64> = (1..=round * 3).collect();
        pair.until_answered(&all).await;
    }
    pair.consumer.until_applied("answer", 9).await;
    assert_eq!(answered(&pair.consumer.log).await, (1..=9).collect::<Vec<_>>());
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_go_on_beside_one_that_takes_long_and_what_is_done_out_of_turn_is_neither_kept_nor_repeated() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let start = async |mood| {
        let mut answer = None;
        let wire =
            |bus: Bus, log: &eventlog::EventLog| bus.own_reaction(answer.insert(Answer::new(log, 8, mood)).clone());
        let node = Node::start("notifications", &database.url(), stage::nats(&server.url()), wire).await;
        (node, answer.unwrap())
    };
    let sorted = async |log: &eventlog::EventLog| {
        let mut positions = answered(log).await;
        positions.sort_unstable();
        positions
    };
    // They stand in the log before anybody reads it, so that they come in one page.
    let node = Node::relaying("notifications", &database.url(), stage::nats(&server.url())).await;
    let (slow, sick) = (ids::random(), ids::random());
    let events = [(slow, 0), (ids::random(), 0), (slow, 1), (sick, 0), (sick, 1), (ids::random(), 0)];
    for ((stream, version), number) in events.into_iter().zip(1..) {
        append(&node.log, stream, version, number).await.unwrap();
    }
    node.stop().await;

    let (node, _) = start(Mood { hangs_after: [1].into(), rejects: [4].into(), ..Mood::default() }).await;
    until("the others", async || sorted(&node.log).await == [1, 2, 6]).await;
    let feed = node.feed("answer").await;
    assert_eq!((feed.position, feed.parked), (0, 0), "the first has not come back");
    node.kill().await;

    let (node, answer) = start(Mood { waits_at: [3].into(), rejects: [4].into(), ..Mood::default() }).await;
    node.until_applied("answer", 2).await;
    until("a waiting feed", async || node.feed("answer").await.problem.starts_with("position 3:")).await;
    let feed = node.feed("answer").await;
    assert_eq!((feed.position, feed.parked), (2, 0), "what is behind the one that waits is not kept");

    answer.set(|mood| mood.waits_at.clear());
    node.until_applied("answer", 6).await;
    assert_eq!(node.feed("answer").await.parked, 2, "the refused one, and the one behind it");
    assert_eq!(sorted(&node.log).await, [1, 2, 3, 6], "each once");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_that_name_must_be_a_reaction_to_be_redriven() {
    let pair = Pair::start().await;
    let redrive = RedriveParkedEventsRequest { feed: "nobody".to_owned(), key: String::new() };
    let refused = pair.consumer.operations().redrive_parked_events(redrive).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    pair.stop().await;
}
