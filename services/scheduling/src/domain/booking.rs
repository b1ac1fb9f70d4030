//! 现场确认预约: places of one slot, booked together for one application or for several of a school.

use std::collections::BTreeMap;
use std::fmt;

use decider::Decider;
use time::OffsetDateTime;

use super::id::{BookingId, PointId};
use super::slot::{self, Barred, Dates, Slot};

#[cfg(test)]
mod tests;

/// Most applications of a block.
pub const LARGEST_BLOCK: usize = 100;

/// 报名号: 17 digits, which name nobody.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrolmentNumber(String);

impl EnrolmentNumber {
    /// Reads 17 digits; whether the number was ever given is another question.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 17 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnrolmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a booking still holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing: not made yet, or all of it given back.
    #[default]
    Empty,
    /// These places.
    Holding(BTreeMap<EnrolmentNumber, Place>),
}

impl State {
    /// The place of an application.
    pub fn place(&self, number: &EnrolmentNumber) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::Holding(places) => places.get(number).copied(),
        }
    }
}

/// A numbered place in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which slot.
    pub slot: Slot,
    /// From 1.
    pub seat: u32,
}

/// An application that shall have a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Where it confirms.
    pub point: PointId,
    /// 网报待确认
    pub pending: bool,
    /// How often nobody came.
    pub no_shows: u32,
    /// The slot of its live booking, where it has one.
    pub booked: Option<Slot>,
}

impl Application {
    /// The slot of its live booking, unless that is over: whoever was not seen in it did not come.
    fn awaited(&self, now: OffsetDateTime) -> Option<Slot> {
        self.booked.filter(|slot| now < slot.ends_at())
    }

    /// How often nobody came, with a live booking that is over.
    fn missed(&self, now: OffsetDateTime) -> u32 {
        self.no_shows + u32::from(self.booked.is_some_and(|slot| slot.ends_at() <= now))
    }
}

/// What a slot has to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which slot.
    pub slot: Slot,
    /// When its point confirms; `None` where the plan does not say.
    pub dates: Option<Dates>,
    /// How many it takes.
    pub capacity: u32,
    /// Free places, in the order in which they are taken.
    pub free: Vec<u32>,
}

/// Why a place is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By the person or the school.
    GivenBack,
    /// The application was withdrawn.
    Withdrawn,
    /// The application was confirmed, or the point refused that when the person was there.
    Confirmed,
    /// The application was concluded.
    Concluded,
    /// The application confirms at another point now.
    PointChanged,
}

/// What somebody wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Places for all of them, or for none.
    Book {
        /// Fresh.
        booking: BookingId,
        /// For whom; not empty.
        applications: Vec<Application>,
        /// Where.
        offer: Offer,
        /// Whoever missed so many gets no place any more.
        most_no_shows: u32,
        /// Now.
        now: OffsetDateTime,
    },
    /// Another slot.
    Move {
        /// For whom.
        application: Application,
        /// Where to.
        offer: Offer,
        /// Now.
        now: OffsetDateTime,
    },
    /// Gives a place back.
    Release {
        /// Whose.
        number: EnrolmentNumber,
        /// Why.
        cause: Cause,
        /// Now.
        now: OffsetDateTime,
    },
    /// 未到场
    MarkNoShow {
        /// Who did not come.
        number: EnrolmentNumber,
        /// Now.
        now: OffsetDateTime,
    },
}

/// What happened to a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was made.
    Booked {
        /// Its id.
        booking: BookingId,
        /// Which slot.
        slot: Slot,
        /// Who has which place, in the order asked for.
        seats: Vec<(EnrolmentNumber, u32)>,
    },
    /// A place was exchanged.
    Moved {
        /// Whose.
        number: EnrolmentNumber,
        /// The slot before.
        from: Slot,
        /// The place now.
        to: Place,
    },
    /// A place was given back.
    Released {
        /// Whose.
        number: EnrolmentNumber,
        /// Which slot.
        slot: Slot,
        /// Why.
        cause: Cause,
    },
    /// Somebody did not come.
    Missed {
        /// Who.
        number: EnrolmentNumber,
        /// Which slot.
        slot: Slot,
    },
}

/// Why a booking is not made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nobody can come then.
    Barred(Barred),
    /// No capacity was published, or it was lowered to nothing.
    NotOpen,
    /// There are not so many free places.
    Full {
        /// Free ones.
        free: usize,
    },
    /// The application does not wait for confirmation.
    NotPending {
        /// Which.
        number: EnrolmentNumber,
    },
    /// The application confirms elsewhere.
    AnotherPoint {
        /// Which.
        number: EnrolmentNumber,
    },
    /// The application has a live booking.
    AlreadyBooked {
        /// Which.
        number: EnrolmentNumber,
        /// Where.
        slot: Slot,
    },
    /// Nobody came to as many bookings of the application as may be missed.
    TooManyNoShows {
        /// Which.
        number: EnrolmentNumber,
        /// How many.
        no_shows: u32,
    },
    /// The application has no live booking.
    NotBooked,
    /// The booked slot has begun.
    Begun {
        /// Which.
        slot: Slot,
    },
    /// The booked slot is not over.
    NotOver {
        /// Which.
        slot: Slot,
    },
}

/// Decides about one booking.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Book { booking, applications, offer, most_no_shows, now } => {
                let live = |one: &Application| one.awaited(now).or(state.place(&one.number).map(|place| place.slot));
                let booked = applications.iter().find_map(|one| Some((one.number.clone(), live(one)?)));
                let seats = seats(&offer, &applications, now, booked)?;
                if let Some(missed) = applications.iter().find(|one| one.missed(now) >= most_no_shows) {
                    let (number, no_shows) = (missed.number.clone(), missed.missed(now));
                    return Err(Rejection::TooManyNoShows { number, no_shows });
                }
                let numbers = applications.into_iter().map(|application| application.number);
                Ok(vec![Event::Booked { booking, slot: offer.slot, seats: numbers.zip(seats).collect() }])
            }
            Command::Move { application, offer, now } => {
                let place = not_begun(state, &application.number, now)?;
                if place.slot == offer.slot {
                    return Ok(Vec::new());
                }
                let seats = seats(&offer, std::slice::from_ref(&application), now, None)?;
                let to = |seat| Place { slot: offer.slot, seat };
                let moved = |seat| Event::Moved { number: application.number.clone(), from: place.slot, to: to(seat) };
                Ok(seats.into_iter().map(moved).collect())
            }
            Command::Release { number, cause: Cause::GivenBack, now } => {
                let slot = not_begun(state, &number, now)?.slot;
                Ok(vec![Event::Released { number, slot, cause: Cause::GivenBack }])
            }
            Command::Release { number, cause, now: _ } => {
                let slot = state.place(&number).ok_or(Rejection::NotBooked)?.slot;
                Ok(vec![Event::Released { number, slot, cause }])
            }
            Command::MarkNoShow { number, now } => {
                let slot = state.place(&number).ok_or(Rejection::NotBooked)?.slot;
                if now < slot.ends_at() {
                    return Err(Rejection::NotOver { slot });
                }
                Ok(vec![Event::Missed { number, slot }])
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        let mut places = match state {
            State::Empty => BTreeMap::new(),
            State::Holding(places) => places,
        };
        match event {
            Event::Booked { slot, seats, .. } => {
                places.extend(seats.iter().map(|(number, seat)| (number.clone(), Place { slot: *slot, seat: *seat })));
            }
            Event::Moved { number, to, .. } => {
                places.insert(number.clone(), *to);
            }
            Event::Released { number, .. } | Event::Missed { number, .. } => {
                places.remove(number);
            }
        }
        if places.is_empty() { State::Empty } else { State::Holding(places) }
    }
}

/// A place for each of them.
fn seats(
    offer: &Offer,
    applications: &[Application],
    now: OffsetDateTime,
    booked: Option<(EnrolmentNumber, Slot)>,
) -> Result<Vec<u32>, Rejection> {
    if let Some(other) = applications.iter().find(|application| !application.pending) {
        return Err(Rejection::NotPending { number: other.number.clone() });
    }
    if let Some(other) = applications.iter().find(|application| application.point != offer.slot.point) {
        return Err(Rejection::AnotherPoint { number: other.number.clone() });
    }
    slot::open(&offer.slot, offer.dates, now).map_err(Rejection::Barred)?;
    if let Some((number, slot)) = booked {
        return Err(Rejection::AlreadyBooked { number, slot });
    }
    if offer.capacity == 0 {
        return Err(Rejection::NotOpen);
    }
    if offer.free.len() < applications.len() {
        return Err(Rejection::Full { free: offer.free.len() });
    }
    Ok(offer.free[..applications.len()].to_vec())
}

/// The place of an application, as long as its slot has not begun.
fn not_begun(state: &State, number: &EnrolmentNumber, now: OffsetDateTime) -> Result<Place, Rejection> {
    let place = state.place(number).ok_or(Rejection::NotBooked)?;
    if place.slot.begins_at() <= now { Err(Rejection::Begun { slot: place.slot }) } else { Ok(place) }
}
