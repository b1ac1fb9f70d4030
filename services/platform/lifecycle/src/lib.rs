//! Start, watch, drain, exit: named tasks, soft and hard shutdown, exit codes; the clock and the source of ids.

pub mod clock;
pub mod ids;
