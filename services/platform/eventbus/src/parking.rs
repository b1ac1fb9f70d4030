//! Parked events: what a reaction refused, and what came after it in the same stream, until an operator redrives them.

use std::collections::HashSet;

use prost::Message as _;
use proto::operations::v1::{ParkedEvent, PublishedEvent};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::bus::Core;
use crate::feed::Feed;
use crate::{Event, ReactionError, checkpoint, message, reacting};

/// An event on its way to the parked ones.
pub(crate) struct Parked {
    position: i64,
    stream: Uuid,
    event_id: Uuid,
    kind: String,
    event: Vec<u8>,
    /// Why it was refused; `None` where only an earlier one of its stream was.
    problem: Option<String>,
}

impl Parked {
    pub(crate) fn first(event: &Event, problem: String) -> Self {
        Self::new(event, Some(problem))
    }

    pub(crate) fn behind(event: &Event) -> Self {
        Self::new(event, None)
    }

    fn new(event: &Event, problem: Option<String>) -> Self {
        Self {
            position: event.position,
            stream: event.stream,
            event_id: event.event_id,
            kind: event.kind.clone(),
            event: message::pack(event).encode_to_vec(),
            problem,
        }
    }
}

/// Streams of which something is parked.
pub(crate) async fn keys(pool: &PgPool, feed: &str) -> Result<HashSet<Uuid>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT DISTINCT key FROM public.parked_event WHERE feed = $1").bind(feed);
    Ok(query.fetch_all(pool).await?.into_iter().collect())
}

/// Parks an event; false when it was to stand behind others, and there are none any more.
pub(crate) async fn park(tx: &mut PgConnection, feed: &str, parked: &Parked) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO public.parked_event (feed, position, key, event_id, type, event, problem) \
         SELECT $1, $2, $3, $4, $5, $6, coalesce($7, 'an earlier event of the same stream is parked') \
         WHERE $7 IS NOT NULL OR EXISTS (SELECT FROM public.parked_event WHERE feed = $1 AND key = $3)",
    )
    .bind(feed)
    .bind(parked.position)
    .bind(parked.stream)
    .bind(parked.event_id)
    .bind(&parked.kind)
    .bind(&parked.event)
    .bind(&parked.problem)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Drops everything that a feed has parked; how many events that were.
pub(crate) async fn drop_all(tx: &mut PgConnection, feed: &str) -> Result<i64, sqlx::Error> {
    let query = sqlx::query("DELETE FROM public.parked_event WHERE feed = $1").bind(feed);
    Ok(i64::try_from(query.execute(tx).await?.rows_affected()).unwrap_or(i64::MAX))
}

/// How many events each feed has parked.
pub(crate) async fn counts(pool: &PgPool) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT feed, count(*) FROM public.parked_event GROUP BY feed").fetch_all(pool).await
}

/// A page of parked events behind (feed, position), of one feed or of all.
pub(crate) async fn list(
    pool: &PgPool,
    feed: Option<&str>,
    behind: (&str, i64),
    limit: i64,
) -> Result<Vec<ParkedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feed, position, event_id, type, key, problem, parked_at, attempts FROM public.parked_event \
         WHERE ($1::text IS NULL OR feed = $1) AND (feed, position) > ($2, $3) ORDER BY feed, position LIMIT $4",
    )
    .bind(feed)
    .bind(behind.0)
    .bind(behind.1)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(render).collect()
}

fn render(row: &PgRow) -> Result<ParkedEvent, sqlx::Error> {
    Ok(ParkedEvent {
        feed: row.try_get("feed")?,
        position: row.try_get("position")?,
        event_id: row.try_get::<Uuid, _>("event_id")?.to_string(),
        r#type: row.try_get("type")?,
        key: row.try_get::<Uuid, _>("key")?.to_string(),
        problem: row.try_get("problem")?,
        park_time: Some(rpc::timestamp(row.try_get::<OffsetDateTime, _>("parked_at")?)),
        attempts: row.try_get("attempts")?,
    })
}

/// What a redrive did.
#[derive(Debug, Default)]
pub(crate) struct Redriven {
    pub(crate) applied: i64,
    pub(crate) still_parked: i64,
}

/// Runs the parked events of a feed again, stream by stream in order, until one fails again.
pub(crate) async fn redrive(core: &Core, feed: &Feed, key: Option<Uuid>) -> Result<Redriven, sqlx::Error> {
    let mut keys: Vec<Uuid> = keys(&core.pool, feed.name).await?.into_iter().collect();
    keys.retain(|parked| key.is_none_or(|key| key == *parked));
    keys.sort_unstable();
    let mut redriven = Redriven::default();
    for key in keys {
        while redrive_first(core, feed, key).await? {
            redriven.applied += 1;
        }
        let left = "SELECT count(*) FROM public.parked_event WHERE feed = $1 AND key = $2";
        let left: i64 = sqlx::query_scalar(left).bind(feed.name).bind(key).fetch_one(&core.pool).await?;
        redriven.still_parked += left;
    }
    Ok(redriven)
}

/// Runs the first parked event of a stream; whether it is done.
async fn redrive_first(core: &Core, feed: &Feed, key: Uuid) -> Result<bool, sqlx::Error> {
    let first = "SELECT position, event_id, event FROM public.parked_event WHERE feed = $1 AND key = $2 \
         ORDER BY position LIMIT 1";
    let first: Option<(i64, Uuid, Vec<u8>)> =
        sqlx::query_as(first).bind(feed.name).bind(key).fetch_optional(&core.pool).await?;
    let Some((position, event_id, stored)) = first else { return Ok(false) };
    let reaction = feed.reaction().expect("only reactions park");
    let outcome = match restore(core, feed, position, &stored).await? {
        Some(event) => reacting::once(core.service, reaction, &event).await,
        None => Err(ReactionError::Rejected("the parked event cannot be read".to_owned())),
    };
    match outcome {
        Ok(()) => {
            // Under the checkpoint's lock: the feed never parks an event behind one that is just leaving. By its id: where the
            // reaction was rewound meanwhile, another event may have parked in its place.
            let mut tx = core.pool.begin().await?;
            checkpoint::lock(&mut tx, feed.name).await?;
            let done = sqlx::query("DELETE FROM public.parked_event WHERE feed = $1 AND event_id = $2");
            done.bind(feed.name).bind(event_id).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(true)
        }
        Err(ReactionError::Rejected(problem) | ReactionError::Transient(problem)) => {
            let failed = sqlx::query(
                "UPDATE public.parked_event SET problem = $3, attempts = attempts + 1 WHERE feed = $1 AND event_id = $2",
            );
            failed.bind(feed.name).bind(event_id).bind(problem).execute(&core.pool).await?;
            Ok(false)
        }
    }
}

/// The event as the reaction saw it: one of the own log with all its parts.
async fn restore(core: &Core, feed: &Feed, position: i64, stored: &[u8]) -> Result<Option<Event>, sqlx::Error> {
    let event = PublishedEvent::decode(stored).ok().and_then(message::unpack);
    if feed.source != core.service {
        return Ok(event);
    }
    let Some(event) = event else { return Ok(None) };
    match core.log.read(position - 1, 1).await {
        Ok(recorded) => Ok(recorded.first().map(|recorded| message::own(recorded, event.previous_hash))),
        Err(eventlog::ReadError::Database(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
