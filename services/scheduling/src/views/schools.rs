//! Schools: half a million in the nation, found by place and by a part of the name or of its initials.

use std::collections::{BTreeMap, HashMap};

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1::{SchoolAdded, SchoolClosed, SchoolMoved, SchoolRenamed};
use sqlx::{PgConnection, PgPool, QueryBuilder};
use uuid::Uuid;

use super::directory::{NOT_A_DIVISION, known};
use super::search::{Keys, Sought};
use crate::domain::division::Code;
use crate::domain::id::{AgencyId, SchoolId};
use crate::domain::name::Name;
use crate::domain::school::{self, Kind, School};

/// Name of the view.
pub const SCHOOLS: &str = "schools";

/// Fed by the service's own events.
pub struct Schools;

#[eventbus::async_trait]
impl View for Schools {
    fn name(&self) -> &'static str {
        SCHOOLS
    }

    fn schema(&self) -> &'static str {
        include_str!("schools.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["listed_school"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<SchoolAdded>()
            || event.is::<SchoolRenamed>()
            || event.is::<SchoolMoved>()
            || event.is::<SchoolClosed>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // The last word of a batch on each school: `None` once it is closed.
        let mut added = BTreeMap::new();
        for event in events {
            match known(event)? {
                school::Event::SchoolAdded(school) => drop(added.insert(school.id, school)),
                change => change_school(tx, &mut added, change).await?,
            }
        }
        insert(tx, &added.into_values().collect::<Vec<_>>()).await?;
        Ok(())
    }
}

/// Changes a school of this batch, or one of the table.
async fn change_school(
    tx: &mut PgConnection,
    added: &mut BTreeMap<SchoolId, School>,
    change: school::Event,
) -> Result<(), sqlx::Error> {
    let query = match change {
        school::Event::SchoolAdded(_) => return Ok(()),
        school::Event::SchoolRenamed { school, name } => {
            if let Some(school) = added.get_mut(&school) {
                school.name = name;
                return Ok(());
            }
            let Keys { initials, pairs } = Keys::of(name.as_str());
            sqlx::query("UPDATE listed_school SET name = $2, initials = $3, pairs = $4 WHERE school_id = $1")
                .bind(school.0)
                .bind(name.as_str().to_owned())
                .bind(initials)
                .bind(pairs)
        }
        school::Event::SchoolMoved { school, agency } => {
            if let Some(school) = added.get_mut(&school) {
                school.agency = agency;
                return Ok(());
            }
            sqlx::query("UPDATE listed_school SET agency_id = $2 WHERE school_id = $1").bind(school.0).bind(agency.0)
        }
        school::Event::SchoolClosed { school } => {
            added.remove(&school);
            sqlx::query("DELETE FROM listed_school WHERE school_id = $1").bind(school.0)
        }
    };
    query.execute(tx).await.map(drop)
}

async fn insert(tx: &mut PgConnection, schools: &[School]) -> Result<(), sqlx::Error> {
    if schools.is_empty() {
        return Ok(());
    }
    let keys = schools.iter().map(|school| Keys::of(school.name.as_str()));
    let (initials, pairs): (Vec<String>, Vec<String>) =
        keys.map(|Keys { initials, pairs }| (initials, pairs.join("\u{1f}"))).unzip();
    sqlx::query(
        "INSERT INTO listed_school (school_id, name, division, agency_id, kind, initials, pairs) \
         SELECT school_id, name, division, agency_id, kind, initials, string_to_array(pairs, chr(31)) \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[]) \
             AS added (school_id, name, division, agency_id, kind, initials, pairs)",
    )
    .bind(schools.iter().map(|school| school.id.0).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.name.as_str()).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.division.as_str()).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.agency.0).collect::<Vec<_>>())
    .bind(schools.iter().map(|school| school.kind.as_str()).collect::<Vec<_>>())
    .bind(initials)
    .bind(pairs)
    .execute(tx)
    .await?;
    Ok(())
}

/// Schools as the view's table holds them. Clones are the same.
#[derive(Clone, Debug)]
pub struct SchoolList {
    pool: PgPool,
}

type Row = (Uuid, String, String, Uuid, String);

impl SchoolList {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Schools within a division that are sought, by county and name, after a place.
    pub async fn list(
        &self,
        within: &str,
        sought: &Sought,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Vec<School>, LoadError> {
        let mut query = QueryBuilder::new(
            "SELECT school_id, name, division, agency_id, kind FROM listed_school WHERE division >= rpad(",
        );
        query.push_bind(within).push(", 6, '0') AND division <= rpad(").push_bind(within).push(", 6, '9')");
        query.push(" AND (division, name) > (").push_bind(after.0).push(", ").push_bind(after.1).push(")");
        sought.narrow(&mut query);
        query.push(" ORDER BY division, name LIMIT ").push_bind(i64::try_from(limit)?);
        // Planned each time: whether the pairs of a name are rare decides which index serves.
        let rows: Vec<Row> = query.build_query_as().persistent(false).fetch_all(&self.pool).await?;
        rows.into_iter().map(read).collect()
    }

    /// The school of that name in a county.
    pub async fn find(&self, division: Code, name: &Name) -> Result<Option<School>, LoadError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT school_id, name, division, agency_id, kind FROM listed_school WHERE division = $1 AND name = $2",
        )
        .bind(division.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(read).transpose()
    }

    /// County and name of those of these schools that are open.
    pub async fn named(&self, ids: &[SchoolId]) -> Result<HashMap<SchoolId, (String, String)>, LoadError> {
        let rows: Vec<(Uuid, String, String)> =
            sqlx::query_as("SELECT school_id, division, name FROM listed_school WHERE school_id = ANY($1)")
                .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(id, division, name)| (SchoolId(id), (division, name))).collect())
    }
}

fn read((id, name, division, agency, kind): Row) -> Result<School, LoadError> {
    let division = Code::parse(&division).ok_or(NOT_A_DIVISION)?;
    let (id, name, agency, kind) = (SchoolId(id), Name::recorded(name), AgencyId(agency), Kind::recorded(kind));
    Ok(School { id, name, division, agency, kind })
}
