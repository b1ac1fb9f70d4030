//! The RPC services: parse, call, render.

mod accounts;
mod convert;
mod keys;
mod profiles;
mod sessions;
mod staff;
mod staff_lists;
mod status;

pub use accounts::Accounts;
pub use keys::Keys;
pub use profiles::Profiles;
pub use sessions::Sessions;
pub use staff::Staff;
pub use staff_lists::StaffLists;
