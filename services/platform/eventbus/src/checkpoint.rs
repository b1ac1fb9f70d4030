//! How far a feed has come: one row per feed, moved in the transaction of the effects.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::message::Place;
use crate::source::Head;

/// What is known of a feed, here and now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Read from the database at least once.
    pub(crate) known: bool,
    pub(crate) epoch: i64,
    pub(crate) position: i64,
    /// Position of the last event that could change what a view shows.
    pub(crate) changed: i64,
    /// Newest position of the source, as far as the reading replica knew.
    pub(crate) source_head: i64,
    pub(crate) problem: Option<String>,
    pub(crate) oldest_unread_at: Option<OffsetDateTime>,
    /// Age of the knowledge that nothing is unread, and when that age was taken; [`Head::as_of`] is where it comes from.
    at_head: Option<(Duration, Instant)>,
}

impl Progress {
    pub(crate) fn reached_head(&self) -> bool {
        self.at_head.is_some()
    }

    /// How long ago the feed last knew of nothing unread.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.at_head.map(|(age, taken)| age + taken.elapsed())
    }

    /// After a step of this replica's own.
    pub(crate) fn moved(&mut self, place: &Place, head: Head, changed: Option<i64>) {
        self.known = true;
        self.changed = changed.unwrap_or(self.changed);
        (self.epoch, self.position, self.source_head) = (place.epoch, place.position, head.position);
        (self.problem, self.oldest_unread_at) = (None, None);
        if place.position >= head.position
            && let Some(as_of) = head.as_of
        {
            self.at_head = Some((Duration::ZERO, as_of));
        }
    }
}

/// Somebody else has moved the checkpoint: another lease holder, a rebuild, or an operator who rewound it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    #[error("the checkpoint was moved elsewhere")]
    Moved,
    #[error("the database failed")]
    Storage(#[from] sqlx::Error),
}

pub(crate) async fn load(pool: &PgPool, feed: &str) -> Result<Place, sqlx::Error> {
    let query = sqlx::query("SELECT epoch, position, hash FROM public.feed_checkpoint WHERE name = $1").bind(feed);
    place(&query.fetch_one(pool).await?)
}

/// Takes the row for this transaction, in which unqualified names mean views first.
pub(crate) async fn lock(tx: &mut PgConnection, feed: &str) -> Result<Place, sqlx::Error> {
    let query = sqlx::query(
        "SELECT epoch, position, hash, set_config('search_path', 'views, public', true) \
         FROM public.feed_checkpoint WHERE name = $1 FOR UPDATE",
    );
    place(&query.bind(feed).fetch_one(tx).await?)
}

/// Moves the checkpoint from `old` to `new`, if it stands at `old`; `changed` is the last event that concerned a view.
pub(crate) async fn advance(
    tx: &mut PgConnection,
    feed: &str,
    old: &Place,
    new: &Place,
    head: Head,
    changed: Option<i64>,
) -> Result<(), MoveError> {
    let moved = sqlx::query(
        "UPDATE public.feed_checkpoint SET epoch = $4, position = $5, hash = $6, source_head = $7, changed = coalesce($8, changed), \
             problem = NULL, oldest_unread_at = NULL, \
             at_head_at = CASE WHEN $5 >= $7 THEN coalesce(clock_timestamp() - make_interval(secs => $9), at_head_at) \
                 ELSE at_head_at END \
         WHERE name = $1 AND position = $2 AND hash = $3",
    )
    .bind(feed)
    .bind(old.position)
    .bind(old.hash)
    .bind(new.epoch)
    .bind(new.position)
    .bind(new.hash)
    .bind(head.position)
    .bind(changed)
    .bind(head.as_of.map(|as_of| as_of.elapsed().as_secs_f64()))
    .execute(tx)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(MoveError::Moved) }
}

/// Moves the checkpoint before the first event, as if nothing had been read yet.
pub(crate) async fn rewind(tx: &mut PgConnection, feed: &str) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "UPDATE public.feed_checkpoint SET epoch = $2, position = $3, hash = $4, source_head = 0, at_head_at = NULL, \
             problem = NULL, oldest_unread_at = NULL \
         WHERE name = $1",
    );
    let Place { epoch, position, hash } = Place::START;
    query.bind(feed).bind(epoch).bind(position).bind(hash).execute(tx).await.map(drop)
}

/// Records that nothing is unread.
pub(crate) async fn at_head(pool: &PgPool, feed: &str, place: &Place, head: Head) -> Result<(), MoveError> {
    let mut connection = pool.acquire().await?;
    advance(&mut connection, feed, place, place, head, None).await
}

/// Records why the feed stands still.
pub(crate) async fn halted(
    pool: &PgPool,
    feed: &str,
    problem: &str,
    oldest_unread: Option<OffsetDateTime>,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "UPDATE public.feed_checkpoint SET problem = $2, oldest_unread_at = coalesce($3, oldest_unread_at) WHERE name = $1",
    );
    query.bind(feed).bind(problem).bind(oldest_unread).execute(pool).await.map(drop)
}

/// Every feed of the database, with what is known of it.
pub(crate) async fn all(pool: &PgPool) -> Result<Vec<(String, Progress)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, epoch, position, changed, source_head, problem, oldest_unread_at, \
             extract(epoch FROM clock_timestamp() - at_head_at)::float8 AS age \
         FROM public.feed_checkpoint",
    )
    .fetch_all(pool)
    .await?;
    let taken = Instant::now();
    rows.iter()
        .map(|row| {
            let age: Option<f64> = row.try_get("age")?;
            let progress = Progress {
                known: true,
                epoch: row.try_get("epoch")?,
                position: row.try_get("position")?,
                changed: row.try_get("changed")?,
                source_head: row.try_get("source_head")?,
                problem: row.try_get("problem")?,
                oldest_unread_at: row.try_get("oldest_unread_at")?,
                at_head: age.map(|seconds| (Duration::from_secs_f64(seconds.max(0.0)), taken)),
            };
            Ok((row.try_get("name")?, progress))
        })
        .collect()
}

fn place(row: &PgRow) -> Result<Place, sqlx::Error> {
    Ok(Place { epoch: row.try_get(0)?, position: row.try_get(1)?, hash: row.try_get(2)? })
}
