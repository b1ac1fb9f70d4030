//! Submitted applications, as far as slots need them: whose they are, where they confirm, and whether they wait for it.

use std::collections::{BTreeMap, BTreeSet};

use eventbus::{Event, LoadError, View, ViewError};
use proto::applications::v1 as applications;
use proto::types::v1::PersonalDataErased;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::booking::EnrolmentNumber;
use crate::domain::id::PointId;

/// Name of the view.
pub const APPLICATIONS: &str = "applications";

/// Fed by applications.
pub struct Applications;

/// A submitted application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose; nobody's once they are erased.
    pub person: Uuid,
    /// 任教学校
    pub school: Uuid,
    /// 确认点
    pub point: PointId,
    /// 网报待确认
    pub pending: bool,
    /// Version of the certificate's record at the last change.
    pub version: i64,
}

impl Known {
    /// Whether it waits for confirmation at this point.
    pub fn comes_to(&self, point: PointId) -> bool {
        self.pending && self.point == point
    }
}

/// What an event says of an application.
enum Change {
    Submitted { person: Uuid, school: Uuid, point: PointId },
    Placed { school: Uuid, point: PointId },
    Pending(bool),
}

#[eventbus::async_trait]
impl View for Applications {
    fn name(&self) -> &'static str {
        APPLICATIONS
    }

    fn schema(&self) -> &'static str {
        include_str!("applications.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["application"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let mut changes = Vec::with_capacity(events.len());
        for event in events {
            changes.extend(read(event)?.map(|(number, change)| (number, change, event)));
        }
        let numbers: BTreeSet<String> = changes.iter().map(|(number, ..)| number.clone()).collect();
        let mut known = load(&mut *tx, &numbers.into_iter().collect::<Vec<_>>()).await?;
        for (number, change, event) in changes {
            let version = event.version;
            if let Change::Submitted { person, school, point } = change {
                known.insert(number, Known { person, school, point, pending: true, version });
                continue;
            }
            let missing = || ViewError::Contradiction(format!("no application for position {}", event.position));
            let known = known.get_mut(&number).ok_or_else(missing)?;
            match change {
                Change::Submitted { .. } => {}
                Change::Placed { school, point } => (known.school, known.point) = (school, point),
                Change::Pending(pending) => known.pending = pending,
            }
            known.version = version;
        }
        save(tx, known).await?;
        forget(tx, events).await
    }
}

fn read(event: &Event) -> Result<Option<(String, Change)>, ViewError> {
    let change = if event.is::<applications::ApplicationSubmitted>() {
        let applications::ApplicationSubmitted { enrolment_number, person_id, form, .. } = event.decode()?;
        let (school, point) = place(event, form)?;
        (enrolment_number, Change::Submitted { person: id(event, &person_id)?, school, point })
    } else if event.is::<applications::ApplicationAmended>() {
        let applications::ApplicationAmended { enrolment_number, form, .. } = event.decode()?;
        let (school, point) = place(event, form)?;
        (enrolment_number, Change::Placed { school, point })
    } else if event.is::<applications::ApplicationWithdrawn>() {
        (event.decode::<applications::ApplicationWithdrawn>()?.enrolment_number, Change::Pending(false))
    } else if event.is::<applications::ApplicationConfirmed>() {
        (event.decode::<applications::ApplicationConfirmed>()?.enrolment_number, Change::Pending(false))
    } else if event.is::<applications::ApplicationConcluded>() {
        (event.decode::<applications::ApplicationConcluded>()?.enrolment_number, Change::Pending(false))
    } else if event.is::<applications::ApplicationReturned>() {
        (event.decode::<applications::ApplicationReturned>()?.enrolment_number, Change::Pending(true))
    } else if event.is::<applications::ReviewSentBack>() {
        let sent: applications::ReviewSentBack = event.decode()?;
        let to_the_applicant = sent.to_level() == applications::ReviewLevel::Unspecified;
        (sent.enrolment_number, Change::Pending(to_the_applicant))
    } else {
        return Ok(None);
    };
    Ok(Some(change))
}

fn place(event: &Event, form: Option<applications::CodedPart>) -> Result<(Uuid, PointId), ViewError> {
    let form = form.ok_or_else(|| incomplete(event))?;
    Ok((id(event, &form.school_id)?, PointId(id(event, &form.point_id)?)))
}

fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    Uuid::parse_str(text).map_err(|_| incomplete(event))
}

fn incomplete(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position))
}

type Row = (String, Uuid, Uuid, Uuid, bool, i64);

async fn load(on: impl sqlx::PgExecutor<'_>, numbers: &[String]) -> Result<BTreeMap<String, Known>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT enrolment_number, person_id, school_id, point_id, pending, version FROM application \
         WHERE enrolment_number = ANY($1)",
    )
    .bind(numbers)
    .fetch_all(on)
    .await?;
    let known = |(number, person, school, point, pending, version)| {
        (number, Known { person, school, point: PointId(point), pending, version })
    };
    Ok(rows.into_iter().map(known).collect())
}

async fn save(tx: &mut PgConnection, known: BTreeMap<String, Known>) -> Result<(), sqlx::Error> {
    if known.is_empty() {
        return Ok(());
    }
    let (numbers, known): (Vec<String>, Vec<Known>) = known.into_iter().unzip();
    sqlx::query(
        "INSERT INTO application (enrolment_number, person_id, school_id, point_id, pending, version) \
         SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::bigint[]) \
         ON CONFLICT (enrolment_number) DO UPDATE SET school_id = excluded.school_id, point_id = excluded.point_id, \
             pending = excluded.pending, version = excluded.version",
    )
    .bind(numbers)
    .bind(known.iter().map(|one| one.person).collect::<Vec<_>>())
    .bind(known.iter().map(|one| one.school).collect::<Vec<_>>())
    .bind(known.iter().map(|one| one.point.0).collect::<Vec<_>>())
    .bind(known.iter().map(|one| one.pending).collect::<Vec<_>>())
    .bind(known.iter().map(|one| one.version).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What was decided stays, and is nobody's any more.
async fn forget(tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
    for event in events.iter().filter(|event| event.is::<PersonalDataErased>()) {
        let erased: PersonalDataErased = event.decode()?;
        sqlx::query("UPDATE application SET person_id = $2 WHERE person_id = $1")
            .bind(id(event, &erased.person_id)?)
            .bind(Uuid::nil())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Applications as the view's table holds them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Registry {
    pool: PgPool,
}

impl Registry {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Those of these numbers that were ever given.
    pub async fn find(&self, numbers: &[EnrolmentNumber]) -> Result<BTreeMap<EnrolmentNumber, Known>, LoadError> {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let known = load(&self.pool, &numbers).await?;
        let parsed = known.into_iter().filter_map(|(number, known)| Some((EnrolmentNumber::parse(&number)?, known)));
        Ok(parsed.collect())
    }
}
