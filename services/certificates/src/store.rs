//! The stored form of what is decided, and the finding of a record by its number.

pub mod corrections;
pub mod events;
pub mod holders;
pub mod lookup;
pub mod source;

pub use events::{Personal, StoredEvent, read, write};
