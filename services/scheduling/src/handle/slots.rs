//! Use cases of slots: read what is taken, decide, append with the claims of the places; again when somebody was faster.
//!
//! A place and the one live booking of an application are claims, so that many bookings meet only where they want the same place,
//! and whatever a replica has read before, the log's lock has the last word.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::sync::Arc;

use decider::Decider;
use eventbus::Reference;
use eventlog::{AppendError, Claim};
use lifecycle::{clock, ids};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Answered, Asked, Decided, Handle};
use crate::domain::booking::{self, Application, Cause, Command, EnrolmentNumber, Event, Offer, Place, Rejection};
use crate::domain::capacity::{self, PublishCapacity};
use crate::domain::id::{BookingId, PointId};
use crate::domain::point::Point;
use crate::domain::slot::Slot;
use crate::error::Error;
use crate::store::{At, taken};
use crate::views::applications::{Known, Registry};
use crate::views::plans::Plans;
use crate::views::slots::Calendar;

/// Attempts at a place while others take it: each is a place that somebody got.
const ATTEMPTS: usize = 32;
/// Bookings in hand at a time: more would wait for a connection, not for a place.
const IN_HAND: usize = 64;

/// Whose applications somebody may act on.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// The person that they are.
    pub person: Option<Uuid>,
    /// Schools whose liaison they are.
    pub schools: Vec<Uuid>,
    /// Points whose clerk they are.
    pub points: Vec<Uuid>,
}

impl Party {
    fn may_act_on(&self, known: &Known) -> bool {
        self.person == Some(known.person)
            || self.schools.contains(&known.school)
            || self.points.contains(&known.point.0)
    }
}

/// A change of a live booking.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// To another slot.
    Move(Slot),
    /// Gives it back.
    GiveBack,
    /// 未到场
    NoShow,
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Slots {
    handle: Handle,
    plans: Reference<Plans>,
    /// Whether all applications are known.
    applications: Reference<()>,
    registry: Registry,
    calendar: Calendar,
    most_no_shows: u32,
    line: Arc<Semaphore>,
}

/// What to append to a booking.
struct Step {
    stream: Uuid,
    version: i64,
    events: Vec<Event>,
    claims: Vec<Claim>,
    not_before: Option<OffsetDateTime>,
    not_after: Option<OffsetDateTime>,
}

impl Slots {
    /// Over this log and these views.
    pub fn new(
        handle: Handle,
        plans: Reference<Plans>,
        (applications, registry): (Reference<()>, Registry),
        calendar: Calendar,
        most_no_shows: u32,
    ) -> Self {
        let line = Arc::new(Semaphore::new(IN_HAND));
        Self { handle, plans, applications, registry, calendar, most_no_shows, line }
    }

    /// Says how many a slot of one's own point takes.
    pub async fn publish_capacity(
        &self,
        asked: &Asked,
        party: &Party,
        slot: Slot,
        capacity: u32,
    ) -> Result<Answered, Error> {
        if let Some(answered) = self.handle.remembered(asked).await? {
            return Ok(answered);
        }
        let own = party.points.contains(&slot.point.0);
        let point = if own { self.handle.aggregates.find_point(slot.point).await? } else { None };
        let point = point.ok_or_else(|| no_point(slot.point))?;
        let mut now = clock::now();
        for _ in 0..ATTEMPTS {
            let at = self.handle.aggregates.capacity(&slot).await?;
            let taken = taken::seats(&self.handle.log, &slot).await?;
            let closed = match &at.state {
                capacity::State::Empty => BTreeSet::new(),
                capacity::State::Published(places) => places.closed.clone(),
            };
            let dates = self.plans.require()?.dates(&point);
            let command = PublishCapacity { slot, capacity, taken, dates, now };
            let events = capacity::Decisions::decide(&at.state, command).map_err(Error::Capacity)?;
            let mut decided = Decided::new(slot.stream(), &events, point.division);
            (decided.version, decided.not_after) = (at.version, Some(slot.begins_at()));
            let claims = events.iter().flat_map(|event| taken::claims_of_capacity(&slot, &closed, &event.places));
            decided.claims = claims.collect();
            match self.handle.append(asked, decided, Vec::new()).await {
                Ok(answered) => return Ok(answered),
                Err(error) => now = again(error, now)?,
            }
        }
        Err(Error::Conflict)
    }

    /// Books places for applications, all or none.
    pub async fn book(
        &self,
        asked: &Asked,
        party: &Party,
        slot: Slot,
        numbers: &[EnrolmentNumber],
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let _turn = self.line.acquire().await.expect("the line is never closed");
        if let Some(answered) = self.handle.remembered(asked).await? {
            // The first time may have come no further than the booking.
            self.free_what_is_over(asked, numbers, slot.point).await?;
            return Ok(answered);
        }
        let booking = BookingId(ids::random());
        let mut now = clock::now();
        for _ in 0..ATTEMPTS {
            let mut applications = self.applications(party, numbers).await?;
            let point = self.point(slot.point).await?;
            let live = self.booked(numbers).await?;
            for application in &mut applications {
                application.booked = live.get(&application.number).map(|(_, slot)| *slot);
            }
            let (offer, most_no_shows) = (self.offer(&point, slot).await?, self.most_no_shows);
            let command = Command::Book { booking, applications, offer, most_no_shows, now };
            let state = booking::State::Empty;
            let events = booking::Decisions::decide(&state, command).map_err(Error::Booking)?;
            let step = Step {
                stream: booking.0,
                version: 0,
                claims: events.iter().flat_map(|event| taken::claims_of_booking(&state, event)).collect(),
                not_before: None,
                not_after: Some(slot.begins_at()),
                events,
            };
            let answer = answer(&step.events);
            let booked = match self.miss(asked, live, now).await? {
                Ok(()) => self.append(asked, step, &point, answer).await,
                Err(error) => Err(error),
            };
            match booked {
                Ok(answered) => {
                    self.free_what_is_over(asked, numbers, point.id).await?;
                    return Ok(answered);
                }
                Err(error) => now = again(error, now)?,
            }
        }
        Err(Error::Conflict)
    }

    /// Records that nobody came to these bookings, which are over: who books again was not seen there.
    async fn miss(
        &self,
        asked: &Asked,
        over: BTreeMap<EnrolmentNumber, (Uuid, Slot)>,
        now: OffsetDateTime,
    ) -> Result<Result<(), AppendError>, Error> {
        for (number, (stream, _)) in over {
            // Read anew: those of a block are of one stream.
            let at = self.handle.aggregates.booking(stream).await?;
            let Some(Place { slot, .. }) = at.state.place(&number) else { continue };
            let asked = of_request(asked, &number, b"missed");
            let events = booking::Decisions::decide(&at.state, Command::MarkNoShow { number, now });
            let events = events.map_err(Error::Booking)?;
            let claims = events.iter().flat_map(|event| taken::claims_of_booking(&at.state, event)).collect();
            let not_before = Some(slot.ends_at());
            let step = Step { stream, version: at.version, events, claims, not_before, not_after: None };
            let point = self.point(slot.point).await?;
            if let Err(error) = self.append(&asked, step, &point, Vec::new()).await {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// Frees places that were booked by what was before: an application may have needed none any more before its booking was recorded,
    /// and then the reaction to that has found nothing to free.
    async fn free_what_is_over(&self, asked: &Asked, numbers: &[EnrolmentNumber], point: PointId) -> Result<(), Error> {
        let known = self.registry.find(numbers).await.map_err(Error::View)?;
        for (number, known) in known.iter().filter(|(_, known)| !known.comes_to(point)) {
            let why = if known.pending { Cause::PointChanged } else { Cause::Concluded };
            self.free(&of_request(asked, number, b"freed"), None, number, why, |held| !known.comes_to(held.point))
                .await?;
        }
        Ok(())
    }

    /// Changes the live booking of an application.
    pub async fn change(
        &self,
        asked: &Asked,
        party: &Party,
        number: &EnrolmentNumber,
        change: Change,
    ) -> Result<Answered, Error> {
        let _turn = self.line.acquire().await.expect("the line is never closed");
        if let Some(answered) = self.handle.remembered(asked).await? {
            return Ok(answered);
        }
        let application = self.applications(party, slice::from_ref(number)).await?.remove(0);
        let mut now = clock::now();
        for _ in 0..ATTEMPTS {
            let (stream, at) = self.live(number).await?.ok_or(Error::Booking(Rejection::NotBooked))?;
            let Some(Place { slot: held, .. }) = at.state.place(number) else { continue };
            let (command, not_after) = match change {
                Change::Move(to) => {
                    let point = self.point(to.point).await?;
                    let offer = self.offer(&point, to).await?;
                    let deadline = held.begins_at().min(to.begins_at());
                    (Command::Move { application: application.clone(), offer, now }, Some(deadline))
                }
                Change::GiveBack => {
                    let command = Command::Release { number: number.clone(), cause: Cause::GivenBack, now };
                    (command, Some(held.begins_at()))
                }
                Change::NoShow => (Command::MarkNoShow { number: number.clone(), now }, None),
            };
            let events = booking::Decisions::decide(&at.state, command).map_err(Error::Booking)?;
            let claims = events.iter().flat_map(|event| taken::claims_of_booking(&at.state, event)).collect();
            let step = Step { stream, version: at.version, events, claims, not_before: None, not_after };
            let point = self.point(held.point).await?;
            match self.append(asked, step, &point, Vec::new()).await {
                Ok(answered) => return Ok(answered),
                Err(error) => now = again(error, now)?,
            }
        }
        Err(Error::Conflict)
    }

    /// Frees the place of an application that needs none any more, or none there, as it stands now: what is heard may be old.
    ///
    /// Not before the view of applications knows of it, so that nobody books by what was before.
    pub async fn hear(
        &self,
        asked: &Asked,
        cause: Uuid,
        (number, version): (&EnrolmentNumber, i64),
        why: Cause,
    ) -> Result<(), Error> {
        let known = self.registry.find(slice::from_ref(number)).await.map_err(Error::View)?.remove(number);
        let known = known.filter(|known| known.version >= version).ok_or(Error::NotReady)?;
        self.free(asked, Some(cause), number, why, |held| !known.comes_to(held.point)).await
    }

    /// Frees the place of an application that the point saw at this time: whoever was refused there has not stayed away. A place that
    /// is yet to come is kept, and so is one that was booked since.
    pub async fn hear_refusal(
        &self,
        asked: &Asked,
        cause: Uuid,
        number: &EnrolmentNumber,
        at: OffsetDateTime,
    ) -> Result<(), Error> {
        self.free(asked, Some(cause), number, Cause::Confirmed, |held| held.begins_at() <= at).await
    }

    /// Frees the place of an application, where it is over.
    async fn free(
        &self,
        asked: &Asked,
        cause: Option<Uuid>,
        number: &EnrolmentNumber,
        why: Cause,
        is_over: impl Fn(Slot) -> bool,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let Some((stream, at)) = self.live(number).await? else { return Ok(()) };
            let Some(Place { slot: held, .. }) = at.state.place(number) else { continue };
            if !is_over(held) {
                return Ok(());
            }
            let command = Command::Release { number: number.clone(), cause: why, now: clock::now() };
            let events = booking::Decisions::decide(&at.state, command).map_err(Error::Booking)?;
            let point = self.point(held.point).await?;
            let mut decided = Decided::new(stream, &events, point.division);
            (decided.version, decided.cause) = (at.version, cause);
            decided.claims = events.iter().flat_map(|event| taken::claims_of_booking(&at.state, event)).collect();
            match self.handle.append(asked, decided, Vec::new()).await {
                Ok(_) => return Ok(()),
                Err(error) => _ = again(error, clock::now())?,
            }
        }
        Err(Error::Conflict)
    }

    /// The live booking of an application, as the log has it.
    pub async fn find(&self, party: &Party, number: &EnrolmentNumber) -> Result<Option<(BookingId, Place)>, Error> {
        self.applications(party, slice::from_ref(number)).await?;
        let live = self.live(number).await?;
        Ok(live.and_then(|(stream, at)| Some((BookingId(stream), at.state.place(number)?))))
    }

    /// These applications in order; not found when one of them is not theirs to act on.
    async fn applications(&self, party: &Party, numbers: &[EnrolmentNumber]) -> Result<Vec<Application>, Error> {
        self.applications.require()?;
        self.plans.require()?;
        let known = self.registry.find(numbers).await.map_err(Error::View)?;
        let missed = self.calendar.no_shows(numbers).await.map_err(Error::View)?;
        let application = |number: &EnrolmentNumber| {
            let known = known.get(number).filter(|known| party.may_act_on(known));
            let missing = || Error::NotFound { kind: "application", name: number.to_string() };
            let known = known.ok_or_else(missing)?;
            let no_shows = missed.get(number.as_str()).copied().unwrap_or_default();
            let (number, point, pending) = (number.clone(), known.point, known.pending);
            Ok(Application { number, point, pending, no_shows, booked: None })
        };
        numbers.iter().map(application).collect()
    }

    async fn point(&self, id: PointId) -> Result<Point, Error> {
        self.handle.aggregates.find_point(id).await?.ok_or_else(|| no_point(id))
    }

    /// What a slot has to offer; free places begin anywhere, so that those who come together want different ones.
    async fn offer(&self, point: &Point, slot: Slot) -> Result<Offer, Error> {
        let dates = self.plans.require()?.dates(point);
        let capacity = self.handle.aggregates.capacity(&slot).await?.state;
        let mut free = capacity.free(&taken::seats(&self.handle.log, &slot).await?);
        if !free.is_empty() {
            let places = u128::try_from(free.len()).expect("places can be counted");
            free.rotate_left(usize::try_from(ids::bits() % places).expect("less than their number"));
        }
        Ok(Offer { slot, dates, capacity: capacity.capacity(), free })
    }

    /// The stream and the state of the live booking of an application.
    async fn live(&self, number: &EnrolmentNumber) -> Result<Option<(Uuid, At<booking::State>)>, Error> {
        let live = taken::bookings(&self.handle.log, slice::from_ref(number)).await?;
        let Some(stream) = live.get(number) else { return Ok(None) };
        Ok(Some((*stream, self.handle.aggregates.booking(*stream).await?)))
    }

    /// The live bookings of these applications: their streams and slots.
    async fn booked(&self, numbers: &[EnrolmentNumber]) -> Result<BTreeMap<EnrolmentNumber, (Uuid, Slot)>, Error> {
        let mut booked = BTreeMap::new();
        for (number, stream) in taken::bookings(&self.handle.log, numbers).await? {
            let place = self.handle.aggregates.booking(stream).await?.state.place(&number);
            booked.extend(place.map(|place| (number, (stream, place.slot))));
        }
        Ok(booked)
    }

    async fn append(&self, asked: &Asked, step: Step, point: &Point, answer: Vec<u8>) -> Result<Answered, AppendError> {
        let Step { stream, version, events, claims, not_before, not_after } = step;
        let decided =
            Decided { version, claims, not_before, not_after, ..Decided::new(stream, &events, point.division) };
        self.handle.append(asked, decided, answer).await
    }
}

/// By which instant to decide again, when somebody else was faster or the log's clock is another.
fn again(error: AppendError, now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    match error {
        AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. } => Ok(now),
        AppendError::TooEarly { now: by_the_log, .. } | AppendError::TooLate { now: by_the_log, .. } => Ok(by_the_log),
        error => Err(error.into()),
    }
}

/// What a request brings about for an application beside what it asks for: once, however often it comes.
fn of_request(asked: &Asked, number: &EnrolmentNumber, what: &[u8]) -> Asked {
    let name = [what, number.as_str().as_bytes()].concat();
    Asked { request_id: Uuid::new_v5(&asked.request_id, &name), ..asked.clone() }
}

fn no_point(id: PointId) -> Error {
    Error::NotFound { kind: "point", name: id.to_string() }
}
