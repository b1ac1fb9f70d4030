//! Calling other services: one channel per service, connected when first used, that hands on the trace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For every call that sets no deadline of its own.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a service, for generated clients: `AccountsClient::new(rpc::connect(…)?)`. Clones share it.
pub type Channel = InterceptedService<tonic::transport::Channel, HandOnTrace>;

/// How this program proves itself to the services it calls.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ClientTls {
    /// Authorities (PEM) that issue the servers' certificates.
    #[arg(long = "client-tls-ca", env = "DINGZHU_CLIENT_TLS_CA")]
    pub ca: Option<PathBuf>,
    /// This client's certificate chain (PEM), for mTLS.
    #[arg(long = "client-tls-cert", env = "DINGZHU_CLIENT_TLS_CERT", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The key of that certificate (PEM).
    #[arg(long = "client-tls-key", env = "DINGZHU_CLIENT_TLS_KEY", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// Why a channel cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is no address, or its TLS settings do not fit together.
    #[error("the endpoint {endpoint} cannot be used")]
    Endpoint {
        /// As it was configured.
        endpoint: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// A certificate or key cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A channel to `endpoint`, such as `http://127.0.0.1:7101`, or `https://…` with TLS. It connects when first used and
/// again whenever the connection is lost; while there is none, calls answer UNAVAILABLE.
pub fn connect(endpoint: &str, tls: &ClientTls) -> Result<Channel, ConnectError> {
    let unusable = |source| ConnectError::Endpoint { endpoint: endpoint.to_owned(), source };
    let mut built = Endpoint::from_shared(endpoint.to_owned())
        .map_err(unusable)?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    if endpoint.starts_with("https://") {
        built = built.tls_config(tls.read()?).map_err(unusable)?;
    }
    Ok(InterceptedService::new(built.connect_lazy(), HandOnTrace))
}

impl ClientTls {
    fn read(&self) -> Result<ClientTlsConfig, ConnectError> {
        let mut config = ClientTlsConfig::new();
        config = match &self.ca {
            Some(ca) => config.ca_certificate(Certificate::from_pem(pem(ca)?)),
            None => config.with_native_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            config = config.identity(Identity::from_pem(pem(cert)?, pem(key)?));
        }
        Ok(config)
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::File { path: path.to_owned(), source })
}

/// Puts the current trace into the metadata of each outgoing call.
#[derive(Debug, Clone, Copy)]
pub struct HandOnTrace;

impl Interceptor for HandOnTrace {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(trace) = telemetry::current_traceparent() {
            let value = trace.parse().expect("a traceparent is plain ASCII");
            request.metadata_mut().insert(telemetry::TRACEPARENT, value);
        }
        Ok(request)
    }
}
