//! Open schools of the directory: half a million in the nation, so they stay in a table and are looked up by id.

use std::collections::BTreeMap;

use eventbus::{Event, View, ViewError};
use proto::scheduling::v1::{SchoolAdded, SchoolClosed, SchoolRenamed};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

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
        "CREATE TABLE IF NOT EXISTS school (school_id uuid PRIMARY KEY, name text NOT NULL)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["school"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<SchoolAdded>() || event.is::<SchoolRenamed>() || event.is::<SchoolClosed>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // The last word of a batch on each school: its name, or that it is closed.
        let (mut schools, mut closed) = (BTreeMap::new(), Vec::new());
        for event in events {
            if event.is::<SchoolAdded>() {
                let school = event.decode::<SchoolAdded>()?.school.ok_or_else(|| incomplete(event))?;
                schools.insert(id(event, &school.school_id)?, school.name);
            } else if event.is::<SchoolRenamed>() {
                let renamed: SchoolRenamed = event.decode()?;
                schools.insert(id(event, &renamed.school_id)?, renamed.name);
            } else {
                closed.push(id(event, &event.decode::<SchoolClosed>()?.school_id)?);
            }
        }
        let (ids, names): (Vec<Uuid>, Vec<String>) = schools.into_iter().unzip();
        sqlx::query(
            "INSERT INTO school (school_id, name) SELECT * FROM unnest($1::uuid[], $2::text[]) \
             ON CONFLICT (school_id) DO UPDATE SET name = excluded.name",
        )
        .bind(ids)
        .bind(names)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM school WHERE school_id = ANY($1)").bind(closed).execute(tx).await?;
        Ok(())
    }
}

/// Whether there is such a school.
pub async fn is_known(pool: &PgPool, school: Uuid) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT FROM views.school WHERE school_id = $1)";
    sqlx::query_scalar(sql).bind(school).fetch_one(pool).await
}
