//! What is taken of slots, which plan of a province goes on, and turns of agencies: the claims of the log, read as they stand, which
//! decide under its lock.

use std::collections::{BTreeMap, BTreeSet};

use eventlog::{Claim, EventLog, ReadError};
use uuid::Uuid;

use crate::domain::booking::{EnrolmentNumber, Event, State};
use crate::domain::capacity::Places;
use crate::domain::division::Code;
use crate::domain::id::{AgencyId, PlanId};
use crate::domain::slot::Slot;
use crate::error::Error;

/// A place has one holder: a booking, or the capacity that has closed it.
const SEAT: &str = "slot seat";
/// An application has one live booking.
const BOOKING: &str = "slot booking";
/// A province has one live plan.
pub const LIVE_PLAN: &str = "live plan";
/// Whoever gives an agency's windows more time, or ends the agency, takes its next turn: who decided by what was before meets it.
const TURN: &str = "agency turn";

/// Places of a slot that are booked or closed.
pub async fn seats(log: &EventLog, slot: &Slot) -> Result<BTreeSet<u32>, Error> {
    let sql = "SELECT key FROM claim WHERE kind = $1 AND key >= $2 AND key <= $3";
    let keys: Vec<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(SEAT)
        .bind(slot.seat_key(0))
        .bind(slot.seat_key(u32::MAX))
        .fetch_all(log.pool())
        .await
        .map_err(ReadError::from)?;
    Ok(keys.iter().filter_map(|key| Slot::seat_of(key)).collect())
}

/// The streams of the live bookings of applications.
pub async fn bookings(log: &EventLog, numbers: &[EnrolmentNumber]) -> Result<BTreeMap<EnrolmentNumber, Uuid>, Error> {
    // A booking is one event, so the claims stand at its position.
    let sql = "SELECT claim.key, event_log.stream FROM claim JOIN event_log USING (position) \
               WHERE claim.kind = $1 AND claim.key = ANY($2)";
    let rows: Vec<(Vec<u8>, Uuid)> = sqlx::query_as(sql)
        .bind(BOOKING)
        .bind(numbers.iter().map(number_key).collect::<Vec<_>>())
        .fetch_all(log.pool())
        .await
        .map_err(ReadError::from)?;
    let read =
        |(key, stream): (Vec<u8>, Uuid)| Some((EnrolmentNumber::parse(std::str::from_utf8(&key).ok()?)?, stream));
    Ok(rows.into_iter().filter_map(read).collect())
}

/// The plan of a province that goes on.
pub async fn live_plan(log: &EventLog, province: Code) -> Result<Option<PlanId>, Error> {
    let sql =
        "SELECT event_log.stream FROM claim JOIN event_log USING (position) WHERE claim.kind = $1 AND claim.key = $2";
    let query = sqlx::query_scalar(sql).bind(LIVE_PLAN).bind(province.as_str().as_bytes());
    let plan: Option<Uuid> = query.fetch_optional(log.pool()).await.map_err(ReadError::from)?;
    Ok(plan.map(PlanId))
}

/// The last turn of an agency; 0 before its first. Who reads it before what they decide by sees nothing change unnoticed.
pub async fn last_turn(log: &EventLog, agency: AgencyId) -> Result<u32, Error> {
    let sql = "SELECT key FROM claim WHERE kind = $1 AND key >= $2 AND key <= $3 ORDER BY key DESC LIMIT 1";
    let key: Option<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(TURN)
        .bind(turn_key(agency, 0))
        .bind(turn_key(agency, u32::MAX))
        .fetch_optional(log.pool())
        .await
        .map_err(ReadError::from)?;
    Ok(key.and_then(|key| key.last_chunk().map(|turn| u32::from_be_bytes(*turn))).unwrap_or_default())
}

/// Takes the turn of an agency after the last one.
pub fn next_turn(agency: AgencyId, last: u32) -> Claim {
    Claim::Take { kind: TURN, key: turn_key(agency, last + 1) }
}

fn turn_key(agency: AgencyId, turn: u32) -> Vec<u8> {
    [agency.0.as_bytes().as_slice(), &turn.to_be_bytes()].concat()
}

/// What a new capacity closes and opens.
pub fn claims_of_capacity(slot: &Slot, before: &BTreeSet<u32>, places: &Places) -> Vec<Claim> {
    let closes = places.closed.difference(before).map(|seat| take(slot, *seat));
    let opens = before.difference(&places.closed).map(|seat| release(slot, *seat));
    closes.chain(opens).collect()
}

/// What an event of a booking takes, and gives back of what it held.
pub fn claims_of_booking(state: &State, event: &Event) -> Vec<Claim> {
    let held = |number| state.place(number).map(|place| release(&place.slot, place.seat));
    match event {
        Event::Booked { slot, seats, .. } => {
            let both = |(number, seat): &(EnrolmentNumber, u32)| {
                [take(slot, *seat), Claim::Take { kind: BOOKING, key: number_key(number) }]
            };
            seats.iter().flat_map(both).collect()
        }
        Event::Moved { number, to, .. } => std::iter::once(take(&to.slot, to.seat)).chain(held(number)).collect(),
        Event::Released { number, .. } | Event::Missed { number, .. } => {
            let booking = Claim::Release { kind: BOOKING, key: number_key(number) };
            std::iter::once(booking).chain(held(number)).collect()
        }
    }
}

fn number_key(number: &EnrolmentNumber) -> Vec<u8> {
    number.as_str().into()
}

fn take(slot: &Slot, seat: u32) -> Claim {
    Claim::Take { kind: SEAT, key: slot.seat_key(seat) }
}

fn release(slot: &Slot, seat: u32) -> Claim {
    Claim::Release { kind: SEAT, key: slot.seat_key(seat) }
}
