//! Applying a page of events to a view: its rows and its checkpoint in one transaction, or neither.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use sqlx::{PgConnection, PgPool};

use crate::checkpoint::{self, MoveError};
use crate::feed::{Feed, Halt, panicked};
use crate::message::Place;
use crate::source::Page;
use crate::{Event, View, ViewError};

/// Nobody waits until a page is on disk: what a crash takes back, rows and checkpoint together, is applied again.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off";

/// Applies a page behind `old`; gives the place behind it.
pub(crate) async fn apply(pool: &PgPool, feed: &Feed, view: &dyn View, old: Place, page: &Page) -> Result<Place, Halt> {
    let mut tx = pool.begin_with(BEGIN).await?;
    // Under the row's lock, so that a rebuild that compares and swaps never meets half a page.
    if checkpoint::lock(&mut tx, feed.name).await? != old {
        return Err(MoveError::Moved.into());
    }
    let changed = fold(view, &mut tx, &page.events).await.map_err(|error| Halt::view(&error, &page.events))?;
    let mut new = old;
    new.pass(page.events.last().expect("an empty page is not applied"));
    checkpoint::advance(&mut tx, feed.name, &old, &new, page.head, changed).await?;
    tx.commit().await?;
    feed.progress.send_modify(|progress| progress.moved(&new, page.head, changed));
    Ok(new)
}

/// Lets the view apply the events that concern it, and gives the position of the last of them; its panic is an error like
/// another.
pub(crate) async fn fold(view: &dyn View, tx: &mut PgConnection, events: &[Event]) -> Result<Option<i64>, ViewError> {
    let concerning = if events.iter().all(|event| view.concerns(event)) {
        Cow::Borrowed(events)
    } else {
        Cow::Owned(events.iter().filter(|event| view.concerns(event)).cloned().collect())
    };
    let Some(last) = concerning.last() else { return Ok(None) };
    AssertUnwindSafe(view.apply(tx, &concerning))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(ViewError::Contradiction(panicked(panic.as_ref()))))?;
    Ok(Some(last.position))
}
