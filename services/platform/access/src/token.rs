//! Access tokens: signed JWTs (EdDSA) of ten minutes, made by identity, verified by everybody alone.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use proto::identity::v1::Entry;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;
use uuid::Uuid;

/// How long an access token lives.
pub const LIFETIME: Duration = Duration::from_secs(600);

const ISSUER: &str = "dingzhu";

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    /// The person.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// Business entry: number of `dingzhu.identity.v1.Entry`.
    pub ent: i32,
    /// Whether the profile is complete.
    pub cpl: bool,
    /// Whether the session has passed the second factor; tokens from before there was one have not.
    #[serde(default)]
    pub two: bool,
    /// Whether the account is restricted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rst: bool,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds.
    pub exp: i64,
}

impl Claims {
    /// Claims that begin now and live for [`LIFETIME`].
    pub fn new(person: Uuid, session: Uuid, entry: Entry, complete: bool, now: OffsetDateTime) -> Self {
        let iat = now.unix_timestamp();
        let exp = iat + LIFETIME.as_secs().cast_signed();
        let iss = ISSUER.to_owned();
        Self { iss, sub: person, sid: session, ent: entry.into(), cpl: complete, two: false, rst: false, iat, exp }
    }

    /// The same of a session that has passed the second factor, or not.
    #[must_use]
    pub fn with_second_factor(self, passed: bool) -> Self {
        Self { two: passed, ..self }
    }

    /// The same of an account that is restricted, or not.
    #[must_use]
    pub fn restricted(self, restricted: bool) -> Self {
        Self { rst: restricted, ..self }
    }
}

/// A key that makes tokens.
#[derive(Clone)]
pub struct Issuer {
    id: String,
    key: EncodingKey,
}

impl Issuer {
    /// From a key's id and its Ed25519 seed.
    pub fn new(key_id: impl Into<String>, seed: &[u8; 32]) -> Self {
        let der = SigningKey::from_bytes(seed).to_pkcs8_der().expect("an Ed25519 key always encodes");
        Self { id: key_id.into(), key: EncodingKey::from_ed_der(der.as_bytes()) }
    }

    /// Signs claims.
    pub fn sign(&self, claims: &impl Serialize) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).expect("claims of plain values always encode")
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({}, …)", self.id)
    }
}

/// The public half of a key, from its seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Id of the key that a token names; `None` when it is not a token.
pub(crate) fn key_id(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Verifies signature and algorithm and reads the claims; the caller judges the times.
pub(crate) fn verify<C: DeserializeOwned + Clone>(token: &str, public_key: &[u8; 32]) -> Option<C> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation.set_issuer(&[ISSUER]);
    jsonwebtoken::decode::<C>(token, &DecodingKey::from_ed_der(public_key), &validation).ok().map(|data| data.claims)
}

/// What a service's token says; it lives for minutes and is meant for one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceClaims {
    pub(crate) iss: String,
    /// Name of the calling service.
    pub(crate) sub: String,
    /// Name of the service that is called.
    pub(crate) aud: String,
    pub(crate) exp: i64,
}

impl ServiceClaims {
    pub(crate) fn new(from: &str, to: &str, exp: i64) -> Self {
        Self { iss: ISSUER.to_owned(), sub: from.to_owned(), aud: to.to_owned(), exp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [5; 32];

    fn claims() -> Claims {
        Claims::new(Uuid::from_u128(1), Uuid::from_u128(2), Entry::Registration, true, OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_token_says_what_was_signed_and_lives_ten_minutes() {
        let token = Issuer::new("k1", &SEED).sign(&claims());
        assert_eq!(key_id(&token).as_deref(), Some("k1"));
        let read: Claims = verify(&token, &public_key(&SEED)).unwrap();
        assert_eq!(read, claims());
        assert_eq!(read.exp - read.iat, 600);
    }

    #[test]
    fn a_token_that_says_nothing_of_a_second_factor_has_not_passed_it() {
        let mut old = serde_json::to_value(claims().with_second_factor(true)).unwrap();
        assert_eq!(old.as_object_mut().unwrap().remove("two"), Some(true.into()));
        let read: Claims = verify(&Issuer::new("k1", &SEED).sign(&old), &public_key(&SEED)).unwrap();
        assert!(!read.two);
    }

    #[test]
    fn another_key_a_changed_token_and_no_signature_are_refused() {
        let token = Issuer::new("k1", &SEED).sign(&claims());
        assert!(verify::<Claims>(&token, &public_key(&[6; 32])).is_none());
        let (rest, signature) = token.rsplit_once('.').unwrap();
        assert!(verify::<Claims>(&format!("{rest}."), &public_key(&SEED)).is_none());
        let mut forged = rest.to_owned().into_bytes();
        let last = forged.len() - 1;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert!(verify::<Claims>(&format!("{forged}.{signature}"), &public_key(&SEED)).is_none());
    }

    #[test]
    fn the_algorithm_none_is_refused() {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let body = serde_json::to_string(&claims()).unwrap();
        let token = format!("{}.{}.", encode(r#"{"alg":"none","kid":"k1"}"#), encode(&body));
        assert!(verify::<Claims>(&token, &public_key(&SEED)).is_none());
    }
}
