//! Read models: the directory and the plans.

pub mod directory;
pub mod plans;
