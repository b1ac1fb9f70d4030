//! Aggregates as the log tells them; plans are long, so their newest state is remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use decider::Decider;
use eventlog::{EventLog, Recorded};
use uuid::Uuid;

use super::Stored;
use crate::domain::id::PlanId;
use crate::domain::{agency, plan, point, school};
use crate::error::Error;

/// A plan and the version of its stream.
#[derive(Debug, Default)]
pub struct PlanAt {
    /// Version of the stream.
    pub version: i64,
    /// What it leads to.
    pub state: plan::State,
}

/// Reads aggregates. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct Aggregates {
    log: EventLog,
    plans: Arc<Mutex<HashMap<PlanId, Arc<PlanAt>>>>,
}

impl Aggregates {
    /// Over this log.
    pub fn new(log: EventLog) -> Self {
        Self { log, plans: Arc::default() }
    }

    /// An agency.
    pub async fn agency(&self, id: Uuid) -> Result<agency::State, Error> {
        self.load::<agency::Decisions>(id).await
    }

    /// A confirmation point.
    pub async fn point(&self, id: Uuid) -> Result<point::State, Error> {
        self.load::<point::Decisions>(id).await
    }

    /// A school.
    pub async fn school(&self, id: Uuid) -> Result<school::State, Error> {
        self.load::<school::Decisions>(id).await
    }

    /// A plan: only what happened since the last time is read.
    pub async fn plan(&self, id: PlanId) -> Result<Arc<PlanAt>, Error> {
        let remembered = self.remembered(id);
        let news = self.log.load_after(id.0, remembered.version).await?;
        let Some(last) = news.last() else { return Ok(remembered) };
        let at = PlanAt { version: last.version, state: fold::<plan::Decisions>(remembered.state.clone(), &news)? };
        let at = Arc::new(at);
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

    async fn load<D: Decider<Event: Stored>>(&self, stream: Uuid) -> Result<D::State, Error> {
        fold::<D>(D::State::default(), &self.log.load(stream).await?)
    }
}

fn fold<D: Decider<Event: Stored>>(state: D::State, recorded: &[Recorded]) -> Result<D::State, Error> {
    recorded.iter().try_fold(state, |state, recorded| {
        let event = D::Event::read(&recorded.kind, &recorded.payload);
        let event = event.ok_or(Error::Corrupt { position: recorded.position })?;
        Ok(D::evolve(state, &event))
    })
}
