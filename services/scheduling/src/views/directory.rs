//! The directory: agencies, which every replica keeps in memory, and points and schools, half a million in the nation, in
//! tables.

use std::collections::HashMap;

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1::{AgencyAdded, PointAdded, SchoolAdded};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::agency::Agency;
use crate::domain::division::{Code, Level};
use crate::domain::id::{AgencyId, PointId, SchoolId};
use crate::domain::name::Name;
use crate::domain::point::Point;
use crate::domain::school::{Kind, School};
use crate::store;

/// Name of the view.
pub const DIRECTORY: &str = "directory";

/// Fed by the service's own events.
pub struct Directory;

#[eventbus::async_trait]
impl View for Directory {
    fn name(&self) -> &'static str {
        DIRECTORY
    }

    fn schema(&self) -> &'static str {
        include_str!("directory.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["agency", "point", "school"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<AgencyAdded>() || event.is::<PointAdded>() || event.is::<SchoolAdded>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let (mut agencies, mut points, mut schools) = (Vec::new(), Vec::new(), Vec::new());
        for event in events {
            if event.is::<AgencyAdded>() {
                agencies.push(known(event, store::read_agency(event.decode::<AgencyAdded>()?.agency))?);
            } else if event.is::<PointAdded>() {
                points.push(known(event, store::read_point(event.decode::<PointAdded>()?.point))?);
            } else if event.is::<SchoolAdded>() {
                schools.push(known(event, store::read_school(event.decode::<SchoolAdded>()?.school))?);
            }
        }
        insert_agencies(tx, &agencies).await?;
        insert_points(tx, &points).await?;
        insert_schools(tx, &schools).await?;
        Ok(())
    }
}

fn known<T>(event: &Event, read: Option<T>) -> Result<T, ViewError> {
    read.ok_or_else(|| ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position)))
}

async fn insert_agencies(tx: &mut PgConnection, agencies: &[Agency]) -> Result<(), sqlx::Error> {
    if agencies.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO agency (agency_id, division, name, level, parent) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::uuid[])",
    )
    .bind(agencies.iter().map(|agency| agency.id.0).collect::<Vec<_>>())
    .bind(agencies.iter().map(|agency| agency.division.as_str()).collect::<Vec<_>>())
    .bind(agencies.iter().map(|agency| agency.name.as_str()).collect::<Vec<_>>())
    .bind(agencies.iter().map(|agency| i32::from(store::level(agency.level))).collect::<Vec<_>>())
    .bind(agencies.iter().map(|agency| agency.parent.map(|parent| parent.0)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_points(tx: &mut PgConnection, points: &[Point]) -> Result<(), sqlx::Error> {
    if points.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO point (point_id, agency_id, name, division, school_id) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])",
    )
    .bind(points.iter().map(|point| point.id.0).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.agency.0).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.division.as_str()).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.school.map(|school| school.0)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_schools(tx: &mut PgConnection, schools: &[School]) -> Result<(), sqlx::Error> {
    if schools.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO school (school_id, name, division, agency_id, kind) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[])",
    )
    .bind(schools.iter().map(|school| school.id.0).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.name.as_str()).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.division.as_str()).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.agency.0).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.kind.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// All agencies.
#[derive(Debug, Default)]
pub struct Agencies {
    by_id: HashMap<AgencyId, Agency>,
}

impl Agencies {
    /// Loads them from the view.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let rows: Vec<(Uuid, String, String, i32, Option<Uuid>)> =
            sqlx::query_as("SELECT agency_id, division, name, level, parent FROM agency").fetch_all(&pool).await?;
        let agencies = rows.into_iter().map(|(id, division, name, level, parent)| {
            let level = [Level::County, Level::City, Level::Province]
                .into_iter()
                .find(|known| i32::from(store::level(*known)) == level)
                .ok_or("the view holds an unknown level")?;
            let (id, parent, name) = (AgencyId(id), parent.map(AgencyId), Name::recorded(name));
            let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
            Ok((id, Agency { id, division, name, level, parent }))
        });
        Ok(Self { by_id: agencies.collect::<Result<_, LoadError>>()? })
    }

    /// By id.
    pub fn find(&self, id: AgencyId) -> Option<&Agency> {
        self.by_id.get(&id)
    }
}

const NOT_A_DIVISION: &str = "the view holds a code that is no division";

/// Points and schools as the view's tables hold them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Listings {
    pool: PgPool,
}

impl Listings {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The points of an agency, by name.
    pub async fn points(&self, agency: AgencyId) -> Result<Vec<Point>, LoadError> {
        let rows: Vec<(Uuid, String, String, Option<Uuid>)> =
            sqlx::query_as("SELECT point_id, name, division, school_id FROM point WHERE agency_id = $1 ORDER BY name")
                .bind(agency.0)
                .fetch_all(&self.pool)
                .await?;
        let points = rows.into_iter().map(|(id, name, division, school)| {
            let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
            let (id, name, school) = (PointId(id), Name::recorded(name), school.map(SchoolId));
            Ok(Point { id, agency, name, division, school })
        });
        points.collect()
    }

    /// Schools within a division whose names contain `part`, by county and name, after a place.
    pub async fn schools(
        &self,
        within: &str,
        part: &str,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Vec<School>, LoadError> {
        let rows: Vec<(Uuid, String, String, Uuid, String)> = sqlx::query_as(
            "SELECT school_id, name, division, agency_id, kind FROM school \
             WHERE division >= rpad($1, 6, '0') AND division <= rpad($1, 6, '9') AND strpos(name, $2) > 0 \
             AND (division, name) > ($3, $4) ORDER BY division, name LIMIT $5",
        )
        .bind(within)
        .bind(part)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::try_from(limit)?)
        .fetch_all(&self.pool)
        .await?;
        let schools = rows.into_iter().map(|(id, name, division, agency, kind)| {
            let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
            let (id, name, agency, kind) = (SchoolId(id), Name::recorded(name), AgencyId(agency), Kind::recorded(kind));
            Ok(School { id, name, division, agency, kind })
        });
        schools.collect()
    }

    /// The school of that name in a county.
    pub async fn find_school(&self, division: Code, name: &Name) -> Result<Option<SchoolId>, LoadError> {
        let row = sqlx::query_scalar("SELECT school_id FROM school WHERE division = $1 AND name = $2")
            .bind(division.as_str())
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(SchoolId))
    }
}
