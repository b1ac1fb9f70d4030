//! Pure rules of where and when one may apply: no clock, no chance, no database.

pub mod agency;
pub mod availability;
pub mod booking;
pub mod capacity;
pub mod division;
pub mod graduate_school;
pub mod id;
pub mod name;
pub mod offered;
pub mod officer;
pub mod plan;
pub mod point;
pub mod school;
pub mod shanghai;
pub mod slot;
pub mod subject;
pub mod text;
pub mod touch;
pub mod window;
