//! The RPC services: parse, call, render.

mod accounts;
mod convert;
mod credentials;
mod document_types;
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

pub use accounts::Accounts;
pub use credentials::Credentials;
pub use document_types::DocumentTypes;
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
