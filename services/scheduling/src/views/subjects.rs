//! What provinces have said of subjects: those that they added, and those that they switched.

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1::{SubjectAdded, SubjectSwitched};
use sqlx::{PgConnection, PgPool};

use crate::domain::division::Code;
use crate::domain::subject::{Stage, national};
use crate::store;

/// Fed by the service's own events.
pub struct Subjects;

#[eventbus::async_trait]
impl View for Subjects {
    fn name(&self) -> &'static str {
        "subjects"
    }

    fn schema(&self) -> &'static str {
        include_str!("subjects.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["subject"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<SubjectAdded>() || event.is::<SubjectSwitched>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            let (province, stage, subject, own, on) = if event.is::<SubjectAdded>() {
                let SubjectAdded { province, stage, subject } = event.decode()?;
                (province, stage, subject, true, true)
            } else {
                let SubjectSwitched { province, stage, subject, on } = event.decode()?;
                (province, stage, subject, false, on)
            };
            sqlx::query(
                "INSERT INTO subject AS known (province, stage, name, own, is_on, position) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (province, stage, name) DO UPDATE SET is_on = excluded.is_on",
            )
            .bind(province)
            .bind(stage)
            .bind(subject)
            .bind(own)
            .bind(on)
            .bind(event.position)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

/// A subject as a province has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// Of the province's own.
    pub own: bool,
    /// Whether it can be chosen.
    pub on: bool,
}

/// Subjects as the view's table holds them. Clones are the same.
#[derive(Clone, Debug)]
pub struct SubjectList {
    pool: PgPool,
}

impl SubjectList {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Those of the nation in their order, then the province's own in the order in which they were added.
    pub async fn list(&self, province: Code, stage: Stage) -> Result<Vec<Listed>, LoadError> {
        let said: Vec<(String, bool, bool)> =
            sqlx::query_as("SELECT name, own, is_on FROM subject WHERE province = $1 AND stage = $2 ORDER BY position")
                .bind(&province.as_str()[..2])
                .bind(i32::from(store::stage(stage)))
                .fetch_all(&self.pool)
                .await?;
        let is_on = |name: &str| said.iter().find(|(known, ..)| known == name).is_none_or(|(.., on)| *on);
        let of_the_nation =
            national(stage).iter().map(|name| Listed { name: (*name).to_owned(), own: false, on: is_on(name) });
        let own = said.iter().filter(|(_, own, _)| *own);
        let own = own.map(|(name, _, on)| Listed { name: name.clone(), own: true, on: *on });
        Ok(of_the_nation.chain(own).collect())
    }
}
