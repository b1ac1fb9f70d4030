//! Which requests of `Secrets/Deliver` were done: their ids alone, for a day.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::Store;

/// What is known of a request for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is the caller's to send now.
    Yours {
        /// When it first came.
        asked_at: OffsetDateTime,
    },
    /// It was sent.
    Sent,
    /// Somebody is sending it at this moment.
    InHand,
}

impl Store {
    /// Takes a request in hand for `time`, unless it was sent or somebody else has it.
    pub async fn claim_secret(&self, request: Uuid, time: Duration) -> Result<Claimed, sqlx::Error> {
        let asked_at = sqlx::query_scalar(
            "INSERT INTO secret (request_id, leased_until) \
             VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
             ON CONFLICT (request_id) DO UPDATE SET leased_until = excluded.leased_until \
                 WHERE NOT secret.sent AND secret.leased_until <= clock_timestamp() \
             RETURNING asked_at",
        )
        .bind(request)
        .bind(time.as_secs_f64())
        .fetch_optional(&self.pool)
        .await?;
        if let Some(asked_at) = asked_at {
            return Ok(Claimed::Yours { asked_at });
        }
        let sent = sqlx::query_scalar("SELECT sent FROM secret WHERE request_id = $1").bind(request);
        let sent: Option<bool> = sent.fetch_optional(&self.pool).await?;
        Ok(if sent == Some(true) { Claimed::Sent } else { Claimed::InHand })
    }

    /// Remembers that it was sent.
    pub async fn secret_sent(&self, request: Uuid) -> Result<(), sqlx::Error> {
        let query = sqlx::query("UPDATE secret SET sent = true WHERE request_id = $1").bind(request);
        query.execute(&self.pool).await.map(drop)
    }

    /// Gives it back, so that it can be tried again at once.
    pub async fn release_secret(&self, request: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE secret SET leased_until = clock_timestamp() WHERE request_id = $1 AND NOT sent")
            .bind(request)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Forgets what is older than a day: no code lives that long, so nobody asks again.
    pub async fn forget_old_secrets(&self) -> Result<u64, sqlx::Error> {
        let query = sqlx::query("DELETE FROM secret WHERE asked_at < clock_timestamp() - interval '1 day'");
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
