//! Accounts, sign-in, tokens, staff roles and the personal data of people.

pub mod domain;
