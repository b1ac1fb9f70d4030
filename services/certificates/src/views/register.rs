//! The register: every certificate with its owner, registrations and restriction.

use std::collections::BTreeMap;

use eventbus::{Event, View, ViewError};
use proto::certificates::v1::{CertificateDeleted, CertificateForgotten, CertificateMerged};
use sqlx::{FromRow, PgConnection, PgPool};
use time::Date;
use uuid::Uuid;

use crate::domain::certificate::{Details, Event as Certificate, Hash, PriorRegistration};
use crate::store;

/// Name of the view.
pub const REGISTER: &str = "register";

/// Fed by the service's own events.
pub struct Register;

/// A certificate as the view holds it.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// The record.
    pub certificate_id: Uuid,
    /// Whose account it belongs to.
    pub person: Option<Uuid>,
    /// Number of `dingzhu.types.v1.CertificateKind`.
    pub kind: i32,
    /// 任教学科
    pub subject: String,
    /// 发证机关
    pub issuing_agency: String,
    /// 签发日期
    pub issue_date: Date,
    /// Number of `Source`.
    pub source: i32,
    /// Number of `RestrictionKind`, where one holds.
    pub restriction: Option<i32>,
    /// What is personal, sealed.
    pub sealed: Vec<u8>,
    /// The event that it was sealed for.
    pub sealed_event: Uuid,
    /// The version that it was sealed for.
    pub sealed_version: i64,
    /// Names the key of the sealed part.
    #[sqlx(try_from = "i32")]
    pub generation: u32,
    /// The register says that there is no such certificate.
    pub deleted: bool,
}

impl Row {
    /// Certificate and generation, which name the key of the sealed part.
    pub fn sealed_under(&self) -> (Uuid, u32) {
        (self.certificate_id, self.generation)
    }
}

/// Columns of [`Row`].
const COLUMNS: &str = "certificate_id, person, kind, subject, issuing_agency, issue_date, source, restriction, sealed, \
                       sealed_event, sealed_version, generation, deleted";

/// What a slice of events does to one certificate.
#[derive(Default)]
struct Change<'e> {
    details: Option<(Details, i32, &'e Event)>,
    /// The holder changed before any later match: whoever it belonged to before no longer has it.
    rehold: bool,
    /// Matched before anything was said within the slice: holds only if the holder stays the one of the table.
    early: Option<Uuid>,
    person: Option<Uuid>,
    restriction: Restricted,
}

/// What a slice of events says of a restriction.
#[derive(Clone, Copy, Default)]
enum Restricted {
    #[default]
    Nothing,
    Holds(i32),
    Lifted,
}

#[eventbus::async_trait]
impl View for Register {
    fn name(&self) -> &'static str {
        REGISTER
    }

    fn schema(&self) -> &'static str {
        include_str!("register.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["register", "prior_registration"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // Whoever it belonged to loses it with all that was said before, and nothing that is said behind it.
        for segment in events.chunk_by(|event, _| !is_an_end(event)) {
            say(tx, segment).await?;
            if let Some(last) = segment.last().filter(|last| is_an_end(last)) {
                end(tx, last).await?;
            }
        }
        Ok(())
    }
}

/// Whether nobody has the certificate any more.
fn is_an_end(event: &Event) -> bool {
    event.is::<CertificateForgotten>() || event.is::<CertificateMerged>() || event.is::<CertificateDeleted>()
}

/// A certificate is nobody's, and, unless the register has only deleted it, nothing of a person stands in its row.
async fn end(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    let is_deleted = event.is::<CertificateDeleted>();
    let generation =
        if event.is::<CertificateForgotten>() { event.decode::<CertificateForgotten>()?.key_generation + 1 } else { 0 };
    sqlx::query(
        "UPDATE register SET person = NULL, deleted = $2, generation = greatest(generation, $3),
             holder = CASE WHEN $2 THEN holder ELSE '' END, sealed = CASE WHEN $2 THEN sealed ELSE '' END
         WHERE certificate_id = $1",
    )
    .bind(event.stream)
    .bind(is_deleted)
    .bind(generation)
    .execute(tx)
    .await?;
    Ok(())
}

async fn say(tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
    let mut changes: BTreeMap<Uuid, Change<'_>> = BTreeMap::new();
    let mut priors: BTreeMap<(Uuid, i32), (i32, Date)> = BTreeMap::new();
    for event in events.iter().filter(|event| store::events::is_of_a_record(&event.kind)) {
        let read = store::read(&event.kind, &event.payload, &event.inner).ok_or_else(|| {
            ViewError::Contradiction(format!("{} at position {} cannot be read", event.kind, event.position))
        })?;
        let change = changes.entry(event.stream).or_default();
        match read {
            Certificate::Synced { details, source } | Certificate::Changed { details, source } => {
                change.say(details, store::events::source(source).into(), event);
            }
            Certificate::AddedByHand { details, .. } => {
                change.say(details, proto::certificates::v1::Source::ByHand.into(), event);
            }
            Certificate::Matched { person, .. } => change.person = Some(person),
            Certificate::PriorRegistrationImported(PriorRegistration { ordinal, conclusion, concluded }) => {
                let wire = store::events::prior_registration(&PriorRegistration { ordinal, conclusion, concluded });
                priors.insert((event.stream, wire.ordinal), (wire.conclusion, concluded));
            }
            Certificate::Restricted { kind, .. } => {
                change.restriction = Restricted::Holds(store::events::restriction(kind).into());
            }
            Certificate::RestrictionLifted { .. } => change.restriction = Restricted::Lifted,
            // These end the segment, behind everything else that it says; conflicts are of another view, another holder is seen
            // in what is said of them, and what is announced counts once it restricts.
            Certificate::Forgotten { .. }
            | Certificate::Unmatched
            | Certificate::Merged { .. }
            | Certificate::Deleted
            | Certificate::Absorbed { .. }
            | Certificate::RestrictionAnnounced { .. }
            | Certificate::RestrictionWithdrawn { .. }
            | Certificate::ConflictFound { .. }
            | Certificate::ConflictSettled { .. } => {}
        }
    }
    write_people(tx, &changes, |change| change.early).await?;
    write_details(tx, &changes).await?;
    write_people(tx, &changes, |change| change.person).await?;
    write_restrictions(tx, &changes).await?;
    write_priors(tx, &priors).await?;
    Ok(())
}

impl<'e> Change<'e> {
    fn say(&mut self, details: Details, source: i32, event: &'e Event) {
        // Within the slice a new holder undoes an earlier match; against the table the statement itself compares.
        match &self.details {
            Some((before, ..)) if before.holder != details.holder => {
                self.person = None;
                self.rehold = true;
            }
            Some(_) => {}
            None => self.early = self.person.take(),
        }
        self.details = Some((details, source, event));
    }
}

async fn write_details(tx: &mut PgConnection, changes: &BTreeMap<Uuid, Change<'_>>) -> Result<(), sqlx::Error> {
    let said: Vec<_> = changes
        .iter()
        .filter_map(|(id, change)| change.details.as_ref().map(|said| (id, said, change.rehold)))
        .collect();
    if said.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO register AS r (certificate_id, holder, kind, subject, issuing_agency, issue_date, source, sealed,
                                    sealed_event, sealed_version, generation)
         SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::int[], $4::text[], $5::text[], $6::date[], $7::int[], $8::bytea[],
                              $9::uuid[], $10::bigint[], $12::int[])
         ON CONFLICT (certificate_id) DO UPDATE SET
             person = CASE WHEN r.holder = excluded.holder AND NOT r.certificate_id = ANY($11) THEN r.person END,
             holder = excluded.holder, kind = excluded.kind, subject = excluded.subject,
             issuing_agency = excluded.issuing_agency, issue_date = excluded.issue_date, source = excluded.source,
             sealed = excluded.sealed, sealed_event = excluded.sealed_event, sealed_version = excluded.sealed_version,
             generation = greatest(r.generation, excluded.generation), deleted = false",
    )
    .bind(said.iter().map(|(id, ..)| **id).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| details.holder.as_slice()).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| i32::from(details.kind.digit())).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| super::plain(&details.subject)).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| super::plain(&details.issuing_agency)).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| details.issue_date).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (_, source, _), _)| *source).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (.., event), _)| event.sealed.as_ref()).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (.., event), _)| event.event_id).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (.., event), _)| event.version).collect::<Vec<_>>())
    .bind(said.iter().filter(|(.., rehold)| *rehold).map(|(id, ..)| **id).collect::<Vec<_>>())
    .bind(said.iter().map(|(_, (details, ..), _)| details.generation.cast_signed()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_people(
    tx: &mut PgConnection,
    changes: &BTreeMap<Uuid, Change<'_>>,
    person: impl Fn(&Change<'_>) -> Option<Uuid>,
) -> Result<(), sqlx::Error> {
    let matched: Vec<_> = changes.iter().filter_map(|(id, change)| Some((*id, person(change)?))).collect();
    if matched.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE register SET person = u.person FROM unnest($1::uuid[], $2::uuid[]) AS u (id, person)
         WHERE certificate_id = u.id",
    )
    .bind(matched.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(matched.iter().map(|(_, person)| *person).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_restrictions(tx: &mut PgConnection, changes: &BTreeMap<Uuid, Change<'_>>) -> Result<(), sqlx::Error> {
    let restricted: Vec<(Uuid, Option<i32>)> = changes
        .iter()
        .filter_map(|(id, change)| match change.restriction {
            Restricted::Nothing => None,
            Restricted::Holds(kind) => Some((*id, Some(kind))),
            Restricted::Lifted => Some((*id, None)),
        })
        .collect();
    if restricted.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE register SET restriction = u.restriction FROM unnest($1::uuid[], $2::int[]) AS u (id, restriction)
         WHERE certificate_id = u.id",
    )
    .bind(restricted.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(restricted.iter().map(|(_, restriction)| *restriction).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_priors(tx: &mut PgConnection, priors: &BTreeMap<(Uuid, i32), (i32, Date)>) -> Result<(), sqlx::Error> {
    if priors.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO prior_registration (certificate_id, ordinal, conclusion, concluded)
         SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::date[])
         ON CONFLICT (certificate_id, ordinal) DO UPDATE
         SET conclusion = excluded.conclusion, concluded = excluded.concluded",
    )
    .bind(priors.keys().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(priors.keys().map(|(_, ordinal)| *ordinal).collect::<Vec<_>>())
    .bind(priors.values().map(|(conclusion, _)| *conclusion).collect::<Vec<_>>())
    .bind(priors.values().map(|(_, concluded)| *concluded).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// The certificates of a person, oldest first.
pub async fn of_person(pool: &PgPool, person: Uuid) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM register WHERE person = $1 ORDER BY issue_date, certificate_id");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(person).fetch_all(pool).await
}

/// One certificate.
pub async fn find(pool: &PgPool, certificate: Uuid) -> Result<Option<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM register WHERE certificate_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(certificate).fetch_optional(pool).await
}

/// These certificates.
pub async fn among(pool: &PgPool, certificates: &[Uuid]) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM register WHERE certificate_id = ANY($1)");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(certificates).fetch_all(pool).await
}

/// The certificates of the holder of a document number.
pub async fn of_holder(pool: &PgPool, holder: &Hash) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM register WHERE holder = $1 ORDER BY certificate_id");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(holder.as_slice()).fetch_all(pool).await
}

/// The earlier registrations of certificates, by certificate and ordinal.
pub async fn prior_registrations(
    pool: &PgPool,
    certificates: &[Uuid],
) -> Result<Vec<(Uuid, i32, i32, Date)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT certificate_id, ordinal, conclusion, concluded FROM prior_registration
         WHERE certificate_id = ANY($1) ORDER BY certificate_id, ordinal",
    )
    .bind(certificates)
    .fetch_all(pool)
    .await
}
