//! A reaction whose source was restored: halted with a problem that is shown, rewound by an operator, right again.

use std::collections::HashMap;

use cluster::nats;
use cluster::proxy::{ChaosProxy, Mode};
use eventbus::Bus;
use eventlog::EventLog;
use lifecycle::ids;
use prost::Name as _;
use proto::certificates::v1::{SyncFinished, SyncStarted};
use proto::operations::v1::relay_status::State;
use proto::operations::v1::{RedriveParkedEventsRequest, RewindReactionRequest, RewindReactionResponse};
use tonic::Status;
use uuid::Uuid;

use crate::checks::until_stream_is_log;
use crate::consumers::{Answer, Mood, Seen};
use crate::forks::{end_fork, restored};
use crate::stage::{self, Node, append, by, database, until};

/// A replica that answers the owner's events, and has a view of them; the number `refused` is none of those it answers.
async fn answering(database: &str, nats: &nats::Server, owner: &str, refused: i64) -> (Node, Answer) {
    let (channel, mut answer) = (rpc::connect(owner, &rpc::ClientTls::default()).unwrap(), None);
    let wire = |bus: Bus, log: &EventLog| {
        let mood = Mood { rejects: [refused].into(), ..Mood::default() };
        let bus = bus.reaction("certificates", answer.insert(Answer::new(log, 1, mood)).clone());
        bus.view("certificates", Seen("seen")).source("certificates", channel, || None)
    };
    let node = Node::start("notifications", database, stage::nats(&nats.url()), wire).await;
    (node, answer.unwrap())
}

/// Appends events that say a number each.
async fn say(node: &Node, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        append(&node.log, ids::random(), 0, number).await.unwrap();
    }
}

async fn rewind(node: &Node, reaction: &str) -> Result<RewindReactionResponse, Status> {
    let request = by("staff:one", RewindReactionRequest { reaction: reaction.to_owned() });
    node.operations().rewind_reaction(request).await.map(tonic::Response::into_inner)
}

async fn refused(node: &Node, reaction: &str) -> String {
    rpc::Refusal::from_status(&rewind(node, reaction).await.unwrap_err()).reason
}

/// The ids of what one log tells, and how often another one answers each.
async fn answers(owner: &Node, consumer: &Node) -> (Vec<Uuid>, HashMap<Uuid, usize>) {
    let told = owner.log.read(0, i64::from(i32::MAX)).await.unwrap();
    let told = told.into_iter().filter(|event| event.kind == SyncFinished::full_name()).map(|event| event.event_id);
    let mut answers = HashMap::new();
    for event in consumer.log.read(0, i64::from(i32::MAX)).await.unwrap() {
        assert_eq!(event.kind, SyncStarted::full_name());
        *answers.entry(event.metadata.cause.unwrap()).or_default() += 1;
    }
    (told.collect(), answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_to_a_restored_source_says_that_it_is_halted_and_answers_every_event_once_when_it_is_rewound() {
    let (old, of_consumer, server) = (database().await, database().await, nats::Server::start().await.unwrap());
    let of_consumer = of_consumer.url();
    let relaying = async |url: String| Node::relaying("certificates", &url, stage::nats(&server.url())).await;
    let owner = relaying(old.url()).await;
    say(&owner, 1..=29).await;
    let new = restored(&owner, 20).await;
    let (consumer, _) = answering(&of_consumer, &server, &owner.endpoint, 25).await;
    consumer.until_applied("answer", 29).await;
    assert_eq!(consumer.feed("answer").await.parked, 1);
    assert_eq!(refused(&consumer, "answer").await, "SAME_HISTORY");
    assert_eq!(refused(&consumer, "seen").await, "UNKNOWN_REACTION");
    assert_eq!(refused(&consumer, "nobody").await, "UNKNOWN_REACTION");
    consumer.stop().await;
    say(&owner, 30..=30).await;
    until("a stream of the lost history", async || owner.relay().await.published == 30).await;
    owner.stop().await;

    // The stream holds the lost history, and only the owner knows better, as soon as it can be asked.
    let owner = relaying(new.url()).await;
    owner.until_relay(State::Forked).await;
    let proxy = ChaosProxy::start(owner.endpoint.rsplit(':').next().unwrap().parse().unwrap()).await.unwrap();
    proxy.set(Mode::Blackhole);
    let to_owner = proxy.in_front_of(&owner.endpoint).unwrap();
    let (consumer, answer) = answering(&of_consumer, &server, &to_owner, 125).await;
    consumer.until_applied("answer", 30).await;
    proxy.set(Mode::Pass);
    let problem = async |says: &str| consumer.feed("answer").await.problem.contains(says);
    until("a history that ends before", async || problem("the history of the source ends before").await).await;
    say(&owner, 121..=140).await;
    until("another history", async || problem("another event").await).await;
    end_fork(&owner).await;
    say(&owner, 142..=145).await;
    until_stream_is_log(&server.url(), "CERTIFICATES", &owner.log).await;
    until("another stream", async || problem("the stream holds another event").await).await;

    let request = RewindReactionRequest { reaction: "answer".to_owned() };
    let unsigned = consumer.operations().rewind_reaction(request).await.unwrap_err();
    assert_eq!(unsigned.code(), tonic::Code::Unauthenticated);
    let rewound = rewind(&consumer, "answer").await.unwrap();
    assert_eq!((rewound.position, rewound.dropped), (30, 1));
    consumer.until_applied("answer", 45).await;
    let feed = consumer.feed("answer").await;
    assert_eq!((feed.problem.as_str(), feed.parked), ("", 1), "the event that stands where a lost one was parked");
    assert_eq!(refused(&consumer, "answer").await, "SAME_HISTORY");

    answer.set(|mood| mood.rejects.clear());
    let redrive = RedriveParkedEventsRequest { feed: "answer".to_owned(), key: String::new() };
    let redriven = consumer.operations().redrive_parked_events(redrive).await.unwrap().into_inner();
    assert_eq!((redriven.applied, redriven.still_parked), (1, 0));
    let (told, answers) = answers(&owner, &consumer).await;
    assert_eq!(told.len(), 44);
    assert!(told.iter().all(|event| answers[event] == 1), "each once");
    assert_eq!(answers.len(), 44 + 9, "and what was answered of the lost history");
    assert!(answers.values().all(|times| *times == 1));
    consumer.stop().await;
    owner.stop().await;
}
