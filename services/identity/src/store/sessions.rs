//! Sessions and their refresh tokens, which are stored hashed and spent once.

use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::token_hash;
use crate::domain::session::{Entry, Session};

/// Of the lock by which the sessions of a person, who follows, begin and end one after the other.
const LOCK: &str = "identity/sessions/";

/// A session as it stands.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a column")]
pub struct Kept {
    /// Random id, part of every access token.
    pub id: Uuid,
    /// Whose it is.
    pub person: Uuid,
    /// Through which entry it began.
    pub entry: Entry,
    /// Its times.
    pub session: Session,
    /// Whether it began with a code to the phone, rather than with a puzzle.
    pub by_code: bool,
    /// Whether it has passed the second factor.
    pub passed: bool,
    /// Whether it was ended.
    pub ended: bool,
    /// Whether the refresh token that was shown has been spent before.
    pub spent: bool,
}

/// Columns of a session: id, person, entry, its two times, by code, passed, ended, and whether its token was spent.
type Row = (Uuid, Uuid, i16, OffsetDateTime, OffsetDateTime, bool, bool, bool, bool);

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

    /// Records a new session with its first token as the last step of the transaction that spends the code, as [`Self::begin_by_password`]
    /// does. False, and the code unspent, where the account has come to another version than the one that was judged.
    pub async fn begin_in(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        new: &Kept,
        token: &[u8; 32],
        number_hash: &[u8; 32],
        version: i64,
    ) -> Result<bool, sqlx::Error> {
        let begun = begin(&mut *transaction, new, token, number_hash, version).await?;
        if begun {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(begun)
    }

    /// Records a new session with its first token and forgets the failures of the number, whose password was right, in one round trip.
    /// False, and nothing recorded, where the account has come to another version than the one that the password was compared by.
    pub async fn begin_by_password(
        &self,
        new: &Kept,
        token: &[u8; 32],
        number_hash: &[u8; 32],
        version: i64,
    ) -> Result<bool, sqlx::Error> {
        begin(&self.pool, new, token, number_hash, version).await
    }

    /// The session that a refresh token was given for.
    pub async fn find(&self, token: &[u8; 32]) -> Result<Option<Kept>, sqlx::Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT s.id, s.person, s.entry, s.started_at, s.used_at, s.by_code, s.passed_at IS NOT NULL,
                    s.ended_at IS NOT NULL, t.spent_at IS NOT NULL
             FROM refresh_token t JOIN session s ON s.id = t.session WHERE t.hash = $1",
        )
        .bind(token_hash(token))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(kept))
    }

    /// Spends a token and gives the next one; false when the token was spent, or the session ended, in the meantime.
    pub async fn rotate(&self, used: &Kept, spent: &[u8; 32], next: &[u8; 32]) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let now = used.session.used_at;
        let rotated = sqlx::query("UPDATE refresh_token SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL")
            .bind(token_hash(spent))
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

    /// The sessions of a person that are still kept, ended or not, the one that was used last first.
    pub async fn of_person(&self, person: Uuid) -> Result<Vec<Kept>, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, person, entry, started_at, used_at, by_code, passed_at IS NOT NULL, ended_at IS NOT NULL, false
             FROM session WHERE person = $1 ORDER BY used_at DESC, id",
        )
        .bind(person)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(kept).collect())
    }

    /// A session that was not ended.
    pub async fn get(&self, session: Uuid) -> Result<Option<Kept>, sqlx::Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, person, entry, started_at, used_at, by_code, passed_at IS NOT NULL, false, false FROM session
             WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(session)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(kept))
    }

    /// Ends a session of this person; false where the person has none of that id. Doing it twice changes nothing.
    pub async fn end_own(&self, person: Uuid, session: Uuid, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
        let ended = sqlx::query("UPDATE session SET ended_at = coalesce(ended_at, $3) WHERE id = $1 AND person = $2")
            .bind(session)
            .bind(person)
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(ended.rows_affected() == 1)
    }

    /// Ends all sessions of a person but this one; says how many.
    pub async fn end_all(&self, person: Uuid, but: Option<Uuid>, now: OffsetDateTime) -> Result<u64, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let ended = end_all_in(&mut transaction, person, but, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Begins a transaction for what happens together with the beginning or the end of sessions.
    pub async fn begin_transaction(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin().await
    }
}

/// Keeps others from ending the sessions of a person until the transaction is over, or waits until they have.
pub async fn hold_in(connection: &mut PgConnection, person: Uuid) -> Result<(), sqlx::Error> {
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
    lock.bind(format!("{LOCK}{person}")).execute(connection).await.map(drop)
}

/// Ends every session of a person but one as a step of a transaction, whose last one records why; says how many.
pub async fn end_all_in(
    connection: &mut PgConnection,
    person: Uuid,
    except: Option<Uuid>,
    now: OffsetDateTime,
) -> Result<u64, sqlx::Error> {
    hold_in(&mut *connection, person).await?;
    sqlx::query("UPDATE session SET ended_at = $3 WHERE person = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL")
        .bind(person)
        .bind(except)
        .bind(now)
        .execute(connection)
        .await
        .map(|ended| ended.rows_affected())
}

/// Ends the sessions of a person that have passed the second factor, as a step of a transaction, whose last one records why.
pub async fn end_passed_in(
    connection: &mut PgConnection,
    person: Uuid,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    hold_in(&mut *connection, person).await?;
    let sql = "UPDATE session SET ended_at = $2 WHERE person = $1 AND passed_at IS NOT NULL AND ended_at IS NULL";
    sqlx::query(sql).bind(person).bind(now).execute(connection).await.map(drop)
}

/// Records that a session has passed the second factor, with its next token in place of all before; false where it has ended.
pub async fn pass_in(connection: &mut PgConnection, passed: &Kept, next: &[u8; 32]) -> Result<bool, sqlx::Error> {
    let now = passed.session.used_at;
    // The token before the session, as a refresh takes them.
    sqlx::query("UPDATE refresh_token SET spent_at = $2 WHERE session = $1 AND spent_at IS NULL")
        .bind(passed.id)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let alive = sqlx::query("UPDATE session SET passed_at = $2, used_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(passed.id)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    give(connection, passed.id, next).await?;
    Ok(alive.rows_affected() == 1)
}

async fn begin(
    executor: impl PgExecutor<'_>,
    new: &Kept,
    token: &[u8; 32],
    number_hash: &[u8; 32],
    version: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT begin_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(format!("{LOCK}{}", new.person))
        .bind(new.id)
        .bind(new.person)
        .bind(new.entry.code())
        .bind(new.session.started_at)
        .bind(new.session.used_at)
        .bind(new.by_code)
        .bind(token_hash(token))
        .bind(number_hash.as_slice())
        .bind(version)
        .fetch_one(executor)
        .await
}

fn kept((id, person, entry, started_at, used_at, by_code, passed, ended, spent): Row) -> Option<Kept> {
    let entry = Entry::from_code(entry.into())?;
    Some(Kept { id, person, entry, session: Session { started_at, used_at }, by_code, passed, ended, spent })
}

async fn give(connection: &mut PgConnection, session: Uuid, token: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO refresh_token (hash, session) VALUES ($1, $2)")
        .bind(token_hash(token))
        .bind(session)
        .execute(connection)
        .await
        .map(drop)
}
