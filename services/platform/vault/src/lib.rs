//! Sealed personal data: a key per person, kept apart from the data and wrapped by a master key.
//!
//! * [`Vault`] keeps the keys of one service in its key database and gives them out;
//! * [`PersonKey`] seals and opens, bound to what it belongs to ([`binding`]);
//! * [`MasterKeys`] wraps the keys: a [`KeyRing`] of the current master key and those that still unwrap, from a file or the environment, or
//!   a KMS;
//! * [`Index`] finds a number without storing it; [`mask`] shows one without telling it.
//!
//! # Rotation of the master key
//!
//! Every wrapped key carries the name of its master key, and a file with master keys is read again whenever a key is wrapped (once a second
//! at most) and whenever a name is met that is not known. So nothing is restarted, nothing is refused, and the operator edits the file:
//!
//! 1. the new key becomes the second line of every replica's file: `old`, `new`. Where all replicas read one file, this step falls away;
//! 2. the new key becomes the first line of every file: `new`, `old`. Within five seconds all replicas wrap with it;
//! 3. the command `rotate-master-key` of each service wraps in batches what `old` still wraps, and says after each how many are left; ended
//!    anywhere, it goes on when it is run again. It fails where `old` goes on to be used: a replica's file was forgotten in step 2;
//! 4. after it has succeeded, `old` is taken out of the files.
//!
//! A file that cannot be read, or is half written, leaves what was read before in use, and a warning in the log. Keys from the environment
//! (`DINGZHU_MASTER_KEYS`) take the same four steps with a rolling restart for each edit.
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
pub use masters::{KeyRing, MasterKeys, Secret, Settings, Wrapped, Wrapping};
pub use rotation::{CHANGE_COUNTS_AFTER, Rotation};
pub use store::{SCHEMA, Vault, VaultError};
