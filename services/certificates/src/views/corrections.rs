//! Requests for corrections, for those who asked and for the lists of officers. What was written stays sealed.

use eventbus::{Event, View, ViewError};
use eventlog::Division;
use proto::certificates::v1::{CorrectionAnswered, CorrectionRequested, CorrectionState};
use proto::types::v1::PersonalDataErased;
use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// Name of the view.
pub const CORRECTIONS: &str = "corrections";

/// Fed by the service's own events.
pub struct Corrections;

/// A request.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// The request; its stream.
    pub correction_id: Uuid,
    /// The certificate, where it was in the person's list.
    pub certificate_id: Option<Uuid>,
    /// Who asked.
    pub person: Uuid,
    /// Number of `CorrectionState`.
    pub state: i32,
    /// When it was asked for.
    pub requested_at: OffsetDateTime,
    /// Position of its event.
    pub position: i64,
    /// What the person wrote, sealed.
    pub sealed: Vec<u8>,
    /// The event that it was sealed for, the first one of the request.
    pub sealed_event: Uuid,
    /// The last answer, sealed, with the event and the version that it was sealed for.
    pub answer: Option<Vec<u8>>,
    /// As said.
    pub answer_event: Option<Uuid>,
    /// As said.
    pub answer_version: Option<i64>,
    /// When it was given.
    pub answered_at: Option<OffsetDateTime>,
}

/// Columns of [`Row`].
const COLUMNS: &str = "correction_id, certificate_id, person, state, requested_at, position, sealed, sealed_event, answer, \
                       answer_event, answer_version, answered_at";

#[eventbus::async_trait]
impl View for Corrections {
    fn name(&self) -> &'static str {
        CORRECTIONS
    }

    fn schema(&self) -> &'static str {
        "-- Requests for corrections. What was written stays sealed, with what opens it.
         CREATE TABLE IF NOT EXISTS correction (
             correction_id  uuid        PRIMARY KEY,
             certificate_id uuid,
             person         uuid        NOT NULL,
             division       text        NOT NULL,
             state          integer     NOT NULL,
             requested_at   timestamptz NOT NULL,
             position       bigint      NOT NULL,
             sealed         bytea       NOT NULL,
             sealed_event   uuid        NOT NULL,
             answer         bytea,
             answer_event   uuid,
             answer_version bigint,
             answered_at    timestamptz
         );
         CREATE INDEX IF NOT EXISTS correction_open ON correction (position) WHERE state <= 2;
         CREATE INDEX IF NOT EXISTS correction_person ON correction (person, position)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["correction"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<CorrectionRequested>() || event.is::<CorrectionAnswered>() || event.is::<PersonalDataErased>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events.iter().filter(|event| self.concerns(event)) {
            if event.is::<PersonalDataErased>() {
                // Nobody can read them any more, and they are nobody's.
                sqlx::query("DELETE FROM correction WHERE person = $1 AND position < $2")
                    .bind(read_id(event, &event.decode::<PersonalDataErased>()?.person_id)?)
                    .bind(event.position)
                    .execute(&mut *tx)
                    .await?;
            } else if event.is::<CorrectionRequested>() {
                let requested: CorrectionRequested = event.decode()?;
                let certificate = match requested.certificate_id.as_str() {
                    "" => None,
                    id => Some(read_id(event, id)?),
                };
                sqlx::query("INSERT INTO correction VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
                    .bind(event.stream)
                    .bind(certificate)
                    .bind(read_id(event, &requested.person_id)?)
                    .bind(event.division.as_str())
                    .bind(i32::from(CorrectionState::Requested))
                    .bind(event.recorded_at)
                    .bind(event.position)
                    .bind(event.sealed.as_ref())
                    .bind(event.event_id)
                    .execute(&mut *tx)
                    .await?;
            } else {
                sqlx::query(
                    "UPDATE correction SET state = $2, answer = $3, answer_event = $4, answer_version = $5, answered_at = $6
                     WHERE correction_id = $1",
                )
                .bind(event.stream)
                .bind(event.decode::<CorrectionAnswered>()?.state)
                .bind(event.sealed.as_ref())
                .bind(event.event_id)
                .bind(event.version)
                .bind(event.recorded_at)
                .execute(&mut *tx)
                .await?;
            }
        }
        Ok(())
    }
}

fn read_id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    let unreadable = || ViewError::Contradiction(format!("the ids at position {} cannot be read", event.position));
    Uuid::parse_str(text).map_err(|_| unreadable())
}

/// The requests of a person, newest first, before a position.
pub async fn of_person(pool: &PgPool, person: Uuid, before: i64, limit: usize) -> Result<Vec<Row>, sqlx::Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM correction WHERE person = $1 AND position < $2 ORDER BY position DESC LIMIT $3");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(person)
        .bind(before)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// Open requests about certificates of these divisions and those below, and of numbers that name none; oldest first, after a
/// position.
pub async fn list(pool: &PgPool, divisions: &[Division], after: i64, limit: usize) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM correction
         WHERE state <= 2 AND (division LIKE ANY($1) OR division = $2) AND position > $3 ORDER BY position LIMIT $4"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(super::patterns(divisions))
        .bind(Division::NONE.as_str())
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// How many requests a person has made.
pub async fn count(pool: &PgPool, person: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM correction WHERE person = $1").bind(person).fetch_one(pool).await
}
