//! Which plans there are and how far they have come; the plans themselves are kept in memory as their events tell them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use eventbus::{Event, LoadError, View, ViewError};
use proto::scheduling::v1::{
    AgencyJoined, PlanFinished, PlanPublished, PointAssigned, WindowCancelled, WindowClosed, WindowExtended,
    WindowOpened,
};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::division::Code;
use crate::domain::id::PlanId;
use crate::domain::plan::State;
use crate::domain::point::Point;
use crate::domain::slot::Dates;
use crate::store::{Aggregates, PlanAt};

/// Name of the view.
pub const PLANS: &str = "plans";

/// Fed by the service's own events.
pub struct PlanIndex;

#[eventbus::async_trait]
impl View for PlanIndex {
    fn name(&self) -> &'static str {
        PLANS
    }

    fn schema(&self) -> &'static str {
        include_str!("plans.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["plan"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<PlanPublished>()
            || event.is::<PlanFinished>()
            || event.is::<AgencyJoined>()
            || event.is::<WindowOpened>()
            || event.is::<WindowExtended>()
            || event.is::<WindowClosed>()
            || event.is::<WindowCancelled>()
            || event.is::<PointAssigned>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let mut versions: HashMap<Uuid, i64> = HashMap::new();
        for event in events {
            if event.is::<PlanPublished>() {
                let PlanPublished { province, .. } = event.decode()?;
                sqlx::query("INSERT INTO plan (plan_id, province, published, version) VALUES ($1, $2, $3, $4)")
                    .bind(event.stream)
                    .bind(province)
                    .bind(event.position)
                    .bind(event.version)
                    .execute(&mut *tx)
                    .await?;
            }
            versions.insert(event.stream, event.version);
        }
        let (plans, versions): (Vec<Uuid>, Vec<i64>) = versions.into_iter().unzip();
        sqlx::query(
            "UPDATE plan SET version = newer.version FROM unnest($1::uuid[], $2::bigint[]) AS newer (plan_id, version) \
             WHERE plan.plan_id = newer.plan_id",
        )
        .bind(plans)
        .bind(versions)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// All plans.
#[derive(Debug, Default)]
pub struct Plans {
    by_id: HashMap<PlanId, Arc<PlanAt>>,
    newest: HashMap<Code, PlanId>,
    /// By the position of their publication.
    published: BTreeMap<i64, PlanId>,
}

impl Plans {
    /// Loads what the view names and is not in memory yet.
    pub async fn load(pool: PgPool, aggregates: Aggregates) -> Result<Self, LoadError> {
        let rows: Vec<(Uuid, String, i64, i64)> =
            sqlx::query_as("SELECT plan_id, province, version, published FROM plan ORDER BY published")
                .fetch_all(&pool)
                .await?;
        let mut plans = Self::default();
        for (id, province, version, published) in rows {
            let id = PlanId(id);
            let province = Code::parse(&province).ok_or("the view holds a code that is no province")?;
            plans.by_id.insert(id, aggregates.plan_since(id, version).await?);
            plans.newest.insert(province, id);
            plans.published.insert(published, id);
        }
        Ok(plans)
    }

    /// By id.
    pub fn find(&self, id: PlanId) -> Option<&PlanAt> {
        self.by_id.get(&id).map(Arc::as_ref)
    }

    /// The one that a province published last.
    pub fn current(&self, province: Code) -> Option<&PlanAt> {
        self.newest.get(&province).and_then(|id| self.find(*id))
    }

    /// All of them with the position of their publication, newest first, before a position.
    pub fn newest_first(&self, before: Option<i64>) -> impl Iterator<Item = (i64, &State)> {
        let published = self.published.range(..before.unwrap_or(i64::MAX)).rev();
        published.filter_map(|(position, id)| Some((*position, &self.find(*id)?.state)))
    }

    /// When a point confirms, by the current plan of its province.
    pub fn dates(&self, point: &Point) -> Option<Dates> {
        self.current(point.division.province())?.state.dates(point)
    }
}
