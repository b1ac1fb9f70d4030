//! 忘记密码: how long a recovery and its link count, which accounts cannot be recovered, and what a stranger is shown.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// How long a begun recovery counts.
pub const LIFE: Duration = Duration::minutes(30);
/// How long the link in a mail counts (manual 2.1.2).
pub const LINK_LIFE: Duration = Duration::hours(24);
/// Between two links for one number.
pub const LINK_RESEND: Duration = Duration::seconds(60);
/// Accounts from before this instant cannot be recovered; their people register again (manual 2.1.2).
pub const LEGACY_BEFORE: OffsetDateTime = datetime!(2019-03-01 00:00 +8);

/// Beginnings of Chinese mobile numbers, as people have them.
const PREFIXES: [&str; 32] = [
    "130", "131", "132", "133", "135", "136", "137", "138", "139", "150", "151", "152", "153", "155", "156", "157",
    "158", "159", "166", "173", "176", "177", "178", "180", "181", "182", "185", "186", "187", "188", "189", "199",
];
/// With what addresses begin.
const FIRSTS: &[u8] = b"abcdefghijklmnopqrstuvwxyz123456789";
/// Where people have their mail; the more common ones come more often.
const DOMAINS: [&str; 8] = ["qq.com", "163.com", "qq.com", "126.com", "163.com", "139.com", "qq.com", "sina.com"];

/// Phone and mail address as they are shown: masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `138****5678`
    pub phone: String,
    /// `t***@qq.com`
    pub email: String,
}

/// Whether an account of the old system is from before the day since which accounts can be recovered.
pub fn is_legacy(created_at: OffsetDateTime) -> bool {
    created_at < LEGACY_BEFORE
}

/// What is shown where nothing matches: made up from a keyed hash, so that it is the same the next time.
pub fn made_up(hash: [u8; 32]) -> Shown {
    let pick = |byte: u8, count: usize| usize::from(byte) % count;
    let tail = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) % 10_000;
    let first = char::from(FIRSTS[pick(hash[4], FIRSTS.len())]);
    Shown {
        phone: format!("{}****{tail:04}", PREFIXES[pick(hash[3], PREFIXES.len())]),
        email: format!("{first}***@{}", DOMAINS[pick(hash[5], DOMAINS.len())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_from_the_last_second_before_march_2019_is_a_legacy_one() {
        assert!(is_legacy(datetime!(2019-02-28 23:59:59 +8)));
        assert!(is_legacy(datetime!(2019-02-28 15:59:59 UTC)));
        assert!(!is_legacy(datetime!(2019-03-01 00:00:00 +8)));
    }

    #[test]
    fn what_is_made_up_looks_like_what_is_masked_and_comes_again() {
        for n in 0..=255_u8 {
            let hash = std::array::from_fn(|i| n.wrapping_mul(31).wrapping_add(u8::try_from(i * 7).unwrap()));
            let shown = made_up(hash);
            assert_eq!(shown, made_up(hash));
            let phone = shown.phone.as_bytes();
            assert_eq!((phone.len(), &phone[3..7]), (11, b"****".as_slice()), "{shown:?}");
            assert!(phone[..3].iter().chain(&phone[7..]).all(u8::is_ascii_digit), "{shown:?}");
            assert_eq!(&shown.email[1..5], "***@");
        }
        assert_ne!(made_up([1; 32]), made_up([2; 32]));
    }
}
