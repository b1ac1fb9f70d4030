//! Tells the log what has happened to drafts, so that no change of a draft waits for the log's lock.

use std::time::Duration;

use eventlog::{Append, AppendError, Division, EventLog, NewEvent};
use futures::future::join_all;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, Row as _, Transaction};
use uuid::Uuid;

use crate::store::drafts::Drafts;

/// Changes under way at a time are fewer: an event that is not seen yet is at most so far behind those that are told.
const OVERTAKEN: i64 = 1_000;

/// What came of telling.
#[derive(Debug, Default)]
pub struct Told {
    /// Events that stand in the log now.
    pub events: usize,
    /// Where the next look may begin, so that it need not pass over all that has been told while some snapshot is open.
    pub place: i64,
    /// Why another one does not; it stays untold.
    pub failure: Option<AppendError>,
}

/// The oldest untold event of a draft, locked: nobody else tells of the draft meanwhile.
#[derive(Debug)]
struct Untold {
    id: i64,
    recorded: bool,
    append: Append,
}

/// The oldest untold events of drafts. The log is read before the lock is had; whoever has recorded something in between
/// has raised the version. A draft begins once, whoever has told of it: a replica of an older version does so itself.
macro_rules! oldest {
    ($which:literal) => {
        concat!(
            "SELECT id, draft_id, event_id, type, payload, actor, division, traceparent, \
                 (SELECT coalesce(max(version), 0) FROM public.event_log WHERE stream = draft_id) AS version, \
                 EXISTS (SELECT FROM public.event_log AS logged WHERE stream = draft_id \
                     AND (logged.event_id = untold.event_id \
                         OR untold.type = 'dingzhu.applications.v1.DraftStarted')) AS recorded \
             FROM public.untold_draft_event AS untold WHERE NOT EXISTS ( \
                 SELECT FROM public.untold_draft_event AS earlier \
                 WHERE earlier.draft_id = untold.draft_id AND earlier.id < untold.id) ",
            $which
        )
    };
}

impl FromRow<'_, PgRow> for Untold {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let division: &str = row.try_get("division")?;
        let event = NewEvent {
            event_id: row.try_get("event_id")?,
            kind: row.try_get("type")?,
            payload: row.try_get("payload")?,
            inner: Vec::new(),
            sealed: Vec::new(),
            division: Division::parse(division).unwrap_or(Division::NONE),
        };
        let append = Append {
            stream: row.try_get("draft_id")?,
            expected_version: row.try_get("version")?,
            events: vec![event],
            actor: row.try_get("actor")?,
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: row.try_get("traceparent")?,
            cause: None,
        };
        Ok(Self { id: row.try_get("id")?, recorded: row.try_get("recorded")?, append })
    }
}

impl Drafts {
    /// Waits until there is something to tell, or for so long.
    pub async fn untold(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.untold.notified()).await;
    }

    /// Records what has waited longest behind a place, one event of each of so many drafts.
    pub async fn tell(&self, log: &EventLog, place: i64, at_most: i64) -> Result<Told, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // Lost, the deletion is made good by the next round, which finds the events in the log.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        let query = sqlx::query_as(oldest!("AND id > $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED"));
        let waiting = query.bind(place).bind(at_most).fetch_all(&mut *transaction).await?;
        record(transaction, log, waiting).await
    }

    /// Records what one draft has waited to tell for longest: of its beginning, if that is still untold.
    pub async fn tell_of(&self, log: &EventLog, draft: Uuid) -> Result<Told, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let query = sqlx::query_as(oldest!("AND draft_id = $1 FOR UPDATE"));
        let waiting = query.bind(draft).fetch_all(&mut *transaction).await?;
        record(transaction, log, waiting).await
    }
}

async fn record(
    mut transaction: Transaction<'static, Postgres>,
    log: &EventLog,
    waiting: Vec<Untold>,
) -> Result<Told, sqlx::Error> {
    let recording = waiting.into_iter().map(async |Untold { id, recorded, append }| {
        if !recorded {
            log.append(append).await?;
        }
        Ok(id)
    });
    let mut failure = None;
    let outcomes: Vec<Result<i64, AppendError>> = join_all(recording).await;
    let told: Vec<i64> =
        outcomes.into_iter().filter_map(|outcome| outcome.map_err(|error| failure = Some(error)).ok()).collect();
    let (events, last) = (told.len(), told.iter().max().copied());
    if events > 0 {
        let delete = sqlx::query("DELETE FROM public.untold_draft_event WHERE id = ANY($1)");
        delete.bind(told).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(Told { events, place: last.map_or(0, |last| last - OVERTAKEN), failure })
}
