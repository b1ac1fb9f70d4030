//! Read models: the directory, the plans, slots with their bookings, and what applications tell of themselves.

pub mod applications;
pub mod directory;
pub mod filings;
pub mod plans;
pub mod slots;
