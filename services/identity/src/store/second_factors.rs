//! Second factors: secrets sealed under their person's key, steps that are used, tries.

use sqlx::{PgPool, Postgres, Transaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::PersonKey;

use crate::domain::lockout::{FAILURES, LOCKED_FOR};
use crate::totp::Secret;

/// A second factor, and one try of it gone.
#[derive(Clone, Debug)]
pub struct Tried {
    /// To be opened by the person's key.
    pub sealed: Vec<u8>,
    /// Whether a first code has come.
    pub confirmed: bool,
    /// Steps up to this one are used.
    pub last_step: i64,
}

/// What becomes of a try.
#[derive(Clone, Debug)]
pub enum Try {
    /// It may be judged.
    Counted(Tried),
    /// Too many were wrong; that long nothing is judged.
    Locked(Duration),
    /// The person has no second factor.
    None,
}

/// The records of second factors. Clones share them.
#[derive(Clone, Debug)]
pub struct SecondFactors {
    pool: PgPool,
}

impl SecondFactors {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Keeps a new secret, in place of one that was never confirmed; false where one was.
    pub async fn propose(
        &self,
        person: Uuid,
        secret: &Secret,
        key: &PersonKey,
        now: OffsetDateTime,
    ) -> Result<bool, sqlx::Error> {
        let kept = sqlx::query(
            "INSERT INTO totp AS t (person, secret, tried_at) VALUES ($1, $2, $3)
             ON CONFLICT (person) DO UPDATE SET secret = $2, last_step = 0 WHERE NOT t.confirmed",
        )
        .bind(person)
        .bind(seal(person, secret, key))
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() == 1)
    }

    /// The secret of a person, if it was confirmed.
    pub async fn find(&self, person: Uuid, key: &PersonKey) -> Result<Option<Secret>, sqlx::Error> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT secret FROM totp WHERE person = $1 AND confirmed")
            .bind(person)
            .fetch_optional(&self.pool)
            .await?;
        Ok(sealed.and_then(|sealed| open(person, &sealed, key)))
    }

    /// Counts a try as failed, until a right code is used, before it is judged.
    pub async fn count_try(&self, person: Uuid, now: OffsetDateTime) -> Result<Try, sqlx::Error> {
        let tried: Option<(Vec<u8>, bool, i64)> = sqlx::query_as(
            "UPDATE totp SET failures = CASE WHEN tried_at <= $2 THEN 1 ELSE failures + 1 END, tried_at = $3
             WHERE person = $1 AND (failures < $4 OR tried_at <= $2)
             RETURNING secret, confirmed, last_step",
        )
        .bind(person)
        .bind(now - LOCKED_FOR)
        .bind(now)
        .bind(FAILURES)
        .fetch_optional(&self.pool)
        .await?;
        if let Some((sealed, confirmed, last_step)) = tried {
            return Ok(Try::Counted(Tried { sealed, confirmed, last_step }));
        }
        let tried_at: Option<OffsetDateTime> = sqlx::query_scalar("SELECT tried_at FROM totp WHERE person = $1")
            .bind(person)
            .fetch_optional(&self.pool)
            .await?;
        Ok(tried_at.map_or(Try::None, |tried_at| Try::Locked((tried_at + LOCKED_FOR - now).max(Duration::SECOND))))
    }

    /// Begins a transaction that uses a step of what was tried, and forgets the failures; `None` where the step was used, or the
    /// secret replaced, in the meantime.
    pub async fn use_step(
        &self,
        person: Uuid,
        tried: &Tried,
        step: i64,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let used = sqlx::query(
            "UPDATE totp SET last_step = $2, failures = 0, confirmed = true
             WHERE person = $1 AND last_step < $2 AND secret = $3 AND confirmed = $4",
        )
        .bind(person)
        .bind(step)
        .bind(&tried.sealed)
        .bind(tried.confirmed)
        .execute(&mut *transaction)
        .await?;
        Ok((used.rows_affected() == 1).then_some(transaction))
    }

    /// Begins a transaction that gives a person a secret that counts at once, as the enrolment of first staff does.
    pub async fn set(
        &self,
        person: Uuid,
        secret: &Secret,
        key: &PersonKey,
        now: OffsetDateTime,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO totp (person, secret, confirmed, tried_at) VALUES ($1, $2, true, $3)
             ON CONFLICT (person) DO UPDATE SET secret = $2, confirmed = true, last_step = 0",
        )
        .bind(person)
        .bind(seal(person, secret, key))
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction)
    }

    /// Begins a transaction that takes a person's second factor away.
    pub async fn remove(&self, person: Uuid) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM totp WHERE person = $1").bind(person).execute(&mut *transaction).await?;
        Ok(transaction)
    }
}

/// The secret, opened; `None` when it is another person's.
pub fn open(person: Uuid, sealed: &[u8], key: &PersonKey) -> Option<Secret> {
    Secret::new(key.open(sealed, &binding(person))?.to_vec())
}

fn seal(person: Uuid, secret: &Secret, key: &PersonKey) -> Vec<u8> {
    key.seal(secret.bytes(), &binding(person))
}

/// Apart from those of events, which have 40 bytes.
fn binding(person: Uuid) -> Vec<u8> {
    [b"totp".as_slice(), person.as_bytes()].concat()
}
