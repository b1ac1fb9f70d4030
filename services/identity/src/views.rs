//! Read models over the own events.

pub mod erasures;
pub mod grants;
pub mod phone_fixes;
pub mod standing;
pub mod units;
