//! The agencies of scheduling with their names and ends: small, and kept in the memory of every replica.

use std::collections::BTreeMap;

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1 as scheduling;
use sqlx::{PgConnection, PgPool};
use time::Date;
use time::macros::date;
use uuid::Uuid;

use crate::domain::agency::{Abolition, Agencies, Agency};
use crate::store::events::read_date;

/// Name of the feed.
pub const AGENCIES: &str = "agencies";

/// Stands for the first day of a first name, which holds since ever.
const SINCE_EVER: Date = date!(0001 - 01 - 01);

/// Fed by scheduling.
pub struct AgenciesView;

#[eventbus::async_trait]
impl View for AgenciesView {
    fn name(&self) -> &'static str {
        AGENCIES
    }

    fn schema(&self) -> &'static str {
        "-- Who may have issued a certificate.
         CREATE TABLE IF NOT EXISTS agency (
             agency_id    uuid PRIMARY KEY,
             division     text NOT NULL,
             -- First day without it.
             abolished_on date,
             successor    uuid
         );
         CREATE TABLE IF NOT EXISTS agency_name (
             agency_id uuid NOT NULL,
             since     date NOT NULL,
             name      text NOT NULL,
             PRIMARY KEY (agency_id, since)
         )"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["agency", "agency_name"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<scheduling::AgencyAdded>()
            || event.is::<scheduling::AgencyRenamed>()
            || event.is::<scheduling::AgencyAbolished>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events.iter().filter(|event| self.concerns(event)) {
            if event.is::<scheduling::AgencyAdded>() {
                let added = event.decode::<scheduling::AgencyAdded>()?.agency.ok_or_else(|| incomplete(event))?;
                let agency = id(event, &added.agency_id)?;
                sqlx::query("INSERT INTO agency (agency_id, division) VALUES ($1, $2)")
                    .bind(agency)
                    .bind(added.division)
                    .execute(&mut *tx)
                    .await?;
                name(tx, agency, SINCE_EVER, added.name).await?;
            } else if event.is::<scheduling::AgencyRenamed>() {
                let renamed: scheduling::AgencyRenamed = event.decode()?;
                let since = day(event, &renamed.effective_date)?;
                name(tx, id(event, &renamed.agency_id)?, since, renamed.name).await?;
            } else {
                let abolished: scheduling::AgencyAbolished = event.decode()?;
                sqlx::query("UPDATE agency SET abolished_on = $2, successor = $3 WHERE agency_id = $1")
                    .bind(id(event, &abolished.agency_id)?)
                    .bind(day(event, &abolished.effective_date)?)
                    .bind(Uuid::try_parse(&abolished.successor_agency_id).ok())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        Ok(())
    }
}

/// A name of the same day is put right.
async fn name(tx: &mut PgConnection, agency: Uuid, since: Date, name: String) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO agency_name (agency_id, since, name) VALUES ($1, $2, $3)
         ON CONFLICT (agency_id, since) DO UPDATE SET name = excluded.name",
    )
    .bind(agency)
    .bind(since)
    .bind(name)
    .execute(tx)
    .await?;
    Ok(())
}

fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    Uuid::try_parse(text).map_err(|_| incomplete(event))
}

fn day(event: &Event, text: &str) -> Result<Date, ViewError> {
    read_date(text).ok_or_else(|| incomplete(event))
}

/// The owner of the event wrote less than it promises.
fn incomplete(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position))
}

/// Reads all of it.
pub async fn load(pool: PgPool) -> Result<Agencies, LoadError> {
    let mut names: BTreeMap<Uuid, BTreeMap<Date, String>> = BTreeMap::new();
    let rows: Vec<(Uuid, Date, String)> =
        sqlx::query_as("SELECT agency_id, since, name FROM views.agency_name").fetch_all(&pool).await?;
    for (agency, since, name) in rows {
        let since = if since == SINCE_EVER { Date::MIN } else { since };
        names.entry(agency).or_default().insert(since, name);
    }
    let rows: Vec<(Uuid, String, Option<Date>, Option<Uuid>)> =
        sqlx::query_as("SELECT agency_id, division, abolished_on, successor FROM views.agency")
            .fetch_all(&pool)
            .await?;
    let agencies = rows.into_iter().map(|(id, division, abolished_on, successor)| Agency {
        id,
        division,
        names: names.remove(&id).unwrap_or_default(),
        abolition: abolished_on.map(|on| Abolition { on, successor }),
    });
    Ok(agencies.collect())
}
