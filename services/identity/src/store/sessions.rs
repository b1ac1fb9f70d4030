//! Sessions and their refresh tokens, which are stored hashed and spent once.

use sha2::{Digest as _, Sha256};
use sqlx::{PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::session::{Entry, Session};

/// A session as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Random id, part of every access token.
    pub id: Uuid,
    /// Whose it is.
    pub person: Uuid,
    /// Through which entry it began.
    pub entry: Entry,
    /// Its times.
    pub session: Session,
    /// Whether it was ended.
    pub ended: bool,
    /// Whether the refresh token that was shown has been spent before.
    pub spent: bool,
}

/// The records of sessions. Clones share them.
#[derive(Clone, Debug)]
pub struct Sessions {
    pool: PgPool,
}

impl Sessions {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Records a new session with its first token as the last step of the transaction that spends the code.
    pub async fn begin_in(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        new: &Kept,
        token: &[u8; 32],
    ) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO session (id, person, entry, started_at, used_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(new.id)
            .bind(new.person)
            .bind(new.entry.code())
            .bind(new.session.started_at)
            .bind(new.session.used_at)
            .execute(&mut *transaction)
            .await?;
        give(&mut transaction, new.id, token).await?;
        transaction.commit().await
    }

    /// The session that a refresh token was given for.
    pub async fn find(&self, token: &[u8; 32]) -> Result<Option<Kept>, sqlx::Error> {
        let row: Option<(Uuid, Uuid, i16, OffsetDateTime, OffsetDateTime, bool, bool)> = sqlx::query_as(
            "SELECT s.id, s.person, s.entry, s.started_at, s.used_at, s.ended_at IS NOT NULL, t.spent_at IS NOT NULL
             FROM refresh_token t JOIN session s ON s.id = t.session WHERE t.hash = $1",
        )
        .bind(hash(token))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(|(id, person, entry, started_at, used_at, ended, spent)| {
            let entry = Entry::from_code(entry.into())?;
            Some(Kept { id, person, entry, session: Session { started_at, used_at }, ended, spent })
        }))
    }

    /// Spends a token and gives the next one; false when the token was spent, or the session ended, in the meantime.
    pub async fn rotate(&self, used: &Kept, spent: &[u8; 32], next: &[u8; 32]) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let now = used.session.used_at;
        let rotated = sqlx::query("UPDATE refresh_token SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL")
            .bind(hash(spent))
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        let used = sqlx::query("UPDATE session SET used_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(used.id)
            .bind(now)
            .execute(&mut *transaction)
            .await
            .map(|done| (done.rows_affected() == 1).then_some(used.id))?;
        let (1, Some(session)) = (rotated.rows_affected(), used) else {
            transaction.rollback().await?;
            return Ok(false);
        };
        give(&mut transaction, session, next).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a session. Doing it twice changes nothing.
    pub async fn end(&self, session: Uuid, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(session)
            .bind(now)
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

impl Sessions {
    /// Begins a transaction for what ends together with sessions.
    pub async fn begin_ending(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin().await
    }

    /// Ends every session of a person but one.
    pub async fn end_all(&self, person: Uuid, except: Option<Uuid>, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        self.end_all_in(&mut transaction, person, except, now).await?;
        transaction.commit().await
    }

    /// The same together with what ends them.
    pub async fn end_all_in(
        &self,
        transaction: &mut Transaction<'static, Postgres>,
        person: Uuid,
        except: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE session SET ended_at = $3
             WHERE person = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL",
        )
        .bind(person)
        .bind(except)
        .bind(now)
        .execute(&mut **transaction)
        .await
        .map(drop)
    }
}

async fn give(
    transaction: &mut Transaction<'static, Postgres>,
    session: Uuid,
    token: &[u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO refresh_token (hash, session) VALUES ($1, $2)")
        .bind(hash(token))
        .bind(session)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

/// A token is 32 random bytes: a plain hash tells nobody what it was.
fn hash(token: &[u8; 32]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
