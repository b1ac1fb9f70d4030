//! Who filed which application: from 报名号 to person, because later events of an application name no person.

use eventbus::{Event, View, ViewError};
use proto::applications::v1::ApplicationSubmitted;
use proto::types::v1::PersonalDataErased;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

const NAME: &str = "applicants";

/// The view, and its query.
#[derive(Debug, Clone)]
pub struct Applicants {
    pool: PgPool,
}

/// What the view knows of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applicant {
    /// Who filed it.
    Known(Uuid),
    /// The view has not come as far as the event that was asked for.
    Behind,
    /// Nobody filed it before that event.
    Unknown,
    /// Whoever filed it is erased: nobody is told.
    Erased,
}

impl Applicants {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Who filed the application that the event of applications at `position` is about.
    pub async fn find(&self, enrolment_number: &str, position: i64) -> Result<Applicant, sqlx::Error> {
        let (applied, found, person): (i64, bool, Option<Uuid>) = sqlx::query_as(
            "SELECT position, applicant.enrolment_number IS NOT NULL, applicant.person_id \
             FROM public.feed_checkpoint LEFT JOIN views.applicant ON applicant.enrolment_number = $2 WHERE name = $1",
        )
        .bind(NAME)
        .bind(enrolment_number)
        .fetch_one(&self.pool)
        .await?;
        Ok(match person {
            Some(person) => Applicant::Known(person),
            None if found => Applicant::Erased,
            None if applied < position => Applicant::Behind,
            None => Applicant::Unknown,
        })
    }
}

#[eventbus::async_trait]
impl View for Applicants {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        // Without a person once that one is erased.
        "CREATE TABLE IF NOT EXISTS applicant (enrolment_number text PRIMARY KEY, person_id uuid NOT NULL);
         ALTER TABLE applicant ALTER COLUMN person_id DROP NOT NULL;
         CREATE INDEX IF NOT EXISTS applicant_person ON applicant (person_id)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["applicant"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // The service applications says when it has forgotten somebody: then this view does, too.
        for segment in events.chunk_by(|event, _| !event.is::<PersonalDataErased>()) {
            add(tx, segment).await?;
            if let Some(last) = segment.last().filter(|last| last.is::<PersonalDataErased>()) {
                forget(tx, last).await?;
            }
        }
        Ok(())
    }
}

async fn forget(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    let erased: PersonalDataErased = event.decode()?;
    let person = Uuid::parse_str(&erased.person_id).map_err(|_| {
        ViewError::Contradiction(format!("the confirmation at position {} names nobody", event.position))
    })?;
    sqlx::query("UPDATE applicant SET person_id = NULL WHERE person_id = $1").bind(person).execute(tx).await?;
    Ok(())
}

async fn add(tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
    let (mut numbers, mut persons) = (Vec::new(), Vec::new());
    for event in events.iter().filter(|event| event.is::<ApplicationSubmitted>()) {
        let submitted: ApplicationSubmitted = event.decode()?;
        let person = Uuid::parse_str(&submitted.person_id);
        persons.push(person.map_err(|_| {
            ViewError::Contradiction(format!("the submission at position {} names no person", event.position))
        })?);
        numbers.push(submitted.enrolment_number);
    }
    if !numbers.is_empty() {
        sqlx::query("INSERT INTO applicant SELECT * FROM unnest($1::text[], $2::uuid[])")
            .bind(numbers)
            .bind(persons)
            .execute(tx)
            .await?;
    }
    Ok(())
}
