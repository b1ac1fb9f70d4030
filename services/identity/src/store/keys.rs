//! The stored form of signing keys: one stream for all; the public half is published, the private half sealed.

use access::root::RootKey;
use access::token::Issuer;
use decider::Decider as _;
use eventlog::{Division, EventLog, NewEvent, Recorded};
use prost::{Message as _, Name as _};
use proto::identity::v1::{SigningKey, SigningKeyPublished};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{PersonKey, Vault};
use zeroize::Zeroizing;

use super::CorruptEvent;
use crate::domain::signing_key::{Key, KeyRing, Published};
use crate::error::Error;

/// The stream of all signing keys: its version lets only one replica publish the next one.
pub const STREAM: Uuid = Uuid::from_u128(0x7d1c_52b8_0e3f_4b6a_9a55_3c18_f4d2_6e01);

/// All keys, and the private halves of those that still count.
#[derive(Clone, Debug, Default)]
pub struct LoadedKeys {
    /// As the domain sees them.
    pub ring: KeyRing,
    /// Of the stream.
    pub version: i64,
    /// By key.
    pub issuers: Vec<(Uuid, Issuer)>,
}

/// Loads all keys.
pub async fn load(log: &EventLog, vault: &Vault, now: OffsetDateTime) -> Result<LoadedKeys, Error> {
    let events = log.load(STREAM).await?;
    let published: Vec<Published> = events.iter().map(decode).collect::<Result<_, _>>()?;
    let ring = KeyRing::fold(&published);
    let alive: Vec<Uuid> = ring.alive(now).map(|key| key.id).collect();
    let keys = vault.find_all(&alive).await?;
    let mut issuers = Vec::with_capacity(alive.len());
    for (event, Published(key)) in events.iter().zip(&published) {
        if let Some(sealing) = keys.get(&key.id) {
            issuers.push((key.id, Issuer::new(key.id.to_string(), &*open(event, sealing)?)));
        }
    }
    let version = events.last().map_or(0, |event| event.version);
    Ok(LoadedKeys { ring, version, issuers })
}

/// A new key, ready to be recorded: signed by the root key, its seed sealed under a key of its own.
pub fn encode(
    key: &Key,
    seed: &[u8; 32],
    sealing: &PersonKey,
    event_id: Uuid,
    version: i64,
    root: &RootKey,
) -> NewEvent {
    let payload = SigningKeyPublished { key: Some(published(key, root)) };
    NewEvent {
        event_id,
        kind: SigningKeyPublished::full_name(),
        payload: payload.encode_to_vec(),
        inner: Vec::new(),
        sealed: sealing.seal(seed, &vault::binding(event_id, STREAM, version)),
        division: Division::NONE,
    }
}

/// A key as everybody may read it. Signing it again gives the same signature.
pub fn published(key: &Key, root: &RootKey) -> SigningKey {
    let mut published = SigningKey {
        key_id: key.id.to_string(),
        public_key: key.public_key.to_vec().into(),
        not_before_time: Some(rpc::timestamp(key.not_before)),
        not_after_time: Some(rpc::timestamp(key.not_after)),
        root_signature: prost::bytes::Bytes::new(),
    };
    published.root_signature = root.sign_key(&published).into();
    published
}

/// The event as the domain knows it.
pub fn decode(recorded: &Recorded) -> Result<Published, CorruptEvent> {
    let corrupt = || CorruptEvent { position: recorded.position, problem: "no signing key" };
    let published = SigningKeyPublished::decode(recorded.payload.as_slice()).map_err(|_| corrupt())?;
    let key = published.key.filter(|_| recorded.kind == SigningKeyPublished::full_name()).ok_or_else(corrupt)?;
    let time = |time: Option<prost_types::Timestamp>| OffsetDateTime::from_unix_timestamp(time?.seconds).ok();
    Ok(Published(Key {
        id: Uuid::parse_str(&key.key_id).map_err(|_| corrupt())?,
        public_key: key.public_key[..].try_into().map_err(|_| corrupt())?,
        not_before: time(key.not_before_time).ok_or_else(corrupt)?,
        not_after: time(key.not_after_time).ok_or_else(corrupt)?,
    }))
}

fn open(recorded: &Recorded, sealing: &PersonKey) -> Result<Zeroizing<[u8; 32]>, CorruptEvent> {
    let binding = vault::binding(recorded.event_id, recorded.stream, recorded.version);
    let seed = sealing.open(&recorded.sealed, &binding).and_then(|seed| seed.as_slice().try_into().ok());
    seed.map(Zeroizing::new).ok_or(CorruptEvent { position: recorded.position, problem: "the seed does not open" })
}
