//! The gRPC face: one file for each service, one for refusals.

mod availability;
mod changes;
mod directory;
mod plan_page;
mod plans;
mod slot_refusals;
mod slots;
mod status;

pub use availability::{AvailabilityApi, Memory};
pub use directory::DirectoryApi;
pub use plans::PlansApi;
pub use slots::SlotsApi;

use access::Caller;
use proto::identity::v1::Role;
use rpc::{Violations, fingerprint, parse_uuid};
use tonic::Request;

use crate::domain::division::Code;
use crate::domain::officer::Officer;
use crate::handle::Asked;

/// The officer who calls, as far as their scopes reach.
fn officer(caller: &Caller) -> Officer {
    let reach = caller.holds(Role::ScheduleOfficer).filter_map(|scope| Code::parse(scope.division.as_str()));
    Officer { actor: caller.actor(), reach: reach.collect() }
}

/// Who asks by which request; a wrong `request_id` is a violation.
fn asked<M: prost::Message>(request: &Request<M>, request_id: &str, violations: &mut Violations) -> Option<Asked> {
    let request_id = parse_uuid("request_id", request_id, violations)?;
    let officer = officer(&Caller::of(request));
    Some(Asked { officer, request_id, fingerprint: fingerprint(request.get_ref()) })
}
