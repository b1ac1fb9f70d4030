//! Schools, points and agencies of scheduling: which division each unit that a role is granted for lies in.

use std::collections::BTreeMap;

use eventbus::{Event, NotReady, Reference, View, ViewError};
use proto::scheduling::v1::{AgencyAdded, PointAdded, SchoolAdded};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::role::Division;
use crate::domain::unit::{Kind, Unit};
use crate::error::Error;

/// Name of the feed.
pub const NAME: &str = "units";

/// The view; half a million schools stay in its table.
#[derive(Clone, Copy, Debug)]
pub struct UnitsView;

/// Its query.
#[derive(Clone)]
pub struct Units {
    pool: PgPool,
    /// Whether the directory has ever been complete; `None` for commands, which ask for no unit.
    complete: Option<Reference<()>>,
}

impl Units {
    /// Over the service's own database, for commands.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, complete: None }
    }

    /// The same, which knows when it knows all.
    #[must_use]
    pub fn completed_by(self, complete: Reference<()>) -> Self {
        Self { complete: Some(complete), ..self }
    }

    /// A unit; an error as long as it may exist although it is not known.
    pub async fn find(&self, unit: Uuid) -> Result<Option<Unit>, Error> {
        let query = sqlx::query_as("SELECT kind, division FROM views.directory_unit WHERE unit_id = $1");
        let row: Option<(i16, String)> = query.bind(unit).fetch_optional(&self.pool).await?;
        let unit =
            row.and_then(|(kind, division)| Some(Unit { kind: read(kind)?, division: Division::parse(&division)? }));
        if unit.is_none() {
            self.complete.as_ref().ok_or(NotReady).and_then(Reference::require).map_err(|NotReady| Error::NotReady)?;
        }
        Ok(unit)
    }
}

impl std::fmt::Debug for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Units")
    }
}

#[eventbus::async_trait]
impl View for UnitsView {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS directory_unit (unit_id uuid PRIMARY KEY, kind smallint NOT NULL, division text NOT NULL)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["directory_unit"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<AgencyAdded>() || event.is::<PointAdded>() || event.is::<SchoolAdded>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let mut units = BTreeMap::new();
        for event in events {
            let found = if event.is::<AgencyAdded>() {
                event.decode::<AgencyAdded>()?.agency.map(|agency| (Kind::Agency, agency.agency_id, agency.division))
            } else if event.is::<PointAdded>() {
                event.decode::<PointAdded>()?.point.map(|point| (Kind::Point, point.point_id, point.division))
            } else {
                event.decode::<SchoolAdded>()?.school.map(|school| (Kind::School, school.school_id, school.division))
            };
            let named = found.and_then(|(kind, id, division)| Some((Uuid::try_parse(&id).ok()?, (kind, division))));
            let (id, unit) = named.ok_or_else(|| {
                ViewError::Contradiction(format!("the unit at position {} cannot be read", event.position))
            })?;
            units.insert(id, unit);
        }
        insert(tx, units).await?;
        Ok(())
    }
}

async fn insert(tx: &mut PgConnection, units: BTreeMap<Uuid, (Kind, String)>) -> Result<(), sqlx::Error> {
    if units.is_empty() {
        return Ok(());
    }
    let (ids, units): (Vec<Uuid>, Vec<(Kind, String)>) = units.into_iter().unzip();
    let (kinds, divisions): (Vec<i16>, Vec<String>) =
        units.into_iter().map(|(kind, division)| (code(kind), division)).unzip();
    sqlx::query(
        "INSERT INTO directory_unit (unit_id, kind, division) SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[]) \
         ON CONFLICT (unit_id) DO UPDATE SET kind = excluded.kind, division = excluded.division",
    )
    .bind(ids)
    .bind(kinds)
    .bind(divisions)
    .execute(tx)
    .await
    .map(drop)
}

fn code(kind: Kind) -> i16 {
    match kind {
        Kind::School => 1,
        Kind::Point => 2,
        Kind::Agency => 3,
    }
}

fn read(code: i16) -> Option<Kind> {
    [Kind::School, Kind::Point, Kind::Agency].into_iter().find(|kind| self::code(*kind) == code)
}
