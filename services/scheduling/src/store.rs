//! The stored form of events, and aggregates read back from it.

mod aggregates;
mod convert;
mod events;
mod slot_events;
pub mod taken;

pub use aggregates::{Aggregates, At, PlanAt};
pub use convert::{agency, assignment, level, point, read_agency, read_point, read_school, school, window};
pub use events::Stored;
pub use slot_events::{booking, half_day, read_half_day, read_slot, slot};
