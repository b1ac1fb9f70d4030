//! What one server offers: its gRPC services, and the sizes of messages they take.

use std::convert::Infallible;

use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;

/// The largest message that a caller may send.
pub const MAX_DECODE: usize = 256 * 1024;
/// The largest message that is answered.
pub const MAX_ENCODE: usize = 4 * 1024 * 1024;

/// Applies [`MAX_DECODE`] and [`MAX_ENCODE`] to a generated server: `rpc::sized!(NoticesServer::new(notices))`.
#[macro_export]
macro_rules! sized {
    ($server:expr) => {
        $server.max_decoding_message_size($crate::MAX_DECODE).max_encoding_message_size($crate::MAX_ENCODE)
    };
}

/// The gRPC services of one server.
#[derive(Debug, Clone, Default)]
pub struct Surface {
    pub(crate) routes: Routes,
    services: Vec<&'static str>,
}

impl Surface {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service; wrap generated servers in [`sized!`](crate::sized).
    #[must_use]
    pub fn offer<S>(mut self, service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self.services.push(S::NAME);
        self
    }

    /// Full names of the services offered.
    pub fn services(&self) -> &[&'static str] {
        &self.services
    }
}
