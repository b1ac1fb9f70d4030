//! The one place where a program draws random ids.

use uuid::Uuid;

/// A random UUID (version 4): ids say nothing, neither who nor when.
#[expect(clippy::disallowed_methods, reason = "this is the source of ids")]
pub fn random() -> Uuid {
    Uuid::new_v4()
}
