//! Receipts: who was erased when, and what each service has confirmed of it; one table for the log of each service.

use eventbus::{Event, View, ViewError};
use proto::identity::v1::PersonErased;
use proto::types::v1::PersonalDataErased;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// Services that keep something of a person, in the order of a receipt, each with the feed of its confirmations.
const SERVICES: [(&str, &Confirmations); 4] = [
    (
        "identity",
        &Confirmations {
            feed: "erasures",
            tables: &["erased_person", "erased_in_identity"],
            schema: "CREATE TABLE IF NOT EXISTS erased_person (
                     erasure_id uuid PRIMARY KEY, person uuid NOT NULL, erased_at timestamptz NOT NULL);
                 CREATE TABLE IF NOT EXISTS erased_in_identity (
                     erasure_id uuid PRIMARY KEY, kinds text[] NOT NULL, counts bigint[] NOT NULL,
                     confirmed_at timestamptz NOT NULL)",
        },
    ),
    (
        "certificates",
        &Confirmations {
            feed: "erasures-in-certificates",
            tables: &["erased_in_certificates"],
            schema: "CREATE TABLE IF NOT EXISTS erased_in_certificates (
                     erasure_id uuid PRIMARY KEY, kinds text[] NOT NULL, counts bigint[] NOT NULL,
                     confirmed_at timestamptz NOT NULL)",
        },
    ),
    (
        "applications",
        &Confirmations {
            feed: "erasures-in-applications",
            tables: &["erased_in_applications"],
            schema: "CREATE TABLE IF NOT EXISTS erased_in_applications (
                     erasure_id uuid PRIMARY KEY, kinds text[] NOT NULL, counts bigint[] NOT NULL,
                     confirmed_at timestamptz NOT NULL)",
        },
    ),
    (
        "notifications",
        &Confirmations {
            feed: "erasures-in-notifications",
            tables: &["erased_in_notifications"],
            schema: "CREATE TABLE IF NOT EXISTS erased_in_notifications (
                     erasure_id uuid PRIMARY KEY, kinds text[] NOT NULL, counts bigint[] NOT NULL,
                     confirmed_at timestamptz NOT NULL)",
        },
    ),
];

/// The view of what one service has confirmed; identity's own also holds who was erased.
#[derive(Clone, Copy, Debug)]
pub struct Confirmations {
    feed: &'static str,
    /// The last one is that of the confirmations.
    tables: &'static [&'static str],
    schema: &'static str,
}

/// What is known of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When the person was erased.
    pub erased_at: OffsetDateTime,
    /// Every service, and what it has confirmed.
    pub services: Vec<(&'static str, Option<Confirmed>)>,
}

/// What a service has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// When it had done it.
    pub at: OffsetDateTime,
    /// Kinds and how many of each.
    pub erased: Vec<(String, i64)>,
}

/// The receipts. Clones share them.
#[derive(Clone, Debug)]
pub struct Erasures {
    pool: PgPool,
}

impl Erasures {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The views behind the receipts, and the service whose log each one reads.
    pub fn views() -> impl Iterator<Item = (&'static str, Confirmations)> {
        SERVICES.into_iter().map(|(service, view)| (service, *view))
    }

    /// The receipt of an erasure.
    pub async fn receipt(&self, erasure: Uuid) -> Result<Option<Receipt>, sqlx::Error> {
        let sql = "SELECT erased_at FROM views.erased_person WHERE erasure_id = $1";
        let erased_at: Option<OffsetDateTime> =
            sqlx::query_scalar(sql).bind(erasure).fetch_optional(&self.pool).await?;
        let Some(erased_at) = erased_at else { return Ok(None) };
        let mut services = Vec::with_capacity(SERVICES.len());
        for (service, view) in SERVICES {
            let sql = format!("SELECT confirmed_at, kinds, counts FROM views.{} WHERE erasure_id = $1", view.table());
            let confirmed: Option<(OffsetDateTime, Vec<String>, Vec<i64>)> =
                sqlx::query_as(AssertSqlSafe(sql)).bind(erasure).fetch_optional(&self.pool).await?;
            let confirmed =
                confirmed.map(|(at, kinds, counts)| Confirmed { at, erased: kinds.into_iter().zip(counts).collect() });
            services.push((service, confirmed));
        }
        Ok(Some(Receipt { erased_at, services }))
    }
}

impl Confirmations {
    fn table(&self) -> &'static str {
        self.tables.last().expect("every one of these views has a table")
    }
}

#[eventbus::async_trait]
impl View for Confirmations {
    fn name(&self) -> &'static str {
        self.feed
    }

    fn schema(&self) -> &'static str {
        self.schema
    }

    fn tables(&self) -> &'static [&'static str] {
        self.tables
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<PersonErased>() || event.is::<PersonalDataErased>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            if event.is::<PersonErased>() && self.tables.len() > 1 {
                let erased: PersonErased = event.decode()?;
                sqlx::query("INSERT INTO erased_person (erasure_id, person, erased_at) VALUES ($1, $2, $3)")
                    .bind(id(event, &erased.erasure_id)?)
                    .bind(id(event, &erased.person_id)?)
                    .bind(event.recorded_at)
                    .execute(&mut *tx)
                    .await?;
            } else {
                let confirmed: PersonalDataErased = event.decode()?;
                let (kinds, counts): (Vec<String>, Vec<i64>) =
                    confirmed.erased.into_iter().map(|erased| (erased.kind, erased.count)).unzip();
                let sql = format!(
                    "INSERT INTO {} (erasure_id, kinds, counts, confirmed_at) VALUES ($1, $2, $3, $4)",
                    self.table()
                );
                sqlx::query(AssertSqlSafe(sql))
                    .bind(id(event, &confirmed.erasure_id)?)
                    .bind(kinds)
                    .bind(counts)
                    .bind(event.recorded_at)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        Ok(())
    }
}

fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    let unreadable =
        || ViewError::Contradiction(format!("{} at position {} names nothing", event.kind, event.position));
    Uuid::parse_str(text).map_err(|_| unreadable())
}
