//! Messages to people: inbox, mail, SMS, one-time secrets.

pub mod domain;
pub mod templates;
