//! The read models.

pub mod agencies;
pub mod conflicts;
pub mod corrections;
pub mod register;
pub mod synced;

use eventlog::Division;

/// Patterns for the six digits of these divisions and of all that lie below them.
fn patterns(divisions: &[Division]) -> Vec<String> {
    let own =
        |division: &Division| division.as_str().as_bytes().chunks(2).take_while(|pair| *pair != b"00").count() * 2;
    divisions.iter().map(|division| format!("{}%", &division.as_str()[..own(division)])).collect()
}

/// A text as a view holds it: with a space for each NUL, which PostgreSQL cannot hold and which was not always refused.
fn plain(text: &str) -> String {
    text.replace('\0', " ")
}
