//! Leases: a frozen relay is replaced, and refused when it wakes.

use std::path::PathBuf;
use std::process::Command;

use cluster::nats;
use cluster::process::Child;
use proto::operations::v1::relay_status::State;

use crate::checks::until_stream_is_log;
use crate::stage::{self, Node, database, until};

/// The example `replica` of this crate: a service that relays and appends without end.
fn replica(database: &str, nats: &str, log: &std::path::Path) -> Child {
    let here = std::env::current_exe().unwrap();
    let built: PathBuf = here.ancestors().nth(2).unwrap().join("examples/replica");
    let mut command = Command::new(built);
    command.args([database, nats]);
    Child::spawn("replica", command, log).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_relay_is_replaced_and_refused_when_it_wakes() {
    let (database, server) = (database().await, nats::Server::start().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut frozen = replica(&database.url(), &server.url(), &folder.path().join("log"));
    let node = {
        // The replica has the lease before this node can ask for it.
        until("the replica's lease", async || {
            assert!(frozen.is_running(), "{}", frozen.last_words());
            frozen.log().contains("lease taken") && frozen.log().contains("publishing")
        })
        .await;
        Node::relaying("certificates", &database.url(), stage::nats(&server.url())).await
    };
    node.until_relay(State::Standby).await;
    until("events of the replica", async || node.head() > 200).await;

    frozen.freeze();
    node.until_relay(State::Running).await;
    node.append(100).await;
    until_stream_is_log(&server.url(), "CERTIFICATES", &node.log).await;

    frozen.thaw();
    let woken = node.head();
    until("more events of the woken replica", async || node.head() > woken + 200).await;
    node.append(100).await;
    frozen.kill();
    until_stream_is_log(&server.url(), "CERTIFICATES", &node.log).await;
    assert_eq!(node.relay().await.state(), State::Running);
    node.stop().await;
}
