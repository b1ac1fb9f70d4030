//! What this service does because of what happened elsewhere.

mod on_certificate_merged;
mod on_person_erased;
mod on_prior_registration_imported;

pub use on_certificate_merged::OnCertificateMerged;
pub use on_person_erased::ForgetApplicant;
pub use on_prior_registration_imported::OnPriorRegistrationImported;

use eventbus::ReactionError;

use crate::error::Error;

/// What a failed command means for the event.
fn judge(error: &Error) -> ReactionError {
    match error {
        Error::Rejected(_) | Error::RequestIdReused | Error::Corrupt(_) => ReactionError::Rejected(error.to_string()),
        error => ReactionError::Transient(error.to_string()),
    }
}
