//! Keys and what they do: a master key wraps person keys, a person key seals bytes bound to their place.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// What a sealed part of an event is bound to: moved to another event, stream or version it does not open.
pub fn binding(event_id: Uuid, stream: Uuid, version: i64) -> [u8; 40] {
    let mut bound = [0; 40];
    bound[..16].copy_from_slice(event_id.as_bytes());
    bound[16..32].copy_from_slice(stream.as_bytes());
    bound[32..].copy_from_slice(&version.to_be_bytes());
    bound
}

/// The key of one person within one service (XChaCha20-Poly1305).
#[derive(Clone)]
pub struct PersonKey {
    cipher: XChaCha20Poly1305,
}

impl PersonKey {
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(Key::from_slice(bytes)) }
    }

    /// Encrypts; the result carries its random nonce in front.
    pub fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Vec<u8> {
        seal(&self.cipher, plain, bound_to)
    }

    /// Decrypts; `None` when key, bytes or binding are not the ones it was sealed with.
    pub fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.cipher, sealed, bound_to)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(…)")
    }
}

/// A master key held by this process; [`crate::KeyRing`] has one or several.
#[derive(Clone)]
pub struct MasterKey {
    cipher: XChaCha20Poly1305,
    secret: Zeroizing<[u8; 32]>,
    id: String,
}

impl MasterKey {
    /// Reads 64 hex digits, as they stand in a key file.
    pub fn parse(hex_digits: &str) -> Option<Self> {
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(hex_digits.trim(), secret.as_mut_slice()).ok()?;
        // Names the key and tells nothing of it.
        let digest = Sha256::new().chain_update(b"dingzhu.master-key-id.v1").chain_update(secret.as_slice()).finalize();
        let cipher = XChaCha20Poly1305::new(Key::from_slice(secret.as_slice()));
        Some(Self { cipher, secret, id: hex::encode(&digest[..8]) })
    }

    /// The key's name beside what it wrapped.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Wraps a key for the person, or the other owner, that it belongs to.
    pub(crate) fn wrap(&self, owner: Uuid, key: &[u8; 32]) -> Vec<u8> {
        seal(&self.cipher, key, owner.as_bytes())
    }

    /// The other way; `None` when master key, bytes or owner are not the ones it was wrapped with.
    pub(crate) fn unwrap(&self, owner: Uuid, wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let key = open(&self.cipher, wrapped, owner.as_bytes())?;
        Some(Zeroizing::new(key.as_slice().try_into().ok()?))
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, …)", self.id)
    }
}

/// A new key that nobody has.
pub(crate) fn random() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    OsRng.try_fill_bytes(key.as_mut_slice()).expect("the system's source of randomness works");
    key
}

fn seal(cipher: &XChaCha20Poly1305, plain: &[u8], bound_to: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    OsRng.try_fill_bytes(&mut nonce).expect("the system's source of randomness works");
    let payload = Payload { msg: plain, aad: bound_to };
    let ciphertext = cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("the text fits into memory");
    [nonce.as_slice(), &ciphertext].concat()
}

fn open(cipher: &XChaCha20Poly1305, sealed: &[u8], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES)?;
    let payload = Payload { msg: ciphertext, aad: bound_to };
    cipher.decrypt(XNonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master() -> MasterKey {
        MasterKey::parse(&"0f".repeat(32)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let key = PersonKey::new(&random());
        let here = binding(Uuid::from_u128(1), Uuid::from_u128(2), 3);
        let sealed = key.seal("徐州市".as_bytes(), &here);
        assert_eq!(key.open(&sealed, &here).unwrap().as_slice(), "徐州市".as_bytes());
        assert!(key.open(&sealed, &binding(Uuid::from_u128(1), Uuid::from_u128(2), 4)).is_none());
        assert!(key.open(&sealed[1..], &here).is_none());
        assert!(key.open(b"short", &here).is_none());
    }

    #[test]
    fn a_wrapped_key_belongs_to_one_person_and_one_master() {
        let (person, key) = (Uuid::from_u128(7), random());
        let wrapped = master().wrap(person, &key);
        assert_eq!(master().unwrap(person, &wrapped).unwrap(), key);
        assert!(master().unwrap(Uuid::from_u128(8), &wrapped).is_none());
        assert!(MasterKey::parse(&"0e".repeat(32)).unwrap().unwrap(person, &wrapped).is_none());
    }

    #[test]
    fn the_same_text_never_seals_alike() {
        let key = PersonKey::new(&[3; 32]);
        assert_ne!(key.seal(b"x", b""), key.seal(b"x", b""));
    }

    #[test]
    fn a_master_key_is_64_hex_digits_and_does_not_show_itself() {
        assert!(MasterKey::parse("abc").is_none());
        let (shown, other) = (format!("{:?}", master()), MasterKey::parse(&"0e".repeat(32)).unwrap());
        assert!(!shown.contains("0f0f") && shown.contains(master().id()), "{shown}");
        assert_ne!(master().id(), other.id());
    }
}
