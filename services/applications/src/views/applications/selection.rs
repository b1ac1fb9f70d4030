//! Which applications: what lists show, counts count and watches tell, by one condition; in SQL, and for a row in hand.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Row;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::values::{Conclusion, Level, Stage, Status, Turn};
use crate::wire;

/// More groups than these are not counted at once.
pub const MOST_GROUPS: usize = 10_000;

/// Whose applications a list is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The person's own.
    Own(Uuid),
    /// Those of these schools, points and agencies.
    Units {
        /// As liaison.
        schools: Vec<Uuid>,
        /// As clerk.
        points: Vec<Uuid>,
        /// As reviewer, those below included.
        agencies: Vec<Uuid>,
    },
}

/// What a list is narrowed to; `None` and empty do not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Filed by the viewer, whatever units they hold.
    pub own: bool,
    /// In any of these.
    pub statuses: Vec<Status>,
    /// Level whose turn it is.
    pub level: Option<Level>,
    /// Whose turn it is.
    pub turn: Option<Turn>,
    /// 注册结论
    pub conclusion: Option<Conclusion>,
    /// 现任教学段
    pub stage: Option<Stage>,
    /// 确认不通过, not amended yet.
    pub refused: Option<bool>,
    /// With the applicant to be mended.
    pub mending: Option<bool>,
    /// Whether facts are recorded.
    pub facts: Option<bool>,
    /// Submitted then or later.
    pub submitted_from: Option<OffsetDateTime>,
    /// Submitted before.
    pub submitted_before: Option<OffsetDateTime>,
    /// Of this agency and those below it.
    pub agency: Option<Uuid>,
    /// Of that very agency only.
    pub without_below: bool,
    /// Of this point.
    pub point: Option<Uuid>,
    /// Of this school.
    pub school: Option<Uuid>,
    /// 报名号
    pub number: Option<EnrolmentNumber>,
}

/// A filter within a scope, with the agencies that it means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Whose.
    pub scope: Scope,
    /// Which of them.
    pub filter: Filter,
    /// Those of the filter's agency, where it names one.
    pub agencies: Option<Vec<Uuid>>,
}

/// What counts tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// 注册机构
    Agency,
    /// 现任教学段
    Stage,
    /// 学校
    School,
    /// 确认点
    Point,
    /// 审批状态
    Status,
    /// Level whose turn it is.
    Level,
    /// 注册结论
    Conclusion,
}

/// A group of applications; what is not told apart is `None`, or 0. Enumerations are the API's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// 注册机构
    pub agency: Option<Uuid>,
    /// 学校
    pub school: Option<Uuid>,
    /// 确认点
    pub point: Option<Uuid>,
    /// 现任教学段
    pub stage: i32,
    /// 审批状态
    pub status: i32,
    /// Level whose turn it is.
    pub level: i32,
    /// 注册结论
    pub conclusion: i32,
}

/// A group and how many it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Which.
    pub group: Group,
    /// How many.
    pub count: i64,
}

impl Scope {
    /// The condition on the columns `person_id`, `school_id`, `point_id` and `agency_id`.
    pub(in crate::views) fn push(&self, query: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Own(person) => {
                query.push("person_id = ").push_bind(person);
            }
            Self::Units { schools, points, agencies } => {
                // What nobody holds is not asked for: one kind of unit is found by its index.
                let units = [("school_id", schools), ("point_id", points), ("agency_id", agencies)];
                let mut held = units.into_iter().filter(|(_, units)| !units.is_empty()).peekable();
                query.push(if held.peek().is_some() { "(" } else { "(false" });
                for (place, (column, units)) in held.enumerate() {
                    query.push(if place == 0 { "" } else { " OR " });
                    query.push(column).push(" = ANY(").push_bind(units).push(")");
                }
                query.push(")");
            }
        }
    }
}

impl Selection {
    /// Whether a row belongs to it; the same as the condition of the queries says.
    pub fn holds(&self, row: &Row) -> bool {
        let in_scope = match &self.scope {
            Scope::Own(person) => row.person == *person,
            Scope::Units { schools, points, agencies } => {
                schools.contains(&row.place.school)
                    || points.contains(&row.place.point)
                    || agencies.contains(&row.place.agency)
            }
        };
        let Filter { statuses, level, turn, conclusion, stage, refused, mending, facts, .. } = &self.filter;
        in_scope
            && (statuses.is_empty() || statuses.contains(&row.status))
            && level.is_none_or(|level| row.level == Some(level))
            && turn.is_none_or(|turn| row.turn() == turn)
            && conclusion.is_none_or(|conclusion| row.conclusion == Some(conclusion))
            && stage.is_none_or(|stage| row.place.stage == stage)
            && refused.is_none_or(|refused| row.refused == refused)
            && mending.is_none_or(|mending| row.mending == mending)
            && facts.is_none_or(|facts| row.facts == facts)
            && self.filter.submitted_from.is_none_or(|from| row.submitted_at >= from)
            && self.filter.submitted_before.is_none_or(|before| row.submitted_at < before)
            && self.agencies.as_ref().is_none_or(|agencies| agencies.contains(&row.place.agency))
            && self.filter.point.is_none_or(|point| row.place.point == point)
            && self.filter.school.is_none_or(|school| row.place.school == school)
            && self.filter.number.is_none_or(|number| row.number == number)
    }

    /// The condition of every query. Numbers of enumerations stand in the text, so that the planner knows them.
    fn push_where(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" WHERE ");
        self.scope.push(query);
        let filter = &self.filter;
        if !filter.statuses.is_empty() {
            let numbers: Vec<i32> = filter.statuses.iter().map(|status| wire::status(*status).into()).collect();
            query.push(" AND status = ANY(").push_bind(numbers).push(")");
        }
        if let Some(turn) = filter.turn {
            push_turn(query, turn);
        }
        let numbers = [
            ("level", filter.level.map(|level| i32::from(wire::level(level)))),
            ("conclusion", filter.conclusion.map(|conclusion| i32::from(wire::conclusion(conclusion)))),
            ("stage", filter.stage.map(|stage| i32::from(wire::stage(stage)))),
        ];
        for (column, number) in numbers {
            if let Some(number) = number {
                query.push(" AND ").push(column).push(" = ").push(number);
            }
        }
        for (column, flag) in [("refused", filter.refused), ("mending", filter.mending), ("facts", filter.facts)] {
            if let Some(flag) = flag {
                query.push(if flag { " AND " } else { " AND NOT " }).push(column);
            }
        }
        if let Some(from) = filter.submitted_from {
            query.push(" AND submitted_at >= ").push_bind(from);
        }
        if let Some(before) = filter.submitted_before {
            query.push(" AND submitted_at < ").push_bind(before);
        }
        if let Some(agencies) = &self.agencies {
            query.push(" AND agency_id = ANY(").push_bind(agencies).push(")");
        }
        for (column, unit) in [("point_id", filter.point), ("school_id", filter.school)] {
            if let Some(unit) = unit {
                query.push(" AND ").push(column).push(" = ").push_bind(unit);
            }
        }
        if let Some(number) = filter.number {
            query.push(" AND enrolment_number = ").push_bind(number.to_string());
        }
    }

    /// A page of a list, newest first; `before` is the position of the last row of the page before.
    pub(in crate::views) async fn list(
        &self,
        pool: &PgPool,
        before: Option<i64>,
        at_most: usize,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new("SELECT * FROM views.application");
        self.push_where(&mut query);
        if let Some(before) = before {
            query.push(" AND position < ").push_bind(before);
        }
        query.push(" ORDER BY position DESC LIMIT ").push_bind(i64::try_from(at_most).unwrap_or(i64::MAX));
        query.build_query_as().fetch_all(pool).await
    }

    /// How many there are in each group, or in all; one group more than [`MOST_GROUPS`] at most.
    pub(in crate::views) async fn count(&self, pool: &PgPool, by: &[Dimension]) -> Result<Vec<Counted>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) AS count");
        for dimension in by {
            query.push(", ").push(dimension.column());
        }
        query.push(" FROM views.application");
        self.push_where(&mut query);
        let mut separator = " GROUP BY ";
        for dimension in by {
            query.push(separator).push(dimension.column());
            separator = ", ";
        }
        query.push(" LIMIT ").push_bind(i64::try_from(MOST_GROUPS + 1).expect("a small number"));
        query.build_query_as().fetch_all(pool).await
    }
}

/// Whose turn it is, as [`Turn::of`] has it.
fn push_turn(query: &mut QueryBuilder<Postgres>, turn: Turn) {
    let status = |status: Status| i32::from(wire::status(status));
    let pending = |rest: &str| format!(" AND status = {}{rest}", status(Status::Pending));
    let condition = match turn {
        Turn::Applicant => pending(" AND mending"),
        Turn::School => pending(" AND NOT mending AND NOT facts"),
        Turn::Point => pending(" AND NOT mending AND facts"),
        Turn::Review(level) => {
            format!(" AND status = {} AND level = {}", status(Status::Confirmed), i32::from(wire::level(level)))
        }
        Turn::Nobody => format!(" AND status IN ({}, {})", status(Status::Concluded), status(Status::Withdrawn)),
    };
    query.push(condition);
}

impl Dimension {
    fn column(self) -> &'static str {
        match self {
            Self::Agency => "agency_id",
            Self::Stage => "stage",
            Self::School => "school_id",
            Self::Point => "point_id",
            Self::Status => "status",
            Self::Level => "level",
            Self::Conclusion => "conclusion",
        }
    }
}

impl FromRow<'_, PgRow> for Counted {
    /// Of columns that are there only when they were asked for.
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        fn asked<T>(value: Result<Option<T>, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
            match value {
                Err(sqlx::Error::ColumnNotFound(_)) => Ok(None),
                value => value,
            }
        }
        let unit = |column: &str| asked(row.try_get::<Option<Uuid>, _>(column));
        let number = |column: &str| asked(row.try_get::<Option<i32>, _>(column)).map(Option::unwrap_or_default);
        let group = Group {
            agency: unit("agency_id")?,
            school: unit("school_id")?,
            point: unit("point_id")?,
            stage: number("stage")?,
            status: number("status")?,
            level: number("level")?,
            conclusion: number("conclusion")?,
        };
        Ok(Self { group, count: row.try_get("count")? })
    }
}
