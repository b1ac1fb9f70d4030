//! Use cases of agencies, points, schools, subjects and graduate schools: what is added, renamed, moved and ended.

use std::future::Future;
use std::sync::Arc;

use decider::Decider;
use eventlog::{AppendError, Claim};
use lifecycle::{clock, ids};
use time::Date;
use uuid::Uuid;

use super::{ATTEMPTS, Answered, Asked, Decided, Handle, responsible};
use crate::domain::agency::{self, Agency, Successor};
use crate::domain::division::{Code, Division, Divisions};
use crate::domain::graduate_school::{self, AddGraduateSchool, GraduateSchool};
use crate::domain::id::{AgencyId, GraduateSchoolId, PointId, SchoolId};
use crate::domain::name::Name;
use crate::domain::officer::Officer;
use crate::domain::point::{self, Point};
use crate::domain::school::{self, Kind, School};
use crate::domain::touch::Touch;
use crate::domain::window::Window;
use crate::domain::{shanghai, subject};
use crate::error::Error;
use crate::store::{PlanAt, taken};

/// A change of an agency.
#[derive(Clone, Debug)]
pub enum AgencyChange {
    /// 更名
    Rename {
        /// Its full name.
        name: Name,
        /// First day of the name.
        since: Date,
    },
    /// 撤销
    Abolish {
        /// First day without it.
        on: Date,
        /// Who goes on.
        successor: Option<AgencyId>,
    },
}

/// A change of a school.
#[derive(Clone, Debug)]
pub enum SchoolChange {
    /// 更名
    Rename(Name),
    /// 变更隶属
    Move(AgencyId),
    /// 撤销, 停办
    Close,
}

impl Handle {
    /// Adds the authority of a division.
    pub async fn add_agency(
        &self,
        asked: &Asked,
        division: &'static Division,
        name: Name,
        answer: fn(&Agency) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let code = division.code();
        responsible(&asked.officer, code, "division", &code)?;
        let command = agency::Command::AddAgency { division, name };
        let events = agency::Decisions::decide(&agency::State::Empty, command).map_err(Error::Agency)?;
        let [agency::Event::AgencyAdded(added)] = &events[..] else { unreachable!("adding is one event") };
        let decided = Decided::new(AgencyId::of(code).0, &events, code);
        let appended = self.append(asked, decided, answer(added)).await;
        appended.map_err(|error| match error {
            // The stream is the claim that a division has one authority.
            AppendError::VersionConflict { .. } => Error::Agency(agency::Rejection::AgencyExists),
            error => error.into(),
        })
    }

    /// An agency as the log has it.
    pub async fn find_agency(&self, id: AgencyId) -> Result<Option<agency::Record>, Error> {
        Ok(self.aggregates.agency(id).await?.state.record())
    }

    /// Renames an agency, or ends it.
    pub async fn change_agency(&self, asked: &Asked, id: AgencyId, change: AgencyChange) -> Result<Answered, Error> {
        let change = &change;
        let attempt = || async move {
            let decided = self.decide_agency(&asked.officer, id, change).await?;
            self.append(asked, decided, Vec::new()).await.map_err(|error| match error {
                AppendError::ClaimTaken { .. } | AppendError::TooEarly { .. } => Error::Conflict,
                error => error.into(),
            })
        };
        self.again(asked, attempt).await
    }

    async fn decide_agency(&self, officer: &Officer, id: AgencyId, change: &AgencyChange) -> Result<Decided, Error> {
        let at = self.aggregates.agency(id).await?;
        let Some(record) = at.state.clone().record() else {
            return Err(Error::Agency(agency::Rejection::UnknownAgency));
        };
        let division = record.on(Date::MIN).division;
        responsible(officer, division, "agency", &id)?;
        let (mut not_before, mut claims) = (None, Vec::new());
        let command = match change.clone() {
            AgencyChange::Rename { name, since } => agency::Command::RenameAgency { name, since },
            AgencyChange::Abolish { on, successor } => {
                claims.push(taken::next_turn(id, taken::last_turn(&self.log, id).await?));
                let plan = self.live_plan(division).await?;
                let joined = plan.as_ref().and_then(|at| at.state.plan()?.agencies.get(&id));
                let (windows, now) = (joined.map(|joined| joined.windows.clone()).unwrap_or_default(), clock::now());
                // What is taken for over is over by the log's clock, too.
                not_before = windows.iter().map(Window::end_with_grace).filter(|over| *over <= now).max();
                let successor = self.successor(successor).await?;
                let has_others_below = self.has_others_below(division, on).await?;
                agency::Command::AbolishAgency { on, successor, has_others_below, windows, now }
            }
        };
        let events = agency::Decisions::decide(&at.state, command).map_err(Error::Agency)?;
        if events.is_empty() {
            claims.clear();
        }
        Ok(Decided { version: at.version, not_before, claims, ..Decided::new(id.0, &events, division) })
    }

    /// Whom the end of an agency would touch if it were recorded now, `None` where it is so already; refused as the end itself.
    pub async fn preview_end(
        &self,
        officer: &Officer,
        id: AgencyId,
        on: Date,
        successor: Option<AgencyId>,
    ) -> Result<Option<Touch>, Error> {
        let decided = self.decide_agency(officer, id, &AgencyChange::Abolish { on, successor }).await?;
        if decided.events.is_empty() {
            return Ok(None);
        }
        let plan = self.live_plan(decided.division).await?;
        Ok(Some(Touch::of_the_end(id, plan.as_ref().and_then(|at| at.state.plan()))))
    }

    /// The plan of a province that goes on.
    async fn live_plan(&self, division: Code) -> Result<Option<Arc<PlanAt>>, Error> {
        match taken::live_plan(&self.log, division.province()).await? {
            Some(plan) => self.aggregates.plan(plan).await.map(Some),
            None => Ok(None),
        }
    }

    async fn successor(&self, id: Option<AgencyId>) -> Result<Successor, Error> {
        let Some(id) = id else { return Ok(Successor::None) };
        let known = self.find_agency(id).await?;
        Ok(known.map_or(Successor::Unknown, Successor::Known))
    }

    /// Whether an authority right below that of a division is there on a day.
    async fn has_others_below(&self, division: Code, day: Date) -> Result<bool, Error> {
        let tree = Divisions::national();
        let is_below = |other: &&&Division| tree.authority_above(other).is_some_and(|above| above.code() == division);
        let divisions = tree.with_authority();
        let below: Vec<AgencyId> = divisions.iter().filter(is_below).map(|other| AgencyId::of(other.code())).collect();
        Ok(self.aggregates.agencies(&below).await?.iter().any(|record| !record.is_abolished_on(day)))
    }

    /// Adds a school.
    pub async fn add_school(
        &self,
        asked: &Asked,
        what: (Name, Code, Kind),
        agency: AgencyId,
        answer: fn(&School) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        self.unless_answered(asked, self.new_school(asked, what, agency, answer)).await
    }

    async fn new_school(
        &self,
        asked: &Asked,
        (name, division, kind): (Name, Code, Kind),
        agency: AgencyId,
        answer: fn(&School) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let agency = self.active_agency(&asked.officer, agency).await?;
        let command = school::Command::AddSchool { id: SchoolId(ids::random()), name, division, agency, kind };
        let events = school::Decisions::decide(&school::State::Empty, command).map_err(Error::School)?;
        let [school::Event::SchoolAdded(added)] = &events[..] else { unreachable!("adding is one event") };
        let mut decided = Decided::new(added.id.0, &events, division);
        decided.claims.push(take_school(division, &added.name));
        let appended = self.append(asked, decided, answer(added)).await;
        appended.map_err(school_exists)
    }

    /// Renames a school, moves it to another agency, or closes it.
    pub async fn change_school(&self, asked: &Asked, id: SchoolId, change: SchoolChange) -> Result<Answered, Error> {
        let change = &change;
        let attempt = || async move {
            let at = self.aggregates.school(id).await?;
            let Some(before) = at.state.clone().school() else {
                return Err(Error::School(school::Rejection::UnknownSchool));
            };
            self.agency(&asked.officer, before.agency).await?;
            let command = match change.clone() {
                SchoolChange::Rename(name) => school::Command::RenameSchool { name },
                SchoolChange::Move(agency) => {
                    school::Command::MoveSchool { agency: self.active_agency(&asked.officer, agency).await? }
                }
                SchoolChange::Close => school::Command::CloseSchool,
            };
            let events = school::Decisions::decide(&at.state, command).map_err(Error::School)?;
            let mut decided = Decided { version: at.version, ..Decided::new(id.0, &events, before.division) };
            for event in &events {
                match event {
                    school::Event::SchoolAdded(_) | school::Event::SchoolMoved { .. } => {}
                    school::Event::SchoolRenamed { name, .. } => decided
                        .claims
                        .extend([release_school(before.division, &before.name), take_school(before.division, name)]),
                    school::Event::SchoolClosed { .. } => {
                        decided.claims.push(release_school(before.division, &before.name));
                    }
                }
            }
            self.append(asked, decided, Vec::new()).await.map_err(school_exists)
        };
        self.again(asked, attempt).await
    }

    /// Adds a confirmation point.
    pub async fn add_point(
        &self,
        asked: &Asked,
        agency: AgencyId,
        (name, range): (Name, String),
        school: Option<SchoolId>,
        answer: fn(&Point) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        self.unless_answered(asked, self.new_point(asked, agency, (name, range), school, answer)).await
    }

    async fn new_point(
        &self,
        asked: &Asked,
        agency: AgencyId,
        (name, range): (Name, String),
        school: Option<SchoolId>,
        answer: fn(&Point) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let school = match school {
            None => None,
            Some(school) => Some(self.aggregates.school(school).await?.state),
        };
        let agency = self.active_agency(&asked.officer, agency).await?;
        let command = point::Command::AddPoint { id: PointId(ids::random()), agency, name, school, range };
        let events = point::Decisions::decide(&point::State::Empty, command).map_err(Error::Point)?;
        let [point::Event::PointAdded(added)] = &events[..] else { unreachable!("adding is one event") };
        let mut decided = Decided::new(added.id.0, &events, added.division);
        decided.claims.push(Claim::Take { kind: POINT, key: point_key(added.agency, &added.name) });
        let appended = self.append(asked, decided, answer(added)).await;
        appended.map_err(point_exists)
    }

    /// Renames a point, says whom it serves, or closes it.
    pub async fn change_point(&self, asked: &Asked, id: PointId, command: point::Command) -> Result<Answered, Error> {
        let command = &command;
        let attempt = || async move {
            let at = self.aggregates.point(id).await?;
            let Some(before) = at.state.clone().point() else {
                return Err(Error::Point(point::Rejection::UnknownPoint));
            };
            self.agency(&asked.officer, before.agency).await?;
            let events = point::Decisions::decide(&at.state, command.clone()).map_err(Error::Point)?;
            let mut decided = Decided { version: at.version, ..Decided::new(id.0, &events, before.division) };
            let release = || Claim::Release { kind: POINT, key: point_key(before.agency, &before.name) };
            for event in &events {
                match event {
                    point::Event::PointAdded(_) | point::Event::PointRangeSet { .. } => {}
                    point::Event::PointRenamed { name, .. } => {
                        let key = point_key(before.agency, name);
                        decided.claims.extend([release(), Claim::Take { kind: POINT, key }]);
                    }
                    point::Event::PointClosed { .. } => decided.claims.push(release()),
                }
            }
            self.append(asked, decided, Vec::new()).await.map_err(point_exists)
        };
        self.again(asked, attempt).await
    }

    /// Whom the end of a point would touch if it were recorded now, `None` where it is so already; refused as the end itself.
    pub async fn preview_closing(&self, officer: &Officer, id: PointId) -> Result<Option<Touch>, Error> {
        let state = self.aggregates.point(id).await?.state;
        let events = point::Decisions::decide(&state, point::Command::ClosePoint).map_err(Error::Point)?;
        if let Some(point) = state.point() {
            self.agency(officer, point.agency).await?;
        }
        Ok((!events.is_empty()).then_some(Touch::Point { point: id, dates: None }))
    }

    /// Whether a subject can be chosen in a province; `None` where there is none.
    pub async fn find_subject(
        &self,
        province: Code,
        stage: subject::Stage,
        subject: &subject::Subject,
    ) -> Result<Option<bool>, Error> {
        Ok(self.aggregates.subjects(province).await?.state.find(stage, subject))
    }

    /// Adds a subject of a province's own, or switches one off or on.
    pub async fn change_subjects(
        &self,
        asked: &Asked,
        province: Code,
        command: subject::Command,
    ) -> Result<Answered, Error> {
        let command = &command;
        let attempt = || async move {
            responsible(&asked.officer, province, "division", &province)?;
            let at = self.aggregates.subjects(province).await?;
            let events = subject::Decisions::decide(&at.state, command.clone()).map_err(Error::Subject)?;
            let stream = subject::stream(province);
            let decided = Decided { version: at.version, ..Decided::new(stream, &events, province) };
            Ok(self.append(asked, decided, Vec::new()).await?)
        };
        self.again(asked, attempt).await
    }

    /// Adds a school that a person graduated from.
    pub async fn add_graduate_school(
        &self,
        asked: &Asked,
        person: Uuid,
        (name, province, kind): (Name, Option<Code>, graduate_school::Kind),
        answer: fn(&GraduateSchool) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        let school = GraduateSchool { id: GraduateSchoolId(ids::random()), name, province, kind };
        let school = &school;
        let division = province.unwrap_or(Code::NATION);
        let attempt = || async move {
            let at = self.aggregates.graduate_schools_of(person).await?;
            let command = AddGraduateSchool(school.clone());
            let events = graduate_school::Decisions::decide(&at.state, command).map_err(Error::GraduateSchool)?;
            let stream = graduate_school::stream(person);
            let mut decided = Decided { version: at.version, ..Decided::new(stream, &events, division) };
            let key = [division.as_str(), school.name.as_str()].join("/").into_bytes();
            decided.claims.push(Claim::Take { kind: GRADUATE_SCHOOL, key });
            let appended = self.append(asked, decided, answer(school)).await;
            appended.map_err(|error| match error {
                AppendError::ClaimTaken { .. } => Error::GraduateSchool(graduate_school::Rejection::SchoolExists),
                error => error.into(),
            })
        };
        self.again(asked, attempt).await
    }

    /// An agency that the officer is responsible for, whatever has become of it; `None` when there is none of that id.
    pub(super) async fn agency(&self, officer: &Officer, id: AgencyId) -> Result<Option<Agency>, Error> {
        Ok(self.agency_record(officer, id).await?.map(|record| record.on(shanghai::day(clock::now())).clone()))
    }

    /// The same, refused once it is abolished.
    pub(super) async fn active_agency(&self, officer: &Officer, id: AgencyId) -> Result<Option<Agency>, Error> {
        let Some(record) = self.agency_record(officer, id).await? else { return Ok(None) };
        let agency = agency::active_on(&record, shanghai::day(clock::now())).map_err(Error::Agency)?;
        Ok(Some(agency.clone()))
    }

    /// The same, refused where it ends before a window of it is over; and the turn that it takes to give it that time.
    pub(super) async fn agency_during(
        &self,
        officer: &Officer,
        id: AgencyId,
        window: &Window,
    ) -> Result<(Option<Agency>, Option<Claim>), Error> {
        let turn = taken::next_turn(id, taken::last_turn(&self.log, id).await?);
        let Some(record) = self.agency_record(officer, id).await? else { return Ok((None, None)) };
        let today = shanghai::day(clock::now());
        let agency = agency::active_during(&record, today, window).map_err(Error::Agency)?;
        Ok((Some(agency.clone()), Some(turn)))
    }

    async fn agency_record(&self, officer: &Officer, id: AgencyId) -> Result<Option<agency::Record>, Error> {
        let record = self.find_agency(id).await?;
        if let Some(record) = &record {
            responsible(officer, record.on(Date::MIN).division, "agency", &id)?;
        }
        Ok(record)
    }

    /// A point that may get dates, refused once it is closed; `None` when there is none of that id.
    pub(super) async fn assignable_point(&self, id: PointId) -> Result<Option<Point>, Error> {
        match self.aggregates.point(id).await?.state {
            point::State::Empty => Ok(None),
            point::State::Open(point) => Ok(Some(point)),
            point::State::Closed(_) => Err(Error::Point(point::Rejection::PointAbolished)),
        }
    }

    /// The answer that a request got before, or what an attempt at it comes to: again while others change the same thing.
    async fn again<F>(&self, asked: &Asked, attempt: impl Fn() -> F) -> Result<Answered, Error>
    where
        F: Future<Output = Result<Answered, Error>>,
    {
        if let Some(answered) = self.remembered(asked).await? {
            return Ok(answered);
        }
        for _ in 0..ATTEMPTS {
            match attempt().await {
                Err(Error::Conflict) => {}
                done => return done,
            }
        }
        Err(Error::Conflict)
    }

    /// A request that was answered once is not refused for what has happened since.
    async fn unless_answered(
        &self,
        asked: &Asked,
        adding: impl Future<Output = Result<Answered, Error>>,
    ) -> Result<Answered, Error> {
        match adding.await {
            Err(refused @ (Error::Agency(_) | Error::Point(_) | Error::School(_))) => {
                self.remembered(asked).await?.ok_or(refused)
            }
            answered => answered,
        }
    }
}

/// Claim: a county has one school of a name.
const SCHOOL: &str = "school";
/// Claim: a province has one graduate school of a name.
const GRADUATE_SCHOOL: &str = "graduate school";
/// Claim: an agency has one point of a name.
const POINT: &str = "point";

fn school_key(division: Code, name: &Name) -> Vec<u8> {
    [division.as_str(), name.as_str()].join("/").into_bytes()
}

fn take_school(division: Code, name: &Name) -> Claim {
    Claim::Take { kind: SCHOOL, key: school_key(division, name) }
}

fn release_school(division: Code, name: &Name) -> Claim {
    Claim::Release { kind: SCHOOL, key: school_key(division, name) }
}

fn school_exists(error: AppendError) -> Error {
    match error {
        AppendError::ClaimTaken { .. } => Error::School(school::Rejection::SchoolExists),
        error => error.into(),
    }
}

fn point_key(agency: AgencyId, name: &Name) -> Vec<u8> {
    format!("{agency}/{name}").into_bytes()
}

fn point_exists(error: AppendError) -> Error {
    match error {
        AppendError::ClaimTaken { .. } => Error::Point(point::Rejection::PointExists),
        error => error.into(),
    }
}
