//! Divisions, agencies, points, schools, plans and filing windows.
