//! Read models: the directory, the plans, slots with their bookings, and what applications tell.

pub mod applications;
pub mod directory;
pub mod plans;
pub mod slots;
