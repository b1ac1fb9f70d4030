//! Dates of the rules: days in Shanghai, months that clamp at their end, the years that lie inside a cycle.

use std::ops::RangeInclusive;

use time::{Date, Month, OffsetDateTime, UtcOffset};

/// Rules and pages count days at +08:00; China has no summer time.
pub const SHANGHAI: UtcOffset = match UtcOffset::from_hms(8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => panic!("+08:00 is an offset"),
};

/// The day in Shanghai.
pub fn shanghai_date(at: OffsetDateTime) -> Date {
    at.to_offset(SHANGHAI).date()
}

/// The same day that many months later; the last day of the month where that day does not exist.
pub fn add_months(date: Date, months: u32) -> Date {
    let (year, month, day) = date.to_calendar_date();
    let months = u32::from(u8::from(month)) - 1 + months;
    let year = year + i32::try_from(months / 12).unwrap_or(i32::MAX / 2);
    let month = Month::December.nth_next(u8::try_from(months % 12).expect("less than 12") + 1);
    Date::from_calendar_date(year, month, day.min(month.length(year))).unwrap_or(Date::MAX)
}

/// The same day that many months earlier; the last day of the month where that day does not exist.
pub fn subtract_months(date: Date, months: u32) -> Date {
    let (year, month, day) = date.to_calendar_date();
    let back = i32::try_from(months).unwrap_or(i32::MAX / 2);
    let months = i32::from(u8::from(month)) - 1 - back;
    let year = year + months.div_euclid(12);
    let month = Month::December.nth_next(u8::try_from(months.rem_euclid(12)).expect("less than 12") + 1);
    Date::from_calendar_date(year, month, day.min(month.length(year))).unwrap_or(Date::MIN)
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0_u16, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u16::from(digit - b'0')))
    };
    let month = Month::try_from(u8::try_from(number(5..7)?).ok()?).ok()?;
    Date::from_calendar_date(i32::from(number(0..4)?), month, u8::try_from(number(8..10)?).ok()?).ok()
}

/// A day as [`parse_date`] reads it.
pub fn render_date(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

/// 2026年11月23日
pub fn in_chinese(date: Date) -> String {
    let (year, month, day) = date.to_calendar_date();
    format!("{year}年{}月{day}日", u8::from(month))
}

/// 注册周期: from its first day up to the day before its end (DOMAIN L10d).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// First day.
    pub from: Date,
    /// The day of expiry, outside.
    pub to: Date,
}

impl Cycle {
    /// The years that lie wholly inside: calendar years, or school years (1 September to 31 August) by the year in
    /// which they begin.
    pub fn years(self, school_year: bool) -> RangeInclusive<i32> {
        let first_day = if school_year { Month::September } else { Month::January };
        let begin = |year| Date::from_calendar_date(year, first_day, 1).expect("a first of a month");
        let first = if begin(self.from.year()) >= self.from { self.from.year() } else { self.from.year() + 1 };
        // The last year that begins a whole year before the end.
        let last = if begin(self.to.year()) <= self.to { self.to.year() - 1 } else { self.to.year() - 2 };
        first..=last
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn the_day_is_the_one_in_shanghai() {
        assert_eq!(shanghai_date(datetime!(2026-11-23 15:59:59 UTC)), date!(2026 - 11 - 23));
        assert_eq!(shanghai_date(datetime!(2026-11-23 16:00 UTC)), date!(2026 - 11 - 24));
    }

    #[test]
    fn months_end_where_the_month_ends() {
        assert_eq!(add_months(date!(2021 - 08 - 31), 54), date!(2026 - 02 - 28));
        assert_eq!(add_months(date!(2020 - 02 - 29), 60), date!(2025 - 02 - 28));
        assert_eq!(add_months(date!(2021 - 12 - 15), 1), date!(2022 - 01 - 15));
        assert_eq!(subtract_months(date!(2026 - 03 - 31), 1), date!(2026 - 02 - 28));
        assert_eq!(subtract_months(date!(2026 - 11 - 23), 60), date!(2021 - 11 - 23));
    }

    #[test]
    fn a_date_is_read_only_in_its_one_form() {
        assert_eq!(parse_date("2026-02-28"), Some(date!(2026 - 02 - 28)));
        for text in
            ["2026-02-29", "2026-2-28", "2026/02/28", "20260228", "", "2026-13-01", "２０２６-02-28", "+026-02-01"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(render_date(date!(2026 - 02 - 08)), "2026-02-08");
    }

    #[test]
    fn only_years_wholly_inside_the_cycle_count() {
        let cycle = |from, to| Cycle { from, to };
        assert_eq!(cycle(date!(2021 - 01 - 01), date!(2026 - 01 - 01)).years(false), 2021..=2025);
        assert_eq!(cycle(date!(2021 - 06 - 15), date!(2026 - 06 - 15)).years(false), 2022..=2025);
        assert_eq!(cycle(date!(2021 - 06 - 15), date!(2026 - 06 - 15)).years(true), 2021..=2024);
        assert_eq!(cycle(date!(2021 - 09 - 01), date!(2026 - 09 - 01)).years(true), 2021..=2025);
        assert_eq!(cycle(date!(2021 - 09 - 02), date!(2026 - 09 - 02)).years(true), 2022..=2025);
    }
}
