//! Wrong passwords by number, and checks of names by person: counted before they are looked at, so that many at once are no way around.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::domain::lockout::{FAILURES, LOCKED_FOR};

/// Counts a failure for each row of `from`, the number's hash, now, when a failure was that counts no more, and the most. No row where
/// it is locked.
macro_rules! count_failure {
    ($from:literal, $number_hash:literal, $now:literal, $over:literal, $most:literal) => {
        concat!(
            "INSERT INTO sign_in_failure AS f (number_hash, failures, last_at) SELECT ",
            $number_hash,
            ", 1, ",
            $now,
            " ",
            $from,
            " ON CONFLICT (number_hash) DO UPDATE
              SET failures = CASE WHEN f.last_at <= ",
            $over,
            " THEN 1 ELSE f.failures + 1 END, last_at = excluded.last_at
              WHERE f.failures < ",
            $most,
            " OR f.last_at <= ",
            $over,
            "
              RETURNING number_hash"
        )
    };
}
pub(super) use count_failure;

/// Counts a try as failed, until [`forget`] or [`take_back`] are told otherwise; `Err` says how long the number is still locked.
pub async fn count(
    connection: &mut PgConnection,
    number_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Result<(), Duration>, sqlx::Error> {
    let (counted, last_at): (bool, Option<OffsetDateTime>) = sqlx::query_as(concat!(
        "WITH failed AS (",
        count_failure!("", "$1", "$2", "$3", "$4"),
        ") \
         SELECT EXISTS (SELECT FROM failed), (SELECT last_at FROM sign_in_failure WHERE number_hash = $1)"
    ))
    .bind(number_hash.as_slice())
    .bind(now)
    .bind(now - LOCKED_FOR)
    .bind(FAILURES)
    .fetch_one(connection)
    .await?;
    Ok(if counted { Ok(()) } else { Err(rest(last_at, now)) })
}

pub(super) fn rest(last_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Duration {
    last_at.map_or(Duration::SECOND, |last_at| last_at + LOCKED_FOR - now).max(Duration::SECOND)
}

/// Takes back one try that came to nothing; those before it count on.
pub async fn take_back(connection: &mut PgConnection, number_hash: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sign_in_failure SET failures = failures - 1 WHERE number_hash = $1 AND failures > 0")
        .bind(number_hash.as_slice())
        .execute(connection)
        .await
        .map(drop)
}

/// Forgets all failures of a number: the password was right.
pub async fn forget(connection: &mut PgConnection, number_hash: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sign_in_failure WHERE number_hash = $1")
        .bind(number_hash.as_slice())
        .execute(connection)
        .await
        .map(drop)
}
