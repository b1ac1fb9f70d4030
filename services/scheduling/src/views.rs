//! Read models: the directory, the plans, slots with their bookings, and what applications tell of themselves.

pub mod applications;
pub mod directory;
pub mod drafts;
pub mod filings;
pub mod graduate_schools;
pub mod plans;
pub mod schools;
pub mod search;
pub mod slots;
pub mod subjects;
