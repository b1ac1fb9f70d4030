//! The rules of certificates, pure: numbers, names, issuing agencies, hand entry, why one is missing, the record of one certificate, a request to correct one.

pub mod agency;
pub mod certificate;
pub mod correction;
pub mod hand_entry;
pub mod kind;
pub mod missing;
pub mod name;
pub mod number;
pub mod source;
