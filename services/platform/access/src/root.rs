//! What the root key signs: signing keys, roles and erasures, so that nobody can smuggle them in through the bus.

use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use proto::identity::v1::{PersonErased, SigningKey as PublishedKey, StaffRoleGranted, StaffRoleRevoked};

/// Signs; only identity has it.
#[derive(Clone, Debug)]
pub struct RootKey(SigningKey);

/// Verifies; pinned in every service.
#[derive(Clone, Copy, Debug)]
pub struct RootPublicKey(VerifyingKey);

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the key file {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("the key file {path} does not hold a key of 64 hex digits")]
    Format {
        /// The file.
        path: String,
    },
}

/// Reads 32 bytes that stand in a file as 64 hex digits.
pub fn read_key(path: &Path) -> Result<[u8; 32], KeyFileError> {
    let name = || path.display().to_string();
    let digits = std::fs::read_to_string(path).map_err(|source| KeyFileError::Read { path: name(), source })?;
    parse_key(&digits).ok_or_else(|| KeyFileError::Format { path: name() })
}

/// Reads 32 bytes from 64 hex digits.
pub(crate) fn parse_key(digits: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut key).ok()?;
    Some(key)
}

impl RootKey {
    /// Reads the seed from its file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        read_key(path).map(Self::from_seed)
    }

    /// From the seed itself.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// What the services pin.
    pub fn public(&self) -> RootPublicKey {
        RootPublicKey(self.0.verifying_key())
    }

    /// Signs a signing key.
    pub fn sign_key(&self, key: &PublishedKey) -> Vec<u8> {
        self.sign(&key_message(key))
    }

    /// Signs a granted role.
    pub fn sign_grant(&self, grant: &StaffRoleGranted) -> Vec<u8> {
        self.sign(&grant_message(grant))
    }

    /// Signs the end of a role.
    pub fn sign_revocation(&self, revocation: &StaffRoleRevoked) -> Vec<u8> {
        self.sign(&revocation_message(revocation))
    }

    /// Signs the erasure of a person.
    pub fn sign_erasure(&self, erasure: &PersonErased) -> Vec<u8> {
        self.sign(&erasure_message(erasure))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

impl RootPublicKey {
    /// Reads the public key from its file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let format = || KeyFileError::Format { path: path.display().to_string() };
        VerifyingKey::from_bytes(&read_key(path)?).map(Self).map_err(|_| format())
    }

    /// Whether the root key signed this signing key.
    pub fn signed_key(&self, key: &PublishedKey) -> bool {
        self.signed(&key_message(key), &key.root_signature)
    }

    /// Whether the root key signed this grant.
    pub fn signed_grant(&self, grant: &StaffRoleGranted) -> bool {
        self.signed(&grant_message(grant), &grant.root_signature)
    }

    /// Whether the root key signed this revocation.
    pub fn signed_revocation(&self, revocation: &StaffRoleRevoked) -> bool {
        self.signed(&revocation_message(revocation), &revocation.root_signature)
    }

    /// Whether the root key signed this erasure.
    pub fn signed_erasure(&self, erasure: &PersonErased) -> bool {
        self.signed(&erasure_message(erasure), &erasure.root_signature)
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

fn key_message(key: &PublishedKey) -> Vec<u8> {
    let seconds = |time: Option<prost_types::Timestamp>| time.map_or(0, |time| time.seconds).to_string();
    message(
        "dingzhu.signing-key.v1",
        &[
            key.key_id.as_bytes(),
            &key.public_key,
            seconds(key.not_before_time).as_bytes(),
            seconds(key.not_after_time).as_bytes(),
        ],
    )
}

fn grant_message(grant: &StaffRoleGranted) -> Vec<u8> {
    let scope = grant.scope.clone().unwrap_or_default();
    message(
        "dingzhu.grant.v1",
        &[
            grant.grant_id.as_bytes(),
            grant.person_id.as_bytes(),
            grant.role.to_string().as_bytes(),
            scope.division.as_bytes(),
            scope.unit_id.as_bytes(),
        ],
    )
}

fn revocation_message(revocation: &StaffRoleRevoked) -> Vec<u8> {
    message("dingzhu.revocation.v1", &[revocation.grant_id.as_bytes(), revocation.person_id.as_bytes()])
}

fn erasure_message(erasure: &PersonErased) -> Vec<u8> {
    message("dingzhu.erasure.v1", &[erasure.erasure_id.as_bytes(), erasure.person_id.as_bytes()])
}

fn message(purpose: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut message = purpose.as_bytes().to_vec();
    for field in fields {
        message.extend((field.len() as u64).to_be_bytes());
        message.extend(*field);
    }
    message
}

#[cfg(test)]
mod tests {
    use proto::identity::v1::Scope;

    use super::*;

    fn grant() -> StaffRoleGranted {
        StaffRoleGranted {
            grant_id: "g".to_owned(),
            person_id: "p".to_owned(),
            role: 3,
            scope: Some(Scope { division: "320302".to_owned(), unit_id: "u".to_owned() }),
            root_signature: bytes::Bytes::new(),
        }
    }

    #[test]
    fn a_signed_grant_verifies_and_a_changed_one_does_not() {
        let root = RootKey::from_seed([7; 32]);
        let mut granted = grant();
        granted.root_signature = root.sign_grant(&granted).into();
        assert!(root.public().signed_grant(&granted));
        assert!(!RootKey::from_seed([8; 32]).public().signed_grant(&granted));
        for change in [
            StaffRoleGranted { role: 9, ..granted.clone() },
            StaffRoleGranted { person_id: "q".to_owned(), ..granted.clone() },
            StaffRoleGranted { scope: None, ..granted.clone() },
            StaffRoleGranted { root_signature: bytes::Bytes::new(), ..granted.clone() },
        ] {
            assert!(!root.public().signed_grant(&change), "{change:?}");
        }
    }

    #[test]
    fn a_signature_for_one_purpose_is_none_for_another() {
        let root = RootKey::from_seed([7; 32]);
        let mut revoked = StaffRoleRevoked {
            grant_id: "g".to_owned(),
            person_id: "p".to_owned(),
            root_signature: bytes::Bytes::new(),
        };
        revoked.root_signature = root.sign_grant(&grant()).into();
        assert!(!root.public().signed_revocation(&revoked));
        revoked.root_signature = root.sign_revocation(&revoked).into();
        assert!(root.public().signed_revocation(&revoked));
    }

    #[test]
    fn an_erasure_counts_for_one_person_and_with_the_root_keys_signature_only() {
        let root = RootKey::from_seed([7; 32]);
        let mut erased =
            PersonErased { erasure_id: "e".to_owned(), person_id: "p".to_owned(), root_signature: bytes::Bytes::new() };
        assert!(!root.public().signed_erasure(&erased));
        erased.root_signature = root.sign_erasure(&erased).into();
        assert!(root.public().signed_erasure(&erased));
        assert!(!RootKey::from_seed([8; 32]).public().signed_erasure(&erased));
        let other = PersonErased { person_id: "q".to_owned(), ..erased.clone() };
        assert!(!root.public().signed_erasure(&other));
        let revoked = StaffRoleRevoked {
            grant_id: erased.erasure_id.clone(),
            person_id: erased.person_id.clone(),
            root_signature: bytes::Bytes::new(),
        };
        erased.root_signature = root.sign_revocation(&revoked).into();
        assert!(!root.public().signed_erasure(&erased));
    }
}
