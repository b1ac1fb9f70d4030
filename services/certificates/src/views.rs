//! The read models.

pub mod register;
