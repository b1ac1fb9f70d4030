//! What this service does because of what happened, here or elsewhere.

mod on_person_erased;

pub use on_person_erased::ForgetAccount;
