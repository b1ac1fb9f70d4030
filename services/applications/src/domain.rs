//! The rules of a registration as pure functions: nothing here knows the hour, a database or the wire.

pub mod assessment;
pub mod calendar;
pub mod codes;
pub mod directory;
pub mod draft;
pub mod enrolment_number;
pub mod facts;
pub mod form;
pub mod given;
pub mod opening;
pub mod registration;
pub mod route;
pub mod rules;
pub mod text;
pub mod time_limit;
pub mod values;
pub mod working_days;
