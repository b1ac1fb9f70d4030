//! How many a slot takes. Places have numbers; lowering closes free ones, and a closed place is as taken as a booked one, so that whoever
//! books by an older capacity meets it.

use std::collections::BTreeSet;

use decider::Decider;
use time::OffsetDateTime;

use super::slot::{self, Barred, Dates, Slot};

/// Whether a slot takes anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was published.
    #[default]
    Empty,
    /// It has places.
    Published(Places),
}

impl State {
    /// Numbers of the places that are neither closed nor among `taken`.
    pub fn free(&self, taken: &BTreeSet<u32>) -> Vec<u32> {
        match self {
            Self::Empty => Vec::new(),
            Self::Published(places) => places.open().filter(|seat| !taken.contains(seat)).collect(),
        }
    }

    /// How many it takes.
    pub fn capacity(&self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Published(places) => places.capacity,
        }
    }
}

/// The places of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// How many are open.
    pub capacity: u32,
    /// Highest number that there has ever been.
    pub seats: u32,
    /// Those up to it that are closed.
    pub closed: BTreeSet<u32>,
}

impl Places {
    fn open(&self) -> impl Iterator<Item = u32> {
        (1..=self.seats).filter(move |seat| !self.closed.contains(seat))
    }
}

/// Says how many a slot takes.
#[derive(Clone, Debug)]
pub struct PublishCapacity {
    /// Which slot.
    pub slot: Slot,
    /// How many.
    pub capacity: u32,
    /// Places that are booked or closed.
    pub taken: BTreeSet<u32>,
    /// When the point confirms; `None` where the plan does not say.
    pub dates: Option<Dates>,
    /// Now.
    pub now: OffsetDateTime,
}

/// A slot takes so many from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityPublished {
    /// Which slot.
    pub slot: Slot,
    /// All its places.
    pub places: Places,
}

/// Why the capacity stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody can come then.
    Barred(Barred),
    /// More are booked.
    BelowBooked {
        /// So many.
        booked: u32,
    },
}

/// Decides about the capacity of one slot.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = PublishCapacity;
    type Event = CapacityPublished;
    type Rejection = Rejection;

    fn decide(state: &State, command: PublishCapacity) -> Result<Vec<CapacityPublished>, Rejection> {
        let PublishCapacity { slot, capacity, taken, dates, now } = command;
        slot::open(&slot, dates, now).map_err(Rejection::Barred)?;
        let mut places = match state {
            State::Empty => Places::default(),
            State::Published(places) => places.clone(),
        };
        if places.capacity == capacity {
            return Ok(Vec::new());
        }
        let free: Vec<u32> = places.open().filter(|seat| !taken.contains(seat)).collect();
        let mut free = free.into_iter().rev();
        while places.capacity > capacity {
            let Some(seat) = free.next() else {
                return Err(Rejection::BelowBooked { booked: places.capacity });
            };
            places.closed.insert(seat);
            places.capacity -= 1;
        }
        while places.capacity < capacity {
            if places.closed.pop_first().is_none() {
                places.seats += 1;
            }
            places.capacity += 1;
        }
        Ok(vec![CapacityPublished { slot, places }])
    }

    fn evolve(_: State, CapacityPublished { places, .. }: &CapacityPublished) -> State {
        State::Published(places.clone())
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::{Outcome, given};
    use time::macros::datetime;

    use super::super::slot::HalfDay;
    use super::super::slot::tests::slot;
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 00:00 UTC);

    fn published(capacity: u32, seats: u32, closed: &[u32]) -> CapacityPublished {
        let places = Places { capacity, seats, closed: closed.iter().copied().collect() };
        CapacityPublished { slot: slot(HalfDay::Morning), places }
    }

    fn publish(capacity: u32, taken: &[u32]) -> PublishCapacity {
        let dates = Dates { begin: NOW, end: datetime!(2026-12-05 09:00 UTC) };
        let taken = taken.iter().copied().collect();
        PublishCapacity { slot: slot(HalfDay::Morning), capacity, taken, dates: Some(dates), now: NOW }
    }

    fn when(history: &[CapacityPublished], command: PublishCapacity) -> Outcome<Decisions> {
        given::<Decisions>(history.to_vec()).when(command)
    }

    #[test]
    fn places_are_numbered_from_one() {
        when(&[], publish(3, &[])).then([published(3, 3, &[])]);
        when(&[], publish(0, &[])).then_nothing();
        when(&[published(3, 3, &[])], publish(3, &[1, 2, 3])).then_nothing();
    }

    #[test]
    fn lowering_closes_free_places_from_the_end() {
        when(&[published(5, 5, &[])], publish(2, &[4])).then([published(2, 5, &[2, 3, 5])]);
        when(&[published(2, 5, &[2, 3, 5])], publish(1, &[2, 3, 4, 5])).then([published(1, 5, &[1, 2, 3, 5])]);
    }

    #[test]
    fn no_booked_place_is_closed() {
        let refusal = Rejection::BelowBooked { booked: 2 };
        when(&[published(5, 5, &[])], publish(1, &[4, 5])).then_refused(&refusal);
        when(&[published(3, 5, &[1, 2])], publish(0, &[1, 2, 4, 5])).then_refused(&refusal);
    }

    #[test]
    fn raising_opens_closed_places_before_it_adds_new_ones() {
        when(&[published(2, 5, &[2, 3, 5])], publish(4, &[2, 3, 4, 5])).then([published(4, 5, &[5])]);
        when(&[published(2, 5, &[2, 3, 5])], publish(7, &[2, 3, 5])).then([published(7, 7, &[])]);
    }

    #[test]
    fn capacity_is_published_for_open_slots_only() {
        let late = PublishCapacity { now: slot(HalfDay::Morning).begins_at(), ..publish(3, &[]) };
        when(&[], late).then_refused(&Rejection::Barred(Barred::Past));
        let nowhere = PublishCapacity { dates: None, ..publish(3, &[]) };
        when(&[], nowhere).then_refused(&Rejection::Barred(Barred::NotAssigned));
    }

    #[test]
    fn free_is_what_is_neither_taken_nor_closed() {
        let state = given::<Decisions>([published(3, 5, &[2, 5])]).state();
        assert_eq!(state.free(&[3].into()), [1, 4]);
        assert_eq!((state.capacity(), State::Empty.capacity()), (3, 0));
        assert!(State::Empty.free(&BTreeSet::new()).is_empty());
    }
}
