//! Rebuild: a view made anew from event 1 beside the live one, compared with it at an equal position, then swapped.

use std::time::Duration;

use eventlog::EventLog;
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bus::Core;
use crate::checkpoint::{self, MoveError};
use crate::copy::{self, CopyError};
use crate::feed::Feed;
use crate::message::Place;
use crate::owner::{self, Owner};
use crate::source::{Head, SourceError};
use crate::{Event, View, ViewError, viewing};

/// Events that a view is handed at a time, and slices read ahead.
const SLICE: i64 = 20_000;
const AHEAD: usize = 2;
/// The live feed is held up for the last events only: at most about so many.
const LAST_STEP: i64 = 5_000;

/// Of the connection that builds: patient, and durable only with the swap.
const BUILDING: [(&str, &str); 7] = [
    // The rows of a view are sorted for their digest.
    ("work_mem", "256MB"),
    ("search_path", "rebuild,public"),
    ("synchronous_commit", "off"),
    ("statement_timeout", "0"),
    ("lock_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "0"),
    ("application_name", "dingzhu-rebuild"),
];

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// Position reached.
    pub position: i64,
    /// Position of the live view.
    pub target: i64,
}

/// A view was rebuilt and swapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Position at which both were compared.
    pub position: i64,
    /// SHA-256 of all rows of the view that was live, hexadecimal.
    pub live_digest: String,
    /// Likewise of the one that is live now.
    pub rebuilt_digest: String,
}

/// Why a view was not rebuilt. The live one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// No view has this name.
    #[error("there is no view of this name")]
    UnknownView,
    /// It is being rebuilt already.
    #[error("the view is being rebuilt already")]
    Running,
    /// The database failed.
    #[error("the database failed")]
    Storage(#[from] sqlx::Error),
    /// An event could not be applied.
    #[error("an event could not be applied")]
    View(#[from] ViewError),
    /// What holds the events does not answer.
    #[error("the events cannot be reached: {0}")]
    Away(String),
    /// The events could not be read from the beginning.
    #[error("the events cannot be read: {0}")]
    Source(String),
}

impl From<CopyError> for RebuildError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Storage(error) => Self::Storage(error),
            CopyError::Break(broken) => Self::Source(broken.to_string()),
        }
    }
}

impl From<SourceError> for RebuildError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Break(broken) => Self::Source(broken.to_string()),
            SourceError::Unavailable(_) | SourceError::LookAgain => Self::Away(error.to_string()),
        }
    }
}

impl From<MoveError> for RebuildError {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Storage(error) => Self::Storage(error),
            MoveError::Moved => Self::Source("the checkpoint moved under its lock".to_owned()),
        }
    }
}

pub(crate) async fn rebuild(
    core: &Core,
    name: &str,
    mut progress: impl FnMut(RebuildProgress) + Send,
) -> Result<Rebuilt, RebuildError> {
    let feed = core.feeds.iter().find(|feed| feed.name == name).ok_or(RebuildError::UnknownView)?;
    let view = feed.view().ok_or(RebuildError::UnknownView)?;
    let options = PgConnectOptions::clone(&core.pool.connect_options()).options(BUILDING);
    let (mut connection, mut beside) = (options.connect().await?, options.connect().await?);
    let alone = "SELECT pg_try_advisory_lock(hashtextextended('eventbus/rebuild/' || $1, 0))";
    if !sqlx::query_scalar::<_, bool>(alone).bind(name).fetch_one(&mut connection).await? {
        return Err(RebuildError::Running);
    }
    drop_tables(&mut connection, "rebuild", view).await?;
    sqlx::raw_sql(AssertSqlSafe(view.schema())).execute(&mut connection).await?;

    let mut place = Place::START;
    loop {
        let target = checkpoint::load(&core.pool, name).await?.position;
        if target - place.position <= LAST_STEP {
            break;
        }
        let reached = place.position;
        fill(core, feed, &mut connection, &mut place, target, &mut progress).await?;
        if place.position == reached {
            break;
        }
    }
    let rebuilt = swap(core, feed, view, (&mut connection, &mut beside), place, &mut progress).await?;
    // With the session ends its lock; what the server does not hear it finds out.
    let _ = tokio::join!(connection.close(), beside.close());
    if rebuilt.live_digest != rebuilt.rebuilt_digest {
        tracing::warn!(view = name, ?rebuilt, "the rebuilt view differs from the one that was live");
    }
    Ok(rebuilt)
}

/// Applies the events up to `target`, each slice in a transaction of its own, while the next ones are read.
async fn fill(
    core: &Core,
    feed: &Feed,
    connection: &mut PgConnection,
    place: &mut Place,
    target: i64,
    progress: &mut (impl FnMut(RebuildProgress) + Send),
) -> Result<(), RebuildError> {
    let view = feed.view().ok_or(RebuildError::UnknownView)?;
    let (sender, mut slices) = mpsc::channel(AHEAD);
    let mut reader = JoinSet::new();
    match Origin::of(core, feed)? {
        Origin::Own(log) => reader.spawn(copy_slices(log, *place, target, sender)),
        Origin::Owner(owner) => reader.spawn(ask_owner(owner, *place, target, sender)),
    };
    while let Some(events) = slices.recv().await {
        let mut tx = connection.begin().await?;
        viewing::fold(view, &mut tx, &events).await?;
        tx.commit().await?;
        place.pass(events.last().expect("a slice is never empty"));
        progress(RebuildProgress { position: place.position, target });
    }
    reader
        .join_next()
        .await
        .expect("one reader was started")
        .map_err(|error| RebuildError::Source(error.to_string()))?
}

/// Catches up with the live view while its feed is held, compares, swaps: all in one transaction. The other connection
/// reads the live view meanwhile.
async fn swap(
    core: &Core,
    feed: &Feed,
    view: &dyn View,
    (connection, beside): (&mut PgConnection, &mut PgConnection),
    mut place: Place,
    progress: &mut (impl FnMut(RebuildProgress) + Send),
) -> Result<Rebuilt, RebuildError> {
    let mut tx = connection.begin().await?;
    sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *tx).await?;
    let live = checkpoint::lock(&mut tx, feed.name).await?;
    sqlx::query("SET LOCAL search_path = rebuild, public").execute(&mut *tx).await?;
    fill(core, feed, &mut tx, &mut place, live.position, progress).await?;

    tracing::info!(view = feed.name, position = place.position, "the view is rebuilt and compared");
    let (live_digest, rebuilt_digest) =
        tokio::try_join!(digest(beside, "views", view), digest(&mut tx, "rebuild", view))?;
    drop_tables(&mut tx, "views", view).await?;
    for table in view.tables() {
        let sql = format!("ALTER TABLE rebuild.{table} SET SCHEMA views");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    let head = Head { position: live.position.max(place.position), as_of: None };
    // Other rows than before, perhaps: whoever keeps them in memory reads them again.
    checkpoint::advance(&mut tx, feed.name, &live, &place, head, Some(place.position)).await?;
    tx.commit().await?;
    tracing::info!(view = feed.name, position = place.position, "the view is swapped");
    Ok(Rebuilt { position: place.position, live_digest, rebuilt_digest })
}

async fn drop_tables(connection: &mut PgConnection, schema: &str, view: &dyn View) -> Result<(), sqlx::Error> {
    for table in view.tables() {
        let sql = format!("DROP TABLE IF EXISTS {schema}.{table} CASCADE");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// SHA-256 of all rows of all tables, each in the order of its primary key.
async fn digest(connection: &mut PgConnection, schema: &str, view: &dyn View) -> Result<String, sqlx::Error> {
    let mut hasher = Sha256::new();
    for table in view.tables() {
        let order: Option<String> = sqlx::query_scalar(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY array_position(indkey::int2[], attnum)) \
             FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) \
             WHERE indisprimary AND indrelid = $1::regclass",
        )
        .bind(format!("{schema}.{table}"))
        .fetch_one(&mut *connection)
        .await?;
        let order = order.ok_or_else(|| sqlx::Error::Protocol(format!("{table} has no primary key")))?;
        hasher.update(table.as_bytes());
        let sql = format!("COPY (SELECT * FROM {schema}.{table} ORDER BY {order}) TO STDOUT (FORMAT binary)");
        let mut rows = connection.copy_out_raw(&sql).await?;
        while let Some(chunk) = rows.try_next().await? {
            hasher.update(&chunk);
        }
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Where all events since the first are to be had.
enum Origin {
    Own(EventLog),
    Owner(Owner),
}

impl Origin {
    fn of(core: &Core, feed: &Feed) -> Result<Self, RebuildError> {
        if feed.source == core.service {
            return Ok(Self::Own(core.log.clone()));
        }
        let owner = core.owners.get(feed.source).cloned();
        owner.map(Self::Owner).ok_or_else(|| RebuildError::Source(format!("no channel to {} is known", feed.source)))
    }
}

type Slices = mpsc::Sender<Vec<Event>>;

/// Reads the own log; ends when nobody wants more.
async fn copy_slices(log: EventLog, mut place: Place, target: i64, slices: Slices) -> Result<(), RebuildError> {
    let mut connection = log.pool().acquire().await?;
    while place.position < target {
        let last = (place.position + SLICE).min(target);
        let events = copy::slice(&mut connection, &mut place, last).await?;
        if slices.send(events).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks the owner. A history that ends before the target is read to its end.
async fn ask_owner(owner: Owner, mut place: Place, target: i64, slices: Slices) -> Result<(), RebuildError> {
    const SILENCE: Duration = Duration::from_secs(10);

    if place.position >= target {
        return Ok(());
    }
    let refused = |status: tonic::Status, place| RebuildError::from(owner::refused(&status, place));
    let mut answers = owner.read(place.position, false).await.map_err(|status| refused(status, place))?;
    let mut slice = Vec::new();
    while place.position < target {
        let answer = tokio::time::timeout(SILENCE, answers.message())
            .await
            .map_err(|_| RebuildError::Source("the owner is silent".to_owned()))?
            .map_err(|status| refused(status, place))?;
        let Some(answer) = answer else { break };
        for published in answer.events.into_iter().take_while(|event| event.position <= target) {
            slice.push(place.follow(published).map_err(SourceError::from)?);
        }
        if slice.len() >= 5_000 && slices.send(std::mem::take(&mut slice)).await.is_err() {
            return Ok(());
        }
    }
    if !slice.is_empty() {
        let _ = slices.send(slice).await;
    }
    Ok(())
}
