//! The rules of identity, pure: documents, passwords, accounts, roles, codes, puzzles, limits, sessions, signing keys, WeChat.

pub mod access;
pub mod account;
pub mod citizen_number;
pub mod code;
pub mod contact;
pub mod document;
pub mod document_table;
pub mod erasure;
pub mod limit;
pub mod local_id;
pub mod lockout;
pub mod password;
pub mod pattern;
pub mod personal;
pub mod profile;
pub mod puzzle;
pub mod recovery;
pub mod role;
pub mod session;
pub mod signing_key;
pub mod totp;
pub mod unit;
pub mod wechat;
