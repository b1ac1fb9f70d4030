//! Open schools of the directory and what they are: half a million in the nation, so they stay in a table and are looked
//! up by id. Rows from before kinds were kept have none until the view is rebuilt, and count as ordinary schools.

use std::collections::{BTreeMap, HashMap};

use eventbus::{Event, View, ViewError};
use proto::scheduling::v1::{SchoolAdded, SchoolClosed, SchoolRenamed};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::rules::SchoolKind;
use crate::views::{id, incomplete};

/// Fed by scheduling.
#[derive(Debug)]
pub struct Schools;

#[eventbus::async_trait]
impl View for Schools {
    fn name(&self) -> &'static str {
        "schools"
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS school (school_id uuid PRIMARY KEY, name text NOT NULL); \
         ALTER TABLE school ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT ''"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["school"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<SchoolAdded>() || event.is::<SchoolRenamed>() || event.is::<SchoolClosed>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // The last word of a batch on each school: its kind, if it is new, and its name, or that it is closed.
        let (mut schools, mut closed) = (BTreeMap::new(), Vec::new());
        for event in events {
            if event.is::<SchoolAdded>() {
                let school = event.decode::<SchoolAdded>()?.school.ok_or_else(|| incomplete(event))?;
                schools.insert(id(event, &school.school_id)?, (school.kind, school.name));
            } else if event.is::<SchoolRenamed>() {
                let renamed: SchoolRenamed = event.decode()?;
                let known: &mut (String, String) = schools.entry(id(event, &renamed.school_id)?).or_default();
                known.1 = renamed.name;
            } else {
                closed.push(id(event, &event.decode::<SchoolClosed>()?.school_id)?);
            }
        }
        let (ids, told): (Vec<Uuid>, Vec<(String, String)>) = schools.into_iter().unzip();
        let (kinds, names): (Vec<String>, Vec<String>) = told.into_iter().unzip();
        sqlx::query(
            "INSERT INTO school (school_id, kind, name) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) \
             ON CONFLICT (school_id) DO UPDATE SET name = excluded.name, \
                 kind = CASE WHEN excluded.kind = '' THEN school.kind ELSE excluded.kind END",
        )
        .bind(ids)
        .bind(kinds)
        .bind(names)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM school WHERE school_id = ANY($1)").bind(closed).execute(tx).await?;
        Ok(())
    }
}

/// What these schools are; one that is not open has no entry.
pub async fn kinds(pool: &PgPool, schools: &[Uuid]) -> Result<HashMap<Uuid, SchoolKind>, sqlx::Error> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT school_id, kind FROM views.school WHERE school_id = ANY($1)")
            .bind(schools)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|(school, kind)| (school, SchoolKind::of(&kind))).collect())
}
