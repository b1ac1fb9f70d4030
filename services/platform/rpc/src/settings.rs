//! The server's settings: where it listens, how much it takes on, who may connect.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How a service offers its API.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// Address and port of the gRPC server; port 0 takes any free one.
    #[arg(long, env = "DINGZHU_LISTEN")]
    pub listen: SocketAddr,
    /// Calls in hand at once; more are refused with `RESOURCE_EXHAUSTED` and a retry delay.
    #[arg(long, env = "DINGZHU_MAX_CONCURRENT", default_value_t = 2048)]
    pub max_concurrent: usize,
    /// Open streams at once, apart from the calls.
    #[arg(long, env = "DINGZHU_MAX_STREAMS", default_value_t = 256)]
    pub max_streams: usize,
    /// The longest a call may take, in milliseconds, when the caller asks for nothing shorter; streams are exempt.
    #[arg(long, env = "DINGZHU_MAX_CALL_MS", default_value_t = 30_000)]
    pub max_call_ms: u64,
    /// Whether the API describes itself to tools such as grpcurl: for local clusters, and listeners with mTLS.
    #[arg(long, env = "DINGZHU_REFLECTION", default_value_t = false, action = clap::ArgAction::Set)]
    pub reflection: bool,
    /// The server's certificate chain (PEM): TLS is on when it is set.
    #[arg(long, env = "DINGZHU_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM).
    #[arg(long, env = "DINGZHU_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities (PEM) that issue the clients' certificates: with them every client must show one (mTLS).
    #[arg(long, env = "DINGZHU_TLS_CLIENT_CA", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Addresses of proxies, such as the portal, whose header `x-forwarded-for` says where a call comes from; nobody else's is read.
    #[arg(long, env = "DINGZHU_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpAddr>,
}

impl Settings {
    /// The defaults, at an address.
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            max_concurrent: 2048,
            max_streams: 256,
            max_call_ms: 30_000,
            reflection: false,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            trusted_proxies: Vec::new(),
        }
    }

    pub(crate) fn max_call(&self) -> Duration {
        Duration::from_millis(self.max_call_ms)
    }
}
