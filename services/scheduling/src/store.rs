//! The stored form of events, and aggregates read back from it.

mod aggregates;
mod convert;
mod directory_events;
mod events;
mod slot_events;
pub mod taken;

pub use aggregates::{Aggregates, At, PlanAt};
pub use convert::{agency, assignment, graduate_school, level, point, read_stage, school, stage, window};
pub use events::Stored;
pub use slot_events::{booking, half_day, read_half_day, read_slot, slot};
