//! Use cases: load, decide, append; again when somebody else was faster.

pub mod plans;
pub mod slots;

use decider::Decider;
use eventlog::{Append, AppendError, Claim, Division, EventLog, NewEvent, Remembered, RequestKey};
use lifecycle::ids;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::agency::{self, AddAgency, Agency};
use crate::domain::division::{Code, Division as Place};
use crate::domain::id::{AgencyId, PointId, SchoolId};
use crate::domain::name::Name;
use crate::domain::officer::Officer;
use crate::domain::point::{self, AddPoint, Point, Site};
use crate::domain::school::{self, AddSchool, Kind, School};
use crate::error::Error;
use crate::store::{Aggregates, Stored};

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
        responsible(&asked.officer, code, "division", &code)?;
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
        let agency = self.agency(&asked.officer, agency).await?;
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
        let command = AddPoint { id, agency: self.agency(&asked.officer, agency).await?, name, site };
        let added = point::Decisions::decide(&point::State::Empty, command).map_err(Error::Point)?;
        let mut decided = Decided::new(id.0, &added, added[0].0.division);
        decided.claims.push(Claim::Take { kind: "point", key });
        let appended = self.append(asked, decided, answer(&added[0].0)).await;
        appended.map_err(|error| match error {
            AppendError::ClaimTaken { .. } => Error::Point(point::Rejection::PointExists),
            error => error.into(),
        })
    }

    /// An agency that the officer is responsible for; `None` when there is none of that id.
    async fn agency(&self, officer: &Officer, id: AgencyId) -> Result<Option<Agency>, Error> {
        let agency = self.aggregates.agency(id.0).await?.agency();
        if let Some(agency) = &agency {
            responsible(officer, agency.division, "agency", &id)?;
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

impl Decided {
    /// Events of a new stream.
    fn new<E: Stored>(stream: Uuid, events: &[E], division: Code) -> Self {
        let events = events.iter().map(|event| event.write(stream)).collect();
        Self { stream, version: 0, events, division, claims: Vec::new(), not_after: None, cause: None }
    }
}

fn responsible(officer: &Officer, division: Code, kind: &'static str, name: &dyn ToString) -> Result<(), Error> {
    if officer.is_responsible_for(division) { Ok(()) } else { Err(Error::NotFound { kind, name: name.to_string() }) }
}
