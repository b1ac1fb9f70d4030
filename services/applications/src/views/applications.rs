//! All applications as lists show them: by person, school, point and agency, newest first; and what due dates are computed from.

mod selection;

use std::collections::HashMap;

use eventbus::{Event as Published, View, ViewError};
use eventlog::Recorded;
use proto::types::v1::PersonalDataErased;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, QueryBuilder, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::due;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::form::Place;
use crate::domain::registration::{Event, Submitted};
use crate::domain::values::{Conclusion, Level, Status, Turn};
use crate::store::event::{decode, is_of_a_record};
use crate::{store, wire};

pub use selection::{Counted, Dimension, Filter, Group, MOST_GROUPS, Scope, Selection};

/// Name of the feed.
pub const APPLICATIONS: &str = "applications";

/// Fed by the service's own events.
#[derive(Debug)]
pub struct Applications;

/// One application in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its certificate.
    pub certificate: Uuid,
    /// 报名号
    pub number: EnrolmentNumber,
    person: Uuid,
    draft: Uuid,
    /// Where it belongs.
    pub place: Place,
    /// 注册次数
    pub ordinal: u32,
    /// Its status.
    pub status: Status,
    /// Level whose turn it is.
    pub level: Option<Level>,
    /// 注册结论
    pub conclusion: Option<Conclusion>,
    mending: bool,
    /// 确认不通过, not amended yet.
    pub refused: bool,
    facts: bool,
    /// Version of the record at its last change.
    pub version: i64,
    /// Place in the order of all submissions.
    pub position: i64,
    /// When it was submitted.
    pub submitted_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
}

impl Row {
    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        Turn::of(self.status, self.level, self.mending, self.facts)
    }

    /// The row after an event of its application; `before` is `None` for a submission.
    pub fn after(before: Option<Self>, event: &Event, stamp: Stamp) -> Option<Self> {
        if let Event::ApplicationSubmitted(submitted) = event {
            return Some(Self::of(submitted, stamp));
        }
        let mut row = before?;
        row.evolve(event);
        (row.version, row.updated_at) = (stamp.version, stamp.recorded_at);
        Some(row)
    }

    fn of(submitted: &Submitted, stamp: Stamp) -> Self {
        Self {
            certificate: stamp.stream,
            number: submitted.number,
            person: submitted.person,
            draft: submitted.draft,
            place: submitted.place,
            ordinal: submitted.ordinal,
            status: Status::Pending,
            level: None,
            conclusion: None,
            mending: false,
            refused: false,
            facts: false,
            version: stamp.version,
            position: stamp.position,
            submitted_at: stamp.recorded_at,
            updated_at: stamp.recorded_at,
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ApplicationAmended(amended) => {
                self.place = amended.place;
                self.mend(false);
            }
            Event::ApplicationWithdrawn(_) => self.stand(Status::Withdrawn, None),
            Event::FactsRecorded { .. } => self.facts = true,
            Event::ConfirmationRefused { .. } => {
                self.mend(true);
                self.refused = true;
            }
            Event::ApplicationReturned { .. } | Event::ReviewSentBack { to: None, .. } => self.mend(true),
            Event::ApplicationConfirmed { level, .. }
            | Event::ReviewPassed { next: level, .. }
            | Event::ReviewSentBack { to: Some(level), .. }
            | Event::ConclusionReversed { level, .. } => {
                self.stand(Status::Confirmed, Some(*level));
                self.conclusion = None;
            }
            Event::ApplicationConcluded(concluded) => {
                self.stand(Status::Concluded, None);
                self.conclusion = Some(concluded.conclusion);
            }
            Event::RegistrationRevoked { .. } => self.conclusion = Some(Conclusion::Revoked),
            Event::PriorRegistrationRecorded(_)
            | Event::RecordMerged { .. }
            | Event::ApplicationSubmitted(_)
            | Event::PublicityBegun { .. }
            | Event::PublicityEnded { .. }
            | Event::ObjectionRecorded(_)
            | Event::ObjectionSettled(_)
            | Event::CertificateNotePrinted(_)
            | Event::ReversalProposed { .. } => {}
        }
    }

    fn mend(&mut self, mending: bool) {
        self.stand(Status::Pending, None);
        self.mending = mending;
    }

    fn stand(&mut self, status: Status, level: Option<Level>) {
        (self.status, self.level, self.mending, self.refused) = (status, level, false, false);
    }
}

/// Where and when an event stands in the log.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    stream: Uuid,
    version: i64,
    position: i64,
    recorded_at: OffsetDateTime,
}

impl From<&Published> for Stamp {
    fn from(event: &Published) -> Self {
        let Published { stream, version, position, recorded_at, .. } = *event;
        Self { stream, version, position, recorded_at }
    }
}

impl From<&Recorded> for Stamp {
    fn from(event: &Recorded) -> Self {
        let Recorded { stream, version, position, recorded_at, .. } = *event;
        Self { stream, version, position, recorded_at }
    }
}

/// A certificate, and the number of an application for it.
pub(super) type Key = (Uuid, EnrolmentNumber);

#[eventbus::async_trait]
impl View for Applications {
    fn name(&self) -> &'static str {
        APPLICATIONS
    }

    fn schema(&self) -> &'static str {
        concat!(include_str!("applications.sql"), include_str!("due.sql"))
    }

    fn tables(&self) -> &'static [&'static str] {
        &["application", "registration_due"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Published]) -> Result<(), ViewError> {
        let understood = understood(events)?;
        let keyed = understood.iter().filter_map(|(published, event)| {
            event.number().map(|number| ((published.stream, number), *published, event))
        });
        let mut rows: HashMap<Key, Row> = HashMap::with_capacity(understood.len());
        let submitted = |event: &Event| matches!(event, Event::ApplicationSubmitted(_));
        let changed: Vec<Key> = keyed.clone().filter(|(.., event)| !submitted(event)).map(|(key, ..)| key).collect();
        load(tx, &changed, &mut rows).await?;
        for (key, published, event) in keyed {
            let missing = || ViewError::Contradiction(format!("no application for position {}", published.position));
            let row = Row::after(rows.remove(&key), event, Stamp::from(published)).ok_or_else(missing)?;
            rows.insert(key, row);
        }
        due::follow(tx, &understood, &rows).await?;
        save(tx, rows.into_values().collect()).await?;
        forget(tx, events).await
    }
}

/// What was decided stays, and is nobody's any more.
async fn forget(tx: &mut PgConnection, events: &[Published]) -> Result<(), ViewError> {
    for published in events.iter().filter(|published| published.is::<PersonalDataErased>()) {
        let erased: PersonalDataErased = published.decode()?;
        let unreadable = |_| ViewError::Contradiction(format!("nobody is erased at position {}", published.position));
        sqlx::query("UPDATE application SET person_id = $2 WHERE person_id = $1 AND position < $3")
            .bind(Uuid::parse_str(&erased.person_id).map_err(unreadable)?)
            .bind(Uuid::nil())
            .bind(published.position)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The events of records among all others, decoded.
fn understood(events: &[Published]) -> Result<Vec<(&Published, Event)>, ViewError> {
    let mut understood = Vec::with_capacity(events.len());
    for published in events {
        if !is_of_a_record(&published.kind) {
            continue;
        }
        let event = decode(&published.kind, &published.payload, &published.inner)
            .map_err(|corrupt| ViewError::Contradiction(format!("{corrupt} at position {}", published.position)))?;
        understood.push((published, event));
    }
    Ok(understood)
}

async fn load(tx: &mut PgConnection, keys: &[Key], rows: &mut HashMap<Key, Row>) -> Result<(), ViewError> {
    if keys.is_empty() {
        return Ok(());
    }
    let numbers: Vec<&str> = keys.iter().map(|(_, number)| number.as_str()).collect();
    let found: Vec<Row> = sqlx::query_as("SELECT * FROM application WHERE enrolment_number = ANY($1)")
        .bind(numbers)
        .fetch_all(tx)
        .await?;
    rows.extend(found.into_iter().map(|row| ((row.certificate, row.number), row)));
    Ok(())
}

async fn save(tx: &mut PgConnection, mut rows: Vec<Row>) -> Result<(), ViewError> {
    if rows.is_empty() {
        return Ok(());
    }
    // In the order of the submissions: indexes grow at their end, and two replicas lock alike.
    rows.sort_unstable_by_key(|row| row.position);
    macro_rules! column {
        ($row:ident => $value:expr) => {
            rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "INSERT INTO application (certificate_id, enrolment_number, person_id, draft_id, agency_id, point_id, school_id, \
             stage, ordinal, status, level, conclusion, mending, refused, facts, version, position, submitted_at, updated_at) \
         SELECT unnest($1::uuid[]), unnest($2::text[]), unnest($3::uuid[]), unnest($4::uuid[]), unnest($5::uuid[]), \
             unnest($6::uuid[]), unnest($7::uuid[]), unnest($8::integer[]), unnest($9::integer[]), \
             unnest($10::integer[]), unnest($11::integer[]), unnest($12::integer[]), unnest($13::boolean[]), \
             unnest($14::boolean[]), unnest($15::boolean[]), unnest($16::bigint[]), unnest($17::bigint[]), \
             unnest($18::timestamptz[]), unnest($19::timestamptz[]) \
         ON CONFLICT (enrolment_number, certificate_id) DO UPDATE SET agency_id = excluded.agency_id, \
             point_id = excluded.point_id, school_id = excluded.school_id, stage = excluded.stage, \
             status = excluded.status, level = excluded.level, conclusion = excluded.conclusion, \
             mending = excluded.mending, refused = excluded.refused, facts = excluded.facts, \
             version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(column!(row => row.certificate))
    .bind(column!(row => row.number.as_str()))
    .bind(column!(row => row.person))
    .bind(column!(row => row.draft))
    .bind(column!(row => row.place.agency))
    .bind(column!(row => row.place.point))
    .bind(column!(row => row.place.school))
    .bind(column!(row => i32::from(wire::stage(row.place.stage))))
    .bind(column!(row => i32::try_from(row.ordinal).unwrap_or(i32::MAX)))
    .bind(column!(row => i32::from(wire::status(row.status))))
    .bind(column!(row => row.level.map_or(0, |level| wire::level(level).into())))
    .bind(column!(row => row.conclusion.map_or(0, |conclusion| wire::conclusion(conclusion).into())))
    .bind(column!(row => row.mending))
    .bind(column!(row => row.refused))
    .bind(column!(row => row.facts))
    .bind(column!(row => row.version))
    .bind(column!(row => row.position))
    .bind(column!(row => row.submitted_at))
    .bind(column!(row => row.updated_at))
    .execute(tx)
    .await?;
    Ok(())
}

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let corrupt = || sqlx::Error::Decode(Box::new(store::Corrupt { kind: "row of applications".to_owned() }));
        let number = |column: &str| row.try_get::<i32, _>(column);
        let place = Place {
            school: row.try_get("school_id")?,
            stage: wire::parse_stage(number("stage")?).ok_or_else(corrupt)?,
            agency: row.try_get("agency_id")?,
            point: row.try_get("point_id")?,
        };
        Ok(Self {
            certificate: row.try_get("certificate_id")?,
            number: EnrolmentNumber::parse(row.try_get("enrolment_number")?).ok_or_else(corrupt)?,
            person: row.try_get("person_id")?,
            draft: row.try_get("draft_id")?,
            place,
            ordinal: u32::try_from(number("ordinal")?).map_err(|_| corrupt())?,
            status: wire::parse_status(number("status")?).ok_or_else(corrupt)?,
            level: wire::parse_level(number("level")?),
            conclusion: wire::parse_conclusion(number("conclusion")?),
            mending: row.try_get("mending")?,
            refused: row.try_get("refused")?,
            facts: row.try_get("facts")?,
            version: row.try_get("version")?,
            position: row.try_get("position")?,
            submitted_at: row.try_get("submitted_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// The applications of a person, in the order of their submission.
pub async fn filed_by(pool: &PgPool, person: Uuid) -> Result<Vec<(Uuid, EnrolmentNumber)>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM views.application WHERE person_id = $1 ORDER BY position")
        .bind(person)
        .fetch_all(pool)
        .await?;
    Ok(rows.into_iter().map(|row| (row.certificate, row.number)).collect())
}

/// How many applications of a person live for other certificates than this one.
pub async fn living_elsewhere(pool: &PgPool, person: Uuid, certificate: Uuid) -> Result<i64, sqlx::Error> {
    let living = [Status::Pending, Status::Confirmed].map(|status| i32::from(wire::status(status)));
    let sql = "SELECT count(*) FROM views.application \
               WHERE person_id = $1 AND certificate_id <> $2 AND status = ANY($3)";
    sqlx::query_scalar(sql).bind(person).bind(certificate).bind(living).fetch_one(pool).await
}

/// Applications filed with an agency behind a position, in the order of their submission: certificate, number, position.
pub async fn of_agency(
    pool: &PgPool,
    agency: Uuid,
    after: i64,
    at_most: i64,
) -> Result<Vec<(Uuid, EnrolmentNumber, i64)>, sqlx::Error> {
    let sql = "SELECT * FROM views.application WHERE agency_id = $1 AND position > $2 ORDER BY position LIMIT $3";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(agency).bind(after).bind(at_most).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.certificate, row.number, row.position)).collect())
}

/// The certificates of these numbers, for applications within a scope.
pub async fn numbered(
    pool: &PgPool,
    scope: &Scope,
    numbers: &[EnrolmentNumber],
) -> Result<Vec<(EnrolmentNumber, Uuid)>, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT * FROM views.application WHERE ");
    scope.push(&mut query);
    let numbers: Vec<&str> = numbers.iter().map(EnrolmentNumber::as_str).collect();
    query.push(" AND enrolment_number = ANY(").push_bind(numbers).push(")");
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.number, row.certificate)).collect())
}
