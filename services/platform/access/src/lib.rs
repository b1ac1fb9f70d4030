//! Who calls, and what they may: tokens, published keys, staff roles, the access table.
//!
//! * [`Caller`] is what a handler knows about who calls, and [`Origin`] from where;
//! * [`Rule`] and [`Table`] say which RPC is for whom; [`AccessLayer`] enforces it and denies what has no row;
//!   [`Authority::recognise`] goes before it; a stream that rests on a role ends with the role;
//! * [`Authority`] keeps published keys and staff grants in memory, fed by identity's events, each signed by the root key;
//! * [`token`] makes and reads access tokens; [`ServiceIdentity`] makes the tokens that services show each other.
//!
//! A token is verified without asking anybody; a verified one is remembered until it expires.

mod authority;
mod caller;
mod layer;
mod origin;
mod peer;
pub mod root;
mod stream;
mod table;
pub mod token;
mod view;

pub use authority::{Authority, Known, SigningKeyEntry};
pub use caller::{Caller, Grant, Person, Scope};
pub use layer::AccessLayer;
pub use origin::Origin;
pub use peer::{PeerToken, ServiceIdentity, ServiceKeys};
pub use table::{COMMON, Rule, Table, uncovered};
pub use view::{AUTHORITY, AuthorityView};
