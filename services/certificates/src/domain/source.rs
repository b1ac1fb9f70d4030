//! Pages of a register's source: what they claim is compared with what they hold, and never believed.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// How far a source's clock may run ahead of ours.
const AHEAD: Duration = Duration::minutes(5);

/// Where a row stands in a source: rows come in the order of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the row changed last; microseconds count.
    pub changed_at: OffsetDateTime,
    /// The row.
    pub id: Uuid,
}

/// What a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Rows that it says it holds.
    pub count: u64,
    /// Rows that it says follow it.
    pub remaining: u64,
    /// The rows that it holds.
    pub places: Vec<Place>,
}

/// How a page is not what a source may answer: nothing of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It holds another number of rows than it says, more than were asked for, or fewer than the page before had promised.
    Count,
    /// Its first row comes no later than the last one taken: the page was answered before.
    Repeats,
    /// Rows are not in the order of their places.
    Disorder,
    /// A row changed later than now: whoever believed it would never see a row again.
    Future,
}

/// What is believed of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where to go on; the same place when there was nothing more.
    pub place: Option<Place>,
    /// Rows that must follow.
    pub promised: u64,
    /// Ids that stand for several rows of the page: none of those can be believed.
    pub duplicates: HashSet<Uuid>,
    /// Nothing more follows.
    pub ends: bool,
}

/// Judges the page that follows `place`, of which `promised` rows at least are known to exist and `limit` rows at most were asked for.
pub fn judge(
    claims: &Claims,
    place: Option<Place>,
    promised: u64,
    limit: usize,
    now: OffsetDateTime,
) -> Result<Judged, Lie> {
    let Claims { count, remaining, places } = claims;
    let held = u64::try_from(places.len()).map_err(|_| Lie::Count)?;
    let follow = held.checked_add(*remaining).ok_or(Lie::Count)?;
    if *count != held || places.len() > limit || follow < promised || held == 0 && *remaining > 0 {
        return Err(Lie::Count);
    }
    if places.first().is_some_and(|first| place.is_some_and(|last| *first <= last)) {
        return Err(Lie::Repeats);
    }
    if places.windows(2).any(|pair| pair[1] <= pair[0]) {
        return Err(Lie::Disorder);
    }
    if places.last().is_some_and(|last| last.changed_at > now + AHEAD) {
        return Err(Lie::Future);
    }
    let mut seen = HashSet::with_capacity(places.len());
    let duplicates = places.iter().map(|place| place.id).filter(|id| !seen.insert(*id)).collect();
    let place = places.last().copied().or(place);
    Ok(Judged { place, promised: *remaining, duplicates, ends: held == 0 })
}
