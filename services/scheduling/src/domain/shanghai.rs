//! How an instant is written for people: the time of day in Asia/Shanghai, which is +08:00 all year.

use time::{OffsetDateTime, UtcOffset};

/// `2026年10月25日 09:00`
pub fn render(at: OffsetDateTime) -> String {
    let offset = UtcOffset::from_hms(8, 0, 0).expect("eight hours are an offset");
    let at = at.to_offset(offset);
    format!("{}年{}月{}日 {:02}:{:02}", at.year(), u8::from(at.month()), at.day(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    #[test]
    fn instants_are_shown_in_shanghai() {
        assert_eq!(super::render(datetime!(2026-10-25 01:00 UTC)), "2026年10月25日 09:00");
        assert_eq!(super::render(datetime!(2026-12-31 16:05 UTC)), "2027年1月1日 00:05");
    }
}
