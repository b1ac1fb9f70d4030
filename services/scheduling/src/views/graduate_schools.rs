//! Graduate schools, found by province and by a part of the name or of its initials.

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1 as wire;
use sqlx::{PgConnection, PgPool, QueryBuilder};
use uuid::Uuid;

use super::directory::{NOT_A_DIVISION, known};
use super::search::{Keys, Sought};
use crate::domain::division::Code;
use crate::domain::graduate_school::{GraduateSchool, GraduateSchoolAdded, Kind};
use crate::domain::id::GraduateSchoolId;
use crate::domain::name::Name;

/// Fed by the service's own events.
pub struct GraduateSchools;

#[eventbus::async_trait]
impl View for GraduateSchools {
    fn name(&self) -> &'static str {
        "graduate_schools"
    }

    fn schema(&self) -> &'static str {
        include_str!("graduate_schools.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["graduate_school"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<wire::GraduateSchoolAdded>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            let GraduateSchoolAdded(school) = known(event)?;
            let Keys { initials, pairs } = Keys::of(school.name.as_str());
            sqlx::query(
                "INSERT INTO graduate_school (school_id, province, name, kind, initials, pairs) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(school.id.0)
            .bind(school.province.map_or(String::new(), |province| province.as_str()[..2].to_owned()))
            .bind(school.name.as_str())
            .bind(school.kind.as_str())
            .bind(initials)
            .bind(pairs)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

/// Graduate schools as the view's table holds them. Clones are the same.
#[derive(Clone, Debug)]
pub struct GraduateSchoolList {
    pool: PgPool,
}

impl GraduateSchoolList {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Those of a province, or all where it is empty, that are sought, by province and name, after a place.
    pub async fn list(
        &self,
        province: &str,
        sought: &Sought,
        after: (&str, &str),
        limit: usize,
    ) -> Result<Vec<GraduateSchool>, LoadError> {
        let mut query = QueryBuilder::new("SELECT school_id, province, name, kind FROM graduate_school WHERE ");
        query.push("(province, name) > (").push_bind(after.0).push(", ").push_bind(after.1).push(")");
        if !province.is_empty() {
            query.push(" AND province = ").push_bind(province);
        }
        sought.narrow(&mut query);
        query.push(" ORDER BY province, name LIMIT ").push_bind(i64::try_from(limit)?);
        let rows: Vec<(Uuid, String, String, String)> =
            query.build_query_as().persistent(false).fetch_all(&self.pool).await?;
        let schools = rows.into_iter().map(|(id, province, name, kind)| {
            let province = match province.as_str() {
                "" => None,
                province => Some(Code::parse(province).ok_or(NOT_A_DIVISION)?),
            };
            let (id, name, kind) = (GraduateSchoolId(id), Name::recorded(name), Kind::recorded(kind));
            Ok(GraduateSchool { id, name, province, kind })
        });
        schools.collect()
    }
}
