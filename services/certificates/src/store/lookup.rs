//! From a number's keyed hash to its record: by the claim that makes it one record for ever.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;
use proto::certificates::v1::CertificateForgotten;
use sqlx::PgPool;
use uuid::Uuid;

use crate::domain::certificate::Hash;

/// Kind of the claim: one record for each certificate number.
pub const CERTIFICATE: &str = "certificate";

/// Kind of the claim that remembers which certificates were forgotten with which person.
pub const FORGOTTEN: &str = "forgotten";

/// Kind of the claim that remembers which keys were a person's who no longer holds the certificate.
pub const FORMER: &str = "former";

/// The key of the first claim: all of one person's lie beside each other.
pub fn forgotten_key(person: Uuid, certificate: Uuid) -> Vec<u8> {
    [person.into_bytes(), certificate.into_bytes()].concat()
}

/// The key of the second one: beside those, with the generation behind.
pub fn former_key(person: Uuid, certificate: Uuid, generation: u32) -> Vec<u8> {
    [&forgotten_key(person, certificate)[..], &generation.to_be_bytes()].concat()
}

/// Certificates and generations of their keys.
pub type Generations = BTreeMap<Uuid, BTreeSet<u32>>;

/// What is to be destroyed with a person: the keys of the certificates that were forgotten with them, and those of the
/// certificates that were theirs before another holder came.
pub async fn keys_of(pool: &PgPool, person: Uuid) -> Result<Generations, sqlx::Error> {
    let rows: Vec<(Vec<u8>, Uuid, Vec<u8>)> = sqlx::query_as(
        "SELECT claim.key, event.stream, event.payload FROM public.claim JOIN public.event_log event USING (position)
         WHERE claim.kind = ANY($1) AND claim.key BETWEEN $2 AND $3",
    )
    .bind([FORGOTTEN, FORMER].as_slice())
    .bind(forgotten_key(person, Uuid::nil()))
    .bind(forgotten_key(person, Uuid::max()))
    .fetch_all(pool)
    .await?;
    let mut generations = Generations::new();
    for (key, certificate, payload) in rows {
        let generation = if let Some(bytes) = key.last_chunk().filter(|_| key.len() > 32) {
            u32::from_be_bytes(*bytes)
        } else {
            let message = CertificateForgotten::decode(payload.as_slice()).map_err(sqlx::Error::decode)?;
            u32::try_from(message.key_generation).map_err(sqlx::Error::decode)?
        };
        generations.entry(certificate).or_default().insert(generation);
    }
    Ok(generations)
}

/// The records of these numbers; those that nobody has spoken of yet are left out.
pub async fn find(pool: &PgPool, numbers: &[Hash]) -> Result<HashMap<Hash, Uuid>, sqlx::Error> {
    let keys: Vec<&[u8]> = numbers.iter().map(<[u8; 32]>::as_slice).collect();
    let rows: Vec<(Vec<u8>, Uuid)> = sqlx::query_as(
        "SELECT c.key, e.stream FROM claim c JOIN event_log e ON e.position = c.position
         WHERE c.kind = $1 AND c.key = ANY($2)",
    )
    .bind(CERTIFICATE)
    .bind(keys)
    .fetch_all(pool)
    .await?;
    let found = rows.into_iter().map(|(key, stream)| {
        let hash = key.try_into().expect("claims of this kind are keyed hashes");
        (hash, stream)
    });
    Ok(found.collect())
}
