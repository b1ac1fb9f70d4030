//! Sealed personal data: a key per person, kept apart from the data and wrapped by a master key.
//!
//! * [`Vault`] keeps the keys of one service in its key database and gives them out;
//! * [`PersonKey`] seals and opens, bound to what it belongs to ([`binding`]);
//! * [`Index`] finds a number without storing it; [`mask`] shows one without telling it.
//!
//! Destroying a person's key makes everything sealed with it unreadable, in logs and backups too, and changes no state.

mod index;
mod key;
pub mod mask;
mod store;

pub use index::Index;
pub use key::{MasterKey, PersonKey, binding};
pub use store::{SCHEMA, Settings, Vault, VaultError};
