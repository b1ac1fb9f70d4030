//! The RPC services: parse, call, render.

mod access_log;
mod accounts;
mod convert;
mod credentials;
mod document_types;
mod erasure;
mod export;
mod keys;
mod my_sessions;
mod origin;
mod phone_fixes;
mod profiles;
mod puzzles;
mod real_name;
mod recovery;
mod second_factor;
mod sessions;
mod staff;
mod staff_lists;
mod status;
mod wechat;

use access::Caller;
use rpc::Violations;
use tonic::Request;

pub use access_log::AccessLog;
pub use accounts::Accounts;
pub use credentials::Credentials;
pub use document_types::DocumentTypes;
pub use erasure::Erasure;
pub use export::Export;
pub use keys::Keys;
pub use my_sessions::MySessions;
pub use phone_fixes::PhoneFixes;
pub use profiles::Profiles;
pub use puzzles::PuzzleSignIn;
pub use real_name::RealName;
pub use recovery::Recovery;
pub use second_factor::SecondFactor;
pub use sessions::Sessions;
pub use staff::Staff;
pub use staff_lists::StaffLists;
pub use wechat::WechatBindings;

use crate::handle::Asked;

/// Who asks, by which request; a wrong `request_id` is a violation.
fn asked<T: prost::Message>(request: &Request<T>, request_id: &str, violations: &mut Violations) -> Option<Asked> {
    let id = rpc::parse_uuid("request_id", request_id, violations)?;
    let (actor, fingerprint) = (Caller::of(request).actor(), rpc::fingerprint(request.get_ref()));
    Some(Asked { actor, id, fingerprint })
}
