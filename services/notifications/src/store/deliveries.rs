//! Delivery records: which notice still has to go where, who has it in hand, and how it ended.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row as _, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, notice};
use crate::domain::channel::Channel;

/// Where a delivery stands; its number is that of the API's `DeliveryState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried, or in hand.
    Queued = 1,
    /// The channel took it.
    Delivered = 2,
    /// Given up.
    Failed = 3,
    /// The person has no address for the channel.
    NoAddress = 4,
}

impl DeliveryState {
    /// The state of a number.
    pub fn parse(number: i32) -> Option<Self> {
        [Self::Queued, Self::Delivered, Self::Failed, Self::NoAddress].into_iter().find(|state| *state as i32 == number)
    }
}

/// A delivery in hand: nobody else tries it before the lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The notice.
    pub notice: Uuid,
    /// Where it has to go.
    pub channel: Channel,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Of this try alone.
    pub(super) id: Uuid,
}

/// What becomes of a delivery in hand.
#[derive(Debug, Clone, Copy)]
pub struct Settlement<'a> {
    /// Where it stands now.
    pub state: DeliveryState,
    /// Where it went, masked; empty where that is not known.
    pub masked_address: &'a str,
    /// What was wrong, without personal data; empty where nothing was.
    pub problem: &'a str,
}

/// One record, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The notice.
    pub notice: Uuid,
    /// Where it has to go.
    pub channel: Channel,
    /// Where it stands.
    pub state: DeliveryState,
    /// Masked; empty while nothing was tried.
    pub masked_address: String,
    /// Tries so far.
    pub attempts: u32,
    /// Last change.
    pub updated_at: OffsetDateTime,
    /// What was wrong last.
    pub problem: String,
    queued_at: OffsetDateTime,
}

/// Where a page of deliveries begins: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    queued_at: OffsetDateTime,
    notice: Uuid,
    channel: Channel,
}

/// Some deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub deliveries: Vec<Delivery>,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
}

impl Store {
    /// Begins a transaction with the delivery records of a new notice in it; those that are there stay as they are.
    pub async fn begin_deliveries(
        &self,
        notice: Uuid,
        channels: &[(Channel, DeliveryState)],
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let (numbers, states): (Vec<i16>, Vec<i16>) =
            channels.iter().map(|(channel, state)| (number(*channel), *state as i16)).unzip();
        sqlx::query(
            "INSERT INTO delivery (notice_id, channel, state) SELECT $1, * FROM unnest($2::int2[], $3::int2[]) \
             ON CONFLICT DO NOTHING",
        )
        .bind(notice)
        .bind(numbers)
        .bind(states)
        .execute(&mut *tx)
        .await?;
        Ok(tx)
    }

    /// Takes at most `limit` due deliveries in hand for `time`, oldest first; passes over those that another replica is
    /// taking at this moment. `id` is of this call alone.
    pub async fn lease_deliveries(&self, limit: usize, time: Duration, id: Uuid) -> Result<Vec<Lease>, sqlx::Error> {
        let rows = sqlx::query(
            "WITH due AS ( \
                 SELECT notice_id, channel FROM delivery WHERE state = 1 AND due_at <= clock_timestamp() \
                 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) \
             UPDATE delivery SET lease = $2, due_at = clock_timestamp() + make_interval(secs => $3), \
                 attempts = attempts + 1 \
             FROM due WHERE delivery.notice_id = due.notice_id AND delivery.channel = due.channel \
             RETURNING delivery.notice_id, delivery.channel, delivery.attempts",
        )
        .bind(i64::try_from(limit).expect("a limit is small"))
        .bind(id)
        .bind(time.as_secs_f64())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let attempt = u32::try_from(row.try_get::<i32, _>(2)?).map_err(sqlx::Error::decode)?;
                Ok(Lease { notice: row.try_get(0)?, channel: channel(row, 1)?, attempt, id })
            })
            .collect()
    }

    /// Begins a transaction in which a delivery in hand is settled; `None` when the lease was lost meanwhile.
    pub async fn begin_settlement(
        &self,
        lease: &Lease,
        settlement: Settlement<'_>,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let settled = sqlx::query(
            "UPDATE delivery SET state = $4, masked_address = $5, problem = $6, updated_at = clock_timestamp() \
             WHERE notice_id = $1 AND channel = $2 AND lease = $3 AND state = 1",
        )
        .bind(lease.notice)
        .bind(number(lease.channel))
        .bind(lease.id)
        .bind(settlement.state as i16)
        .bind(settlement.masked_address)
        .bind(settlement.problem)
        .execute(&mut *tx)
        .await?;
        Ok((settled.rows_affected() == 1).then_some(tx))
    }

    /// Gives a delivery back, to be tried again after `pause`. Does nothing when the lease was lost meanwhile.
    pub async fn postpone_delivery(
        &self,
        lease: &Lease,
        pause: Duration,
        masked_address: &str,
        problem: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE delivery SET due_at = clock_timestamp() + make_interval(secs => $4), masked_address = $5, \
                 problem = $6, updated_at = clock_timestamp() \
             WHERE notice_id = $1 AND channel = $2 AND lease = $3 AND state = 1",
        )
        .bind(lease.notice)
        .bind(number(lease.channel))
        .bind(lease.id)
        .bind(pause.as_secs_f64())
        .bind(masked_address)
        .bind(problem)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Deliveries of one state or of all, newest first.
    pub async fn list_deliveries(
        &self,
        state: Option<DeliveryState>,
        behind: Option<Place>,
        limit: usize,
    ) -> Result<Page, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT notice_id, channel, state, masked_address, attempts, updated_at, problem, queued_at FROM delivery \
             WHERE ($1 IS NULL OR state = $1) \
               AND ($2 IS NULL OR (queued_at, notice_id, channel) < ($2, $3, $4)) \
             ORDER BY queued_at DESC, notice_id DESC, channel DESC LIMIT $5",
        )
        .bind(state.map(|state| state as i16))
        .bind(behind.map(|place| place.queued_at))
        .bind(behind.map(|place| place.notice))
        .bind(behind.map(|place| number(place.channel)))
        .bind(i64::try_from(limit + 1).expect("a page is small"))
        .fetch_all(&self.pool)
        .await?;
        let mut deliveries = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let more = deliveries.len() > limit;
        deliveries.truncate(limit);
        let next = deliveries.last().filter(|_| more).map(Delivery::place);
        Ok(Page { deliveries, next })
    }
}

impl Delivery {
    fn place(&self) -> Place {
        Place { queued_at: self.queued_at, notice: self.notice, channel: self.channel }
    }
}

impl Place {
    /// For a page token.
    pub fn to_bytes(self) -> Vec<u8> {
        let microseconds = i64::try_from(self.queued_at.unix_timestamp_nanos() / 1_000).expect("a time of this era");
        let mut bytes = microseconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.notice.as_bytes());
        bytes.push(u8::try_from(number(self.channel)).expect("numbers of channels are small"));
        bytes
    }

    /// From a page token.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (microseconds, rest) = bytes.split_first_chunk()?;
        let (notice, rest) = rest.split_first_chunk()?;
        let &[channel] = rest else { return None };
        let nanoseconds = i128::from(i64::from_be_bytes(*microseconds)) * 1_000;
        Some(Self {
            queued_at: OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?,
            notice: Uuid::from_bytes(*notice),
            channel: notice::channel(channel.into())?,
        })
    }
}

fn delivery(row: &PgRow) -> Result<Delivery, sqlx::Error> {
    let state: i16 = row.try_get(2)?;
    Ok(Delivery {
        notice: row.try_get(0)?,
        channel: channel(row, 1)?,
        state: DeliveryState::parse(state.into()).ok_or_else(|| unknown("state"))?,
        masked_address: row.try_get(3)?,
        attempts: u32::try_from(row.try_get::<i32, _>(4)?).map_err(sqlx::Error::decode)?,
        updated_at: row.try_get(5)?,
        problem: row.try_get(6)?,
        queued_at: row.try_get(7)?,
    })
}

fn number(channel: Channel) -> i16 {
    i16::try_from(i32::from(notice::number(channel))).expect("numbers of channels are small")
}

pub(super) fn channel(row: &PgRow, index: usize) -> Result<Channel, sqlx::Error> {
    notice::channel(row.try_get::<i16, _>(index)?.into()).ok_or_else(|| unknown("channel"))
}

fn unknown(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a delivery has an unknown {column}").into())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_place_survives_its_page_token() {
        let place = Place {
            queued_at: datetime!(2026-11-23 08:00:00.123456 UTC),
            notice: Uuid::from_u128(7),
            channel: Channel::Sms,
        };
        assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
        assert_eq!(Place::from_bytes(&place.to_bytes()[1..]), None);
        assert_eq!(Place::from_bytes(&[]), None);
    }
}
