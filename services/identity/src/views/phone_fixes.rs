//! Open requests for another phone, for the lists of the helpdesk. What decides is the person's stream.

use std::collections::HashMap;

use eventbus::{Event, View, ViewError};
use proto::identity::v1::{PersonErased, PhoneFixRequested, PhoneFixSettled};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::role::Division;

/// Name of the feed.
pub const NAME: &str = "phone-fixes";

/// The view, and its query.
#[derive(Clone, Debug)]
pub struct PhoneFixes {
    pool: PgPool,
}

/// An open request.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// Id of the request.
    pub fix_id: Uuid,
    /// Whose account.
    pub person: Uuid,
    /// Six digits: the province whose helpdesk settles it.
    pub division: String,
    /// When it was asked for.
    pub requested_at: OffsetDateTime,
    /// Position of its event.
    pub position: i64,
}

impl PhoneFixes {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Requests in divisions that one of `covering` covers, oldest first, after a position.
    pub async fn list(&self, covering: &[Division], after: i64, limit: usize) -> Result<Vec<Row>, sqlx::Error> {
        let patterns: Vec<String> = covering.iter().map(|division| format!("{}%", division.prefix())).collect();
        sqlx::query_as(
            "SELECT fix_id, person, division, requested_at, position FROM views.phone_fix
             WHERE division LIKE ANY($1) AND position > $2 ORDER BY position LIMIT $3",
        )
        .bind(patterns)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
    }
}

#[eventbus::async_trait]
impl View for PhoneFixes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS phone_fix (
             fix_id       uuid        PRIMARY KEY,
             person       uuid        NOT NULL,
             division     text        NOT NULL,
             requested_at timestamptz NOT NULL,
             position     bigint      NOT NULL
         );
         CREATE INDEX IF NOT EXISTS phone_fix_oldest ON phone_fix (position)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["phone_fix"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<PhoneFixRequested>() || event.is::<PhoneFixSettled>() || event.is::<PersonErased>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let (mut asked, mut settled, mut erased) = (HashMap::new(), Vec::new(), Vec::new());
        for event in events {
            if event.is::<PhoneFixRequested>() {
                let fix_id = read_id(event, &event.decode::<PhoneFixRequested>()?.fix_id)?;
                asked.insert(fix_id, event);
            } else if event.is::<PersonErased>() {
                asked.retain(|_, request: &mut &Event| request.stream != event.stream);
                erased.push(event.stream);
            } else {
                let fix_id = read_id(event, &event.decode::<PhoneFixSettled>()?.fix_id)?;
                if asked.remove(&fix_id).is_none() {
                    settled.push(fix_id);
                }
            }
        }
        for (fix_id, event) in asked {
            sqlx::query(
                "INSERT INTO phone_fix (fix_id, person, division, requested_at, position) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(fix_id)
            // The stream of a person's account is the person.
            .bind(event.stream)
            .bind(event.division.as_str())
            .bind(event.recorded_at)
            .bind(event.position)
            .execute(&mut *tx)
            .await?;
        }
        if !settled.is_empty() || !erased.is_empty() {
            sqlx::query("DELETE FROM phone_fix WHERE fix_id = ANY($1) OR person = ANY($2)")
                .bind(settled)
                .bind(erased)
                .execute(tx)
                .await?;
        }
        Ok(())
    }
}

fn read_id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    let unreadable = || ViewError::Contradiction(format!("the request at position {} cannot be read", event.position));
    Uuid::parse_str(text).map_err(|_| unreadable())
}
