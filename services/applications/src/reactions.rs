//! What this service does because of what happened elsewhere.

mod on_prior_registration_imported;

pub use on_prior_registration_imported::OnPriorRegistrationImported;
