//! The RPC services: parse, call, render.

mod accounts;
mod convert;
mod credentials;
mod keys;
mod phone_fixes;
mod profiles;
mod real_name;
mod recovery;
mod sessions;
mod staff;
mod status;

pub use accounts::Accounts;
pub use credentials::Credentials;
pub use keys::Keys;
pub use phone_fixes::PhoneFixes;
pub use profiles::Profiles;
pub use real_name::RealName;
pub use recovery::Recovery;
pub use sessions::Sessions;
pub use staff::Staff;
