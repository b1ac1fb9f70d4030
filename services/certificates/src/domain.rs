//! The rules of certificates, pure: numbers, hand entry, the record of one certificate.

pub mod certificate;
pub mod hand_entry;
pub mod kind;
pub mod number;
