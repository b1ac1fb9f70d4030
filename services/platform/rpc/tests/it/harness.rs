//! A server in this process whose answers each test decides: `Secrets/Deliver` for calls, `EventFeed/ReadEvents` for
//! streams.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use lifecycle::Lifecycle;
use proto::notifications::v1::secrets_client::SecretsClient;
use proto::notifications::v1::secrets_server::{Secrets, SecretsServer};
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use proto::operations::v1::event_feed_client::EventFeedClient;
use proto::operations::v1::event_feed_server::{EventFeed, EventFeedServer};
use proto::operations::v1::{ReadEventsRequest, ReadEventsResponse};
use rpc::{Channel, ClientTls, Health, Server, Settings, Surface};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

/// Nothing here should take this long.
pub const LONG: Duration = Duration::from_secs(30);

type Answer = Result<DeliverResponse, Status>;
type Handler = Arc<dyn Fn(DeliverRequest) -> BoxFuture<'static, Answer> + Send + Sync>;
type Events = Pin<Box<dyn Stream<Item = Result<ReadEventsResponse, Status>> + Send>>;

/// A running server.
pub struct Running {
    pub lifecycle: Lifecycle,
    pub health: Health,
    pub address: SocketAddr,
    /// Events to send to whoever reads the feed.
    pub events: mpsc::UnboundedSender<ReadEventsResponse>,
}

struct Service {
    handler: Handler,
    events: std::sync::Mutex<Option<mpsc::UnboundedReceiver<ReadEventsResponse>>>,
}

#[tonic::async_trait]
impl Secrets for Service {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverResponse>, Status> {
        (self.handler)(request.into_inner()).await.map(Response::new)
    }
}

#[tonic::async_trait]
impl EventFeed for Service {
    type ReadEventsStream = Events;

    async fn read_events(&self, _: Request<ReadEventsRequest>) -> Result<Response<Events>, Status> {
        let mut events = self.events.lock().unwrap().take().expect("one reader per test");
        let stream = futures::stream::poll_fn(move |cx| events.poll_recv(cx).map(|event| event.map(Ok)));
        Ok(Response::new(Box::pin(stream)))
    }
}

/// The defaults, on any free port.
pub fn settings() -> Settings {
    Settings { reflection: true, ..Settings::at((Ipv4Addr::LOCALHOST, 0).into()) }
}

/// Starts a server that answers calls with `handler`.
pub async fn start<F>(settings: &Settings, handler: impl Fn(DeliverRequest) -> F + Send + Sync + 'static) -> Running
where
    F: Future<Output = Answer> + Send + 'static,
{
    start_in(Lifecycle::new(LONG), settings, handler).await
}

/// Starts a server within a life that the handler knows.
pub async fn start_in<F>(
    lifecycle: Lifecycle,
    settings: &Settings,
    handler: impl Fn(DeliverRequest) -> F + Send + Sync + 'static,
) -> Running
where
    F: Future<Output = Answer> + Send + 'static,
{
    let health = Health::new(&["store"]);
    let (events, receiver) = mpsc::unbounded_channel();
    let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
    let service = Arc::new(Service { handler, events: std::sync::Mutex::new(Some(receiver)) });
    let surface = Surface::new()
        .offer(rpc::sized!(SecretsServer::from_arc(Arc::clone(&service))))
        .offer(rpc::sized!(EventFeedServer::from_arc(service)));
    let address = Server::new(settings, &lifecycle, &health).start(surface).await.unwrap();
    Running { lifecycle, health, address, events }
}

impl Running {
    pub fn channel(&self) -> Channel {
        rpc::connect(&format!("http://{}", self.address), &ClientTls::default()).unwrap()
    }

    pub fn client(&self) -> SecretsClient<Channel> {
        SecretsClient::new(self.channel())
    }

    pub fn feed(&self) -> EventFeedClient<Channel> {
        EventFeedClient::new(self.channel())
    }

    /// Begins the stop; the handle waits for its end.
    pub fn stop(&self) -> JoinHandle<ExitCode> {
        self.lifecycle.stop();
        tokio::task::spawn(self.lifecycle.clone().until_stopped())
    }
}

/// The end of a stop, with its exit code.
pub async fn end(stop: JoinHandle<ExitCode>) -> ExitCode {
    tokio::time::timeout(LONG, stop).await.expect("stops in time").unwrap()
}
