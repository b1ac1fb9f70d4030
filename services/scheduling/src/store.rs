//! The stored form of events, and aggregates read back from it.

mod aggregates;
mod convert;
mod events;

pub use aggregates::{Aggregates, PlanAt};
pub use convert::{agency, assignment, level, point, read_agency, read_point, read_school, school, window};
pub use events::Stored;
