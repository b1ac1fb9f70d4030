//! Forgetting a person: which events can no longer be read, and which plain records go.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// How many events of a person's stream have a sealed part.
pub async fn sealed_events(pool: &PgPool, person: Uuid) -> Result<i64, sqlx::Error> {
    let sql = "SELECT count(*) FROM public.event_log WHERE stream = $1 AND sealed <> ''";
    sqlx::query_scalar(sql).bind(person).fetch_one(pool).await
}

/// Removes every record that names the person; each kind with how many there were.
pub async fn remove_records(tx: &mut PgConnection, person: Uuid) -> Result<Vec<(&'static str, i64)>, sqlx::Error> {
    let mut removed = Vec::new();
    for (kind, sql) in [
        // With their refresh tokens.
        ("session", "DELETE FROM public.session WHERE person = $1"),
        ("one_time_code", "DELETE FROM public.one_time_code WHERE person = $1"),
        ("recovery", "DELETE FROM public.recovery WHERE person = $1"),
        ("recovery_link", "DELETE FROM public.recovery_link WHERE person = $1"),
        ("wechat_ticket", "DELETE FROM public.wechat_ticket WHERE person = $1"),
        ("totp", "DELETE FROM public.totp WHERE person = $1"),
    ] {
        let done = sqlx::query(sql).bind(person).execute(&mut *tx).await?;
        removed.push((kind, i64::try_from(done.rows_affected()).unwrap_or(i64::MAX)));
    }
    Ok(removed)
}
