//! Health and reflection, as probes and tools ask for them.

use futures::StreamExt as _;
use proto::notifications::v1::DeliverResponse;
use rpc::Settings;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{self, LONG, Running};

async fn start() -> Running {
    harness::start(&harness::settings(), |_| async { Ok(DeliverResponse {}) }).await
}

async fn status(running: &Running, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(running.channel()).check(request).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

#[tokio::test]
async fn a_service_serves_when_its_essential_components_are_well() {
    let running = start().await;
    let secrets = "dingzhu.notifications.v1.Secrets";
    assert_eq!(status(&running, "").await, Ok(ServingStatus::NotServing), "nothing has reported yet");
    running.health.set("store", Ok(()));
    assert_eq!(status(&running, "").await, Ok(ServingStatus::Serving));
    assert_eq!(status(&running, secrets).await, Ok(ServingStatus::Serving));

    running.health.set("bus", Err("disconnected".to_owned()));
    assert_eq!(status(&running, "bus").await, Ok(ServingStatus::NotServing));
    assert_eq!(status(&running, "").await, Ok(ServingStatus::Serving), "it goes on without the bus");
    let components = [("bus", Some("disconnected".to_owned())), ("store", None)];
    assert_eq!(running.health.components(), components);

    running.health.set("store", Err("no connection".to_owned()));
    assert_eq!(status(&running, secrets).await, Ok(ServingStatus::NotServing));
    assert!(!running.health.serving());
    assert_eq!(status(&running, "made.up").await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_watcher_sees_each_change_and_the_stop() {
    let running = start().await;
    let mut client = HealthClient::new(running.channel());
    let watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut statuses = watched.map(|answer| answer.unwrap().status());
    assert_eq!(statuses.next().await, Some(ServingStatus::NotServing));
    running.health.set("store", Ok(()));
    assert_eq!(statuses.next().await, Some(ServingStatus::Serving));
    let stop = running.stop();
    let rest: Vec<_> = tokio::time::timeout(LONG, statuses.collect()).await.expect("the watch ends");
    assert_eq!(rest, [ServingStatus::NotServing]);
    harness::end(stop).await;
}

macro_rules! listed {
    ($version:ident, $running:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        let questions = futures::stream::iter([
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol("dingzhu.notifications.v1.Secrets".to_owned())),
        ]);
        let mut client = ServerReflectionClient::new($running.channel());
        let mut answers = client.server_reflection_info(questions).await.map_err(|status| status.code())?.into_inner();
        let Some(MessageResponse::ListServicesResponse(list)) =
            answers.message().await.unwrap().unwrap().message_response
        else {
            panic!("not a list")
        };
        let Some(MessageResponse::FileDescriptorResponse(file)) =
            answers.message().await.unwrap().unwrap().message_response
        else {
            panic!("not a file")
        };
        assert!(!file.file_descriptor_proto[0].is_empty());
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        Ok(names)
    }};
}

async fn listed_v1(running: &Running) -> Result<Vec<String>, Code> {
    listed!(v1, running)
}

async fn listed_v1alpha(running: &Running) -> Result<Vec<String>, Code> {
    listed!(v1alpha, running)
}

#[tokio::test]
async fn the_api_describes_what_it_offers_in_both_versions_and_nothing_else() {
    let running = start().await;
    let offered = ["dingzhu.notifications.v1.Secrets", "dingzhu.operations.v1.EventFeed", "grpc.health.v1.Health"]
        .map(str::to_owned);
    assert_eq!(listed_v1(&running).await.unwrap(), offered);
    assert_eq!(listed_v1alpha(&running).await.unwrap(), offered);
}

#[tokio::test]
async fn the_api_describes_nothing_where_reflection_is_off() {
    let settings = Settings { reflection: false, ..harness::settings() };
    let running = harness::start(&settings, |_| async { Ok(DeliverResponse {}) }).await;
    assert_eq!(listed_v1(&running).await, Err(Code::Unimplemented));
}
