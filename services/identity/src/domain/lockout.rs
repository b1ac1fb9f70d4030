//! How many wrong tries in a row anybody gets, of passwords and second factors, and how many checks of names (RELIABILITY "Security").

use time::Duration;

/// Failures until the number is locked.
pub const FAILURES: i16 = 5;
/// How long it is locked, and how long a failure counts.
pub const LOCKED_FOR: Duration = Duration::minutes(15);
