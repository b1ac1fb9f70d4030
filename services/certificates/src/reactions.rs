//! What follows from events: certificates find their owners, from whichever side comes later; what is over is closed.

pub mod on_certificate_merged;
pub mod on_certificate_synced;
pub mod on_conflict_settled;
pub mod on_person_erased;
pub mod on_profile_completed;

use eventbus::ReactionError;

use crate::domain::certificate::Rejection;
use crate::error::Error;

/// What a failed command means for the event.
fn judge(error: &Error) -> ReactionError {
    if error.is_transient() {
        ReactionError::Transient(error.to_string())
    } else {
        ReactionError::Rejected(error.to_string())
    }
}

/// A record that has gone, or is this person's already, is nothing to worry about.
fn is_settled(error: &Error) -> bool {
    matches!(error, Error::NotFound | Error::Rejected(Rejection::UnknownCertificate))
}
