//! Read models: what this service keeps of the others' events, and the lists of its own applications.

pub mod applications;
pub mod certificates;
pub mod directory;
pub mod due;
pub mod rules;
pub mod schools;
pub mod texts;

use std::collections::HashMap;

use eventbus::{Event, ViewError};
use sqlx::PgPool;
use time::Date;
use uuid::Uuid;

use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::rules::SchoolKind;
use crate::domain::values::Restriction;
use crate::views::applications::{Counted, Dimension, Row, Scope, Selection};
use crate::views::certificates::Certificate;
use crate::views::due::{DueGroup, DueRow, DueSelection};

/// Queries over the views that stay in tables. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Tables {
    pool: PgPool,
}

impl Tables {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// What certificates says of one certificate.
    pub async fn certificate(&self, certificate: Uuid) -> Result<Option<Certificate>, sqlx::Error> {
        certificates::find(&self.pool, certificate).await
    }

    /// Up to which position of certificates' log the view of certificates has come.
    pub async fn certificates_position(&self) -> Result<i64, sqlx::Error> {
        certificates::position(&self.pool).await
    }

    /// What a school is; `None` where there is no such school.
    pub async fn school(&self, school: Option<Uuid>) -> Result<Option<SchoolKind>, sqlx::Error> {
        let Some(school) = school else { return Ok(None) };
        Ok(self.schools(&[school]).await?.remove(&school))
    }

    /// What these schools are; one that there is not has no entry.
    pub async fn schools(&self, schools: &[Uuid]) -> Result<HashMap<Uuid, SchoolKind>, sqlx::Error> {
        schools::kinds(&self.pool, schools).await
    }

    /// Restrictions of those among these certificates that have one.
    pub async fn restrictions(&self, certificates: &[Uuid]) -> Result<HashMap<Uuid, Restriction>, sqlx::Error> {
        certificates::restrictions(&self.pool, certificates).await
    }

    /// How many applications of a person live for other certificates than this one.
    pub async fn living_elsewhere(&self, person: Uuid, certificate: Uuid) -> Result<i64, sqlx::Error> {
        applications::living_elsewhere(&self.pool, person, certificate).await
    }

    /// Applications filed with an agency behind a position: certificate, number, position.
    pub async fn filed_with(
        &self,
        agency: Uuid,
        after: i64,
        at_most: i64,
    ) -> Result<Vec<(Uuid, EnrolmentNumber, i64)>, sqlx::Error> {
        applications::of_agency(&self.pool, agency, after, at_most).await
    }

    /// The applications of a person.
    pub async fn filed_by(&self, person: Uuid) -> Result<Vec<(Uuid, EnrolmentNumber)>, sqlx::Error> {
        applications::filed_by(&self.pool, person).await
    }

    /// A page of applications, newest first; `before` is the position of the last row of the page before.
    pub async fn applications(
        &self,
        selection: &Selection,
        before: Option<i64>,
        at_most: usize,
    ) -> Result<Vec<Row>, sqlx::Error> {
        selection.list(&self.pool, before, at_most).await
    }

    /// The certificates of these numbers, for applications within a scope.
    pub async fn numbered(
        &self,
        scope: &Scope,
        numbers: &[EnrolmentNumber],
    ) -> Result<Vec<(EnrolmentNumber, Uuid)>, sqlx::Error> {
        applications::numbered(&self.pool, scope, numbers).await
    }
    /// How many applications there are in each group, or in all.
    pub async fn count_applications(
        &self,
        selection: &Selection,
        by: &[Dimension],
    ) -> Result<Vec<Counted>, sqlx::Error> {
        selection.count(&self.pool, by).await
    }

    /// A page of certificates that fall due, soonest first; `after` is day and certificate of the last row of the page
    /// before.
    pub async fn due(
        &self,
        selection: &DueSelection,
        after: Option<(Date, Uuid)>,
        at_most: usize,
    ) -> Result<Vec<DueRow>, sqlx::Error> {
        selection.list(&self.pool, after, at_most).await
    }

    /// How many of them expire in each half-year, by agency.
    pub async fn count_due(&self, selection: &DueSelection, today: Date) -> Result<Vec<DueGroup>, sqlx::Error> {
        selection.count(&self.pool, today).await
    }
}

/// An id that an event must carry.
fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    Uuid::try_parse(text).map_err(|_| incomplete(event))
}

/// The owner of the event wrote less than it promises.
fn incomplete(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position))
}
