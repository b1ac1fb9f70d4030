//! Wrong passwords by number, and wrong names by person: counted before they are looked at, so that many at once are no way around.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::domain::lockout::{FAILURES, LOCKED_FOR};

/// Counts a try as failed, until [`forget`] is told otherwise; `Err` says how long the number is still locked.
pub async fn count(
    connection: &mut PgConnection,
    number_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Result<(), Duration>, sqlx::Error> {
    let counted = sqlx::query(
        "INSERT INTO sign_in_failure AS f (number_hash, failures, last_at) VALUES ($1, 1, $2)
         ON CONFLICT (number_hash) DO UPDATE
         SET failures = CASE WHEN f.last_at <= $3 THEN 1 ELSE f.failures + 1 END, last_at = $2
         WHERE f.failures < $4 OR f.last_at <= $3",
    )
    .bind(number_hash.as_slice())
    .bind(now)
    .bind(now - LOCKED_FOR)
    .bind(FAILURES)
    .execute(&mut *connection)
    .await?;
    if counted.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let last_at: Option<OffsetDateTime> =
        sqlx::query_scalar("SELECT last_at FROM sign_in_failure WHERE number_hash = $1")
            .bind(number_hash.as_slice())
            .fetch_optional(connection)
            .await?;
    let rest = last_at.map_or(Duration::SECOND, |last_at| last_at + LOCKED_FOR - now);
    Ok(Err(rest.max(Duration::SECOND)))
}

/// Forgets all failures of a number: the password was right.
pub async fn forget(connection: &mut PgConnection, number_hash: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sign_in_failure WHERE number_hash = $1")
        .bind(number_hash.as_slice())
        .execute(connection)
        .await
        .map(drop)
}
