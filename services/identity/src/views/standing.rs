//! Who has filed what in the service applications, and how it ended: nobody is forgotten while it is open or has to be kept.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventbus::{Event, Reference, View, ViewError};
use prost::Name as _;
use proto::applications::v1::{
    ApplicationConcluded, ApplicationSubmitted, ApplicationWithdrawn, ConclusionReversed, RegistrationRevoked,
};
use proto::types::v1::PersonalDataErased;
use sqlx::{PgConnection, PgPool};
use time::Date;
use time::macros::format_description;
use uuid::Uuid;

use crate::domain::role::Division;

/// Name of the feed.
pub const NAME: &str = "filed-applications";

/// Older knowledge is no ground for destroying anything.
const FRESH: Duration = Duration::from_secs(30);

/// The view, and its query. Clones share it.
#[derive(Clone)]
pub struct Filed {
    pool: PgPool,
    progress: Arc<OnceLock<Reference<()>>>,
}

impl Filed {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, progress: Arc::default() }
    }

    /// From now on it knows how old it is.
    pub fn follow(&self, progress: Reference<()>) {
        assert!(self.progress.set(progress).is_ok(), "a view follows one feed");
    }

    /// Whether the view has been complete, and within the last half minute.
    pub fn is_fresh(&self) -> bool {
        self.progress.get().is_some_and(|progress| progress.ready() && progress.age().is_some_and(|age| age < FRESH))
    }

    /// How many applications of a person are open, and when the newest conclusion was.
    pub async fn of(&self, person: Uuid) -> Result<(u32, Option<Date>), sqlx::Error> {
        let (open, concluded): (i64, Option<Date>) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE is_open), max(concluded) FROM views.filed_application WHERE person = $1",
        )
        .bind(person)
        .fetch_one(&self.pool)
        .await?;
        Ok((u32::try_from(open).unwrap_or(u32::MAX), concluded))
    }

    /// The divisions in which a person has filed.
    pub async fn divisions(&self, person: Uuid) -> Result<Vec<Division>, sqlx::Error> {
        let sql = "SELECT DISTINCT division FROM views.filed_application WHERE person = $1 ORDER BY division";
        let divisions: Vec<String> = sqlx::query_scalar(sql).bind(person).fetch_all(&self.pool).await?;
        Ok(divisions.iter().filter_map(|division| Division::parse(division)).collect())
    }
}

impl std::fmt::Debug for Filed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filed")
    }
}

#[eventbus::async_trait]
impl View for Filed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS filed_application (
             enrolment_number text    PRIMARY KEY,
             person           uuid    NOT NULL,
             is_open          boolean NOT NULL,
             -- Of the agency: six digits.
             division         text    NOT NULL,
             -- Day of the conclusion or of its revocation, in Shanghai; stays when the conclusion is reversed.
             concluded        date
         );
         CREATE INDEX IF NOT EXISTS filed_application_person ON filed_application (person)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["filed_application"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            apply(tx, event).await?;
        }
        Ok(())
    }
}

async fn apply(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    if event.is::<PersonalDataErased>() {
        // Applications has forgotten them, and so does whoever listens to it.
        let erased: PersonalDataErased = event.decode()?;
        let person = Uuid::parse_str(&erased.person_id).map_err(|_| incomplete(event))?;
        sqlx::query("DELETE FROM filed_application WHERE person = $1").bind(person).execute(tx).await?;
        return Ok(());
    }
    match event.kind.strip_prefix("dingzhu.applications.v1.").unwrap_or_default() {
        ApplicationSubmitted::NAME => {
            let submitted: ApplicationSubmitted = event.decode()?;
            let person = Uuid::parse_str(&submitted.person_id).map_err(|_| incomplete(event))?;
            let sql =
                "INSERT INTO filed_application (enrolment_number, person, is_open, division) VALUES ($1, $2, true, $3)";
            sqlx::query(sql)
                .bind(submitted.enrolment_number)
                .bind(person)
                .bind(event.division.as_str())
                .execute(tx)
                .await?;
        }
        ApplicationWithdrawn::NAME => {
            let withdrawn: ApplicationWithdrawn = event.decode()?;
            set(tx, &withdrawn.enrolment_number, false, None).await?;
        }
        ApplicationConcluded::NAME => {
            let concluded: ApplicationConcluded = event.decode()?;
            let day = date(&concluded.conclude_date).ok_or_else(|| incomplete(event))?;
            set(tx, &concluded.enrolment_number, false, Some(day)).await?;
        }
        ConclusionReversed::NAME => {
            let reversed: ConclusionReversed = event.decode()?;
            set(tx, &reversed.enrolment_number, true, None).await?;
        }
        RegistrationRevoked::NAME => {
            let revoked: RegistrationRevoked = event.decode()?;
            let day = date(&revoked.revoke_date).ok_or_else(|| incomplete(event))?;
            set(tx, &revoked.enrolment_number, false, Some(day)).await?;
        }
        // All other steps leave an application open.
        _ => {}
    }
    Ok(())
}

async fn set(tx: &mut PgConnection, number: &str, is_open: bool, concluded: Option<Date>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE filed_application SET is_open = $2, concluded = coalesce($3, concluded) WHERE enrolment_number = $1",
    )
    .bind(number)
    .bind(is_open)
    .bind(concluded)
    .execute(tx)
    .await
    .map(drop)
}

fn date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

fn incomplete(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position))
}
