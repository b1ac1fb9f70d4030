//! Capacities and bookings of slots as the log keeps them, and slots on the wire.

use prost::Name as _;
use proto::scheduling::v1 as wire;
use rpc::render_date;
use time::Date;
use uuid::Uuid;

use super::Stored;
use super::convert::id;
use super::events::{form, message};
use crate::domain::booking::{Cause, EnrolmentNumber, Event, Place};
use crate::domain::capacity::{CapacityPublished, Places};
use crate::domain::id::{BookingId, PointId};
use crate::domain::slot::{HalfDay, Slot};

/// A half of a day on the wire.
pub fn half_day(half: HalfDay) -> wire::HalfDay {
    match half {
        HalfDay::Morning => wire::HalfDay::Morning,
        HalfDay::Afternoon => wire::HalfDay::Afternoon,
    }
}

/// A half of a day by its number.
pub fn read_half_day(number: i32) -> Option<HalfDay> {
    match wire::HalfDay::try_from(number).ok()? {
        wire::HalfDay::Morning => Some(HalfDay::Morning),
        wire::HalfDay::Afternoon => Some(HalfDay::Afternoon),
        wire::HalfDay::Unspecified => None,
    }
}

/// A slot on the wire.
pub fn slot(slot: &Slot) -> wire::Slot {
    wire::Slot { point_id: slot.point.to_string(), date: render_date(slot.date), half_day: half_day(slot.half).into() }
}

/// A slot as it was recorded.
pub fn read_slot(slot: Option<wire::Slot>) -> Option<Slot> {
    let slot = slot?;
    let (point, half) = (PointId(id(&slot.point_id)?), read_half_day(slot.half_day)?);
    Some(Slot { point, date: date(&slot.date)?, half })
}

/// The place of an application on the wire.
pub fn booking(booking: BookingId, number: &EnrolmentNumber, place: Place) -> wire::Booking {
    wire::Booking {
        booking_id: booking.to_string(),
        enrolment_number: number.to_string(),
        slot: Some(slot(&place.slot)),
        seat: place.seat.cast_signed(),
    }
}

fn date(text: &str) -> Option<Date> {
    rpc::parse_date("date", text, &mut rpc::Violations::new())
}

fn seat(number: i32) -> Option<u32> {
    u32::try_from(number).ok()
}

impl Stored for CapacityPublished {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        form(&wire::SlotCapacityPublished {
            slot: Some(slot(&self.slot)),
            capacity: self.places.capacity.cast_signed(),
            seats: self.places.seats.cast_signed(),
            closed_seats: self.places.closed.iter().map(|seat| seat.cast_signed()).collect(),
        })
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        let wire::SlotCapacityPublished { slot, capacity, seats, closed_seats } = message(kind, payload)?;
        let closed = closed_seats.into_iter().map(seat).collect::<Option<_>>()?;
        let places = Places { capacity: seat(capacity)?, seats: seat(seats)?, closed };
        Some(Self { slot: read_slot(slot)?, places })
    }
}

fn cause(cause: Cause) -> wire::SlotReleaseCause {
    match cause {
        Cause::GivenBack => wire::SlotReleaseCause::GivenBack,
        Cause::Withdrawn => wire::SlotReleaseCause::Withdrawn,
        Cause::Confirmed => wire::SlotReleaseCause::Confirmed,
        Cause::Concluded => wire::SlotReleaseCause::Concluded,
        Cause::PointChanged => wire::SlotReleaseCause::PointChanged,
    }
}

fn read_cause(number: i32) -> Option<Cause> {
    match wire::SlotReleaseCause::try_from(number).ok()? {
        wire::SlotReleaseCause::GivenBack => Some(Cause::GivenBack),
        wire::SlotReleaseCause::Withdrawn => Some(Cause::Withdrawn),
        wire::SlotReleaseCause::Confirmed => Some(Cause::Confirmed),
        wire::SlotReleaseCause::Concluded => Some(Cause::Concluded),
        wire::SlotReleaseCause::PointChanged => Some(Cause::PointChanged),
        wire::SlotReleaseCause::Unspecified => None,
    }
}

impl Stored for Event {
    fn write(&self, stream: Uuid) -> (String, Vec<u8>) {
        let booking_id = stream.to_string();
        match self {
            Self::Booked { booking: _, slot: booked, seats } => {
                let seat = |(number, seat): &(EnrolmentNumber, u32)| wire::BookedSeat {
                    enrolment_number: number.to_string(),
                    seat: seat.cast_signed(),
                };
                let seats = seats.iter().map(seat).collect();
                form(&wire::SlotBooked { booking_id, slot: Some(slot(booked)), seats })
            }
            Self::Moved { number, from, to } => form(&wire::SlotMoved {
                booking_id,
                enrolment_number: number.to_string(),
                from: Some(slot(from)),
                to: Some(slot(&to.slot)),
                seat: to.seat.cast_signed(),
            }),
            Self::Released { number, slot: released, cause: why } => form(&wire::SlotReleased {
                booking_id,
                enrolment_number: number.to_string(),
                slot: Some(slot(released)),
                cause: cause(*why).into(),
            }),
            Self::Missed { number, slot: missed } => {
                form(&wire::SlotMissed { booking_id, enrolment_number: number.to_string(), slot: Some(slot(missed)) })
            }
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        let number = EnrolmentNumber::parse;
        if kind == wire::SlotBooked::full_name() {
            let wire::SlotBooked { booking_id, slot, seats } = message(kind, payload)?;
            let read = |booked: wire::BookedSeat| Some((number(&booked.enrolment_number)?, seat(booked.seat)?));
            let seats = seats.into_iter().map(read).collect::<Option<_>>()?;
            Some(Self::Booked { booking: BookingId(id(&booking_id)?), slot: read_slot(slot)?, seats })
        } else if kind == wire::SlotMoved::full_name() {
            let moved: wire::SlotMoved = message(kind, payload)?;
            let to = Place { slot: read_slot(moved.to)?, seat: seat(moved.seat)? };
            Some(Self::Moved { number: number(&moved.enrolment_number)?, from: read_slot(moved.from)?, to })
        } else if kind == wire::SlotReleased::full_name() {
            let wire::SlotReleased { enrolment_number, slot, cause, .. } = message(kind, payload)?;
            let (slot, cause) = (read_slot(slot)?, read_cause(cause)?);
            Some(Self::Released { number: number(&enrolment_number)?, slot, cause })
        } else {
            let wire::SlotMissed { enrolment_number, slot, .. } = message(kind, payload)?;
            Some(Self::Missed { number: number(&enrolment_number)?, slot: read_slot(slot)? })
        }
    }
}
