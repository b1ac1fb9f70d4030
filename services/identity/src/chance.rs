//! The one place where identity draws secrets: codes, gaps of puzzles, refresh tokens, salts, seeds of keys.

use std::ops::RangeInclusive;

use rand::rngs::OsRng;
use rand::{Rng as _, TryRngCore as _};

use crate::domain::code;

/// A one-time code, every one equally likely.
pub fn code() -> String {
    code::render(OsRng.unwrap_err().random_range(0..code::BELOW))
}

/// One of a range, every one equally likely.
pub fn within(range: RangeInclusive<u16>) -> u16 {
    OsRng.unwrap_err().random_range(range)
}

/// Bytes that nobody can guess.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("the system's source of randomness works");
    bytes
}
