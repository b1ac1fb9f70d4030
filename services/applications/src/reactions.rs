//! What this service does because of what happened elsewhere.

mod on_person_erased;
mod on_prior_registration_imported;

pub use on_person_erased::ForgetApplicant;
pub use on_prior_registration_imported::OnPriorRegistrationImported;
