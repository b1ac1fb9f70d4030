//! Read models over the own events.

pub mod grants;
pub mod phone_fixes;
pub mod units;
