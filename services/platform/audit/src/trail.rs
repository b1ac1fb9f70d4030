//! The trail in the service's own database: written many at a time, read newest first, removed when its time is over.

use std::net::IpAddr;
use std::time::Duration;

use lifecycle::{Lifecycle, OnDeath, Stage, clock};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Record, Settings, Target};

/// How often the trail is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Records that are removed in one statement.
const SWEPT: i64 = 5_000;

/// The trail of one service. Clones are the same trail.
#[derive(Clone, Debug)]
pub struct Trail {
    pool: PgPool,
    kept_for: time::Duration,
}

/// Where a record stands in the trail: when the call came, and its place among the calls of that instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// To the microsecond.
    pub at: OffsetDateTime,
    /// Ascending.
    pub sequence: i64,
}

/// Which records are asked for; everything that is not set matches all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// From this moment on.
    pub from: Option<OffsetDateTime>,
    /// Before this one.
    pub until: Option<OffsetDateTime>,
    /// Of this person's calls.
    pub person: Option<Uuid>,
    /// Full name.
    pub method: Option<String>,
    /// Only what was not answered with `OK`.
    pub only_failures: bool,
    /// Only calls of people whose roles held in a division that begins with one of these.
    pub within: Option<Vec<String>>,
}

#[derive(FromRow)]
struct Row {
    called_at: OffsetDateTime,
    sequence: i64,
    person: Option<Uuid>,
    session: Option<Uuid>,
    service: Option<String>,
    divisions: Vec<String>,
    method: String,
    origin: Option<String>,
    code: String,
    reason: String,
    trace: Option<String>,
}

impl Trail {
    /// Over the service's own database.
    pub fn new(pool: PgPool, settings: Settings) -> Self {
        Self { pool, kept_for: time::Duration::days(settings.audit_days.into()) }
    }

    /// Records before a place, newest first, each with its own.
    pub async fn list(
        &self,
        filter: &Filter,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Record)>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT called_at, sequence, person, session, service, divisions, method, host(origin) AS origin, code, reason, trace \
             FROM public.audit_record WHERE true",
        );
        filter.narrow(&mut query);
        if let Some(place) = before {
            query.push(" AND (called_at, sequence) < (").push_bind(place.at);
            query.push(", ").push_bind(place.sequence).push(")");
        }
        query
            .push(" ORDER BY called_at DESC, sequence DESC LIMIT ")
            .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<Row> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (Place { at: row.called_at, sequence: row.sequence }, row.read())).collect())
    }

    /// Removes what has been kept long enough, a bounded number at a time, and the addresses of applicants who are forgotten.
    pub async fn sweep(&self, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        let mut removed = SWEPT;
        while removed == SWEPT {
            let done = sqlx::query(
                "DELETE FROM public.audit_record WHERE (called_at, sequence) IN \
                 (SELECT called_at, sequence FROM public.audit_record WHERE called_at < $1 ORDER BY called_at LIMIT $2)",
            )
            .bind(now - self.kept_for)
            .bind(SWEPT)
            .execute(&self.pool)
            .await?;
            removed = i64::try_from(done.rows_affected()).unwrap_or_default();
        }
        sqlx::query(
            "UPDATE public.audit_record AS record SET origin = NULL FROM views.authority_erased AS erased \
             WHERE record.person = erased.person AND record.origin IS NOT NULL AND record.divisions = '{}'",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Sweeps every now and then until the service stops.
    pub fn keep_swept(&self, lifecycle: &Lifecycle) {
        let (trail, stopping) = (self.clone(), lifecycle.stopping(Stage::Work));
        lifecycle.spawn("audit sweep", OnDeath::StopsTheService, async move {
            let sweeping = async {
                loop {
                    tokio::time::sleep(SWEEP_EVERY).await;
                    if let Err(error) = trail.sweep(clock::now()).await {
                        tracing::warn!(%error, "the audit trail could not be swept");
                    }
                }
            };
            stopping.run_until_cancelled(sweeping).await;
        });
    }
}

impl Target for Trail {
    type Record = Record;
    type Failure = sqlx::Error;
    const NAME: &'static str = "audit record";

    /// A record that is there already, of the same call at the same microsecond, is not written again.
    async fn insert(&self, records: &[Record]) -> Result<(), sqlx::Error> {
        // Arrays of arrays must be rectangular: the divisions travel as text.
        let divisions =
            |record: &Record| record.divisions.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        sqlx::query(
            "INSERT INTO public.audit_record \
                 (called_at, person, session, service, divisions, method, origin, code, reason, trace) \
             SELECT called_at, person, session, service, string_to_array(divisions, ','), method, origin::inet, code, reason, trace \
             FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
                 $9::text[], $10::text[]) WITH ORDINALITY AS new \
                 (called_at, person, session, service, divisions, method, origin, code, reason, trace, n) \
             WHERE NOT EXISTS (SELECT FROM public.audit_record AS old \
                 WHERE old.called_at = new.called_at AND old.method = new.method AND old.code = new.code AND old.reason = new.reason \
                     AND old.person IS NOT DISTINCT FROM new.person AND old.session IS NOT DISTINCT FROM new.session \
                     AND old.trace IS NOT DISTINCT FROM new.trace) \
             ORDER BY n",
        )
        .bind(records.iter().map(|record| record.at).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.person).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.session).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.service.as_deref()).collect::<Vec<_>>())
        .bind(records.iter().map(divisions).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.method.as_str()).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.origin.map(|address| address.to_string())).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.code.as_str()).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.reason.as_str()).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.trace.as_deref()).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Filter {
    fn narrow(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(from) = self.from {
            query.push(" AND called_at >= ").push_bind(from);
        }
        if let Some(until) = self.until {
            query.push(" AND called_at < ").push_bind(until);
        }
        if let Some(person) = self.person {
            query.push(" AND person = ").push_bind(person);
        }
        if let Some(method) = &self.method {
            query.push(" AND method = ").push_bind(method.clone());
        }
        if self.only_failures {
            query.push(" AND code <> 'OK'");
        }
        if let Some(within) = &self.within {
            query.push(" AND EXISTS (SELECT FROM unnest(divisions) AS held, unnest(").push_bind(within.clone());
            query.push(") AS prefix WHERE starts_with(held, prefix))");
        }
    }
}

impl Row {
    fn read(self) -> Record {
        Record {
            at: self.called_at,
            person: self.person,
            session: self.session,
            service: self.service,
            divisions: self.divisions.iter().filter_map(|code| eventlog::Division::parse(code)).collect(),
            method: self.method,
            origin: self.origin.and_then(|address| address.parse::<IpAddr>().ok()),
            code: self.code,
            reason: self.reason,
            trace: self.trace,
        }
    }
}
