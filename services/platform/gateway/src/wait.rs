//! The header `retry-after`: seconds, or a date of HTTP.

use std::time::Duration;

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// How long to wait from `now` on; `None` for what is neither, or lies in the past.
pub fn parse(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let form =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let then = PrimitiveDateTime::parse(text, form).ok()?.assume_utc();
    Duration::try_from(then - now).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let now = datetime!(2026-11-26 08:00 UTC);
        assert_eq!(parse(" 120", now), Some(Duration::from_secs(120)));
        assert_eq!(parse("Thu, 26 Nov 2026 08:01:30 GMT", now), Some(Duration::from_secs(90)));
        for text in ["Thu, 26 Nov 2026 07:59:59 GMT", "-1", "soon", "", "1.5"] {
            assert_eq!(parse(text, now), None, "{text}");
        }
    }
}
