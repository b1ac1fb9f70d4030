//! Forgetting a person: masked addresses and read marks go; what is on its way is taken out of every other hand.

use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::Store;
use super::deliveries::{Lease, channel};

/// How many there were of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Addresses, masked as they were.
    pub masked_addresses: i64,
    /// Marks that a notice was read.
    pub read_marks: i64,
}

impl Store {
    /// Takes every delivery of these notices that is still on its way in hand, whoever has it: a try that is going on
    /// settles nothing any more. `id` is of this call alone.
    pub async fn take_over(&self, notices: &[Uuid], id: Uuid) -> Result<Vec<Lease>, sqlx::Error> {
        let rows = sqlx::query(
            "UPDATE delivery SET lease = $2, due_at = clock_timestamp() + interval '1 minute', attempts = attempts + 1 \
             WHERE notice_id = ANY($1) AND state = 1 RETURNING notice_id, channel, attempts",
        )
        .bind(notices)
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let attempt = u32::try_from(row.try_get::<i32, _>(2)?).map_err(sqlx::Error::decode)?;
                Ok(Lease { notice: row.try_get(0)?, channel: channel(row, 1)?, attempt, id })
            })
            .collect()
    }
}

/// Removes what the records of a person's notices say of them.
pub async fn remove(tx: &mut PgConnection, person: Uuid) -> Result<Removed, sqlx::Error> {
    let blanked = sqlx::query(
        "UPDATE public.delivery SET masked_address = '' WHERE masked_address <> '' \
             AND notice_id IN (SELECT notice_id FROM views.inbox WHERE person_id = $1)",
    )
    .bind(person)
    .execute(&mut *tx)
    .await?;
    let read = sqlx::query(
        "DELETE FROM public.notice_read WHERE notice_id IN (SELECT notice_id FROM views.inbox WHERE person_id = $1)",
    )
    .bind(person)
    .execute(tx)
    .await?;
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    Ok(Removed { masked_addresses: count(blanked.rows_affected()), read_marks: count(read.rows_affected()) })
}
