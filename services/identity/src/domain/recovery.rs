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

/// With what mail addresses begin, as it is shown.
const FIRSTS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Phone and mail address as they are shown to whoever has not proved anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `*******5678`
    pub phone: String,
    /// `t***@***`
    pub email: String,
}

impl Shown {
    /// The last four digits of a phone, and the first letter or digit of a mail address. With what a phone begins and where mail goes is
    /// rare or common in ways that nothing made up could follow: shown, it would say that type, number and name were right.
    pub fn of(phone: &str, email: &str) -> Self {
        let end = phone.get(phone.len().saturating_sub(4)..).unwrap_or_default();
        let first = email.chars().find(char::is_ascii_alphanumeric).map_or('a', |first| first.to_ascii_lowercase());
        Self { phone: format!("*******{end}"), email: format!("{first}***@***") }
    }
}

/// Whether an account of the old system is from before the day since which accounts can be recovered.
pub fn is_legacy(created_at: OffsetDateTime) -> bool {
    created_at < LEGACY_BEFORE
}

/// What is shown where nothing matches: made up from a keyed hash, so that it is the same the next time.
pub fn made_up(hash: [u8; 32]) -> Shown {
    let end = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) % 10_000;
    let first = char::from(FIRSTS[usize::from(hash[3]) % FIRSTS.len()]);
    Shown::of(&format!("{end:04}"), &first.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::contact;

    #[test]
    fn an_account_from_the_last_second_before_march_2019_is_a_legacy_one() {
        assert!(is_legacy(datetime!(2019-02-28 23:59:59 +8)));
        assert!(is_legacy(datetime!(2019-02-28 15:59:59 UTC)));
        assert!(!is_legacy(datetime!(2019-03-01 00:00:00 +8)));
    }

    /// What is shown beside the last four digits and the first letter, of which anything is as likely of a real one.
    fn rest(shown: &Shown) -> (&str, &str) {
        let (start, end) = shown.phone.split_at(7);
        assert!(end.len() == 4 && end.bytes().all(|byte| byte.is_ascii_digit()), "{shown:?}");
        (start, &shown.email[1..])
    }

    fn made_up_ones() -> Vec<Shown> {
        (0..=255_u8).map(|n| made_up(std::array::from_fn(|i| if i == 3 { n } else { n.wrapping_mul(31) }))).collect()
    }

    #[test]
    fn nothing_that_is_shown_of_a_phone_or_mail_address_tells_it_from_a_made_up_one() {
        let made_up = made_up_ones();
        let rests: BTreeSet<_> = made_up.iter().map(rest).collect();
        let firsts: BTreeSet<_> = made_up.iter().map(|shown| &shown.email[..1]).collect();
        let mails = ["@qq.com", "om@xzschool.edu.cn", "@163.com", ".O@mail.example"];
        let accepted = (0..=u8::MAX).map(char::from).filter(|first| contact::email(&format!("{first}@a.b")).is_ok());
        let starts: Vec<char> = accepted.collect();
        assert!(starts.len() > 70, "{starts:?}");
        for prefix in 0..1000_usize {
            let phone = contact::phone(&format!("{prefix:03}4321{:04}", prefix * 7)).unwrap();
            let email = format!("{}{}", starts[prefix % starts.len()], mails[prefix % mails.len()]);
            let shown = Shown::of(&phone, &contact::email(&email).unwrap());
            assert!(rests.contains(&rest(&shown)) && firsts.contains(&shown.email[..1]), "{phone} {email} {shown:?}");
        }
        assert_eq!(rests.len(), 1);
    }

    #[test]
    fn what_is_made_up_comes_again_and_differs_from_one_to_the_next() {
        assert_eq!(made_up_ones(), made_up_ones());
        assert_ne!(made_up([1; 32]), made_up([2; 32]));
    }
}
