//! Live roles of staff, for the lists of administrators. What decides is the person's stream, and in every service the authority.

use std::collections::HashMap;

use eventbus::{Event, View, ViewError};
use proto::identity::v1::{StaffRoleGranted, StaffRoleRevoked};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::role::Division;
use crate::store::account_event;

/// Name of the feed.
pub const NAME: &str = "grants";

/// The view, and its query.
#[derive(Clone, Debug)]
pub struct Grants {
    pool: PgPool,
}

/// A live role.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// Id of the grant.
    pub grant_id: Uuid,
    /// Who holds it.
    pub person: Uuid,
    /// Number of `dingzhu.identity.v1.Role`.
    pub role: i32,
    /// Six digits.
    pub division: String,
    /// School, point or agency.
    pub unit: Option<Uuid>,
    /// When it was granted.
    pub granted_at: OffsetDateTime,
    /// Position of its event.
    pub position: i64,
}

/// Which roles are listed; nothing set lists all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// First digits of the division.
    pub province: String,
    /// Who holds them.
    pub person: Option<Uuid>,
    /// Number of `dingzhu.identity.v1.Role`.
    pub role: Option<i32>,
    /// School, point or agency.
    pub unit: Option<Uuid>,
}

impl Grants {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Roles in divisions that one of `covering` covers, newest first, before a position.
    pub async fn list(
        &self,
        covering: &[Division],
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as(
            "SELECT grant_id, person, role, division, unit, granted_at, position FROM views.staff_grant
             WHERE division LIKE ANY($1) AND starts_with(division, $2) AND position < $3
               AND ($5::uuid IS NULL OR person = $5) AND ($6::integer IS NULL OR role = $6) AND ($7::uuid IS NULL OR unit = $7)
             ORDER BY position DESC LIMIT $4",
        )
        .bind(patterns(covering))
        .bind(&filter.province)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(filter.person)
        .bind(filter.role)
        .bind(filter.unit)
        .fetch_all(&self.pool)
        .await
    }
}

impl Grants {
    /// Person and id of every role that holds for a unit, in divisions that one of `covering` covers.
    pub async fn of_unit(&self, covering: &[Division], unit: Uuid) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
        sqlx::query_as(
            "SELECT person, grant_id FROM views.staff_grant WHERE unit = $1 AND division LIKE ANY($2) ORDER BY position",
        )
        .bind(unit)
        .bind(patterns(covering))
        .fetch_all(&self.pool)
        .await
    }
}

/// Everything below one of these divisions, for `LIKE`.
fn patterns(covering: &[Division]) -> Vec<String> {
    covering.iter().map(|division| format!("{}%", division.prefix())).collect()
}

#[eventbus::async_trait]
impl View for Grants {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS staff_grant (
             grant_id   uuid        PRIMARY KEY,
             person     uuid        NOT NULL,
             role       integer     NOT NULL,
             division   text        NOT NULL,
             unit       uuid,
             granted_at timestamptz NOT NULL,
             position   bigint      NOT NULL
         );
         CREATE INDEX IF NOT EXISTS staff_grant_newest ON staff_grant (position)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["staff_grant"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<StaffRoleGranted>() || event.is::<StaffRoleRevoked>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let (mut granted, mut revoked) = (HashMap::new(), Vec::new());
        for event in events {
            if event.is::<StaffRoleGranted>() {
                let row = row(event)?;
                granted.insert(row.grant_id, row);
            } else {
                let grant = Uuid::parse_str(&event.decode::<StaffRoleRevoked>()?.grant_id);
                let grant = grant.map_err(|_| unreadable(event))?;
                if granted.remove(&grant).is_none() {
                    revoked.push(grant);
                }
            }
        }
        insert(tx, granted.into_values().collect()).await?;
        if !revoked.is_empty() {
            sqlx::query("DELETE FROM staff_grant WHERE grant_id = ANY($1)").bind(revoked).execute(tx).await?;
        }
        Ok(())
    }
}

async fn insert(tx: &mut PgConnection, rows: Vec<Row>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO staff_grant (grant_id, person, role, division, unit, granted_at, position)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::uuid[], $6::timestamptz[], $7::bigint[])",
    )
    .bind(rows.iter().map(|row| row.grant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.person).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.role).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.division.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.unit).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.granted_at).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

fn row(event: &Event) -> Result<Row, ViewError> {
    let granted: StaffRoleGranted = event.decode()?;
    let grant = account_event::grant(&granted).ok_or_else(|| unreadable(event))?;
    Ok(Row {
        grant_id: grant.id,
        // The stream of a person's account and roles is the person.
        person: event.stream,
        role: granted.role,
        division: grant.scope.division.as_str().to_owned(),
        unit: grant.scope.unit,
        granted_at: event.recorded_at,
        position: event.position,
    })
}

fn unreadable(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("the role at position {} cannot be read", event.position))
}
