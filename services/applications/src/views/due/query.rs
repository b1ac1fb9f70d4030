//! Certificates that fall due, listed and counted by one condition; cycles come along, since rules may change every day.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row as _};
use time::Date;
use uuid::Uuid;

use super::Held;
use crate::domain::values::{CertificateKind, Status};
use crate::views::applications::{MOST_GROUPS, Scope};
use crate::wire;

/// How long a registration counts, by province.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Provinces with rules of their own, and their months.
    pub provinces: Vec<(String, u32)>,
    /// Months everywhere else.
    pub national: u32,
}

/// What a list of due certificates is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueFilter {
    /// Whose newest application is with this agency and those below it.
    pub agency: Option<Uuid>,
    /// With that very agency only.
    pub without_below: bool,
    /// Of this point.
    pub point: Option<Uuid>,
    /// Of this school.
    pub school: Option<Uuid>,
    /// Expiring then or later.
    pub expiry_from: Option<Date>,
    /// Expiring before.
    pub expiry_before: Option<Date>,
    /// Without an open application.
    pub without_application: bool,
}

/// A filter within a scope, with the agencies and cycles that it means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSelection {
    /// Whose.
    pub scope: Scope,
    /// Which of them; a person's own are not narrowed.
    pub filter: DueFilter,
    /// Those of the filter's agency, where it names one.
    pub agencies: Option<Vec<Uuid>>,
    /// From the rule sets in force.
    pub cycles: Cycles,
}

/// A certificate in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// Which.
    pub certificate: Uuid,
    /// What due dates are computed from.
    pub held: Held,
    /// An application for it is open.
    pub applied: bool,
}

/// Certificates of an agency that expire in the same half-year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueGroup {
    /// Of the newest applications.
    pub agency: Uuid,
    /// Of the expiry.
    pub year: i32,
    /// 1 or 2.
    pub half: i32,
    /// How many.
    pub count: i64,
    /// Expired by today.
    pub overdue: i64,
    /// With an open application.
    pub applied: i64,
}

impl DueSelection {
    fn push_expiry(&self, query: &mut QueryBuilder<Postgres>) {
        query.push("(due.qualified_on + make_interval(months => coalesce(cycle.months, ");
        query.push(self.cycles.national).push(")))::date");
    }

    fn push_from(&self, query: &mut QueryBuilder<Postgres>) {
        let (provinces, months): (Vec<&str>, Vec<i32>) = self
            .cycles
            .provinces
            .iter()
            .map(|(province, months)| (province.as_str(), i32::try_from(*months).unwrap_or(i32::MAX)))
            .unzip();
        query.push(" FROM views.certificate AS held LEFT JOIN views.registration_due AS due USING (certificate_id) LEFT JOIN unnest(");
        query.push_bind(provinces).push("::text[], ").push_bind(months);
        query.push("::integer[]) AS cycle (of_province, months) ON cycle.of_province = due.province ");
    }

    fn push_where(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" WHERE ");
        self.scope.push(query);
        // Of nobody, or of a kind that is never registered.
        let higher = i32::from(wire::certificate_kind(CertificateKind::Higher));
        query.push(" AND held.person_id IS NOT NULL AND held.kind <> ").push(higher);
        if matches!(self.scope, Scope::Own(_)) {
            return;
        }
        query.push(" AND due.qualified_on IS NOT NULL");
        let filter = &self.filter;
        if let Some(agencies) = &self.agencies {
            query.push(" AND agency_id = ANY(").push_bind(agencies).push(")");
        }
        for (column, unit) in [("point_id", filter.point), ("school_id", filter.school)] {
            if let Some(unit) = unit {
                query.push(" AND ").push(column).push(" = ").push_bind(unit);
            }
        }
        for (comparison, day) in [(" >= ", filter.expiry_from), (" < ", filter.expiry_before)] {
            if let Some(day) = day {
                query.push(" AND ");
                self.push_expiry(query);
                query.push(comparison).push_bind(day);
            }
        }
        if filter.without_application {
            query.push(" AND NOT ");
            push_applied(query);
        }
    }

    /// A page of a list, soonest first; `after` is day and certificate of the last row of the page before.
    pub(in crate::views) async fn list(
        &self,
        pool: &PgPool,
        after: Option<(Date, Uuid)>,
        at_most: usize,
    ) -> Result<Vec<DueRow>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT certificate_id, enrolment_number, province, agency_id, point_id, school_id, standings, ",
        );
        push_applied(&mut query);
        query.push(" AS applied");
        self.push_from(&mut query);
        self.push_where(&mut query);
        if let Some((day, certificate)) = after {
            query.push(" AND (due.qualified_on, certificate_id) > (").push_bind(day).push(", ");
            query.push_bind(certificate).push(")");
        }
        query.push(" ORDER BY due.qualified_on, certificate_id LIMIT ");
        query.push_bind(i64::try_from(at_most).unwrap_or(i64::MAX));
        query.build_query_as().fetch_all(pool).await
    }

    /// How many expire in each half-year, by agency; one group more than [`MOST_GROUPS`] at most.
    pub(in crate::views) async fn count(&self, pool: &PgPool, today: Date) -> Result<Vec<DueGroup>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT extract(year FROM expiry)::integer AS year, \
                 CASE WHEN extract(month FROM expiry) <= 6 THEN 1 ELSE 2 END AS half, agency_id, count(*) AS count, \
                 count(*) FILTER (WHERE expiry <= ",
        );
        query
            .push_bind(today)
            .push(") AS overdue, count(*) FILTER (WHERE applied) AS applied FROM (SELECT agency_id, ");
        self.push_expiry(&mut query);
        query.push(" AS expiry, ");
        push_applied(&mut query);
        query.push(" AS applied");
        self.push_from(&mut query);
        self.push_where(&mut query);
        query.push(") AS falling GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT ");
        query.push_bind(i64::try_from(MOST_GROUPS + 1).expect("a small number"));
        query.build_query_as().fetch_all(pool).await
    }
}

/// Whether an application for the certificate is open: none but the newest one can be.
fn push_applied(query: &mut QueryBuilder<Postgres>) {
    let status = |status: Status| i32::from(wire::status(status));
    query.push(format!(
        "EXISTS (SELECT FROM views.application AS open WHERE open.enrolment_number = due.enrolment_number \
             AND open.certificate_id = held.certificate_id AND open.status IN ({}, {}))",
        status(Status::Pending),
        status(Status::Confirmed)
    ));
}

impl FromRow<'_, PgRow> for DueRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            certificate: row.try_get("certificate_id")?,
            held: Held::from_row(row)?,
            applied: row.try_get("applied")?,
        })
    }
}

impl FromRow<'_, PgRow> for DueGroup {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            agency: row.try_get("agency_id")?,
            year: row.try_get("year")?,
            half: row.try_get("half")?,
            count: row.try_get("count")?,
            overdue: row.try_get("overdue")?,
            applied: row.try_get("applied")?,
        })
    }
}
