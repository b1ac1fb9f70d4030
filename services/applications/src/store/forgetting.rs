//! Forgetting a person: which plain records go, in the transaction that says so.

use sqlx::PgConnection;
use uuid::Uuid;

/// Removes the drafts of a person, and what nobody was told of them yet; how many drafts there were.
pub async fn remove_drafts(tx: &mut PgConnection, person: Uuid) -> Result<i64, sqlx::Error> {
    let sql = "DELETE FROM public.draft WHERE person_id = $1 RETURNING draft_id";
    let drafts: Vec<Uuid> = sqlx::query_scalar(sql).bind(person).fetch_all(&mut *tx).await?;
    let sql = "DELETE FROM public.untold_draft_event WHERE draft_id = ANY($1)";
    sqlx::query(sql).bind(&drafts).execute(tx).await?;
    Ok(i64::try_from(drafts.len()).unwrap_or(i64::MAX))
}
