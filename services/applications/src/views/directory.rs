//! Agencies, points, plans, windows and assignments of scheduling: small, and kept in the memory of every replica.

use std::collections::BTreeMap;

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1 as scheduling;
use proto::types::v1::AgencyLevel;
use sqlx::{PgConnection, PgPool};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::directory::{Agency, Assignment, Directory, Plan, Point, Window};
use crate::domain::values::Level;
use crate::views::{id, incomplete};
use crate::wire::parse_stage;

/// Name of the feed.
pub const DIRECTORY: &str = "directory";

/// Fed by scheduling.
#[derive(Debug)]
pub struct DirectoryView;

#[eventbus::async_trait]
impl View for DirectoryView {
    fn name(&self) -> &'static str {
        DIRECTORY
    }

    fn schema(&self) -> &'static str {
        include_str!("directory.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["agency", "agency_name", "point", "subject", "plan", "agency_plan", "filing_window", "point_assignment"]
    }

    /// Half a million schools and the bookings of slots pass by without a word about agencies, points or plans.
    fn concerns(&self, event: &Event) -> bool {
        event.is::<scheduling::AgencyAdded>()
            || event.is::<scheduling::AgencyRenamed>()
            || event.is::<scheduling::AgencyAbolished>()
            || event.is::<scheduling::PointAdded>()
            || event.is::<scheduling::PointRenamed>()
            || event.is::<scheduling::PointClosed>()
            || event.is::<scheduling::SubjectAdded>()
            || event.is::<scheduling::SubjectSwitched>()
            || event.is::<scheduling::PlanPublished>()
            || event.is::<scheduling::PlanFinished>()
            || event.is::<scheduling::AgencyJoined>()
            || event.is::<scheduling::WindowOpened>()
            || event.is::<scheduling::WindowExtended>()
            || event.is::<scheduling::WindowClosed>()
            || event.is::<scheduling::WindowCancelled>()
            || event.is::<scheduling::PointAssigned>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let (mut agencies, mut points, mut changes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for event in events {
            if event.is::<scheduling::AgencyAdded>() {
                let added = event.decode::<scheduling::AgencyAdded>()?.agency.ok_or_else(|| incomplete(event))?;
                agencies.insert(id(event, &added.agency_id)?, added);
            } else if event.is::<scheduling::PointAdded>() {
                let added = event.decode::<scheduling::PointAdded>()?.point.ok_or_else(|| incomplete(event))?;
                points.insert(id(event, &added.point_id)?, (id(event, &added.agency_id)?, added.name));
            } else {
                changes.push(event);
            }
        }
        insert_agencies(tx, agencies).await?;
        insert_points(tx, points).await?;
        // Plans, and what is there already, change rarely: a statement each.
        for event in changes {
            if !changed_unit(tx, event).await? && !said_of_subject(tx, event).await? {
                plan(tx, event).await?;
            }
        }
        Ok(())
    }
}

/// Changes an agency or a point; false when the event is about something else.
async fn changed_unit(tx: &mut PgConnection, event: &Event) -> Result<bool, ViewError> {
    let query = if event.is::<scheduling::AgencyRenamed>() {
        let renamed: scheduling::AgencyRenamed = event.decode()?;
        sqlx::query(
            "INSERT INTO agency_name (agency_id, since, name) VALUES ($1, $2, $3) \
             ON CONFLICT (agency_id, since) DO UPDATE SET name = excluded.name",
        )
        .bind(id(event, &renamed.agency_id)?)
        .bind(day(event, &renamed.effective_date)?)
        .bind(renamed.name)
    } else if event.is::<scheduling::AgencyAbolished>() {
        let abolished: scheduling::AgencyAbolished = event.decode()?;
        sqlx::query("UPDATE agency SET abolished_on = $2 WHERE agency_id = $1")
            .bind(id(event, &abolished.agency_id)?)
            .bind(day(event, &abolished.effective_date)?)
    } else if event.is::<scheduling::PointRenamed>() {
        let renamed: scheduling::PointRenamed = event.decode()?;
        let query = sqlx::query("UPDATE point SET name = $2 WHERE point_id = $1");
        query.bind(id(event, &renamed.point_id)?).bind(renamed.name)
    } else if event.is::<scheduling::PointClosed>() {
        let closed: scheduling::PointClosed = event.decode()?;
        sqlx::query("UPDATE point SET closed = true WHERE point_id = $1").bind(id(event, &closed.point_id)?)
    } else {
        return Ok(false);
    };
    query.execute(tx).await?;
    Ok(true)
}

/// Keeps what a province says of a subject; false when the event is about something else.
async fn said_of_subject(tx: &mut PgConnection, event: &Event) -> Result<bool, ViewError> {
    let (province, stage, subject, on) = if event.is::<scheduling::SubjectAdded>() {
        let scheduling::SubjectAdded { province, stage, subject } = event.decode()?;
        (province, stage, subject, true)
    } else if event.is::<scheduling::SubjectSwitched>() {
        let scheduling::SubjectSwitched { province, stage, subject, on } = event.decode()?;
        (province, stage, subject, on)
    } else {
        return Ok(false);
    };
    sqlx::query(
        "INSERT INTO subject (province, stage, name, is_on) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (province, stage, name) DO UPDATE SET is_on = excluded.is_on",
    )
    .bind(province)
    .bind(stage)
    .bind(subject)
    .bind(on)
    .execute(tx)
    .await?;
    Ok(true)
}

async fn insert_agencies(
    tx: &mut PgConnection,
    agencies: BTreeMap<Uuid, scheduling::Agency>,
) -> Result<(), sqlx::Error> {
    if agencies.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO agency (agency_id, division, name, level, parent) \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::uuid[]) \
         ON CONFLICT (agency_id) DO UPDATE SET division = excluded.division, name = excluded.name, \
             level = excluded.level, parent = excluded.parent",
    )
    .bind(agencies.keys().copied().collect::<Vec<_>>())
    .bind(agencies.values().map(|agency| agency.division.clone()).collect::<Vec<_>>())
    .bind(agencies.values().map(|agency| agency.name.clone()).collect::<Vec<_>>())
    .bind(agencies.values().map(|agency| agency.level).collect::<Vec<_>>())
    .bind(agencies.values().map(|agency| Uuid::try_parse(&agency.parent_agency_id).ok()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_points(tx: &mut PgConnection, points: BTreeMap<Uuid, (Uuid, String)>) -> Result<(), sqlx::Error> {
    if points.is_empty() {
        return Ok(());
    }
    let (ids, (agencies, names)): (Vec<Uuid>, (Vec<Uuid>, Vec<String>)) = points.into_iter().unzip();
    sqlx::query(
        "INSERT INTO point (point_id, agency_id, name) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) \
         ON CONFLICT (point_id) DO UPDATE SET agency_id = excluded.agency_id, name = excluded.name",
    )
    .bind(ids)
    .bind(agencies)
    .bind(names)
    .execute(tx)
    .await?;
    Ok(())
}

async fn plan(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    if event.is::<scheduling::PlanPublished>() {
        let published: scheduling::PlanPublished = event.decode()?;
        sqlx::query("INSERT INTO plan (plan_id, province, finished, position) VALUES ($1, $2, false, $3)")
            .bind(id(event, &published.plan_id)?)
            .bind(published.province)
            .bind(event.position)
            .execute(tx)
            .await?;
    } else if event.is::<scheduling::PlanFinished>() {
        let finished: scheduling::PlanFinished = event.decode()?;
        let query = sqlx::query("UPDATE plan SET finished = true WHERE plan_id = $1");
        query.bind(id(event, &finished.plan_id)?).execute(tx).await?;
    } else if event.is::<scheduling::AgencyJoined>() {
        let joined: scheduling::AgencyJoined = event.decode()?;
        sqlx::query(
            "INSERT INTO agency_plan (plan_id, agency_id, joined, is_open) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (plan_id, agency_id) DO UPDATE SET joined = excluded.joined, is_open = excluded.is_open",
        )
        .bind(id(event, &joined.plan_id)?)
        .bind(id(event, &joined.agency_id)?)
        .bind(joined.join_in)
        .bind(joined.is_open)
        .execute(tx)
        .await?;
    } else if event.is::<scheduling::WindowOpened>() {
        let scheduling::WindowOpened { plan_id, agency_id, window } = event.decode()?;
        set_window(tx, event, &plan_id, &agency_id, window).await?;
    } else if event.is::<scheduling::WindowExtended>() {
        let scheduling::WindowExtended { plan_id, agency_id, window } = event.decode()?;
        set_window(tx, event, &plan_id, &agency_id, window).await?;
    } else if event.is::<scheduling::WindowClosed>() {
        let scheduling::WindowClosed { plan_id, agency_id, window } = event.decode()?;
        set_window(tx, event, &plan_id, &agency_id, window).await?;
    } else if event.is::<scheduling::WindowCancelled>() {
        let cancelled: scheduling::WindowCancelled = event.decode()?;
        let query = sqlx::query("DELETE FROM filing_window WHERE window_id = $1");
        query.bind(id(event, &cancelled.window_id)?).execute(tx).await?;
    } else if event.is::<scheduling::PointAssigned>() {
        let assigned: scheduling::PointAssigned = event.decode()?;
        let assignment = assigned.assignment.ok_or_else(|| incomplete(event))?;
        sqlx::query(
            "INSERT INTO point_assignment (plan_id, agency_id, point_id, begin_at, end_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (plan_id, point_id) DO UPDATE SET agency_id = excluded.agency_id, \
                 begin_at = excluded.begin_at, end_at = excluded.end_at",
        )
        .bind(id(event, &assigned.plan_id)?)
        .bind(id(event, &assigned.agency_id)?)
        .bind(id(event, &assignment.point_id)?)
        .bind(time(event, assignment.confirm_begin_time.as_ref())?)
        .bind(time(event, assignment.confirm_end_time.as_ref())?)
        .execute(tx)
        .await?;
    }
    Ok(())
}

async fn set_window(
    tx: &mut PgConnection,
    event: &Event,
    plan: &str,
    agency: &str,
    window: Option<scheduling::Window>,
) -> Result<(), ViewError> {
    let window = window.ok_or_else(|| incomplete(event))?;
    sqlx::query(
        "INSERT INTO filing_window (window_id, plan_id, agency_id, begin_at, end_at, grace_minutes, revision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (window_id) DO UPDATE SET begin_at = excluded.begin_at, end_at = excluded.end_at, \
             grace_minutes = excluded.grace_minutes, revision = excluded.revision",
    )
    .bind(id(event, &window.window_id)?)
    .bind(id(event, plan)?)
    .bind(id(event, agency)?)
    .bind(time(event, window.begin_time.as_ref())?)
    .bind(time(event, window.end_time.as_ref())?)
    .bind(window.grace_minutes)
    .bind(window.revision)
    .execute(tx)
    .await?;
    Ok(())
}

fn day(event: &Event, text: &str) -> Result<Date, ViewError> {
    rpc::parse_date("date", text, &mut rpc::Violations::new()).ok_or_else(|| incomplete(event))
}

fn time(event: &Event, timestamp: Option<&prost_types::Timestamp>) -> Result<OffsetDateTime, ViewError> {
    rpc::parse_timestamp("time", timestamp, &mut rpc::Violations::new()).ok_or_else(|| incomplete(event))
}

type AgencyRow = (Uuid, String, String, Option<Date>, i32, Option<Uuid>);

/// Reads all of it.
pub async fn load(pool: PgPool) -> Result<Directory, LoadError> {
    let mut directory = Directory::default();
    let agencies: Vec<AgencyRow> =
        sqlx::query_as("SELECT agency_id, division, name, abolished_on, level, parent FROM views.agency")
            .fetch_all(&pool)
            .await?;
    for (id, division, name, abolished_on, level, parent) in agencies {
        let level = match AgencyLevel::try_from(level)? {
            AgencyLevel::County => Some(Level::County),
            AgencyLevel::City => Some(Level::City),
            AgencyLevel::Province => Some(Level::Province),
            AgencyLevel::Centre | AgencyLevel::Unspecified => None,
        };
        let names = BTreeMap::from([(Date::MIN, name)]);
        directory.agencies.insert(id, Agency { division, names, abolished_on, level, parent });
    }
    let names: Vec<(Uuid, Date, String)> =
        sqlx::query_as("SELECT agency_id, since, name FROM views.agency_name").fetch_all(&pool).await?;
    for (id, since, name) in names {
        let agency = directory.agencies.get_mut(&id).ok_or("the view holds a name of no agency")?;
        agency.names.insert(since, name);
    }
    let points: Vec<(Uuid, Uuid, String, bool)> =
        sqlx::query_as("SELECT point_id, agency_id, name, closed FROM views.point").fetch_all(&pool).await?;
    let points = points.into_iter().map(|(id, agency, name, closed)| (id, Point { agency, name, closed }));
    directory.points = points.collect();
    let subjects: Vec<(String, i32, String, bool)> =
        sqlx::query_as("SELECT province, stage, name, is_on FROM views.subject").fetch_all(&pool).await?;
    for (province, stage, name, on) in subjects {
        let stage = parse_stage(stage).ok_or("the view holds an unknown stage")?;
        directory.subjects.insert((province, stage, name), on);
    }
    let plans: Vec<(Uuid, String, bool)> =
        sqlx::query_as("SELECT plan_id, province, finished FROM views.plan ORDER BY position").fetch_all(&pool).await?;
    directory.plans = plans.into_iter().map(|(id, province, finished)| (province, Plan { id, finished })).collect();
    let joined: Vec<(Uuid, Uuid, bool, bool)> =
        sqlx::query_as("SELECT plan_id, agency_id, joined, is_open FROM views.agency_plan").fetch_all(&pool).await?;
    for (plan, agency, joined, open) in joined {
        let known = directory.agency_plans.entry((plan, agency)).or_default();
        (known.joined, known.open) = (joined, open);
    }
    let windows: Vec<(Uuid, Uuid, Uuid, OffsetDateTime, OffsetDateTime, i32, i32)> = sqlx::query_as(
        "SELECT window_id, plan_id, agency_id, begin_at, end_at, grace_minutes, revision FROM views.filing_window \
         ORDER BY begin_at, window_id",
    )
    .fetch_all(&pool)
    .await?;
    for (id, plan, agency, begin, end, grace_minutes, revision) in windows {
        let (grace_minutes, revision) = (u32::try_from(grace_minutes)?, u32::try_from(revision)?);
        let known = directory.agency_plans.entry((plan, agency)).or_default();
        known.windows.push(Window { id, begin, end, grace_minutes, revision });
    }
    let assignments: Vec<(Uuid, Uuid, Uuid, OffsetDateTime, OffsetDateTime)> =
        sqlx::query_as("SELECT plan_id, agency_id, point_id, begin_at, end_at FROM views.point_assignment")
            .fetch_all(&pool)
            .await?;
    for (plan, agency, point, begin, end) in assignments {
        let known = directory.agency_plans.entry((plan, agency)).or_default();
        known.assignments.insert(point, Assignment { begin, end });
    }
    Ok(directory)
}
