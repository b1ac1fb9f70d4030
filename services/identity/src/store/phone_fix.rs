//! What somebody asks the helpdesk for: sealed beside the request under the key of the account's person.

use eventlog::{NewEvent, Recorded};
use prost::Message as _;
use proto::identity::v1::SealedPhoneFix;
use uuid::Uuid;
use vault::PersonKey;

use super::CorruptEvent;

/// The phone that shall be put in, and what shows that it is the person who asks. Neither is known to be true.
#[derive(Clone, PartialEq, Eq)]
pub struct Claimed {
    /// 11 digits; its code came back.
    pub phone: String,
    /// For the helpdesk's eyes.
    pub evidence: String,
}

/// Seals it as the sealed part of a request that stands at this version of the person's stream.
pub fn seal(event: &mut NewEvent, person: Uuid, version: i64, key: &PersonKey, claimed: &Claimed) {
    let Claimed { phone, evidence } = claimed.clone();
    let binding = vault::binding(event.event_id, person, version);
    event.sealed = key.seal(&SealedPhoneFix { phone, evidence }.encode_to_vec(), &binding);
}

/// What a request asked for.
pub fn open(recorded: &Recorded, key: &PersonKey) -> Result<Claimed, CorruptEvent> {
    let corrupt = |problem| CorruptEvent { position: recorded.position, problem };
    let binding = vault::binding(recorded.event_id, recorded.stream, recorded.version);
    let plain = key.open(&recorded.sealed, &binding).ok_or_else(|| corrupt("the seal does not open"))?;
    let SealedPhoneFix { phone, evidence } =
        SealedPhoneFix::decode(plain.as_slice()).map_err(|_| corrupt("no protobuf of its kind"))?;
    Ok(Claimed { phone, evidence })
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claimed(…)")
    }
}
