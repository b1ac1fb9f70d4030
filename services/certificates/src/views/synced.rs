//! The provinces whose registers were brought, wholly or in part, and when last.

use std::collections::BTreeMap;

use eventbus::{Event, View, ViewError};
use proto::certificates::v1::SyncFinished;
use sqlx::{PgConnection, PgPool};
use time::{Date, UtcOffset};

use crate::domain::missing::Brought;

/// Name of the view.
pub const SYNCED: &str = "synced";

/// Fed by the service's own events.
pub struct Synced;

#[eventbus::async_trait]
impl View for Synced {
    fn name(&self) -> &'static str {
        SYNCED
    }

    fn schema(&self) -> &'static str {
        "-- When a register of a province was brought last.
         CREATE TABLE IF NOT EXISTS synced_province (province text PRIMARY KEY, synced_on date NOT NULL);
         -- … and when all of it last, as far as that was ever said.
         ALTER TABLE synced_province ADD COLUMN IF NOT EXISTS complete_on date"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["synced_province"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<SyncFinished>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let shanghai = UtcOffset::from_hms(8, 0, 0).expect("eight hours are an offset");
        let mut days: BTreeMap<String, (Date, Option<Date>)> = BTreeMap::new();
        for event in events.iter().filter(|event| self.concerns(event)) {
            let day = event.recorded_at.to_offset(shanghai).date();
            let SyncFinished { provinces, complete, .. } = event.decode()?;
            for province in provinces {
                let (last, whole) = days.entry(province).or_insert((day, None));
                *last = day;
                *whole = complete.then_some(day).or(*whole);
            }
        }
        if days.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO synced_province AS known (province, synced_on, complete_on)
             SELECT * FROM unnest($1::text[], $2::date[], $3::date[])
             ON CONFLICT (province) DO UPDATE SET synced_on = excluded.synced_on,
                 complete_on = coalesce(excluded.complete_on, known.complete_on)",
        )
        .bind(days.keys().map(String::as_str).collect::<Vec<_>>())
        .bind(days.values().map(|(last, _)| *last).collect::<Vec<_>>())
        .bind(days.values().map(|(_, whole)| *whole).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// On which days, in Shanghai, a register with certificates of this province was brought last.
pub async fn last(pool: &PgPool, province: &str) -> Result<Option<Brought>, sqlx::Error> {
    let found: Option<(Date, Option<Date>)> =
        sqlx::query_as("SELECT synced_on, complete_on FROM synced_province WHERE province = $1")
            .bind(province)
            .fetch_optional(pool)
            .await?;
    Ok(found.map(|(last, whole)| Brought { last, whole }))
}
