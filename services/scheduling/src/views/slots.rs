//! Slots and who comes to them, as lists show them; what decides about a booking are the claims of the log.

use std::collections::BTreeMap;

use eventbus::{Event as Published, LoadError, View, ViewError};
use proto::scheduling::v1::{SlotBooked, SlotCapacityPublished, SlotMissed, SlotMoved, SlotReleased};
use sqlx::{PgConnection, PgPool};
use time::Date;
use uuid::Uuid;

use crate::domain::booking::{EnrolmentNumber, Event, Place};
use crate::domain::capacity::CapacityPublished;
use crate::domain::id::PointId;
use crate::domain::slot::{HalfDay, Slot};
use crate::store::{self, Stored};

/// Name of the view.
pub const SLOTS: &str = "slots";

/// Fed by the service's own events.
pub struct Slots;

#[eventbus::async_trait]
impl View for Slots {
    fn name(&self) -> &'static str {
        SLOTS
    }

    fn schema(&self) -> &'static str {
        include_str!("slots.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["slot_capacity", "slot_booking"]
    }

    fn concerns(&self, event: &Published) -> bool {
        event.is::<SlotCapacityPublished>() || is_of_a_booking(event)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Published]) -> Result<(), ViewError> {
        for event in events {
            if event.is::<SlotCapacityPublished>() {
                set_capacity(tx, &read::<CapacityPublished>(event)?).await?;
            } else if is_of_a_booking(event) {
                change(tx, event.stream, &read::<Event>(event)?).await?;
            }
        }
        Ok(())
    }
}

fn is_of_a_booking(event: &Published) -> bool {
    event.is::<SlotBooked>() || event.is::<SlotMoved>() || event.is::<SlotReleased>() || event.is::<SlotMissed>()
}

fn read<E: Stored>(event: &Published) -> Result<E, ViewError> {
    let incomplete =
        || ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position));
    E::read(&event.kind, &event.payload).ok_or_else(incomplete)
}

async fn set_capacity(tx: &mut PgConnection, published: &CapacityPublished) -> Result<(), sqlx::Error> {
    let CapacityPublished { slot, places } = published;
    sqlx::query(
        "INSERT INTO slot_capacity (point_id, date, half_day, capacity) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (point_id, date, half_day) DO UPDATE SET capacity = excluded.capacity",
    )
    .bind(slot.point.0)
    .bind(slot.date)
    .bind(i32::from(store::half_day(slot.half)))
    .bind(places.capacity.cast_signed())
    .execute(tx)
    .await?;
    Ok(())
}

async fn change(tx: &mut PgConnection, booking: Uuid, event: &Event) -> Result<(), sqlx::Error> {
    match event {
        Event::Booked { slot, seats, .. } => insert(tx, booking, slot, seats).await,
        Event::Moved { number, to: Place { slot, seat }, .. } => {
            sqlx::query(
                "UPDATE slot_booking SET point_id = $3, date = $4, half_day = $5, seat = $6 \
                 WHERE booking_id = $1 AND enrolment_number = $2",
            )
            .bind(booking)
            .bind(number.as_str())
            .bind(slot.point.0)
            .bind(slot.date)
            .bind(i32::from(store::half_day(slot.half)))
            .bind(seat.cast_signed())
            .execute(tx)
            .await?;
            Ok(())
        }
        Event::Released { number, .. } => {
            let sql = "DELETE FROM slot_booking WHERE booking_id = $1 AND enrolment_number = $2";
            sqlx::query(sql).bind(booking).bind(number.as_str()).execute(tx).await?;
            Ok(())
        }
        Event::Missed { number, .. } => {
            let sql = "UPDATE slot_booking SET no_show = true WHERE booking_id = $1 AND enrolment_number = $2";
            sqlx::query(sql).bind(booking).bind(number.as_str()).execute(tx).await?;
            Ok(())
        }
    }
}

async fn insert(
    tx: &mut PgConnection,
    booking: Uuid,
    slot: &Slot,
    seats: &[(EnrolmentNumber, u32)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO slot_booking (booking_id, enrolment_number, point_id, date, half_day, seat, no_show) \
         SELECT $1, number, $2, $3, $4, seat, false FROM unnest($5::text[], $6::integer[]) AS booked (number, seat)",
    )
    .bind(booking)
    .bind(slot.point.0)
    .bind(slot.date)
    .bind(i32::from(store::half_day(slot.half)))
    .bind(seats.iter().map(|(number, _)| number.as_str()).collect::<Vec<_>>())
    .bind(seats.iter().map(|(_, seat)| seat.cast_signed()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// A slot as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub slot: Slot,
    /// How many it takes.
    pub capacity: i32,
    /// How many places are left.
    pub free: i32,
}

/// A booking as the clerk sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// 报名号
    pub number: String,
    /// Its place.
    pub seat: i32,
    /// 未到场
    pub no_show: bool,
}

/// Slots and bookings as the view's tables hold them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Calendar {
    pool: PgPool,
}

impl Calendar {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The slots of a point from one day until before another.
    pub async fn slots(&self, point: PointId, from: Date, until: Date) -> Result<Vec<Shown>, LoadError> {
        let rows: Vec<(Date, i32, i32, i64)> = sqlx::query_as(
            "SELECT date, half_day, capacity, (SELECT count(*) FROM slot_booking AS booking \
                 WHERE (booking.point_id, booking.date, booking.half_day) = (slot.point_id, slot.date, slot.half_day) \
                 AND NOT booking.no_show) \
             FROM slot_capacity AS slot WHERE point_id = $1 AND date >= $2 AND date < $3 ORDER BY date, half_day",
        )
        .bind(point.0)
        .bind(from)
        .bind(until)
        .fetch_all(&self.pool)
        .await?;
        let shown = |(date, half, capacity, booked): (Date, i32, i32, i64)| {
            let half: HalfDay = store::read_half_day(half).ok_or("the view holds an unknown half-day")?;
            let booked = i32::try_from(booked)?;
            Ok(Shown { slot: Slot { point, date, half }, capacity, free: (capacity - booked).max(0) })
        };
        rows.into_iter().map(shown).collect()
    }

    /// How often nobody came, of those of these applications of which that was noted.
    pub async fn no_shows(&self, numbers: &[EnrolmentNumber]) -> Result<BTreeMap<String, u32>, LoadError> {
        let sql = "SELECT enrolment_number, count(*) FROM slot_booking WHERE no_show AND enrolment_number = ANY($1) \
                   GROUP BY enrolment_number";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql)
            .bind(numbers.iter().map(ToString::to_string).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(|(number, count)| Ok((number, u32::try_from(count)?))).collect()
    }

    /// All bookings of a day at a point, by half-day and number.
    pub async fn day(&self, point: PointId, date: Date) -> Result<Vec<(HalfDay, Listed)>, LoadError> {
        let rows: Vec<(i32, String, i32, bool)> = sqlx::query_as(
            "SELECT half_day, enrolment_number, seat, no_show FROM slot_booking WHERE point_id = $1 AND date = $2 \
             ORDER BY half_day, enrolment_number",
        )
        .bind(point.0)
        .bind(date)
        .fetch_all(&self.pool)
        .await?;
        let listed = |(half, number, seat, no_show)| {
            let half = store::read_half_day(half).ok_or("the view holds an unknown half-day")?;
            Ok((half, Listed { number, seat, no_show }))
        };
        rows.into_iter().map(listed).collect()
    }

    /// Bookings of a slot by their number, after one of them.
    pub async fn bookings(&self, slot: &Slot, after: &str, at_most: usize) -> Result<Vec<Listed>, LoadError> {
        let rows: Vec<(String, i32, bool)> = sqlx::query_as(
            "SELECT enrolment_number, seat, no_show FROM slot_booking \
             WHERE point_id = $1 AND date = $2 AND half_day = $3 AND enrolment_number > $4 \
             ORDER BY enrolment_number LIMIT $5",
        )
        .bind(slot.point.0)
        .bind(slot.date)
        .bind(i32::from(store::half_day(slot.half)))
        .bind(after)
        .bind(i64::try_from(at_most)?)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(number, seat, no_show)| Listed { number, seat, no_show }).collect())
    }
}
