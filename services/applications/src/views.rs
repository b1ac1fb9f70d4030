//! Read models: what this service keeps of the others' events, and the lists of its own applications.

pub mod applications;
pub mod certificates;
pub mod directory;
pub mod rules;
pub mod schools;

use eventbus::{Event, ViewError};
use uuid::Uuid;

/// An id that an event must carry.
fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    Uuid::try_parse(text).map_err(|_| incomplete(event))
}

/// The owner of the event wrote less than it promises.
fn incomplete(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position))
}
