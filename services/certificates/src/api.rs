//! The gRPC surface: one file per service, and the way of refusals to the wire.

mod certificates;
mod conflicts;
mod corrections;
mod explain;
mod export;
mod restrictions;
mod status;
mod sync;

use access::Caller;
use eventlog::Division;
use proto::identity::v1::Role;
use rpc::Violations;
use tonic::Request;

pub use certificates::CertificatesApi;
pub use conflicts::ConflictsApi;
pub use corrections::CorrectionsApi;
pub use restrictions::RestrictionsApi;
pub use sync::SyncApi;

use crate::handle::Asked;

/// Where the caller is a register officer.
fn divisions(caller: &Caller) -> Vec<Division> {
    caller.holds(Role::RegisterOfficer).map(|scope| scope.division).collect()
}

/// Who asks, by which request.
fn asked<T: prost::Message>(request: &Request<T>, request_id: &str, violations: &mut Violations) -> Option<Asked> {
    let id = rpc::parse_uuid("request_id", request_id, violations)?;
    let actor = Caller::of(request).actor();
    Some(Asked { actor, request: Some((id, rpc::fingerprint(request.get_ref()))), cause: None })
}

/// A text of 1 to `longest` characters.
fn text(field: &'static str, text: &str, longest: usize, violations: &mut Violations) -> String {
    let text = text.trim();
    let fits = (1..=longest).contains(&text.chars().count());
    violations.check(field, fits, "WRONG_LENGTH", format!("应为1至{longest}个字。"));
    text.to_owned()
}
