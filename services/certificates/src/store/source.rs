//! Runs over a register's source: how far each register was read, who reads now, and what was wrong with rows.

use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::source::Place;

/// Problems of a run that are kept; more are only counted.
const MOST_PROBLEMS: i64 = 10_000;
/// Days for which a run that is over is remembered.
const KEPT_DAYS: i32 = 90;

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Counts {
    /// Rows read.
    pub rows_read: i64,
    /// Certificates that were unknown.
    pub added: i64,
    /// Rows that said something new of a known one.
    pub changed: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows that cannot be taken.
    pub rejected: i64,
    /// Rows that are taken and deserve a look.
    pub warned: i64,
}

/// A run, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Run {
    /// Names it; its stream in the log.
    pub sync_id: Uuid,
    /// Who asked for it.
    pub actor: String,
    /// So far.
    #[sqlx(flatten)]
    pub counts: Counts,
    /// Provinces that the numbers of the rows name.
    pub provinces: Vec<String>,
    /// Over: nothing more follows.
    pub finished: bool,
    /// Why it ended before the source did.
    pub failed: Option<String>,
}

/// What was wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RowProblem {
    /// From 1.
    pub ordinal: i64,
    /// `certificates` or `restrictions`.
    pub register: String,
    /// The row, as the source names it.
    pub row_id: Uuid,
    /// The column's header.
    pub field: String,
    /// Stable.
    pub reason: String,
    /// For the officer.
    pub sentence: String,
}

/// What one page adds to a run.
#[derive(Debug)]
pub struct Step<'s> {
    /// The register that it is a page of.
    pub register: &'static str,
    /// Its last row.
    pub place: Place,
    /// Of the page alone.
    pub counts: Counts,
    /// Provinces that its numbers name.
    pub provinces: Vec<&'s str>,
    /// Row, field, reason, sentence.
    pub problems: &'s [(Uuid, &'static str, &'static str, &'static str)],
}

const RUN: &str = "sync_id, actor, rows_read, added, changed, unchanged, rejected, warned, provinces,
                   finished_at IS NOT NULL AS finished, failed";

/// Opens a run; gives the one that has this id already, or else the one that is open. Lets go of those that are long over.
pub async fn open(pool: &PgPool, sync_id: Uuid, actor: &str) -> Result<Uuid, sqlx::Error> {
    let old = "DELETE FROM source_run WHERE finished_at < clock_timestamp() - make_interval(days => $1)";
    sqlx::query(old).bind(KEPT_DAYS).execute(pool).await?;
    loop {
        let insert = "INSERT INTO source_run (sync_id, actor) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let opened = sqlx::query(insert).bind(sync_id).bind(actor).execute(pool).await?.rows_affected();
        if opened == 1 {
            return Ok(sync_id);
        }
        let known = "SELECT sync_id FROM source_run WHERE sync_id = $1 OR finished_at IS NULL ORDER BY sync_id <> $1";
        // The one that was open may have ended meanwhile.
        if let Some(known) = sqlx::query_scalar(known).bind(sync_id).fetch_optional(pool).await? {
            return Ok(known);
        }
    }
}

/// Takes the open run for this replica, where nobody holds it.
pub async fn take(pool: &PgPool, holder: Uuid, seconds: f64) -> Result<Option<Run>, sqlx::Error> {
    let sql = format!(
        "UPDATE source_run SET holder = $1, held_until = clock_timestamp() + make_interval(secs => $2)
         WHERE finished_at IS NULL AND (holder IS NULL OR held_until < clock_timestamp()) RETURNING {RUN}"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(holder).bind(seconds).fetch_optional(pool).await
}

/// Holds on; false when another replica has taken the run.
pub async fn hold(pool: &PgPool, sync_id: Uuid, holder: Uuid, seconds: f64) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE source_run SET held_until = clock_timestamp() + make_interval(secs => $3)
               WHERE sync_id = $1 AND holder = $2 AND finished_at IS NULL";
    Ok(sqlx::query(sql).bind(sync_id).bind(holder).bind(seconds).execute(pool).await?.rows_affected() == 1)
}

/// Lets go, so that another replica takes the run at once.
pub async fn release(pool: &PgPool, sync_id: Uuid, holder: Uuid) -> Result<(), sqlx::Error> {
    let sql = "UPDATE source_run SET holder = NULL, held_until = NULL WHERE sync_id = $1 AND holder = $2";
    sqlx::query(sql).bind(sync_id).bind(holder).execute(pool).await.map(drop)
}

/// A page was taken: the next one follows it, whoever reads it. False when another replica has taken the run.
pub async fn advance(pool: &PgPool, sync_id: Uuid, holder: Uuid, step: &Step<'_>) -> Result<bool, sqlx::Error> {
    let Step { register, place, counts, provinces, problems } = step;
    let mut tx = pool.begin().await?;
    let known: Option<i64> = sqlx::query_scalar(
        "UPDATE source_run SET rows_read = rows_read + $3, added = added + $4, changed = changed + $5,
             unchanged = unchanged + $6, rejected = rejected + $7, warned = warned + $8,
             provinces = ARRAY(SELECT DISTINCT unnest(provinces || $9::text[]) ORDER BY 1)
         WHERE sync_id = $1 AND holder = $2 AND finished_at IS NULL
         RETURNING (SELECT count(*) FROM source_problem WHERE source_problem.sync_id = $1)",
    )
    .bind(sync_id)
    .bind(holder)
    .bind(counts.rows_read)
    .bind(counts.added)
    .bind(counts.changed)
    .bind(counts.unchanged)
    .bind(counts.rejected)
    .bind(counts.warned)
    .bind(provinces)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(known) = known else { return Ok(false) };
    let room = usize::try_from(MOST_PROBLEMS - known).unwrap_or_default();
    let problems = &problems[..problems.len().min(room)];
    sqlx::query(
        "INSERT INTO source_problem (sync_id, register, ordinal, row_id, field, reason, sentence)
         SELECT $1, $2, $3 + n, row_id, field, reason, sentence
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS u (row_id, field, reason, sentence, n)",
    )
    .bind(sync_id)
    .bind(register)
    .bind(known)
    .bind(problems.iter().map(|(row, ..)| *row).collect::<Vec<_>>())
    .bind(problems.iter().map(|(_, field, ..)| *field).collect::<Vec<_>>())
    .bind(problems.iter().map(|(_, _, reason, _)| *reason).collect::<Vec<_>>())
    .bind(problems.iter().map(|(.., sentence)| *sentence).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO source_place (register, changed_at, row_id) VALUES ($1, $2, $3)
         ON CONFLICT (register) DO UPDATE SET changed_at = excluded.changed_at, row_id = excluded.row_id",
    )
    .bind(register)
    .bind(place.changed_at)
    .bind(place.id)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// The run is over, with a reason where it ended before the source did.
pub async fn finish(pool: &PgPool, sync_id: Uuid, holder: Uuid, failed: Option<&str>) -> Result<(), sqlx::Error> {
    let sql = "UPDATE source_run SET finished_at = clock_timestamp(), failed = $3, holder = NULL, held_until = NULL
               WHERE sync_id = $1 AND holder = $2";
    sqlx::query(sql).bind(sync_id).bind(holder).bind(failed).execute(pool).await.map(drop)
}

/// A run.
pub async fn find(pool: &PgPool, sync_id: Uuid) -> Result<Option<Run>, sqlx::Error> {
    let sql = format!("SELECT {RUN} FROM source_run WHERE sync_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(sync_id).fetch_optional(pool).await
}

/// Problems of a run after one of them, a page at a time.
pub async fn problems(pool: &PgPool, sync_id: Uuid, after: i64) -> Result<Vec<RowProblem>, sqlx::Error> {
    let sql = "SELECT ordinal, register, row_id, field, reason, sentence FROM source_problem
               WHERE sync_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT 1000";
    sqlx::query_as(sql).bind(sync_id).bind(after).fetch_all(pool).await
}

/// How far a register was read.
pub async fn place(pool: &PgPool, register: &str) -> Result<Option<Place>, sqlx::Error> {
    let sql = "SELECT changed_at, row_id FROM source_place WHERE register = $1";
    let found: Option<(OffsetDateTime, Uuid)> = sqlx::query_as(sql).bind(register).fetch_optional(pool).await?;
    Ok(found.map(|(changed_at, id)| Place { changed_at, id }))
}

/// Whether no run is open and none has ended within so many minutes.
pub async fn is_due(pool: &PgPool, minutes: f64) -> Result<bool, sqlx::Error> {
    let sql = "SELECT NOT EXISTS (SELECT FROM source_run WHERE finished_at IS NULL
                                  OR finished_at > clock_timestamp() - make_interval(secs => $1 * 60))";
    sqlx::query_scalar(sql).bind(minutes).fetch_one(pool).await
}
