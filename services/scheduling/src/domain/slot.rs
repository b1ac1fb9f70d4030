//! 现场确认时段: a half-day of a confirmation point, and the numbered places in it.

use std::fmt;

use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::id::PointId;
use super::shanghai;

/// Most places of a slot.
pub const MOST_SEATS: u32 = 1_000;

/// Namespace of the streams of slots.
const SLOTS: Uuid = Uuid::from_u128(0x6d0e_41b7_2f8a_4c53_9a1e_07c4_d8b2_5f36);

/// Half of a working day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HalfDay {
    /// 上午, 08:00 to 12:00
    Morning,
    /// 下午, 13:00 to 18:00
    Afternoon,
}

/// A half-day of a point, in Shanghai.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Whose.
    pub point: PointId,
    /// Which day.
    pub date: Date,
    /// Which half of it.
    pub half: HalfDay,
}

impl Slot {
    /// First instant inside.
    pub fn begins_at(&self) -> OffsetDateTime {
        let hour = match self.half {
            HalfDay::Morning => 8,
            HalfDay::Afternoon => 13,
        };
        shanghai::begin(self.date) + Duration::hours(hour)
    }

    /// First instant after.
    pub fn ends_at(&self) -> OffsetDateTime {
        let hours = match self.half {
            HalfDay::Morning => 4,
            HalfDay::Afternoon => 5,
        };
        self.begins_at() + Duration::hours(hours)
    }

    /// Whether it has a time in common with these dates.
    pub fn meets(&self, dates: Dates) -> bool {
        self.begins_at() < dates.end && dates.begin < self.ends_at()
    }

    /// Stream of its capacity: a slot has one.
    pub fn stream(&self) -> Uuid {
        Uuid::new_v5(&SLOTS, &self.key())
    }

    /// What tells it from every other one: 21 bytes.
    pub fn key(&self) -> Vec<u8> {
        let half = match self.half {
            HalfDay::Morning => 1,
            HalfDay::Afternoon => 2,
        };
        let day = self.date.to_julian_day().to_be_bytes();
        [self.point.0.as_bytes().as_slice(), &day, &[half]].concat()
    }

    /// What tells one of its places from every other one: the key of the slot and four bytes.
    pub fn seat_key(&self, seat: u32) -> Vec<u8> {
        [self.key(), seat.to_be_bytes().to_vec()].concat()
    }

    /// The place that a key of [`Self::seat_key`] is of.
    pub fn seat_of(key: &[u8]) -> Option<u32> {
        key.last_chunk().map(|seat| u32::from_be_bytes(*seat))
    }
}

/// `上午`
impl fmt::Display for HalfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Morning => "上午",
            Self::Afternoon => "下午",
        })
    }
}

/// `2026年11月30日上午`
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date.to_calendar_date();
        write!(f, "{year}年{}月{day}日{}", u8::from(month), self.half)
    }
}

/// When a point confirms: from the first instant until before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// First instant at which it confirms.
    pub begin: OffsetDateTime,
    /// First instant at which it does not any more.
    pub end: OffsetDateTime,
}

/// Why nobody can come to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// The point has no dates in the plan.
    NotAssigned,
    /// It does not confirm then.
    OutsideDates {
        /// When it does.
        dates: Dates,
    },
    /// It has begun, or is over.
    Past,
}

/// Whether somebody can still plan to come to a slot of a point with these dates.
pub fn open(slot: &Slot, dates: Option<Dates>, now: OffsetDateTime) -> Result<(), Barred> {
    let dates = dates.ok_or(Barred::NotAssigned)?;
    if !slot.meets(dates) {
        return Err(Barred::OutsideDates { dates });
    }
    if slot.begins_at() <= now { Err(Barred::Past) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use time::macros::{date, datetime};

    use super::*;

    pub(crate) const POINT: PointId = PointId(Uuid::from_u128(7));

    pub(crate) fn slot(half: HalfDay) -> Slot {
        Slot { point: POINT, date: date!(2026 - 11 - 30), half }
    }

    #[test]
    fn half_days_are_those_of_shanghai() {
        let (morning, afternoon) = (slot(HalfDay::Morning), slot(HalfDay::Afternoon));
        assert_eq!(morning.begins_at(), datetime!(2026-11-30 00:00 UTC));
        assert_eq!(morning.ends_at(), datetime!(2026-11-30 04:00 UTC));
        assert_eq!(afternoon.begins_at(), datetime!(2026-11-30 05:00 UTC));
        assert_eq!(afternoon.ends_at(), datetime!(2026-11-30 10:00 UTC));
        assert_eq!((morning.to_string(), afternoon.to_string()).0, "2026年11月30日上午");
        assert_ne!(morning.stream(), afternoon.stream());
    }

    #[test]
    fn keys_of_places_begin_with_their_slot_and_end_with_their_number() {
        let slot = slot(HalfDay::Morning);
        let key = slot.seat_key(300);
        assert!(key.starts_with(&slot.key()));
        assert_eq!((slot.key().len(), key.len(), Slot::seat_of(&key)), (21, 25, Some(300)));
        assert!(slot.seat_key(255) < slot.seat_key(256));
    }

    #[test]
    fn a_slot_is_open_until_it_begins_and_where_it_has_a_time_in_common_with_the_points_dates() {
        let slot = slot(HalfDay::Morning);
        let dates = |begin, end| Some(Dates { begin, end });
        let (begin, end) = (datetime!(2026-11-30 01:00 UTC), datetime!(2026-12-05 09:00 UTC));
        let before = datetime!(2026-11-20 00:00 UTC);
        assert_eq!(open(&slot, dates(begin, end), before), Ok(()));
        assert_eq!(open(&slot, None, before), Err(Barred::NotAssigned));
        let late = Dates { begin: slot.ends_at(), end };
        assert_eq!(open(&slot, Some(late), before), Err(Barred::OutsideDates { dates: late }));
        let early = Dates { begin: before, end: slot.begins_at() };
        assert_eq!(open(&slot, Some(early), before), Err(Barred::OutsideDates { dates: early }));
        assert_eq!(open(&slot, dates(begin, end), slot.begins_at() - Duration::MICROSECOND), Ok(()));
        assert_eq!(open(&slot, dates(begin, end), slot.begins_at()), Err(Barred::Past));
    }
}
