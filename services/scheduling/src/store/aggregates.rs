//! Aggregates as the log tells them; plans are long, so their newest state is remembered, and so is where a point belongs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use decider::Decider;
use eventlog::{EventLog, Recorded};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Stored;
use crate::domain::division::Code;
use crate::domain::id::{AgencyId, PlanId, PointId, SchoolId};
use crate::domain::point::Point;
use crate::domain::slot::Slot;
use crate::domain::{agency, booking, capacity, graduate_school, plan, point, school, subject};
use crate::error::Error;

/// A plan and the version of its stream.
#[derive(Clone, Debug, Default)]
pub struct PlanAt {
    /// Version of the stream.
    pub version: i64,
    /// What it leads to.
    pub state: plan::State,
    /// Since when agencies do not file on line that were asked whether they do.
    pub stopped: BTreeMap<AgencyId, OffsetDateTime>,
}

impl PlanAt {
    /// After one more event.
    fn evolve(mut self, recorded: &Recorded) -> Result<Self, Error> {
        let event = plan::Event::read(&recorded.kind, &recorded.payload);
        let event = event.ok_or(Error::Corrupt { position: recorded.position })?;
        match &event {
            plan::Event::AgencyJoined { agency, join_in: true, is_open: true } => {
                self.stopped.remove(agency);
            }
            plan::Event::AgencyJoined { agency, .. } => {
                self.stopped.entry(*agency).or_insert(recorded.recorded_at);
            }
            plan::Event::PlanFinished => {
                for agency in self.state.plan().into_iter().flat_map(|plan| plan.agencies.keys()) {
                    self.stopped.entry(*agency).or_insert(recorded.recorded_at);
                }
            }
            plan::Event::PlanPublished { .. }
            | plan::Event::WindowOpened { .. }
            | plan::Event::WindowExtended { .. }
            | plan::Event::WindowClosed { .. }
            | plan::Event::WindowCancelled { .. }
            | plan::Event::PointAssigned { .. } => {}
        }
        let state = plan::Decisions::evolve(self.state, &event);
        Ok(Self { version: recorded.version, state, stopped: self.stopped })
    }
}

/// The state of a stream at a version.
#[derive(Debug)]
pub struct At<S> {
    /// Version of the stream; 0 where there is none.
    pub version: i64,
    /// What it leads to.
    pub state: S,
}

/// Reads aggregates. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Aggregates {
    log: EventLog,
    plans: Arc<Mutex<HashMap<PlanId, Arc<PlanAt>>>>,
    points: Arc<Mutex<HashMap<PointId, Point>>>,
}

impl Aggregates {
    /// Over this log.
    pub fn new(log: EventLog) -> Self {
        Self { log, plans: Arc::default(), points: Arc::default() }
    }

    /// An agency.
    pub async fn agency(&self, id: AgencyId) -> Result<At<agency::State>, Error> {
        self.load::<agency::Decisions>(id.0).await
    }

    /// Agencies: those of these that there are.
    pub async fn agencies(&self, ids: &[AgencyId]) -> Result<Vec<agency::Record>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let recorded = self.log.load_many(&ids).await?;
        let states = recorded.values().map(|recorded| fold::<agency::Decisions>(agency::State::Empty, recorded));
        let records: Result<Vec<_>, Error> = states.map(|state| Ok(state?.record())).collect();
        Ok(records?.into_iter().flatten().collect())
    }

    /// A confirmation point.
    pub async fn point(&self, id: PointId) -> Result<At<point::State>, Error> {
        self.load::<point::Decisions>(id.0).await
    }

    /// A confirmation point, read once: its place and its agency never change, its name may be an older one.
    pub async fn find_point(&self, id: PointId) -> Result<Option<Point>, Error> {
        let known = self.points.lock().expect("no holder of this lock panics").get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let point = self.point(id).await?.state.point();
        if let Some(point) = &point {
            self.points.lock().expect("no holder of this lock panics").insert(id, point.clone());
        }
        Ok(point)
    }

    /// What a province has said of subjects.
    pub async fn subjects(&self, province: Code) -> Result<At<subject::State>, Error> {
        self.load::<subject::Decisions>(subject::stream(province)).await
    }

    /// How many graduate schools a person has added.
    pub async fn graduate_schools_of(&self, person: Uuid) -> Result<At<graduate_school::State>, Error> {
        self.load::<graduate_school::Decisions>(graduate_school::stream(person)).await
    }

    /// The capacity of a slot.
    pub async fn capacity(&self, slot: &Slot) -> Result<At<capacity::State>, Error> {
        self.load::<capacity::Decisions>(slot.stream()).await
    }

    /// A booking.
    pub async fn booking(&self, stream: Uuid) -> Result<At<booking::State>, Error> {
        self.load::<booking::Decisions>(stream).await
    }

    /// A school.
    pub async fn school(&self, id: SchoolId) -> Result<At<school::State>, Error> {
        self.load::<school::Decisions>(id.0).await
    }

    /// A plan: only what happened since the last time is read.
    pub async fn plan(&self, id: PlanId) -> Result<Arc<PlanAt>, Error> {
        let remembered = self.remembered(id);
        let news = self.log.load_after(id.0, remembered.version).await?;
        if news.is_empty() {
            return Ok(remembered);
        }
        let at = Arc::new(news.iter().try_fold(PlanAt::clone(&remembered), PlanAt::evolve)?);
        // Two readers at once may come in any order: the newer state stays.
        let mut plans = self.plans.lock().expect("no holder of this lock panics");
        let kept = plans.entry(id).or_default();
        if kept.version < at.version {
            *kept = Arc::clone(&at);
        }
        Ok(at)
    }

    /// A plan at this version or a later one, without reading the log when it is remembered.
    pub async fn plan_since(&self, id: PlanId, version: i64) -> Result<Arc<PlanAt>, Error> {
        let remembered = self.remembered(id);
        if remembered.version >= version { Ok(remembered) } else { self.plan(id).await }
    }

    fn remembered(&self, id: PlanId) -> Arc<PlanAt> {
        let plans = self.plans.lock().expect("no holder of this lock panics");
        plans.get(&id).cloned().unwrap_or_default()
    }

    async fn load<D: Decider<Event: Stored>>(&self, stream: Uuid) -> Result<At<D::State>, Error> {
        let recorded = self.log.load(stream).await?;
        let version = recorded.last().map_or(0, |last| last.version);
        Ok(At { version, state: fold::<D>(D::State::default(), &recorded)? })
    }
}

fn fold<D: Decider<Event: Stored>>(state: D::State, recorded: &[Recorded]) -> Result<D::State, Error> {
    recorded.iter().try_fold(state, |state, recorded| {
        let event = D::Event::read(&recorded.kind, &recorded.payload);
        let event = event.ok_or(Error::Corrupt { position: recorded.position })?;
        Ok(D::evolve(state, &event))
    })
}
