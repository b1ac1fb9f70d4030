//! What events of other services lead to here.

pub mod on_application_step;
pub mod on_person_erased;
