//! Forgetting a person: which plain records go, in the transaction that says so.

use sqlx::PgConnection;
use uuid::Uuid;

/// Removes the drafts of a person; how many there were.
pub async fn remove_drafts(tx: &mut PgConnection, person: Uuid) -> Result<i64, sqlx::Error> {
    let done = sqlx::query("DELETE FROM public.draft WHERE person_id = $1").bind(person).execute(tx).await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
