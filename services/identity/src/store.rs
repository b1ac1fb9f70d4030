//! Stored forms of events, and the plain records of signing in.

pub mod access_records;
pub mod account_event;
pub mod accounts;
pub mod attempts;
pub mod codes;
pub mod failures;
pub mod forgetting;
pub mod keys;
pub mod phone_fix;
pub mod puzzles;
pub mod recoveries;
pub mod second_factors;
pub mod sessions;
pub mod wechat;

use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

/// A connection to the service's own database, or a transaction over one.
pub type Connection = sqlx::PgConnection;
/// A connection that goes back to its pool.
pub type Pooled = sqlx::pool::PoolConnection<sqlx::Postgres>;

/// An event of the log that this program did not write, or that was changed since.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the event at position {position} cannot be read: {problem}")]
pub struct CorruptEvent {
    /// Where.
    pub position: i64,
    /// What is wrong; never the content.
    pub problem: &'static str,
}

/// A token as it is kept. It is 32 random bytes: a plain hash tells nobody what it was.
fn token_hash(token: &[u8; 32]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// Removes records that count no more.
pub async fn sweep(pool: &PgPool, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    for (sql, before) in [
        ("DELETE FROM one_time_code WHERE expires_at < $1", now - Duration::HOUR),
        ("DELETE FROM code_wait WHERE until < $1", now),
        ("DELETE FROM puzzle WHERE expires_at < $1", now),
        ("DELETE FROM attempt WHERE began_at < $1", now - crate::domain::limit::LONGEST),
        ("DELETE FROM sign_in_failure WHERE last_at < $1", now - crate::domain::lockout::LOCKED_FOR),
        ("DELETE FROM recovery WHERE expires_at < $1", now),
        ("DELETE FROM recovery_link WHERE expires_at < $1", now),
        ("DELETE FROM wechat_ticket WHERE expires_at < $1", now),
        ("DELETE FROM session WHERE started_at < $1", now - Duration::DAY),
        ("DELETE FROM access_record WHERE looked_at < $1", now - crate::domain::access::KEPT_FOR),
    ] {
        sqlx::query(sql).bind(before).execute(pool).await?;
    }
    Ok(())
}
