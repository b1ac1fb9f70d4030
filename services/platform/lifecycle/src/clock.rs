//! The one place where a program reads the time of day.

use time::OffsetDateTime;

/// Now, in UTC, in whole microseconds: what PostgreSQL keeps.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).expect("a microsecond is a valid nanosecond")
}
