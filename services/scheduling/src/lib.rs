//! Divisions, agencies, points, schools, plans and filing windows.

pub mod domain;
