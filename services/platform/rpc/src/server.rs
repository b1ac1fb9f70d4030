//! The standard server: listens, limits, tells its health, and drains when the service stops.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tower::Layer;
use tower::layer::util::Identity as NoLayer;

use crate::calls::Calls;
use crate::{Health, Settings, Surface, reflection};

/// Calls that one connection may have in hand; our own clients have one connection per service.
const STREAMS_PER_CONNECTION: u32 = 1024;
const MAX_HEADER_LIST: u32 = 16 * 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// How long open streams may go on by themselves once the service stops.
const STREAM_DRAIN: Duration = Duration::from_secs(3);

/// A server about to start.
#[derive(Debug)]
pub struct Server<L = NoLayer> {
    settings: Settings,
    lifecycle: Lifecycle,
    health: Health,
    layer: L,
}

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A certificate or key cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Certificate and key do not make a TLS server.
    #[error("the TLS settings cannot be used")]
    Tls(#[source] tonic::transport::Error),
}

impl Server {
    /// A server by these settings, for this life.
    pub fn new(settings: &Settings, lifecycle: &Lifecycle, health: &Health) -> Self {
        Self { settings: settings.clone(), lifecycle: lifecycle.clone(), health: health.clone(), layer: NoLayer::new() }
    }
}

impl<L> Server<L> {
    /// Puts a layer (access, for one) between the standard treatment of calls and the services. One, which may be a tuple of several.
    pub fn layer<M>(self, layer: M) -> Server<M> {
        Server { settings: self.settings, lifecycle: self.lifecycle, health: self.health, layer }
    }

    /// Listens on the configured address and serves until the service stops; returns the address.
    pub async fn start(self, surface: Surface) -> Result<SocketAddr, StartError>
    where
        L: Layer<Routes>,
        L::Service: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        <L::Service as tower::Service<http::Request<Body>>>::Future: Send,
    {
        let address = self.settings.listen;
        let unheard = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(unheard)?;
        let address = listener.local_addr().map_err(unheard)?;

        let health = self.health.api(surface.services());
        let mut surface = surface.offer(health);
        if self.settings.reflection {
            surface = reflection::offer(surface);
        }
        let streams_end = CancellationToken::new();
        let service = Calls::new(self.layer.layer(surface.routes.prepare()), &self.settings, streams_end.clone());

        let mut builder = tonic::transport::Server::builder()
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .http2_max_header_list_size(MAX_HEADER_LIST)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT));
        if let Some(tls) = tls(&self.settings)? {
            builder = builder.tls_config(tls).map_err(StartError::Tls)?;
        }

        let health = self.health;
        self.lifecycle.at(Stage::Announce, "health", async move { health.drain() });
        let stopping = self.lifecycle.stopping(Stage::Calls);
        let stop_streams = {
            let stopping = stopping.clone();
            async move {
                stopping.cancelled().await;
                tokio::time::sleep(STREAM_DRAIN).await;
                streams_end.cancel();
                std::future::pending::<Infallible>().await
            }
        };
        // On the listener itself, so that accepted connections have it from the start.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(TCP_KEEPALIVE));
        self.lifecycle.spawn_in(Stage::Calls, "grpc server", OnDeath::StopsTheService, async move {
            tokio::select! {
                served = builder.serve_with_incoming_shutdown(service, incoming, stopping.cancelled_owned()) => served,
                never = stop_streams => match never {},
            }
        });
        tracing::info!(%address, "serving gRPC");
        Ok(address)
    }
}

fn tls(settings: &Settings) -> Result<Option<ServerTlsConfig>, StartError> {
    let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
        return Ok(None);
    };
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(pem(cert)?, pem(key)?));
    if let Some(ca) = &settings.tls_client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(pem(ca)?));
    }
    Ok(Some(tls))
}

fn pem(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::File { path: path.to_owned(), source })
}
