//! 微信: the openid of a person at the 服务号 of a deployment, and how long a QR code to bind it counts.

use time::Duration;

/// How long a ticket, which the QR code stands for, can be scanned and used.
pub const TICKET_LIFE: Duration = Duration::minutes(5);
/// How often it is asked whether somebody has scanned: every two seconds for as long as it counts.
pub const MOST_POLLS: i32 = 150;
/// Characters of the longest openid; those of today have 28.
const LONGEST_OPENID: usize = 64;

/// By what the 服务号 knows a person; personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenId(String);

impl OpenId {
    /// Reads one as the provider says it; `None` for what can be none.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=LONGEST_OPENID).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }

    /// For the provider, and to be sealed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for OpenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_is_letters_digits_and_two_signs() {
        for text in ["o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "a", "a-b_C9", &"a".repeat(64)] {
            assert_eq!(OpenId::parse(text).unwrap().as_str(), text);
        }
        for text in ["", " a", "a b", "a,b", "号", "a\n", &"a".repeat(65)] {
            assert_eq!(OpenId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_openid_does_not_show_itself() {
        assert_eq!(format!("{:?}", OpenId::parse("abc").unwrap()), "OpenId(…)");
    }
}
