//! What this service keeps: the stored form of its events, drafts, reserved serials, what a submission needs.

pub mod draft_changes;
pub mod draft_events;
pub mod drafts;
pub mod event;
pub mod filing;
pub mod forgetting;
pub mod record;
pub mod rules;
pub mod serials;
pub mod texts;
mod untold;

/// A record that this program did not write.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("a stored {kind} cannot be read")]
pub struct Corrupt {
    /// Full name of the event, or what else it is.
    pub kind: String,
}
