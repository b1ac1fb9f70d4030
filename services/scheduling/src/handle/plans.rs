//! Use cases of plans: what a change means for a plan, whether the officer may make it, and making it.

use std::sync::Arc;

use decider::Decider;
use eventlog::{AppendError, Claim};
use lifecycle::{clock, ids};
use time::OffsetDateTime;

use super::{ATTEMPTS, Answered, Asked, Decided, Handle, responsible};
use crate::domain::agency::Agency;
use crate::domain::division::Code;
use crate::domain::id::{AgencyId, PlanId, WindowId};
use crate::domain::officer::Officer;
use crate::domain::plan::{self, Assignment, Command, Event, Plan};
use crate::domain::touch::Touch;
use crate::domain::window::Window;
use crate::error::Error;
use crate::store::PlanAt;
use crate::store::taken::LIVE_PLAN;

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
    /// Takes a window back that has not begun.
    Cancel {
        /// Which window.
        window: WindowId,
    },
    /// 确认点安排
    Assign(Assignment),
}

impl Handle {
    /// Publishes the plan of a province, which has one live plan at a time.
    pub async fn publish_plan(
        &self,
        asked: &Asked,
        province: Code,
        batch: String,
        answer: fn(&[Event]) -> Vec<u8>,
    ) -> Result<Answered, Error> {
        responsible(&asked.officer, province, "division", &province)?;
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
            let (division, command, turn) = self.place(&asked.officer, &at, &change, now).await?;
            let (not_before, not_after) = (at.state.earliest(&command), at.state.deadline(&command));
            let events = plan::Decisions::decide(&at.state, command).map_err(Error::Plan)?;
            let mut decided = Decided::new(plan.0, &events, division);
            decided.version = at.version;
            (decided.not_before, decided.not_after) = (not_before, not_after);
            decided.claims.extend(turn);
            if events.contains(&Event::PlanFinished) {
                decided.claims.push(Claim::Release { kind: LIVE_PLAN, key: division.as_str().into() });
            }
            match self.append(asked, decided, answer(&events)).await {
                Ok(answered) => return Ok(answered),
                Err(AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. }) => {}
                // By PostgreSQL's clock it is earlier or later: decide again by that.
                Err(AppendError::TooEarly { now: by_the_log, .. } | AppendError::TooLate { now: by_the_log, .. }) => {
                    now = by_the_log;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// Whom a change would touch if it were made now, `None` where it is so already; refused as the change itself.
    pub async fn preview(&self, officer: &Officer, plan: PlanId, change: Change) -> Result<Option<Touch>, Error> {
        let at = self.aggregates.plan(plan).await?;
        let (_, command, _) = self.place(officer, &at, &change, clock::now()).await?;
        let events = plan::Decisions::decide(&at.state, command).map_err(Error::Plan)?;
        Ok(at.state.plan().zip(events.first()).map(|(plan, event)| Touch::of(plan, event)))
    }

    /// A plan that the officer is responsible for, or for this agency of it.
    pub async fn plan_of(
        &self,
        officer: &Officer,
        plan: PlanId,
        agency: Option<AgencyId>,
    ) -> Result<Arc<PlanAt>, Error> {
        let at = self.aggregates.plan(plan).await?;
        let missing = || Error::NotFound { kind: "plan", name: plan.to_string() };
        let province = at.state.plan().ok_or_else(missing)?.province;
        match agency {
            None => responsible(officer, province, "plan", &plan)?,
            Some(id) => {
                let missing = || Error::NotFound { kind: "agency", name: id.to_string() };
                self.agency(officer, id).await?.ok_or_else(missing)?;
            }
        }
        Ok(at)
    }

    /// What a change means for this plan, whose division it concerns, and the turn that it takes where it gives an agency more time;
    /// not found when that is out of reach.
    async fn place(
        &self,
        officer: &Officer,
        at: &PlanAt,
        change: &Change,
        now: OffsetDateTime,
    ) -> Result<(Code, Command, Option<Claim>), Error> {
        let mut turn = None;
        let Some(plan) = at.state.plan() else { return Err(Error::Plan(plan::Rejection::UnknownPlan)) };
        let (agency, command) = match change.clone() {
            Change::Finish => {
                responsible(officer, plan.province, "plan", &plan.id)?;
                (None, Command::FinishPlan { now })
            }
            Change::Join { agency, join_in, is_open } => {
                let agency = self.active_agency(officer, agency).await?;
                (agency.clone(), Command::JoinAgency { agency, join_in, is_open, now })
            }
            Change::Open { agency: id, begin, end, grace_minutes } => {
                let window = Window { id: WindowId(ids::random()), begin, end, grace_minutes, revision: 1 };
                let agency;
                (agency, turn) = self.agency_during(officer, id, &window).await?;
                (agency, Command::OpenWindow { window: window.id, agency: id, begin, end, grace_minutes, now })
            }
            Change::Extend { window: id, end } => {
                let mut agency = None;
                if let Some((of, window)) = plan.find_window(id) {
                    (agency, turn) = self.agency_during(officer, of, &window.ending(end)).await?;
                }
                (agency, Command::ExtendWindow { window: id, end, now })
            }
            Change::Close { window, end } => {
                (self.agency_of(officer, plan, window).await?, Command::CloseWindow { window, end, now })
            }
            Change::Cancel { window } => {
                (self.agency_of(officer, plan, window).await?, Command::CancelWindow { window, now })
            }
            Change::Assign(assignment) => {
                let point = self.assignable_point(assignment.point).await?;
                let agency = match &point {
                    Some(point) => self.active_agency(officer, point.agency).await?,
                    None => None,
                };
                (agency, Command::AssignPoint { point, assignment })
            }
        };
        Ok((agency.map_or(plan.province, |agency| agency.division), command, turn))
    }

    /// The agency that opened a window; `None` when the plan has no such window.
    async fn agency_of(&self, officer: &Officer, plan: &Plan, window: WindowId) -> Result<Option<Agency>, Error> {
        match plan.find_window(window) {
            Some((agency, _)) => self.agency(officer, agency).await,
            None => Ok(None),
        }
    }
}
