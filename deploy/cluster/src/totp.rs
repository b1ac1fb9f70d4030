//! Second factors of the demonstration staff: secrets in base 32, as the file of credentials holds them, and the codes that an
//! authenticator app would show.

use totp_rs::{Algorithm, Secret, TOTP};

use crate::Result;
use crate::failure::Doing as _;

/// Seconds of one code.
pub const STEP: u64 = 30;

/// A secret that nobody has.
pub fn draw() -> String {
    Secret::Raw(rand::random::<[u8; 20]>().to_vec()).to_encoded().to_string()
}

/// The code of a moment, in Unix seconds.
pub fn code(secret: &str, at: u64) -> Result<String> {
    let bytes = Secret::Encoded(secret.to_owned()).to_bytes().doing(|| "read the secret of a second factor".into())?;
    Ok(TOTP::new_unchecked(Algorithm::SHA1, 6, 0, STEP, bytes).generate(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(code(secret, 59).unwrap(), "287082");
        assert_eq!(code(secret, 1_111_111_109).unwrap(), "081804");
        assert!(code("1", 59).is_err());
    }

    #[test]
    fn a_drawn_secret_can_be_used_and_is_nobody_elses() {
        let (one, other) = (draw(), draw());
        assert_ne!(one, other);
        assert_eq!(code(&one, 59).unwrap().len(), 6);
    }
}
