//! Keyed hashes: the same number always gives the same hash, and nobody without the key can try numbers.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Finds records by a number that is stored only sealed (HMAC-SHA-256 under a key derived from the vault's index root).
#[derive(Clone)]
pub struct Index {
    mac: Hmac<Sha256>,
}

impl Index {
    /// One index for each purpose: hashes of one say nothing in another.
    pub(crate) fn new(root: &[u8; 32], purpose: &str) -> Self {
        let mut derive = Self::keyed(root);
        derive.update(b"dingzhu.index.v1");
        derive.update(purpose.as_bytes());
        Self { mac: Self::keyed(&derive.finalize().into_bytes()) }
    }

    /// The hash of a value, in the form in which it is compared (upper case, no spaces): the caller normalises.
    pub fn hash(&self, value: &str) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn keyed(key: &[u8]) -> Hmac<Sha256> {
        Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_meet_and_purposes_do_not() {
        let root = [15; 32];
        let numbers = Index::new(&root, "number");
        assert_eq!(numbers.hash("320399"), Index::new(&root, "number").hash("320399"));
        assert_ne!(numbers.hash("320399"), numbers.hash("320398"));
        assert_ne!(numbers.hash("320399"), Index::new(&root, "certificate").hash("320399"));
        assert_ne!(numbers.hash("320399"), Index::new(&[14; 32], "number").hash("320399"));
    }
}
