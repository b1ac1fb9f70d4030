//! Forks of stream and log: found, kept over restarts, and ended by two persons with a new epoch.

use eventlog::{Recorded, digest};
use proto::operations::v1::EpochStarted;
use sqlx::{PgExecutor, PgPool, Row as _};

use crate::bus::Core;
use crate::message;
use crate::stream::Message;

/// A difference between the stream's last message and the log.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    /// Says which fork is meant.
    pub(crate) digest: String,
    pub(crate) problem: String,
}

impl Fork {
    pub(crate) fn new(stream: &str, last: i64, message: Option<&Message>, recorded: Option<&Recorded>) -> Self {
        let in_stream = message.map(|message| {
            let mark = message::mark(&message.headers).map(|(epoch, hash)| (epoch, hex::encode(hash)));
            (mark, hex::encode(digest(&message.payload)))
        });
        let in_log = recorded.map(|recorded| (recorded.epoch, hex::encode(recorded.hash)));
        let what = match (&in_stream, &in_log) {
            (Some((None, _)), _) => "is not one that this service published",
            (_, None) => "is behind the end of the log",
            _ => "is not the event of the log",
        };
        Self {
            digest: hex::encode(digest(format!("{stream} {last} {in_stream:?} {in_log:?}").as_bytes())),
            problem: format!("message {last} of the stream {stream} {what}"),
        }
    }
}

/// Whether stream and log belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Running,
    Forked,
    /// Two persons have decided: the relay makes the stream anew.
    Resolved,
}

/// The relay's state as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct RelayState {
    pub(crate) stand: Stand,
    pub(crate) fork_digest: Option<String>,
    pub(crate) problem: Option<String>,
    pub(crate) published: i64,
    proposed_by: Option<String>,
    reason: Option<String>,
}

pub(crate) async fn state(executor: impl PgExecutor<'_>) -> Result<RelayState, sqlx::Error> {
    let row = sqlx::query("SELECT state, fork_digest, problem, published, proposed_by, reason FROM public.relay_state")
        .fetch_one(executor)
        .await?;
    let stand = match row.try_get::<&str, _>(0)? {
        "FORKED" => Stand::Forked,
        "RESOLVED" => Stand::Resolved,
        _ => Stand::Running,
    };
    Ok(RelayState {
        stand,
        fork_digest: row.try_get(1)?,
        problem: row.try_get(2)?,
        published: row.try_get(3)?,
        proposed_by: row.try_get(4)?,
        reason: row.try_get(5)?,
    })
}

/// Keeps a fork that was found; from now on nothing is published.
pub(crate) async fn record(pool: &PgPool, fork: &Fork) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "UPDATE public.relay_state SET state = 'FORKED', fork_digest = $1, problem = $2, found_at = clock_timestamp(), \
             proposed_by = NULL, reason = NULL \
         WHERE state = 'RUNNING'",
    );
    query.bind(&fork.digest).bind(&fork.problem).execute(pool).await.map(drop)
}

/// The stream has been made anew.
pub(crate) async fn resume(pool: &PgPool) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "UPDATE public.relay_state SET state = 'RUNNING', fork_digest = NULL, problem = NULL, found_at = NULL, \
             proposed_by = NULL, reason = NULL, published = 0 \
         WHERE state = 'RESOLVED'",
    );
    query.execute(pool).await.map(drop)
}

/// Keeps for the other replicas how far the stream reaches.
pub(crate) async fn published(pool: &PgPool, position: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE public.relay_state SET published = $1 WHERE published <> $1");
    query.bind(position).execute(pool).await.map(drop)
}

/// Why a fork is not resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("there is no fork")]
    NotForked,
    #[error("another fork is meant")]
    DigestMismatch,
    #[error("nobody has proposed it")]
    NoProposal,
    #[error("who proposed it cannot approve it")]
    SecondPersonNeeded,
    #[error("the database failed")]
    Storage(#[from] sqlx::Error),
    #[error("the epoch could not be started")]
    Append(#[from] eventlog::AppendError),
}

/// First step: one person says why a new epoch is right.
pub(crate) async fn propose(core: &Core, digest: &str, actor: &str, reason: &str) -> Result<(), ResolveError> {
    let mut tx = core.pool.begin().await?;
    forked(state(&mut *tx).await?, digest)?;
    let query = sqlx::query("UPDATE public.relay_state SET proposed_by = $1, reason = $2");
    query.bind(actor).bind(reason).execute(&mut *tx).await?;
    tx.commit().await?;
    tracing::warn!(actor, digest, "the end of the fork is proposed");
    Ok(())
}

/// Second step: another person agrees. The epoch begins, and the relay makes the stream anew.
pub(crate) async fn approve(core: &Core, digest: &str, actor: &str) -> Result<i64, ResolveError> {
    let forked = forked(state(&core.pool).await?, digest)?;
    let proposed_by = forked.proposed_by.ok_or(ResolveError::NoProposal)?;
    if proposed_by == actor {
        return Err(ResolveError::SecondPersonNeeded);
    }
    let started = EpochStarted {
        epoch: 0,
        fork_digest: digest.to_owned(),
        proposed_by,
        approved_by: actor.to_owned(),
        reason: forked.reason.unwrap_or_default(),
    };
    // A fork has one epoch, however often and by whomever it is approved: what was cut short here is approved again.
    let appended = core.log.start_epoch(actor, started).await?;
    let query =
        sqlx::query("UPDATE public.relay_state SET state = 'RESOLVED' WHERE state = 'FORKED' AND fork_digest = $1");
    query.bind(digest).execute(&core.pool).await?;
    tracing::warn!(actor, digest, position = appended.position, "the end of the fork is approved");
    let begun = core.log.read(appended.position - 1, 1).await.ok().and_then(|events| events.first().map(|e| e.epoch));
    begun.ok_or(ResolveError::Append(eventlog::AppendError::Unavailable))
}

fn forked(state: RelayState, digest: &str) -> Result<RelayState, ResolveError> {
    if state.stand != Stand::Forked {
        return Err(ResolveError::NotForked);
    }
    if state.fork_digest.as_deref() != Some(digest) {
        return Err(ResolveError::DigestMismatch);
    }
    Ok(state)
}
