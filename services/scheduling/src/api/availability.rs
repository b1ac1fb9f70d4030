//! `Availability`: answered from memory alone, once or for as long as somebody watches.

use std::pin::Pin;
use std::time::Duration;

use access::Caller;
use eventbus::Reference;
use futures::{Stream, StreamExt as _, stream};
use lifecycle::{CancellationToken, clock};
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::availability_server::Availability;
use proto::types::v1::Stage;
use rpc::{Violations, Watchers, Watching, parse_timestamp, parse_uuid};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};

use crate::domain::availability::{self, Answer, Closed};
use crate::domain::id::{AgencyId, PointId};
use crate::domain::offered::Offered;
use crate::domain::plan::State;
use crate::domain::shanghai;
use crate::error::Error;
use crate::store;
use crate::views::directory::Agencies;
use crate::views::plans::Plans;

/// A clock that is set back or forth is noticed after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Plans are made for a year: nobody asks for a time that is farther away, past or to come.
const FARTHEST: time::Duration = time::Duration::days(366);

/// Serves `Availability`.
pub struct AvailabilityApi {
    /// What it answers from.
    pub memory: Memory,
    /// Who watches.
    pub watchers: Watchers,
    /// Ends every watch: an open one must not hold up the service's stop.
    pub stopping: CancellationToken,
}

/// What every replica keeps in memory. Clones share it.
#[derive(Clone)]
pub struct Memory {
    /// All agencies.
    pub agencies: Reference<Agencies>,
    /// All plans.
    pub plans: Reference<Plans>,
}

/// What somebody asks.
struct Question {
    offered: &'static Offered,
    agency: AgencyId,
    point: Option<PointId>,
    /// `None` for the present.
    at: Option<OffsetDateTime>,
}

#[tonic::async_trait]
impl Availability for AvailabilityApi {
    async fn check_availability(
        &self,
        request: Request<wire::CheckAvailabilityRequest>,
    ) -> Result<Response<wire::CheckAvailabilityResponse>, Status> {
        let question = read(request.get_ref(), clock::now())?;
        let at = question.at.unwrap_or_else(clock::now);
        Ok(Response::new(self.memory.answer(&question, at)?.0))
    }

    type WatchAvailabilityStream = Pin<Box<dyn Stream<Item = Result<wire::WatchAvailabilityResponse, Status>> + Send>>;

    async fn watch_availability(
        &self,
        request: Request<wire::WatchAvailabilityRequest>,
    ) -> Result<Response<Self::WatchAvailabilityStream>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let question = read(&request.into_inner().question.unwrap_or_default(), clock::now())?;
        if question.at.is_some() {
            let mut violations = Violations::new();
            violations.add("time", "NOT_EXPECTED", "持续查询只反映当前情况，请不要指定时间。");
            return Err(violations.into());
        }
        // Whoever would hear a refusal takes nobody's place.
        self.memory.answer(&question, clock::now())?;
        let place = self.watchers.admit(person)?;
        let watch = Watch { memory: self.memory.clone(), question, told: None, _place: place };
        let answers = stream::unfold(watch, |mut watch| async { Some((watch.next().await, watch)) });
        Ok(Response::new(answers.take_until(self.stopping.clone().cancelled_owned()).boxed()))
    }
}

impl Memory {
    /// The answer at an instant by what is planned now, and when the clock may make it another one.
    fn answer(
        &self,
        question: &Question,
        now: OffsetDateTime,
    ) -> Result<(wire::CheckAvailabilityResponse, Option<OffsetDateTime>), Error> {
        let (agencies, plans) = (self.agencies.require()?, self.plans.require()?);
        let not_found = || Error::NotFound { kind: "agency", name: question.agency.to_string() };
        let agency = agencies.find_on(question.agency, shanghai::day(now)).ok_or_else(not_found)?;
        let plan = plans.current(agency.division.province()).map_or(&State::Empty, |at| &at.state);
        let answer = availability::check(plan, agency, agencies.closed_points(), question.point, now);
        Ok((render(&answer, question.offered), availability::next_turn(plan, agency.id, now)))
    }
}

/// Somebody who watches.
struct Watch {
    memory: Memory,
    question: Question,
    told: Option<wire::CheckAvailabilityResponse>,
    _place: Watching,
}

impl Watch {
    /// The first answer, or the next one that differs from the one before.
    async fn next(&mut self) -> Result<wire::WatchAvailabilityResponse, Status> {
        loop {
            let now = clock::now();
            let (answer, turn) = self.memory.answer(&self.question, now)?;
            if self.told.as_ref() != Some(&answer) {
                self.told = Some(answer.clone());
                return Ok(wire::WatchAvailabilityResponse { answer: Some(answer) });
            }
            let pause = turn.map_or(LONGEST_PAUSE, |turn| (turn - now).unsigned_abs().min(LONGEST_PAUSE));
            tokio::select! {
                () = self.memory.plans.changed() => {}
                () = self.memory.agencies.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn read(asked: &wire::CheckAvailabilityRequest, now: OffsetDateTime) -> Result<Question, Status> {
    let mut violations = Violations::new();
    let offered = Offered::find(&asked.province, &asked.city);
    violations.check("city", offered.is_some(), "UNKNOWN_DIVISION", "该省没有这个市，请重新选择省、市。");
    violations.check("stage", is_a_stage(asked.stage), "UNKNOWN_CODE", "请选择现任教学段。");
    let agency = parse_uuid("agency_id", &asked.agency_id, &mut violations).map(AgencyId);
    let point = match asked.point_id.as_str() {
        "" => None,
        point => parse_uuid("point_id", point, &mut violations).map(PointId),
    };
    let at = asked.time.as_ref().and_then(|time| parse_timestamp("time", Some(time), &mut violations));
    let is_near = at.is_none_or(|at| (at - now).abs() <= FARTHEST);
    violations.check("time", is_near, "OUT_OF_RANGE", "查询的时间应在当前时间前后一年以内。");
    let (Some(offered), Some(agency), true) = (offered, agency, violations.is_empty()) else {
        return Err(violations.into());
    };
    let sentence = "该机构不受理所选省、市的注册申请，请重新选择注册机构。";
    violations.check("agency_id", offered.includes(agency), "NOT_OFFERED", sentence);
    violations.into_result()?;
    Ok(Question { offered, agency, point, at })
}

fn is_a_stage(stage: i32) -> bool {
    Stage::try_from(stage).is_ok_and(|stage| stage != Stage::Unspecified)
}

fn render(answer: &Answer<'_>, offered: &Offered) -> wire::CheckAvailabilityResponse {
    wire::CheckAvailabilityResponse {
        open: answer.closed.is_none(),
        reason: answer.closed.map(reason).unwrap_or_default().to_owned(),
        message: answer.message.clone(),
        windows: answer.windows.iter().map(store::window).collect(),
        current: answer.current.map(store::window),
        next_begin_time: answer.next_begin.map(rpc::timestamp),
        points: answer.points.iter().copied().map(store::assignment).collect(),
        advice: offered.advice().to_owned(),
    }
}

fn reason(closed: Closed) -> &'static str {
    match closed {
        Closed::NoPlan => "NO_PLAN",
        Closed::PlanFinished => "PLAN_FINISHED",
        Closed::AgencyNotJoined => "AGENCY_NOT_JOINED",
        Closed::OnlineNotOpen => "ONLINE_NOT_OPEN",
        Closed::NoWindow => "NO_WINDOW",
        Closed::WindowNotOpen => "WINDOW_NOT_OPEN",
        Closed::NoPoint => "NO_POINT",
        Closed::PointClosed => "POINT_CLOSED",
    }
}
