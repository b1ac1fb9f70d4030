//! Addresses of people: parsed before use, hidden when printed for debugging.

use std::fmt;

/// A mobile phone of mainland China: 11 digits, the first of them 1.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 11 && text.starts_with('1') && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail address as people have them: `local@domain`, ASCII, the domain with a dot.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(String);

impl MailAddress {
    /// `None` for what cannot be one; whether it exists, only the mail server knows.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let local_fits = (1..=64).contains(&local.len())
            && local.split('.').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
            });
        let domain_fits = (3..=190).contains(&domain.len())
            && domain.contains('.')
            && domain.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        (local_fits && domain_fits).then(|| Self(text.to_owned()))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_eleven_digits_that_begin_with_one() {
        assert_eq!(Phone::parse("13800000000").unwrap().as_str(), "13800000000");
        for wrong in ["", "1380000000", "138000000000", "23800000000", "1380000000x", "１３８００００００００"]
        {
            assert_eq!(Phone::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn mail_addresses_have_a_local_part_and_a_domain_with_a_dot() {
        for right in ["a@b.cn", "li.si+tag@mail.example.com"] {
            assert_eq!(MailAddress::parse(right).unwrap().as_str(), right);
        }
        let long = format!("{}@b.cn", "a".repeat(65));
        for wrong in [
            "",
            "a",
            "@b.cn",
            "a@",
            "a@b",
            "a b@c.cn",
            "a..b@c.cn",
            "a@-b.cn",
            "a@b..cn",
            "a@b.cn\r\nBcc: c@d.cn",
            &long,
        ] {
            assert_eq!(MailAddress::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_do_not_show_themselves_in_debug_output() {
        let shown = format!("{:?} {:?}", Phone::parse("13800000000"), MailAddress::parse("a@b.cn"));
        assert!(!shown.contains("138") && !shown.contains("b.cn"), "{shown}");
    }
}
