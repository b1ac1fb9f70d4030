//! The read models.

pub mod register;
pub mod synced;
