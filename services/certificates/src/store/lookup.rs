//! From a number's keyed hash to its record: by the claim that makes it one record for ever.

use std::collections::HashMap;

use prost::Message as _;
use proto::certificates::v1::CertificateForgotten;
use sqlx::PgPool;
use uuid::Uuid;

use crate::domain::certificate::Hash;

/// Kind of the claim: one record for each certificate number.
pub const CERTIFICATE: &str = "certificate";

/// Kind of the claim that remembers which certificates were forgotten with which person.
pub const FORGOTTEN: &str = "forgotten";

/// The key of that claim: all of one person's lie beside each other.
pub fn forgotten_key(person: Uuid, certificate: Uuid) -> Vec<u8> {
    [person.into_bytes(), certificate.into_bytes()].concat()
}

/// A certificate that was forgotten with its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Which one.
    pub certificate: Uuid,
    /// How often it had been forgotten before.
    pub generation: u32,
    /// Events of it that can no longer be read.
    pub sealed_events: i64,
}

/// The certificates that were forgotten with a person.
pub async fn forgotten_with(pool: &PgPool, person: Uuid) -> Result<Vec<Forgotten>, sqlx::Error> {
    let rows: Vec<(Uuid, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT forgotten.stream, forgotten.payload,
             (SELECT count(*) FROM public.event_log said
              WHERE said.stream = forgotten.stream AND said.version < forgotten.version AND said.sealed <> '')
         FROM public.claim JOIN public.event_log forgotten USING (position)
         WHERE claim.kind = $1 AND claim.key BETWEEN $2 AND $3 ORDER BY forgotten.stream",
    )
    .bind(FORGOTTEN)
    .bind(forgotten_key(person, Uuid::nil()))
    .bind(forgotten_key(person, Uuid::max()))
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|(certificate, payload, sealed_events)| {
            let message = CertificateForgotten::decode(payload.as_slice()).map_err(sqlx::Error::decode)?;
            let generation = u32::try_from(message.key_generation).map_err(sqlx::Error::decode)?;
            Ok(Forgotten { certificate, generation, sealed_events })
        })
        .collect()
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
