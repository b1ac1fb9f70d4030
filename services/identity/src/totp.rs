//! Secrets of second factors, and the codes that follow from them (RFC 6238: HMAC-SHA-1, six digits).

use std::fmt;

use totp_rs::{Algorithm, Secret as Encoded, TOTP};
use zeroize::Zeroizing;

use crate::chance;
use crate::domain::totp::STEP;

/// RFC 4226 asks for as many as the hash has.
const BYTES: usize = 20;
const DIGITS: usize = 6;

/// A secret that an authenticator app shares with this service; shown nowhere, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// One that nobody has.
    pub fn draw() -> Self {
        Self(Zeroizing::new(chance::bytes::<BYTES>().to_vec()))
    }

    /// From its bytes; `None` when they are too few.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= BYTES).then(|| Self(Zeroizing::new(bytes)))
    }

    /// Reads base 32, as it is typed into an app.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(Encoded::Encoded(text.to_owned()).to_bytes().ok()?)
    }

    /// In base 32, as it is typed into an app.
    pub fn render(&self) -> String {
        Encoded::Raw(self.0.to_vec()).to_encoded().to_string()
    }

    /// The bytes, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The code of a step.
    pub fn code(&self, step: i64) -> String {
        let period = STEP.unsigned_abs();
        let totp = TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, period, self.0.to_vec());
        totp.generate(step.unsigned_abs() * period)
    }

    /// What an app reads from a QR code; `account` is shown there and must tell nobody's number.
    pub fn uri(&self, account: &str) -> String {
        let secret = self.render();
        format!(
            "otpauth://totp/Dingzhu:{account}?secret={secret}&issuer=Dingzhu&algorithm=SHA1&digits={DIGITS}&period={STEP}"
        )
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn secret() -> Secret {
        Secret::new(b"12345678901234567890".to_vec()).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(secret().code(seconds / STEP), code);
        }
    }

    #[test]
    fn a_secret_is_read_as_it_was_shown() {
        assert_eq!(secret().render(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::parse(&secret().render()), Some(secret()));
        let uri = secret().uri("320***18");
        assert!(uri.starts_with("otpauth://totp/Dingzhu:320***18?secret=GEZDG"), "{uri}");
        for text in ["", "GEZDGNBV", "not base 32!"] {
            assert_eq!(Secret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_two_secrets_are_alike_and_none_shows_itself() {
        assert_ne!(Secret::draw(), Secret::draw());
        assert_eq!(format!("{:?}", Secret::draw()), "Secret(…)");
    }
}
