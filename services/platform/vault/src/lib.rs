//! Sealed personal data: a key per person, kept apart from the data and wrapped by a master key.
//!
//! * [`Vault`] keeps the keys of one service in its key database and gives them out;
//! * [`PersonKey`] seals and opens, bound to what it belongs to ([`binding`]);
//! * [`MasterKeys`] wraps the keys: a [`KeyRing`] of the current master key and those that still unwrap, or a KMS;
//! * [`Index`] finds a number without storing it; [`mask`] shows one without telling it.
//!
//! # Rotation of the master key
//!
//! Every wrapped key carries the name of its master key. Without a moment of downtime:
//!
//! 1. every replica learns the new key as a further one: `old` and `new` in the file, one a line;
//! 2. every replica makes it the current one: `new`, then `old`;
//! 3. the command `rotate-master-key` of each service wraps in batches what `old` still wraps, and says how many are left; ended
//!    anywhere, it goes on when it is run again;
//! 4. with none left, `old` is taken out of the file.
//!
//! Keyed hashes do not rest on the master key but on a secret of their own in the key database, wrapped like the others.
//!
//! Destroying a person's key makes everything sealed with it unreadable, in logs and backups too, and changes no state.

mod index;
mod key;
mod marks;
pub mod mask;
mod masters;
mod rotation;
mod store;

pub use index::Index;
pub use key::{MasterKey, PersonKey, binding};
pub use masters::{KeyRing, MasterKeys, Secret, Settings, Wrapping};
pub use rotation::Rotation;
pub use store::{SCHEMA, Vault, VaultError};
