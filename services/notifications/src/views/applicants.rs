//! Who filed which application: from 报名号 to person, because later events of an application name no person.

use eventbus::{Event, View, ViewError};
use proto::applications::v1::ApplicationSubmitted;
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
}

impl Applicants {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Who filed the application that the event of applications at `position` is about.
    pub async fn find(&self, enrolment_number: &str, position: i64) -> Result<Applicant, sqlx::Error> {
        let (applied, person): (i64, Option<Uuid>) = sqlx::query_as(
            "SELECT position, (SELECT person_id FROM views.applicant WHERE enrolment_number = $2) \
             FROM public.feed_checkpoint WHERE name = $1",
        )
        .bind(NAME)
        .bind(enrolment_number)
        .fetch_one(&self.pool)
        .await?;
        Ok(match person {
            Some(person) => Applicant::Known(person),
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
        "CREATE TABLE IF NOT EXISTS applicant (enrolment_number text PRIMARY KEY, person_id uuid NOT NULL)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["applicant"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
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
}
