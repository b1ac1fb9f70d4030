//! From a number's keyed hash to its record: by the claim that makes it one record for ever.

use std::collections::HashMap;

use sqlx::PgPool;
use uuid::Uuid;

use crate::domain::certificate::Hash;

/// Kind of the claim: one record for each certificate number.
pub const CERTIFICATE: &str = "certificate";

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
