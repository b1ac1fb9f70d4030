//! Recoveries under way and the links in mails: only hashes of tokens, and rows for whoever matches nothing, too.

use sqlx::{PgPool, Postgres, Transaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::{Index, Vault};

use super::token_hash;
use crate::domain::recovery::{LIFE, LINK_LIFE, LINK_RESEND};

/// A recovery that counts.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Recovery {
    /// Keyed hash of type and number.
    pub number_hash: [u8; 32],
    /// Who it is; nobody where type, number and name do not match.
    pub person: Option<Uuid>,
}

/// A link that was made.
#[derive(Clone, Copy, Debug)]
pub struct LinkMade {
    /// When it stops to count.
    pub expires_at: OffsetDateTime,
    /// When the next one may be made.
    pub resend_at: OffsetDateTime,
}

/// The records of recoveries. Clones share them.
#[derive(Clone, Debug)]
pub struct Recoveries {
    pool: PgPool,
    waits: Index,
}

impl Recoveries {
    /// Over the service's own database.
    pub fn new(pool: PgPool, vault: &Vault) -> Self {
        Self { pool, waits: vault.index("recovery-link") }
    }

    /// Records one that begins; returns until when it counts.
    pub async fn begin(&self, id: Uuid, begun: Recovery, now: OffsetDateTime) -> Result<OffsetDateTime, sqlx::Error> {
        let expires_at = now + LIFE;
        sqlx::query("INSERT INTO recovery (id, number_hash, person, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(begun.number_hash.as_slice())
            .bind(begun.person)
            .bind(expires_at)
            .execute(&self.pool)
            .await?;
        Ok(expires_at)
    }

    /// One that counts.
    pub async fn find(&self, id: Uuid, now: OffsetDateTime) -> Result<Option<Recovery>, sqlx::Error> {
        sqlx::query_as("SELECT number_hash, person FROM recovery WHERE id = $1 AND expires_at > $2")
            .bind(id)
            .bind(now)
            .fetch_optional(&self.pool)
            .await
    }

    /// Records a link; `Err` says how long its number has to wait for one.
    pub async fn make_link(
        &self,
        token: &[u8; 32],
        recovery: Recovery,
        now: OffsetDateTime,
    ) -> Result<Result<LinkMade, Duration>, sqlx::Error> {
        let made = LinkMade { expires_at: now + LINK_LIFE, resend_at: now + LINK_RESEND };
        let wait = self.waits.hash(&hex::encode(recovery.number_hash));
        let inserted = sqlx::query(
            "WITH place AS (
                 INSERT INTO code_wait AS w (phone_hash, until) VALUES ($1, $2)
                 ON CONFLICT (phone_hash) DO UPDATE SET until = $2 WHERE w.until <= $3
                 RETURNING phone_hash
             )
             INSERT INTO recovery_link (token_hash, person, expires_at) SELECT $4, $5, $6 FROM place",
        )
        .bind(wait.as_slice())
        .bind(made.resend_at)
        .bind(now)
        .bind(token_hash(token))
        .bind(recovery.person)
        .bind(made.expires_at)
        .execute(&self.pool)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(Ok(made));
        }
        let until: Option<OffsetDateTime> = sqlx::query_scalar("SELECT until FROM code_wait WHERE phone_hash = $1")
            .bind(wait.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        Ok(Err(until.map_or(Duration::SECOND, |until| (until - now).max(Duration::SECOND))))
    }

    /// Whose link a token is; `None` where it counts for nobody.
    pub async fn find_link(&self, token: &[u8; 32], now: OffsetDateTime) -> Result<Option<Uuid>, sqlx::Error> {
        let person: Option<Option<Uuid>> = sqlx::query_scalar(
            "SELECT person FROM recovery_link WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2",
        )
        .bind(token_hash(token))
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        Ok(person.flatten())
    }

    /// Begins a transaction that uses a link; `None` when it was used before, or counts no more.
    pub async fn spend_link(
        &self,
        token: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let spent = sqlx::query(
            "UPDATE recovery_link SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2",
        )
        .bind(token_hash(token))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        Ok((spent.rows_affected() == 1).then_some(transaction))
    }

    /// Makes whatever a person could recover with worthless, together with what has changed; a WeChat that is being bound, too.
    pub async fn void_in(
        &self,
        transaction: &mut Transaction<'static, Postgres>,
        person: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE recovery_link SET used_at = $2 WHERE person = $1 AND used_at IS NULL")
            .bind(person)
            .bind(now)
            .execute(&mut **transaction)
            .await?;
        super::wechat::void_in(transaction, person, now).await?;
        sqlx::query("DELETE FROM recovery WHERE person = $1").bind(person).execute(&mut **transaction).await.map(drop)
    }
}
