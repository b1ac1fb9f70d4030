//! Use cases: load, decide, append; again when somebody else was faster.

pub mod slots;

use decider::Decider;
use eventlog::{Append, AppendError, Claim, Division, EventLog, NewEvent, Remembered, RequestKey};
use lifecycle::{clock, ids};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::agency::{self, AddAgency, Agency};
use crate::domain::division::{Code, Division as Place};
use crate::domain::id::{AgencyId, PlanId, PointId, SchoolId, WindowId};
use crate::domain::name::Name;
use crate::domain::officer::Officer;
use crate::domain::plan::{self, Assignment, Command, Event, Plan};
use crate::domain::point::{self, AddPoint, Point, Site};
use crate::domain::school::{self, AddSchool, Kind, School};
use crate::error::Error;
use crate::store::{Aggregates, PlanAt, Stored};

/// Attempts at a command while others change the same stream.
const ATTEMPTS: usize = 5;

/// Who asks, and by which request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub officer: Officer,
    /// Made by the caller; the same request has one effect.
    pub request_id: Uuid,
    /// What tells it from another request of the same id.
    pub fingerprint: [u8; 32],
}

/// What is answered, and where the log stood afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The encoded answer: the first one, when the request came again.
    pub answer: Vec<u8>,
    /// Position of the last event.
    pub position: i64,
    /// It had been answered before.
    pub repeated: bool,
}

/// A change of a plan, before it is known what it means there.
#[derive(Clone, Debug)]
pub enum Change {
    /// Ends it.
    Finish,
    /// 是否参加, 是否开通网报
    Join {
        /// Which agency.
        agency: AgencyId,
        /// 是否参加
        join_in: bool,
        /// 是否开通网报
        is_open: bool,
    },
    /// A new window.
    Open {
        /// Whose.
        agency: AgencyId,
        /// First instant inside.
        begin: OffsetDateTime,
        /// First instant after.
        end: OffsetDateTime,
        /// Grace after the end.
        grace_minutes: u32,
    },
    /// A later end.
    Extend {
        /// Of which window.
        window: WindowId,
        /// The end.
        end: OffsetDateTime,
    },
    /// An earlier end.
    Close {
        /// Of which window.
        window: WindowId,
        /// The end.
        end: OffsetDateTime,
    },
    /// 确认点安排
    Assign(Assignment),
}

/// The use cases. Clones share everything.
///
/// What only adds is decided on nothing, and the log says whether the place was free, or the request answered before:
/// that takes no reading ahead.
#[derive(Clone, Debug)]
pub struct Handle {
    log: EventLog,
    aggregates: Aggregates,
}

/// What is recorded together.
struct Decided {
    stream: Uuid,
    version: i64,
    events: Vec<(String, Vec<u8>)>,
    division: Code,
    claims: Vec<Claim>,
    not_after: Option<OffsetDateTime>,
    /// The event that it reacts to.
    cause: Option<Uuid>,
}

impl Handle {
    /// Over this log.
    pub fn new(log: EventLog, aggregates: Aggregates) -> Self {
        Self { log, aggregates }
    }

    /// Adds the authority of a division.
    pub async fn add_agency(
        &self,
        asked: &Asked,
        division: &'static Place,
        name: Name,
        answer: fn(&Agency) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let code = division.code();
        responsible(asked, code, "division", &code)?;
        let command = AddAgency { division, name };
        let added = agency::Decisions::decide(&agency::State::Empty, command).map_err(Error::Agency)?;
        let decided = Decided::new(AgencyId::of(code).0, &added, code);
        let appended = self.append(asked, decided, answer(&added[0].0)).await;
        appended.map_err(|error| match error {
            // The stream is the claim that a division has one authority.
            AppendError::VersionConflict { .. } => Error::Agency(agency::Rejection::AgencyExists),
            error => error.into(),
        })
    }

    /// Adds a school.
    pub async fn add_school(
        &self,
        asked: &Asked,
        (name, division, kind): (Name, Code, Kind),
        agency: AgencyId,
        answer: fn(&School) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let agency = self.agency(asked, agency).await?;
        let id = SchoolId(ids::random());
        let key = [division.as_str(), name.as_str()].join("/").into_bytes();
        let command = AddSchool { id, name, division, agency, kind };
        let added = school::Decisions::decide(&school::State::Empty, command).map_err(Error::School)?;
        let mut decided = Decided::new(id.0, &added, division);
        decided.claims.push(Claim::Take { kind: "school", key });
        let appended = self.append(asked, decided, answer(&added[0].0)).await;
        appended.map_err(|error| match error {
            AppendError::ClaimTaken { .. } => Error::School(school::Rejection::SchoolExists),
            error => error.into(),
        })
    }

    /// Adds a confirmation point.
    pub async fn add_point(
        &self,
        asked: &Asked,
        agency: AgencyId,
        name: Name,
        school: Option<SchoolId>,
        answer: fn(&Point) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let site = match school {
            None => Site::Office,
            Some(school) => self.aggregates.school(school.0).await?.school().map_or(Site::UnknownSchool, Site::School),
        };
        let id = PointId(ids::random());
        let key = format!("{agency}/{name}").into_bytes();
        let command = AddPoint { id, agency: self.agency(asked, agency).await?, name, site };
        let added = point::Decisions::decide(&point::State::Empty, command).map_err(Error::Point)?;
        let mut decided = Decided::new(id.0, &added, added[0].0.division);
        decided.claims.push(Claim::Take { kind: "point", key });
        let appended = self.append(asked, decided, answer(&added[0].0)).await;
        appended.map_err(|error| match error {
            AppendError::ClaimTaken { .. } => Error::Point(point::Rejection::PointExists),
            error => error.into(),
        })
    }

    /// Publishes the plan of a province, which has one live plan at a time.
    pub async fn publish_plan(
        &self,
        asked: &Asked,
        province: Code,
        batch: String,
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        responsible(asked, province, "division", &province)?;
        let plan = PlanId(ids::random());
        let command = Command::PublishPlan { plan, province, batch };
        let events = plan::Decisions::decide(&plan::State::Empty, command).map_err(Error::Plan)?;
        let mut decided = Decided::new(plan.0, &events, province);
        decided.claims.push(Claim::Take { kind: LIVE_PLAN, key: province.as_str().into() });
        let appended = self.append(asked, decided, answer(&events)).await;
        appended.map_err(|error| match error {
            AppendError::ClaimTaken { .. } => Error::Plan(plan::Rejection::PlanExists),
            error => error.into(),
        })
    }

    /// Changes a plan.
    pub async fn change_plan(
        &self,
        asked: &Asked,
        plan: PlanId,
        change: Change,
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        if let Some(answered) = self.remembered(asked).await? {
            return Ok(answered);
        }
        let mut now = clock::now();
        for _ in 0..ATTEMPTS {
            let at = self.aggregates.plan(plan).await?;
            let (division, command) = self.place(asked, &at, &change, now).await?;
            let not_after = at.state.deadline(&command);
            let events = plan::Decisions::decide(&at.state, command).map_err(Error::Plan)?;
            let mut decided = Decided::new(plan.0, &events, division);
            (decided.version, decided.not_after) = (at.version, not_after);
            if events.contains(&Event::PlanFinished) {
                decided.claims.push(Claim::Release { kind: LIVE_PLAN, key: division.as_str().into() });
            }
            match self.append(asked, decided, answer(&events)).await {
                Ok(answered) => return Ok(answered),
                Err(AppendError::VersionConflict { .. }) => {}
                // By PostgreSQL's clock it is later: decide again by that.
                Err(AppendError::TooLate { now: later, .. }) => now = later,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// What a change means for this plan, and whose division it concerns; not found when that is out of reach.
    async fn place(
        &self,
        asked: &Asked,
        at: &PlanAt,
        change: &Change,
        now: OffsetDateTime,
    ) -> Result<(Code, Command), Error> {
        let Some(plan) = at.state.plan() else { return Err(Error::Plan(plan::Rejection::UnknownPlan)) };
        let (agency, command) = match change.clone() {
            Change::Finish => {
                responsible(asked, plan.province, "plan", &plan.id)?;
                (None, Command::FinishPlan)
            }
            Change::Join { agency, join_in, is_open } => {
                let agency = self.agency(asked, agency).await?;
                (agency.clone(), Command::JoinAgency { agency, join_in, is_open })
            }
            Change::Open { agency, begin, end, grace_minutes } => {
                let window = WindowId(ids::random());
                let command = Command::OpenWindow { window, agency, begin, end, grace_minutes, now };
                (self.agency(asked, agency).await?, command)
            }
            Change::Extend { window, end } => {
                (self.agency_of(asked, plan, window).await?, Command::ExtendWindow { window, end, now })
            }
            Change::Close { window, end } => {
                (self.agency_of(asked, plan, window).await?, Command::CloseWindow { window, end, now })
            }
            Change::Assign(assignment) => {
                let point = self.aggregates.point(assignment.point.0).await?.point();
                let agency = match &point {
                    Some(point) => self.agency(asked, point.agency).await?,
                    None => None,
                };
                (agency, Command::AssignPoint { point, assignment })
            }
        };
        Ok((agency.map_or(plan.province, |agency| agency.division), command))
    }

    /// The agency that opened a window; `None` when the plan has no such window.
    async fn agency_of(&self, asked: &Asked, plan: &Plan, window: WindowId) -> Result<Option<Agency>, Error> {
        match plan.find_window(window) {
            Some((agency, _)) => self.agency(asked, agency).await,
            None => Ok(None),
        }
    }

    /// An agency that the officer is responsible for; `None` when there is none of that id.
    async fn agency(&self, asked: &Asked, id: AgencyId) -> Result<Option<Agency>, Error> {
        let agency = self.aggregates.agency(id.0).await?.agency();
        if let Some(agency) = &agency {
            responsible(asked, agency.division, "agency", &id)?;
        }
        Ok(agency)
    }

    async fn remembered(&self, asked: &Asked) -> Result<Option<Answered>, Error> {
        match self.log.remembered(&asked.officer.actor, asked.request_id, &asked.fingerprint).await? {
            None => Ok(None),
            Some(Remembered::Reused) => Err(Error::RequestIdReused),
            Some(Remembered::Answer { answer, position }) => Ok(Some(Answered { answer, position, repeated: true })),
        }
    }

    async fn append(&self, asked: &Asked, decided: Decided, answer: Vec<u8>) -> Result<Answered, AppendError> {
        let division = Division::parse(decided.division.as_str()).expect("a code is a division");
        let event = |(kind, payload)| NewEvent {
            event_id: ids::random(),
            kind,
            payload,
            inner: Vec::new(),
            sealed: Vec::new(),
            division,
        };
        let appended = self.log.append(Append {
            stream: decided.stream,
            expected_version: decided.version,
            events: decided.events.into_iter().map(event).collect(),
            actor: asked.officer.actor.clone(),
            request: Some(RequestKey { id: asked.request_id, fingerprint: asked.fingerprint, answer }),
            claims: decided.claims,
            not_after: decided.not_after,
            traceparent: telemetry::current_traceparent(),
            cause: decided.cause,
        });
        let appended = appended.await?;
        Ok(Answered { answer: appended.answer, position: appended.position, repeated: appended.repeated })
    }
}

/// Claim: a province has one live plan.
const LIVE_PLAN: &str = "live plan";

impl Decided {
    /// Events of a new stream.
    fn new<E: Stored>(stream: Uuid, events: &[E], division: Code) -> Self {
        let events = events.iter().map(|event| event.write(stream)).collect();
        Self { stream, version: 0, events, division, claims: Vec::new(), not_after: None, cause: None }
    }
}

fn responsible(asked: &Asked, division: Code, kind: &'static str, name: &dyn ToString) -> Result<(), Error> {
    if asked.officer.is_responsible_for(division) {
        Ok(())
    } else {
        Err(Error::NotFound { kind, name: name.to_string() })
    }
}
