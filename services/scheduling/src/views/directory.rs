//! The directory: agencies, which every replica keeps in memory with all their names, and points, in a table.

use std::collections::{BTreeSet, HashMap};

use eventbus::{Event, LoadError, View, ViewError};
use lifecycle::clock;
use proto::scheduling::v1::{
    AgencyAbolished, AgencyAdded, AgencyRenamed, PointAdded, PointClosed, PointRangeSet, PointRenamed,
};
use sqlx::{PgConnection, PgPool};
use time::Date;
use uuid::Uuid;

use crate::domain::agency::{self, Abolition, Agency, Record};
use crate::domain::division::{Code, Level};
use crate::domain::id::{AgencyId, PointId, SchoolId};
use crate::domain::name::Name;
use crate::domain::point::{self, Point};
use crate::domain::shanghai;
use crate::store::{self, Stored};

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
        &["agency", "agency_name", "point", "closed_point"]
    }

    fn concerns(&self, event: &Event) -> bool {
        is_of_an_agency(event) || is_of_a_point(event)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let (mut agencies, mut points) = (Vec::new(), Vec::new());
        let (mut of_agencies, mut of_points) = (Vec::new(), Vec::new());
        for event in events {
            if is_of_an_agency(event) {
                match known(event)? {
                    agency::Event::AgencyAdded(agency) => agencies.push(agency),
                    change => of_agencies.push(change),
                }
            } else if is_of_a_point(event) {
                match known(event)? {
                    point::Event::PointAdded(point) => points.push(point),
                    change => of_points.push(change),
                }
            }
        }
        insert_agencies(tx, &agencies).await?;
        insert_points(tx, &points).await?;
        // What changes comes after what is added, and is rare: a statement each.
        for change in of_agencies {
            change_agency(tx, change).await?;
        }
        for change in of_points {
            change_point(tx, change).await?;
        }
        Ok(())
    }
}

fn is_of_an_agency(event: &Event) -> bool {
    event.is::<AgencyAdded>() || event.is::<AgencyRenamed>() || event.is::<AgencyAbolished>()
}

fn is_of_a_point(event: &Event) -> bool {
    event.is::<PointAdded>() || event.is::<PointRenamed>() || event.is::<PointRangeSet>() || event.is::<PointClosed>()
}

/// An event of this service's own.
pub(super) fn known<E: Stored>(event: &Event) -> Result<E, ViewError> {
    let incomplete =
        || ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position));
    E::read(&event.kind, &event.payload).ok_or_else(incomplete)
}

async fn change_agency(tx: &mut PgConnection, change: agency::Event) -> Result<(), sqlx::Error> {
    match change {
        agency::Event::AgencyAdded(_) => return Ok(()),
        agency::Event::AgencyRenamed { agency, name, since } => {
            sqlx::query(
                "INSERT INTO agency_name (agency_id, since, name) VALUES ($1, $2, $3) \
                 ON CONFLICT (agency_id, since) DO UPDATE SET name = excluded.name",
            )
            .bind(agency.0)
            .bind(since)
            .bind(name.as_str())
            .execute(tx)
            .await?
        }
        agency::Event::AgencyAbolished { agency, abolition } => {
            sqlx::query("UPDATE agency SET abolished_on = $2, successor = $3 WHERE agency_id = $1")
                .bind(agency.0)
                .bind(abolition.on)
                .bind(abolition.successor.map(|successor| successor.0))
                .execute(tx)
                .await?
        }
    };
    Ok(())
}

async fn change_point(tx: &mut PgConnection, change: point::Event) -> Result<(), sqlx::Error> {
    if let point::Event::PointClosed { point } = &change {
        let query = sqlx::query("INSERT INTO closed_point (point_id) VALUES ($1) ON CONFLICT DO NOTHING");
        query.bind(point.0).execute(&mut *tx).await?;
    }
    let query = match &change {
        point::Event::PointAdded(_) => return Ok(()),
        point::Event::PointRenamed { point, name } => {
            sqlx::query("UPDATE point SET name = $2 WHERE point_id = $1").bind(point.0).bind(name.as_str())
        }
        point::Event::PointRangeSet { point, range } => {
            sqlx::query("UPDATE point SET range = $2 WHERE point_id = $1").bind(point.0).bind(kept(range))
        }
        point::Event::PointClosed { point } => sqlx::query("DELETE FROM point WHERE point_id = $1").bind(point.0),
    };
    query.execute(tx).await.map(drop)
}

/// A text as PostgreSQL keeps it: a NUL was taken once, and no text of its holds one.
fn kept(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
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
        "INSERT INTO point (point_id, agency_id, name, division, school_id, range) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[])",
    )
    .bind(points.iter().map(|point| point.id.0).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.agency.0).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.name.as_str()).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.division.as_str()).collect::<Vec<_>>())
    .bind(points.iter().map(|point| point.school.map(|school| school.0)).collect::<Vec<_>>())
    .bind(points.iter().map(|point| kept(&point.range)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// All agencies, and which points were closed.
#[derive(Debug, Default)]
pub struct Agencies {
    by_id: HashMap<AgencyId, Record>,
    closed_points: BTreeSet<PointId>,
}

type AgencyRow = (Uuid, String, String, i32, Option<Uuid>, Option<Date>, Option<Uuid>);

impl Agencies {
    /// Loads them from the view.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let rows: Vec<AgencyRow> =
            sqlx::query_as("SELECT agency_id, division, name, level, parent, abolished_on, successor FROM agency")
                .fetch_all(&pool)
                .await?;
        let mut by_id = HashMap::with_capacity(rows.len());
        for (id, division, name, level, parent, abolished_on, successor) in rows {
            let level = [Level::County, Level::City, Level::Province]
                .into_iter()
                .find(|known| i32::from(store::level(*known)) == level)
                .ok_or("the view holds an unknown level")?;
            let (id, parent, name) = (AgencyId(id), parent.map(AgencyId), Name::recorded(name));
            let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
            let record = Record::new(Agency { id, division, name, level, parent });
            let abolition = abolished_on.map(|on| Abolition { on, successor: successor.map(AgencyId) });
            by_id.insert(id, abolition.map_or(record.clone(), |abolition| record.abolished(abolition)));
        }
        let names: Vec<(Uuid, Date, String)> =
            sqlx::query_as("SELECT agency_id, since, name FROM agency_name").fetch_all(&pool).await?;
        for (id, since, name) in names {
            let record = by_id.remove(&AgencyId(id)).ok_or("the view holds a name of no agency")?;
            by_id.insert(AgencyId(id), record.renamed(since, Name::recorded(name)));
        }
        let closed: Vec<Uuid> = sqlx::query_scalar("SELECT point_id FROM closed_point").fetch_all(&pool).await?;
        Ok(Self { by_id, closed_points: closed.into_iter().map(PointId).collect() })
    }

    /// Points that were closed: plans keep the dates that those had.
    pub fn closed_points(&self) -> &BTreeSet<PointId> {
        &self.closed_points
    }

    /// With all its names, whatever has become of it.
    pub fn record(&self, id: AgencyId) -> Option<&Record> {
        self.by_id.get(&id)
    }

    /// All of them, in no order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.by_id.values()
    }

    /// As it is called on a day; `None` when there is none on that day.
    pub fn find_on(&self, id: AgencyId, day: Date) -> Option<&Agency> {
        self.record(id).filter(|record| !record.is_abolished_on(day)).map(|record| record.on(day))
    }

    /// The same, today.
    pub fn find(&self, id: AgencyId) -> Option<&Agency> {
        self.find_on(id, shanghai::day(clock::now()))
    }
}

pub(super) const NOT_A_DIVISION: &str = "the view holds a code that is no division";

/// Points as the view's table holds them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Points {
    pool: PgPool,
}

type PointRow = (Uuid, String, String, Option<Uuid>, String);

impl Points {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The points of an agency, by name, after a name.
    pub async fn list(&self, agency: AgencyId, after: &str, limit: usize) -> Result<Vec<Point>, LoadError> {
        let rows: Vec<PointRow> = sqlx::query_as(
            "SELECT point_id, name, division, school_id, range FROM point WHERE agency_id = $1 AND name > $2 \
             ORDER BY name LIMIT $3",
        )
        .bind(agency.0)
        .bind(after)
        .bind(i64::try_from(limit)?)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| read_point(agency, row)).collect()
    }

    /// The point of that name of an agency.
    pub async fn find(&self, agency: AgencyId, name: &Name) -> Result<Option<Point>, LoadError> {
        let row: Option<PointRow> = sqlx::query_as(
            "SELECT point_id, name, division, school_id, range FROM point WHERE agency_id = $1 AND name = $2",
        )
        .bind(agency.0)
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| read_point(agency, row)).transpose()
    }
}

fn read_point(agency: AgencyId, (id, name, division, school, range): PointRow) -> Result<Point, LoadError> {
    let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
    let (id, name, school) = (PointId(id), Name::recorded(name), school.map(SchoolId));
    Ok(Point { id, agency, name, division, school, range })
}
