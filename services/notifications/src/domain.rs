//! What is decided without a database or a network: which message a step calls for, its text, and the life of a notice.

pub mod address;
pub mod channel;
pub mod notice;
pub mod retry;
pub mod step;
pub mod template;
