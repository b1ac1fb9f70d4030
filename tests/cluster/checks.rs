//! What must hold of a cluster once it is quiet (RELIABILITY "Promises"), asked from outside as an operator would.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::actor::Actor;
use cluster::{Cluster, Service, call, wait};
use eventlog::{Link, digest};
use proto::operations::v1::operations_client::OperationsClient;
use proto::operations::v1::relay_status::State;
use proto::operations::v1::{GetStatusRequest, GetStatusResponse, RebuildViewRequest, VerifyLogRequest};
use sqlx::{Connection as _, PgConnection, Row as _};

/// How long backlogs may take to drain: thousands of certificates are matched one after the other, by programs that are not optimised.
const QUIET: Duration = Duration::from_secs(1_200);

fn operations(operator: &Actor, cluster: &Cluster, service: Service) -> OperationsClient<cluster::actor::Channel> {
    OperationsClient::new(operator.channel(&cluster.layout().url(service)).unwrap())
}

/// Waits until every log is published and every feed of every service has read everything; nothing is parked.
pub async fn everything_catches_up(cluster: &Cluster, operator: &Actor) {
    catch_up(cluster, operator, &Service::ALL).await;
}

/// The same of these services alone.
pub async fn catch_up(cluster: &Cluster, operator: &Actor, services: &[Service]) {
    let mut last = BTreeMap::new();
    let quiet = wait::until("every backlog to drain", QUIET, async || {
        for service in services.iter().copied() {
            let answer = operations(operator, cluster, service).get_status(GetStatusRequest {}).await;
            last.insert(service, answer.map(tonic::Response::into_inner).map_err(|status| status.to_string()));
        }
        last.values().all(|answer| answer.as_ref().is_ok_and(is_quiet)).then_some(())
    })
    .await;
    assert!(quiet.is_ok(), "not quiet: {last:#?}");
}

fn is_quiet(status: &GetStatusResponse) -> bool {
    let relay = status.relay.as_ref().unwrap();
    let log = status.log.as_ref().unwrap();
    relay.state() == State::Running
        && relay.published == log.head
        && status
            .feeds
            .iter()
            .all(|feed| feed.lag == 0 && feed.reached_head && feed.parked == 0 && feed.problem.is_empty())
}

/// The hash chain of every log verifies.
pub async fn every_log_verifies(cluster: &Cluster, operator: &Actor) {
    for service in Service::ALL {
        log_verifies(cluster, operator, service).await;
    }
}

/// The hash chain of one log verifies.
pub async fn log_verifies(cluster: &Cluster, operator: &Actor, service: Service) {
    let mut client = operations(operator, cluster, service);
    let mut answers = client.verify_log(VerifyLogRequest { from_position: 1 }).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.expect("a verification says something");
    assert!(last.done && last.intact, "{service}: {last:?}");
}

/// Every view of a service, built anew, is byte for byte the live one.
pub async fn views_rebuild_alike(cluster: &Cluster, operator: &Actor, service: Service) {
    let mut client = operations(operator, cluster, service);
    let status = client.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    let views: Vec<String> = status.feeds.into_iter().filter(|feed| feed.rebuildable).map(|feed| feed.name).collect();
    assert!(!views.is_empty(), "{service} has no view");
    for view in views {
        view_rebuilds_alike(cluster, operator, service, &view).await;
    }
}

/// One view, built anew, is byte for byte the live one.
pub async fn view_rebuilds_alike(cluster: &Cluster, operator: &Actor, service: Service, view: &str) {
    let mut client = operations(operator, cluster, service);
    let mut answers = client.rebuild_view(RebuildViewRequest { view: view.to_owned() }).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.expect("a rebuild says something");
    assert!(last.done, "{service} {view}: {last:?}");
    assert!(!last.live_digest.is_empty(), "{service} {view}: {last:?}");
    assert_eq!(last.live_digest, last.rebuilt_digest, "{service} {view}");
}

/// The stream in JetStream holds exactly the log: every position, id, byte and hash, linked from the first to the last.
pub async fn the_stream_equals_the_log(cluster: &Cluster, service: Service) {
    let layout = cluster.layout();
    let url = layout.superuser_url(&layout.database(service)).unwrap();
    let mut database = PgConnection::connect(&url).await.unwrap();
    let sql =
        "SELECT position, epoch, stream, version, type, payload, \"inner\", sealed, metadata, event_id, recorded_at, hash
               FROM event_log ORDER BY position";
    let rows = sqlx::query(sql).fetch_all(&mut database).await.unwrap();

    let password = std::fs::read_to_string(layout.secret(service, "nats")).unwrap();
    let options =
        async_nats::ConnectOptions::with_user_and_password(service.name().to_owned(), password.trim().to_owned())
            .custom_inbox_prefix(format!("_INBOX_{service}"));
    let client = options.connect(layout.nats_url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream(service.stream()).await.unwrap();
    assert_eq!(stream.cached_info().state.last_sequence, rows.len() as u64, "{service}");

    let mut previous = [0; 32];
    for (row, position) in rows.iter().zip(1_i64..) {
        assert_eq!(row.get::<i64, _>("position"), position, "{service}: a gap");
        let bytes = |column: &str| row.get::<Vec<u8>, _>(column);
        let link = Link {
            previous: &previous,
            position,
            epoch: row.get("epoch"),
            stream: row.get("stream"),
            version: row.get("version"),
            kind: row.get("type"),
            payload: &digest(&bytes("payload")),
            inner: &digest(&bytes("inner")),
            sealed: &digest(&bytes("sealed")),
            metadata: &digest(&bytes("metadata")),
            event_id: row.get("event_id"),
            recorded_at: row.get("recorded_at"),
        };
        assert_eq!(link.hash().as_slice(), bytes("hash"), "{service}: the chain breaks at {position}");
        previous = link.hash();

        let message = stream.get_raw_message(position.cast_unsigned()).await.unwrap();
        assert_eq!(message.payload.as_ref(), bytes("payload"), "{service}: other bytes at {position}");
        let id = message.headers.get("ce-id").map(|id| id.as_str().to_owned());
        assert_eq!(
            id,
            Some(row.get::<uuid::Uuid, _>("event_id").to_string()),
            "{service}: another event at {position}"
        );
    }
}

/// The operator of the cluster, signed in.
pub async fn operator(cluster: &Cluster) -> Actor {
    call::sign_in(cluster.layout(), "operator").await.unwrap()
}
