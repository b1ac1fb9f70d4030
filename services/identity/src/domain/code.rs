//! 验证码: how one-time codes behave (DOMAIN 3.2: 6 digits, 5 minutes, 5 tries, 60 s between two).

use time::{Duration, OffsetDateTime};

/// How long a code counts.
pub const LIFE: Duration = Duration::minutes(5);
/// Wrong answers that a code survives, and one more.
pub const TRIES: i16 = 5;
/// Between two codes to one phone, unless the first was answered.
pub const RESEND: Duration = Duration::seconds(60);
/// All codes are below it.
pub const BELOW: u32 = 1_000_000;

/// A code as it is sent: always six digits.
pub fn render(code: u32) -> String {
    format!("{:06}", code % BELOW)
}

/// Whether a text can be a code at all.
pub fn has_shape(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// When a code that is sent now stops to count, and when the next one may be sent.
pub fn times(now: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    (now + LIFE, now + RESEND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_six_digits() {
        assert_eq!(render(7), "000007");
        assert_eq!(render(999_999), "999999");
        assert!(has_shape(&render(0)));
        for text in ["", "12345", "1234567", "12345x", "１２３４５６"] {
            assert!(!has_shape(text), "{text}");
        }
    }

    #[test]
    fn a_code_outlives_the_wait_for_the_next_one() {
        let (expires, resend) = times(OffsetDateTime::UNIX_EPOCH);
        assert_eq!((expires.unix_timestamp(), resend.unix_timestamp()), (300, 60));
    }
}
