//! The keyed hash of each person's document number: finds what is said of somebody who holds no certificate here.

use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::domain::certificate::Hash;

/// Remembers a person's.
pub async fn remember(pool: &PgPool, person: Uuid, hash: &Hash) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO public.holder (person_id, hash) VALUES ($1, $2)
               ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash WHERE holder.hash <> excluded.hash";
    sqlx::query(sql).bind(person).bind(hash.as_slice()).execute(pool).await.map(drop)
}

/// A person's; `None` while identity has not told of them, and once they are erased.
pub async fn of(pool: &PgPool, person: Uuid) -> Result<Option<Hash>, sqlx::Error> {
    sqlx::query_scalar("SELECT hash FROM public.holder WHERE person_id = $1").bind(person).fetch_optional(pool).await
}

/// Forgets a person's.
pub async fn forget(on: impl PgExecutor<'_>, person: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM public.holder WHERE person_id = $1").bind(person).execute(on).await.map(drop)
}
