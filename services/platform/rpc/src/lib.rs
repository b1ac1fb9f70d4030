//! What every gRPC surface shares: refusals with details, the standard server around the calls, health, reflection,
//! clients, and reading requests.
//!
//! A service collects what it offers in a [`Surface`] and starts a [`Server`] with it:
//!
//! ```ignore
//! let health = rpc::Health::new(&["store"]); // NOT_SERVING until `health.set("store", Ok(()))`
//! let surface = rpc::Surface::new()
//!     .offer(rpc::sized!(NoticesServer::new(notices)))
//!     .offer(rpc::sized!(OperationsServer::new(operations)));
//! let address = rpc::Server::new(&settings, &lifecycle, &health).layer(access).start(surface).await?;
//! ```
//!
//! Every call through it has a span of its own that continues the caller's trace, a deadline, a place within the
//! limit of calls in hand (or a polite refusal), a record in the metrics, and an answer even when the handler panics.
//!
//! A method in `api/` is then: parse into a command, collecting every wrong field in [`Violations`]; [`run`] the
//! command's body; render. What goes wrong becomes a [`Refusal`] in `api/status.rs`:
//!
//! ```ignore
//! async fn mark_notice_read(&self, request: Request<MarkNoticeReadRequest>) -> Result<Response<_>, Status> {
//!     let mut violations = Violations::new();
//!     let notice = rpc::parse_uuid("notice_id", &request.get_ref().notice_id, &mut violations);
//!     violations.into_result()?;
//!     rpc::run(&self.lifecycle, handle::mark_read(self.store.clone(), notice)).await?;
//!     Ok(Response::new(MarkNoticeReadResponse {}))
//! }
//! ```

mod calls;
mod client;
mod health;
mod methods;
mod record;
mod reflection;
mod refusal;
mod request;
mod server;
mod settings;
mod surface;
mod violations;

pub use client::{Channel, ClientTls, ConnectError, connect};
pub use health::Health;
pub use refusal::{
    CONFLICT, DEADLINE_EXCEEDED, DEPENDENCY_UNAVAILABLE, DOMAIN, INVALID_FIELDS, NOT_FOUND, OVERLOADED, ReadRefusal,
    ReadViolation, Refusal, SHUTTING_DOWN, THROTTLED,
};
pub use request::{
    DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, fingerprint, page_size, page_token, parse_date, parse_page_token,
    parse_timestamp, parse_uuid, render_date, timestamp,
};
pub use server::{Server, StartError};
pub use settings::Settings;
pub use surface::{MAX_DECODE, MAX_ENCODE, Surface};
pub use violations::{Violation, Violations};

/// Runs a command's body in a task of its own: it ends what it began, even when the caller vanishes or its deadline
/// passes.
pub async fn run<F>(lifecycle: &lifecycle::Lifecycle, body: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    lifecycle.run_command(body).await
}

/// The id of the present request, which its logs carry, too: the id of its trace.
pub fn request_id() -> String {
    telemetry::current().unwrap_or_else(telemetry::Trace::fresh).trace_id()
}
