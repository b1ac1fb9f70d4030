//! Rewinding a reaction whose source has another history, as after a restore: it begins again at the first event.
//!
//! The checkpoint knows the last event of the lost history and none before, so that where the two histories part cannot be told from it;
//! at the first event they agree. What was done before is done again under the same request ids, without a second effect.

use sqlx::PgConnection;

use crate::bus::Core;
use crate::checkpoint::{self, MoveError};
use crate::feed::Feed;
use crate::parking;
use crate::source::{self, SourceError};

/// A reaction begins again.
#[derive(Debug)]
pub(crate) struct Rewound {
    /// Where it stood in the history that is lost.
    pub(crate) position: i64,
    /// Parked events that were dropped.
    pub(crate) dropped: i64,
}

/// Why a reaction is not rewound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewindError {
    #[error("the source still holds the event that was applied last")]
    SameHistory,
    #[error("the source cannot be asked: {0}")]
    Away(SourceError),
    #[error("the checkpoint could not be moved")]
    Move(#[from] MoveError),
}

impl From<sqlx::Error> for RewindError {
    fn from(error: sqlx::Error) -> Self {
        Self::Move(MoveError::Storage(error))
    }
}

/// Lets a reaction begin again at the first event, with nothing parked: what still cannot be done parks anew. Gives how many parked
/// events were dropped.
pub async fn begin_again(tx: &mut PgConnection, reaction: &str) -> Result<i64, sqlx::Error> {
    let dropped = parking::drop_all(tx, reaction).await?;
    checkpoint::rewind(tx, reaction).await?;
    Ok(dropped)
}

/// Lets a reaction begin again whose source has another history.
pub(crate) async fn rewind(core: &Core, feed: &Feed, actor: &str) -> Result<Rewound, RewindError> {
    let place = checkpoint::load(&core.pool, feed.name).await?;
    match source::prove(core, feed.source, place).await {
        Ok(()) => return Err(RewindError::SameHistory),
        Err(SourceError::Break(_)) => {}
        Err(away) => return Err(RewindError::Away(away)),
    }
    let mut tx = core.pool.begin().await?;
    if checkpoint::lock(&mut tx, feed.name).await? != place {
        return Err(MoveError::Moved.into());
    }
    let dropped = begin_again(&mut tx, feed.name).await?;
    tx.commit().await?;
    let (source, position) = (feed.source, place.position);
    tracing::warn!(
        actor,
        reaction = feed.name,
        source,
        position,
        dropped,
        "the reaction begins again at the first event"
    );
    Ok(Rewound { position, dropped })
}
