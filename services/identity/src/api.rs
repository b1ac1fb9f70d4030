//! The RPC services: parse, call, render.

mod accounts;
mod convert;
mod keys;
mod my_sessions;
mod origin;
mod profiles;
mod puzzles;
mod second_factor;
mod sessions;
mod staff;
mod staff_lists;
mod status;

pub use accounts::Accounts;
pub use keys::Keys;
pub use my_sessions::MySessions;
pub use profiles::Profiles;
pub use puzzles::PuzzleSignIn;
pub use second_factor::SecondFactor;
pub use sessions::Sessions;
pub use staff::Staff;
pub use staff_lists::StaffLists;
