//! Runs over a register's source: how far each register was read, who reads now, and what was wrong with rows.

use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::source::Place;

/// Problems of a run that are kept, and as many warnings; more are only counted.
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

/// What is asked of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Options {
    /// Report only.
    pub dry_run: bool,
    /// Whatever was read before.
    pub from_the_beginning: bool,
}

/// A run, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Run {
    /// Names it.
    pub sync_id: Uuid,
    /// Who asked for it.
    pub actor: String,
    /// What was asked for.
    #[sqlx(flatten)]
    pub options: Options,
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

/// What was wrong with a row, or deserves a look in it.
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
    /// The row is taken all the same.
    pub is_warning: bool,
}

/// The same, before it is stored.
#[derive(Debug)]
pub struct NewProblem<'s> {
    /// The row, as the source names it.
    pub row_id: Uuid,
    /// The column's header.
    pub field: &'s str,
    /// Stable.
    pub reason: &'s str,
    /// For the officer.
    pub sentence: &'s str,
    /// The row is taken all the same.
    pub is_warning: bool,
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
    /// What was wrong with rows, or deserves a look.
    pub problems: Vec<NewProblem<'s>>,
}

const RUN: &str =
    "sync_id, actor, dry_run, from_the_beginning, rows_read, added, changed, unchanged, rejected, warned, provinces,
                   finished_at IS NOT NULL AS finished, failed";

/// Opens a run; gives the one that has this id already, or else the one that is open. Lets go of those that are long over.
/// A run from the beginning forgets how far each register was read, unless it only reports: that one has places of its own.
pub async fn open(pool: &PgPool, sync_id: Uuid, actor: &str, options: Options) -> Result<Run, sqlx::Error> {
    let old = "DELETE FROM source_run WHERE finished_at < clock_timestamp() - make_interval(days => $1)";
    sqlx::query(old).bind(KEPT_DAYS).execute(pool).await?;
    let Options { dry_run, from_the_beginning } = options;
    loop {
        let mut tx = pool.begin().await?;
        let insert = "INSERT INTO source_run (sync_id, actor, dry_run, from_the_beginning) VALUES ($1, $2, $3, $4)
                      ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert).bind(sync_id).bind(actor).bind(dry_run).bind(from_the_beginning);
        if insert.execute(&mut *tx).await?.rows_affected() == 1 {
            if dry_run && !from_the_beginning {
                let places = "INSERT INTO source_run_place SELECT $1, register, changed_at, row_id FROM source_place";
                sqlx::query(places).bind(sync_id).execute(&mut *tx).await?;
            } else if from_the_beginning && !dry_run {
                sqlx::query("DELETE FROM source_place").execute(&mut *tx).await?;
            }
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        let known = format!(
            "SELECT {RUN} FROM source_run WHERE sync_id = $1 OR finished_at IS NULL ORDER BY sync_id <> $1 LIMIT 1"
        );
        // The one that was open may have ended meanwhile.
        if let Some(known) = sqlx::query_as(sqlx::AssertSqlSafe(known)).bind(sync_id).fetch_optional(pool).await? {
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
    let dry_run: Option<bool> = sqlx::query_scalar(
        "UPDATE source_run SET rows_read = rows_read + $3, added = added + $4, changed = changed + $5,
             unchanged = unchanged + $6, rejected = rejected + $7, warned = warned + $8,
             provinces = ARRAY(SELECT DISTINCT unnest(provinces || $9::text[]) ORDER BY 1)
         WHERE sync_id = $1 AND holder = $2 AND finished_at IS NULL
         RETURNING dry_run",
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
    let Some(dry_run) = dry_run else { return Ok(false) };
    keep(&mut tx, sync_id, register, problems).await?;
    let sql = if dry_run {
        "INSERT INTO source_run_place (register, changed_at, row_id, sync_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sync_id, register) DO UPDATE SET changed_at = excluded.changed_at, row_id = excluded.row_id"
    } else {
        "INSERT INTO source_place AS known (register, changed_at, row_id, rejected) VALUES ($1, $2, $3, $4)
         ON CONFLICT (register) DO UPDATE SET changed_at = excluded.changed_at, row_id = excluded.row_id,
             rejected = known.rejected + excluded.rejected"
    };
    let reached = sqlx::query(sql).bind(register).bind(place.changed_at).bind(place.id);
    let reached = if dry_run { reached.bind(sync_id) } else { reached.bind(counts.rejected) };
    reached.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Keeps the problems of a page as long as there is room, for warnings as much as for what is wrong.
async fn keep(
    tx: &mut PgConnection,
    sync_id: Uuid,
    register: &str,
    problems: &[NewProblem<'_>],
) -> Result<(), sqlx::Error> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE is_warning) FROM source_problem WHERE sync_id = $1";
    let (known, warnings): (i64, i64) = sqlx::query_as(sql).bind(sync_id).fetch_one(&mut *tx).await?;
    let room = |taken: i64| usize::try_from(MOST_PROBLEMS - taken).unwrap_or_default();
    let wrong = problems.iter().filter(|it| !it.is_warning).take(room(known - warnings));
    let kept: Vec<_> = wrong.chain(problems.iter().filter(|it| it.is_warning).take(room(warnings))).collect();
    sqlx::query(
        "INSERT INTO source_problem (sync_id, register, ordinal, row_id, field, reason, sentence, is_warning)
         SELECT $1, $2, $3 + n, row_id, field, reason, sentence, is_warning
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::boolean[])
              WITH ORDINALITY AS u (row_id, field, reason, sentence, is_warning, n)",
    )
    .bind(sync_id)
    .bind(register)
    .bind(known)
    .bind(kept.iter().map(|it| it.row_id).collect::<Vec<_>>())
    .bind(kept.iter().map(|it| it.field).collect::<Vec<_>>())
    .bind(kept.iter().map(|it| it.reason).collect::<Vec<_>>())
    .bind(kept.iter().map(|it| it.sentence).collect::<Vec<_>>())
    .bind(kept.iter().map(|it| it.is_warning).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
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
    let sql = "SELECT ordinal, register, row_id, field, reason, sentence, is_warning FROM source_problem
               WHERE sync_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT 1000";
    sqlx::query_as(sql).bind(sync_id).bind(after).fetch_all(pool).await
}

/// How far a register was read, or how far a run has come that only reports.
pub async fn place(pool: &PgPool, run: &Run, register: &str) -> Result<Option<Place>, sqlx::Error> {
    let sql = if run.options.dry_run {
        "SELECT changed_at, row_id FROM source_run_place WHERE register = $1 AND sync_id = $2"
    } else {
        "SELECT changed_at, row_id FROM source_place WHERE register = $1"
    };
    let asked = sqlx::query_as(sql).bind(register);
    let asked = if run.options.dry_run { asked.bind(run.sync_id) } else { asked };
    let found: Option<(OffsetDateTime, Uuid)> = asked.fetch_optional(pool).await?;
    Ok(found.map(|(changed_at, id)| Place { changed_at, id }))
}

/// Rows of certificates that were rejected since their register was read from the beginning: they may not have come again.
pub async fn rejected(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let sql = "SELECT coalesce(sum(rejected), 0)::bigint FROM source_place WHERE register = 'certificates'";
    sqlx::query_scalar(sql).fetch_one(pool).await
}

/// Whether no run is open and none has ended within so many minutes, but for those that only report.
pub async fn is_due(pool: &PgPool, minutes: f64) -> Result<bool, sqlx::Error> {
    let sql = "SELECT NOT EXISTS (SELECT FROM source_run WHERE finished_at IS NULL
                                  OR NOT dry_run AND finished_at > clock_timestamp() - make_interval(secs => $1 * 60))";
    sqlx::query_scalar(sql).bind(minutes).fetch_one(pool).await
}
