//! Read models: the inbox, and who filed which application.

pub mod applicants;
pub mod inbox;
