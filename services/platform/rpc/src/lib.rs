//! What every gRPC surface shares: refusals with details, the standard server around the calls, health, reflection,
//! clients, and reading requests.
//!
//! A service collects what it offers in a [`Surface`] and starts a [`Server`] with it:
//!
//! ```no_run
//! # use proto::notifications::v1::templates_server::{Templates, TemplatesServer};
//! # async fn serve(
//! #     settings: rpc::Settings,
//! #     lifecycle: lifecycle::Lifecycle,
//! #     templates: impl Templates,
//! # ) -> Result<(), rpc::StartError> {
//! let health = rpc::Health::new(&["store"]); // NOT_SERVING until the store reports
//! let surface = rpc::Surface::new().offer(rpc::sized!(TemplatesServer::new(templates)));
//! let address = rpc::Server::new(&settings, &lifecycle, &health).start(surface).await?;
//! health.set("store", Ok(()));
//! # Ok(())
//! # }
//! ```
//!
//! Every call through it has a span of its own that continues the caller's trace, a deadline, a place within the
//! limit of calls in hand (or a polite refusal), a record in the metrics, and an answer even when the handler panics.
//! A layer of the service's own (access, audit) goes between that and the services: [`Server::layer`].
//!
//! A method in `api/` is then: parse into a command, collecting every wrong field in [`Violations`]; [`run`] the
//! command's body; render. What goes wrong becomes a [`Refusal`] in `api/status.rs`:
//!
//! ```no_run
//! # use proto::notifications::v1::{MarkNoticeReadRequest, MarkNoticeReadResponse};
//! # use tonic::{Request, Response, Status};
//! # struct Notices { lifecycle: lifecycle::Lifecycle }
//! # async fn mark_read(notice: uuid::Uuid) -> Result<(), Status> { Ok(()) }
//! # impl Notices {
//! async fn mark_notice_read(
//!     &self,
//!     request: Request<MarkNoticeReadRequest>,
//! ) -> Result<Response<MarkNoticeReadResponse>, Status> {
//!     let mut violations = rpc::Violations::new();
//!     let notice = rpc::parse_uuid("notice_id", &request.get_ref().notice_id, &mut violations);
//!     let Some(notice) = notice else { return Err(violations.into()) };
//!     rpc::run(&self.lifecycle, mark_read(notice)).await?;
//!     Ok(Response::new(MarkNoticeReadResponse {}))
//! }
//! # }
//! ```
//!
//! Reasons that any method of any service may answer with:
//!
//! | reason | code | meaning |
//! | --- | --- | --- |
//! | `INVALID_FIELDS` | `INVALID_ARGUMENT` | fields are wrong; each has its own reason |
//! | `NOT_FOUND` | `NOT_FOUND` | there is none, or it is not the caller's to know |
//! | `CONFLICT` | `ABORTED` | changed by others at the same time; repeat the same request |
//! | `THROTTLED` | `RESOURCE_EXHAUSTED` | this caller asks too often |
//! | `OVERLOADED` | `RESOURCE_EXHAUSTED` | too many calls in hand; nothing was begun |
//! | `DEPENDENCY_UNAVAILABLE` | `UNAVAILABLE` | something the service needs does not answer |
//! | `DEADLINE_EXCEEDED` | `DEADLINE_EXCEEDED` | effect unknown; repeat with the same `request_id` |
//! | `SHUTTING_DOWN` | `UNAVAILABLE` | a stream ends because this replica stops |
//! | `TOO_MANY_WATCHERS` | `RESOURCE_EXHAUSTED` | no place for one more who watches; later, or ask once |
//! | none | `INTERNAL` | our fault; carries the request id, which is the trace id of the logs |
//!
//! Field reasons from here: `REQUIRED`, `NOT_A_UUID`, `NOT_A_DATE`, `NOT_A_TIME`, `NEGATIVE`, `NOT_A_PAGE_TOKEN`.

mod calls;
mod client;
mod deadline;
mod ended;
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
mod watchers;

pub use client::{Channel, ClientTls, ConnectError, connect};
pub use deadline::within_deadline;
pub use ended::Ended;
pub use health::Health;
pub use methods::{method_name, streams};
pub use record::code_name;
pub use refusal::{
    CONFLICT, DEADLINE_EXCEEDED, DEPENDENCY_UNAVAILABLE, DOMAIN, INVALID_FIELDS, NOT_FOUND, OVERLOADED, ReadRefusal,
    ReadViolation, Refusal, SHUTTING_DOWN, THROTTLED,
};
pub use request::{
    DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, cut_page, fingerprint, page_size, page_size_within, page_token, parse_date,
    parse_page_place, parse_page_position, parse_page_token, parse_timestamp, parse_uuid, render_date, timestamp,
};
pub use server::{Server, StartError};
pub use settings::Settings;
pub use surface::{MAX_DECODE, MAX_ENCODE, Surface};
pub use violations::{Violation, Violations};
pub use watchers::{Watchers, Watching};

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
