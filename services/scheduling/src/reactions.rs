//! What this service does because of what happened elsewhere.

mod on_application_changed;

pub use on_application_changed::OnApplicationChanged;
