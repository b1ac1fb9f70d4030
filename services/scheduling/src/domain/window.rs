//! 网报时间段: a span in which applications may be filed, from its begin until before its end.

use time::{Duration, OffsetDateTime};

use super::id::WindowId;

/// Longest grace after the end.
pub const LONGEST_GRACE_MINUTES: u32 = 120;

/// An earlier end is announced at least this long ahead.
pub const CLOSING_NOTICE: Duration = Duration::minutes(10);

/// A filing window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Random.
    pub id: WindowId,
    /// First instant inside.
    pub begin: OffsetDateTime,
    /// First instant that is not.
    pub end: OffsetDateTime,
    /// How long after the end a ticket issued before it still counts.
    pub grace_minutes: u32,
    /// 1 when opened; rises with each change of the end.
    pub revision: u32,
}

impl Window {
    /// Whether `begin <= now < end`.
    pub fn contains(&self, now: OffsetDateTime) -> bool {
        self.begin <= now && now < self.end
    }

    /// First instant at which no ticket counts any more.
    pub fn end_with_grace(&self) -> OffsetDateTime {
        self.end.saturating_add(Duration::minutes(i64::from(self.grace_minutes)))
    }

    /// The last instant at which it may be taken away: its begin is an end that is announced in time.
    pub fn last_recall(&self) -> OffsetDateTime {
        self.begin.saturating_sub(CLOSING_NOTICE)
    }

    /// Whether people count on it: too late to take it away, and not over with its grace.
    pub fn is_relied_on(&self, now: OffsetDateTime) -> bool {
        self.last_recall() < now && now < self.end_with_grace()
    }

    /// Whether both have an instant in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.begin < other.end && other.begin < self.end
    }

    /// The same window without any time.
    #[must_use]
    pub fn taken_back(&self) -> Self {
        self.ending(self.begin)
    }

    /// The same window with another end, and the next revision.
    #[must_use]
    pub fn ending(&self, end: OffsetDateTime) -> Self {
        Self { end, revision: self.revision + 1, ..self.clone() }
    }
}
