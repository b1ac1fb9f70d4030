//! Open conflicts: what other sources say against the records, for the lists of officers and for those whom it concerns.

use std::collections::BTreeSet;

use eventbus::{Event, View, ViewError};
use eventlog::Division;
use proto::certificates::v1::{ConflictFound, ConflictSettled};
use sqlx::{FromRow, PgConnection, PgPool};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::certificate::{Event as Certificate, Hash};
use crate::store;

/// Name of the view.
pub const CONFLICTS: &str = "conflicts";

/// Fed by the service's own events.
pub struct Conflicts;

/// What another source says of a certificate.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// The record.
    pub certificate_id: Uuid,
    /// Which of its conflicts.
    pub ordinal: i32,
    /// Number of `Source`.
    pub source: i32,
    /// Number of `dingzhu.types.v1.CertificateKind`.
    pub kind: i32,
    /// 任教学科
    pub subject: String,
    /// 发证机关
    pub issuing_agency: String,
    /// 签发日期
    pub issue_date: Date,
    /// What is personal, sealed.
    pub sealed: Vec<u8>,
    /// The event that it was sealed for.
    pub sealed_event: Uuid,
    /// The version that it was sealed for.
    pub sealed_version: i64,
    /// Names the key of the sealed part.
    #[sqlx(try_from = "i32")]
    pub generation: u32,
    /// When the other source came.
    pub found_at: OffsetDateTime,
    /// Position of its event.
    pub position: i64,
}

/// Columns of [`Row`].
const COLUMNS: &str = "certificate_id, ordinal, source, kind, subject, issuing_agency, issue_date, sealed, sealed_event, \
                       sealed_version, generation, found_at, position";

#[eventbus::async_trait]
impl View for Conflicts {
    fn name(&self) -> &'static str {
        CONFLICTS
    }

    fn schema(&self) -> &'static str {
        "-- What other sources say against the records. What is personal stays sealed, with what opens it.
         CREATE TABLE IF NOT EXISTS conflict (
             certificate_id uuid        NOT NULL,
             ordinal        integer     NOT NULL,
             division       text        NOT NULL,
             holder         bytea       NOT NULL,
             source         integer     NOT NULL,
             kind           integer     NOT NULL,
             subject        text        NOT NULL,
             issuing_agency text        NOT NULL,
             issue_date     date        NOT NULL,
             sealed         bytea       NOT NULL,
             sealed_event   uuid        NOT NULL,
             sealed_version bigint      NOT NULL,
             generation     integer     NOT NULL,
             found_at       timestamptz NOT NULL,
             position       bigint      NOT NULL,
             PRIMARY KEY (certificate_id, ordinal)
         );
         CREATE INDEX IF NOT EXISTS conflict_oldest ON conflict (position);
         CREATE INDEX IF NOT EXISTS conflict_holder ON conflict (holder)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["conflict"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<ConflictFound>() || event.is::<ConflictSettled>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events.iter().filter(|event| self.concerns(event)) {
            let read = store::read(&event.kind, &event.payload, &event.inner).ok_or_else(|| {
                ViewError::Contradiction(format!("{} at position {} cannot be read", event.kind, event.position))
            })?;
            match read {
                Certificate::ConflictFound { ordinal, details, source, .. } => {
                    sqlx::query(
                        "INSERT INTO conflict VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                    )
                    .bind(event.stream)
                    .bind(ordinal.cast_signed())
                    .bind(event.division.as_str())
                    .bind(details.holder.as_slice())
                    .bind(i32::from(store::events::source(source)))
                    .bind(i32::from(details.kind.digit()))
                    .bind(super::plain(&details.subject))
                    .bind(super::plain(&details.issuing_agency))
                    .bind(details.issue_date)
                    .bind(event.sealed.as_ref())
                    .bind(event.event_id)
                    .bind(event.version)
                    .bind(details.generation.cast_signed())
                    .bind(event.recorded_at)
                    .bind(event.position)
                    .execute(&mut *tx)
                    .await?;
                }
                Certificate::ConflictSettled { ordinal, .. } => {
                    sqlx::query("DELETE FROM conflict WHERE certificate_id = $1 AND ordinal = $2")
                        .bind(event.stream)
                        .bind(ordinal.cast_signed())
                        .execute(&mut *tx)
                        .await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Open conflicts about certificates of these divisions and those below, and of numbers that name none; oldest first, after a
/// position.
pub async fn list(pool: &PgPool, divisions: &[Division], after: i64, limit: usize) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM conflict
         WHERE (division LIKE ANY($1) OR division = $2) AND position > $3 ORDER BY position LIMIT $4"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(super::patterns(divisions))
        .bind(Division::NONE.as_str())
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await
}

/// What other sources say of certificates of the holder of a document number.
pub async fn of_holder(pool: &PgPool, holder: &Hash) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM conflict WHERE holder = $1 ORDER BY certificate_id, ordinal");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(holder.as_slice()).fetch_all(pool).await
}

/// Those of these certificates about which a conflict is open.
pub async fn among(pool: &PgPool, certificates: &[Uuid]) -> Result<BTreeSet<Uuid>, sqlx::Error> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT DISTINCT certificate_id FROM conflict WHERE certificate_id = ANY($1)")
            .bind(certificates)
            .fetch_all(pool)
            .await?;
    Ok(ids.into_iter().collect())
}
