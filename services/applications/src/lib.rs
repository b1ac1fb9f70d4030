//! The registration of a certificate, from draft to conclusion.

pub mod domain;
