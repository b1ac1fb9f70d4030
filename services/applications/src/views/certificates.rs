//! What certificates says of each certificate: kind, holder, restriction, open conflicts, and which prior registrations to expect.

use std::collections::{BTreeMap, HashMap};

use eventbus::{Event, View, ViewError};
use proto::certificates::v1 as register;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, Row as _};
use time::Date;
use uuid::Uuid;

use crate::domain::calendar::parse_date;
use crate::domain::registration::{CertificateFacts, Standing};
use crate::domain::values::Restriction;
use crate::views::{id, incomplete};
use crate::wire::{parse_certificate_kind, parse_conclusion};

/// Name of the feed.
pub const CERTIFICATES: &str = "certificates";

/// Fed by certificates.
#[derive(Debug)]
pub struct Certificates;

/// A row of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// For decisions.
    pub facts: CertificateFacts,
    /// Prior registrations that the register has told of, of each ordinal what it said last.
    pub priors: Vec<Standing>,
}

/// What events change; `None` where they say nothing.
#[derive(Debug, Default)]
struct Change {
    kind: Option<i32>,
    holder: Option<Uuid>,
    /// It is nobody's: whoever had it before has lost it.
    lost: bool,
    restriction: Restricted,
    /// Conflicts that were found, less those that are over.
    conflicts: i32,
    /// By ordinal.
    priors: BTreeMap<i32, String>,
    /// What was told before is another certificate's.
    merged: bool,
}

impl Change {
    /// The prior registrations in the order of the column.
    fn told(&self) -> String {
        let mut priors: Vec<&str> = self.priors.values().map(String::as_str).collect();
        priors.sort_unstable();
        priors.join(",")
    }

    fn lose(&mut self) {
        (self.holder, self.lost) = (None, true);
    }
}

#[derive(Debug, Default, Clone, Copy)]
enum Restricted {
    #[default]
    AsBefore,
    No,
    By {
        kind: i32,
        until: Option<Date>,
    },
}

impl Restricted {
    fn kind(self) -> Option<i32> {
        match self {
            Self::By { kind, .. } => Some(kind),
            Self::AsBefore | Self::No => None,
        }
    }

    fn until(self) -> Option<Date> {
        match self {
            Self::By { until, .. } => until,
            Self::AsBefore | Self::No => None,
        }
    }
}

#[eventbus::async_trait]
impl View for Certificates {
    fn name(&self) -> &'static str {
        CERTIFICATES
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS certificate ( \
             certificate_id uuid PRIMARY KEY, kind integer, person_id uuid, restriction integer, \
             priors text[] NOT NULL); \
         ALTER TABLE certificate ADD COLUMN IF NOT EXISTS conflicts integer NOT NULL DEFAULT 0; \
         ALTER TABLE certificate ADD COLUMN IF NOT EXISTS restricted_until date"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["certificate"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let mut changes: BTreeMap<Uuid, Change> = BTreeMap::new();
        for event in events {
            fold(&mut changes, event)?;
        }
        if changes.is_empty() {
            return Ok(());
        }
        let changes: Vec<(Uuid, Change)> = changes.into_iter().collect();
        let column =
            |pick: fn(&Change) -> Option<i32>| changes.iter().map(|(_, change)| pick(change)).collect::<Vec<_>>();
        // Postgres has no arrays of arrays of unequal length: the lists travel as text.
        let priors: Vec<String> = changes.iter().map(|(_, change)| change.told()).collect();
        sqlx::query(
            "INSERT INTO certificate AS known (certificate_id, kind, person_id, restriction, priors, conflicts) \
             SELECT id, kind, person, restriction, coalesce(string_to_array(nullif(priors, ''), ','), '{}'), conflicts \
             FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::text[], $6::integer[]) \
                 AS change (id, kind, person, restriction, priors, conflicts) \
             ON CONFLICT (certificate_id) DO UPDATE SET kind = coalesce(excluded.kind, known.kind), \
                 person_id = coalesce(excluded.person_id, known.person_id), \
                 conflicts = known.conflicts + excluded.conflicts, priors = CASE \
                     WHEN known.certificate_id = ANY($7) THEN excluded.priors \
                     WHEN excluded.priors <@ known.priors THEN known.priors \
                     ELSE ARRAY(SELECT prior FROM unnest(known.priors) AS prior WHERE NOT EXISTS ( \
                             SELECT FROM unnest(excluded.priors) AS news \
                             WHERE split_part(news, '/', 1) = split_part(prior, '/', 1)) \
                         UNION SELECT unnest(excluded.priors) ORDER BY 1) END",
        )
        .bind(changes.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(column(|change| change.kind))
        .bind(changes.iter().map(|(_, change)| change.holder).collect::<Vec<_>>())
        .bind(column(|change| change.restriction.kind()))
        .bind(priors)
        .bind(changes.iter().map(|(_, change)| change.conflicts).collect::<Vec<_>>())
        .bind(changes.iter().filter(|(_, change)| change.merged).map(|(id, _)| *id).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        let lost = changes.iter().filter(|(_, change)| change.lost && change.holder.is_none());
        let lost: Vec<Uuid> = lost.map(|(certificate, _)| *certificate).collect();
        if !lost.is_empty() {
            sqlx::query("UPDATE certificate SET person_id = NULL WHERE certificate_id = ANY($1)")
                .bind(lost)
                .execute(&mut *tx)
                .await?;
        }
        // Restrictions are few; they are set on their own, on the rows that were there before, too.
        for (certificate, change) in &changes {
            if !matches!(change.restriction, Restricted::AsBefore) {
                sqlx::query("UPDATE certificate SET restriction = $2, restricted_until = $3 WHERE certificate_id = $1")
                    .bind(certificate)
                    .bind(change.restriction.kind())
                    .bind(change.restriction.until())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        Ok(())
    }
}

fn of<'a>(
    changes: &'a mut BTreeMap<Uuid, Change>,
    event: &Event,
    certificate: &str,
) -> Result<&'a mut Change, ViewError> {
    Ok(changes.entry(id(event, certificate)?).or_default())
}

fn fold(changes: &mut BTreeMap<Uuid, Change>, event: &Event) -> Result<(), ViewError> {
    if event.is::<register::CertificateSynced>() {
        let synced: register::CertificateSynced = event.decode()?;
        of(changes, event, &synced.certificate_id)?.kind = Some(synced.kind);
    } else if event.is::<register::CertificateChanged>() {
        let changed: register::CertificateChanged = event.decode()?;
        of(changes, event, &changed.certificate_id)?.kind = Some(changed.kind);
    } else if event.is::<register::CertificateAddedByHand>() {
        let added: register::CertificateAddedByHand = event.decode()?;
        of(changes, event, &added.certificate_id)?.kind = Some(added.kind);
    } else if event.is::<register::CertificateMatched>() {
        let matched: register::CertificateMatched = event.decode()?;
        of(changes, event, &matched.certificate_id)?.holder = Some(id(event, &matched.person_id)?);
    } else if event.is::<register::CertificateForgotten>() {
        let forgotten: register::CertificateForgotten = event.decode()?;
        of(changes, event, &forgotten.certificate_id)?.lose();
    } else if event.is::<register::CertificateUnmatched>() {
        let unmatched: register::CertificateUnmatched = event.decode()?;
        of(changes, event, &unmatched.certificate_id)?.lose();
    } else if event.is::<register::CertificateDeleted>() {
        let deleted: register::CertificateDeleted = event.decode()?;
        of(changes, event, &deleted.certificate_id)?.lose();
    } else if event.is::<register::CertificateMerged>() {
        let merged: register::CertificateMerged = event.decode()?;
        let change = of(changes, event, &merged.certificate_id)?;
        change.lose();
        (change.merged, change.priors) = (true, BTreeMap::new());
    } else if event.is::<register::ConflictFound>() {
        let found: register::ConflictFound = event.decode()?;
        of(changes, event, &found.certificate_id)?.conflicts += 1;
    } else if event.is::<register::ConflictSettled>() {
        let settled: register::ConflictSettled = event.decode()?;
        of(changes, event, &settled.certificate_id)?.conflicts -= 1;
    } else if event.is::<register::PriorRegistrationImported>() {
        let imported: register::PriorRegistrationImported = event.decode()?;
        let prior = imported.registration.ok_or_else(|| incomplete(event))?;
        let name = format!("{}/{}/{}", prior.ordinal, prior.conclusion, prior.conclude_date);
        of(changes, event, &imported.certificate_id)?.priors.insert(prior.ordinal, name);
    } else if event.is::<register::CertificateRestricted>() {
        let restricted: register::CertificateRestricted = event.decode()?;
        let (kind, until) = (restricted.kind, parse_date(&restricted.end_date));
        of(changes, event, &restricted.certificate_id)?.restriction = Restricted::By { kind, until };
    } else if event.is::<register::RestrictionLifted>() {
        let lifted: register::RestrictionLifted = event.decode()?;
        of(changes, event, &lifted.certificate_id)?.restriction = Restricted::No;
    }
    Ok(())
}

impl FromRow<'_, PgRow> for Certificate {
    /// Also of a join where the holder's column is called `holder_id`.
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let kind = row.try_get::<Option<i32>, _>("kind")?.and_then(parse_certificate_kind);
        let restriction = restricted(row.try_get("restriction")?, row.try_get("conflicts")?);
        let priors: Vec<String> = row.try_get("priors")?;
        let priors = priors.iter().map(|name| read_prior(name)).collect::<Option<_>>();
        let facts = CertificateFacts {
            kind: kind.ok_or_else(|| sqlx::Error::Decode("a certificate has no kind".into()))?,
            person: row.try_get("holder_id")?,
            restriction,
            restricted_until: row.try_get("restricted_until")?,
        };
        let priors = priors.ok_or_else(|| sqlx::Error::Decode("a prior registration cannot be read".into()))?;
        Ok(Self { facts, priors })
    }
}

/// A prior registration as the view keeps it.
fn read_prior(name: &str) -> Option<Standing> {
    let mut parts = name.split('/');
    let prior = Standing {
        ordinal: parts.next()?.parse().ok()?,
        conclusion: parse_conclusion(parts.next()?.parse().ok()?)?,
        on: parse_date(parts.next()?)?,
    };
    Some(prior)
}

/// What keeps a certificate from being registered: a restriction, else open conflicts.
fn restricted(kind: Option<i32>, conflicts: i32) -> Option<Restriction> {
    kind.map(restriction).or_else(|| (conflicts > 0).then_some(Restriction::RecordsDisagree))
}

/// A kind that this program does not know restricts all the same.
fn restriction(number: i32) -> Restriction {
    match register::RestrictionKind::try_from(number) {
        Ok(register::RestrictionKind::Forfeited) => Restriction::Forfeited,
        Ok(register::RestrictionKind::RevokedConduct) => Restriction::RevokedConduct,
        Ok(register::RestrictionKind::RevokedFraud) => Restriction::RevokedFraud,
        Ok(register::RestrictionKind::ExamCheating) => Restriction::ExamCheating,
        Ok(register::RestrictionKind::Unspecified) | Err(_) => Restriction::Unspecified,
    }
}

/// Restrictions of those among these certificates that have one.
pub async fn restrictions(pool: &PgPool, certificates: &[Uuid]) -> Result<HashMap<Uuid, Restriction>, sqlx::Error> {
    let sql = "SELECT certificate_id, restriction, conflicts FROM views.certificate WHERE certificate_id = ANY($1)";
    let rows: Vec<(Uuid, Option<i32>, i32)> = sqlx::query_as(sql).bind(certificates).fetch_all(pool).await?;
    let keeps = |(certificate, kind, conflicts)| Some((certificate, restricted(kind, conflicts)?));
    Ok(rows.into_iter().filter_map(keeps).collect())
}

/// One certificate.
pub async fn find(pool: &PgPool, certificate: Uuid) -> Result<Option<Certificate>, sqlx::Error> {
    sqlx::query_as(
        "SELECT kind, person_id AS holder_id, restriction, restricted_until, conflicts, priors FROM views.certificate \
         WHERE certificate_id = $1 AND kind IS NOT NULL",
    )
    .bind(certificate)
    .fetch_optional(pool)
    .await
}

/// Up to which position of certificates' log the view has come.
pub async fn position(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT position FROM feed_checkpoint WHERE name = $1");
    query.bind(CERTIFICATES).fetch_one(pool).await
}
