//! How an instant is written for people: the time of day in Asia/Shanghai, which is +08:00 all year.

use time::{Date, OffsetDateTime, Time, UtcOffset};

/// +08:00
pub const SHANGHAI: UtcOffset = match UtcOffset::from_hms(8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => panic!("+08:00 is an offset"),
};

/// The day on which an instant lies.
pub fn day(at: OffsetDateTime) -> Date {
    at.to_offset(SHANGHAI).date()
}

/// The first instant of a day.
pub fn begin(day: Date) -> OffsetDateTime {
    day.with_time(Time::MIDNIGHT).assume_offset(SHANGHAI)
}

/// `2026年10月25日`
pub fn render_day(day: Date) -> String {
    format!("{}年{}月{}日", day.year(), u8::from(day.month()), day.day())
}

/// `2026年10月25日 09:00`
pub fn render(at: OffsetDateTime) -> String {
    let at = at.to_offset(SHANGHAI);
    format!("{} {:02}:{:02}", render_day(at.date()), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    #[test]
    fn instants_are_shown_in_shanghai() {
        assert_eq!(super::render(datetime!(2026-10-25 01:00 UTC)), "2026年10月25日 09:00");
        assert_eq!(super::render(datetime!(2026-12-31 16:05 UTC)), "2027年1月1日 00:05");
        assert_eq!(super::day(datetime!(2026-12-31 16:05 UTC)), date!(2027 - 01 - 01));
        assert_eq!(super::begin(date!(2027 - 01 - 01)), datetime!(2026-12-31 16:00 UTC));
    }
}
