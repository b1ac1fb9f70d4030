//! 省级计划: which agencies of a province take part, when one may file with them, and which points confirm.

use std::collections::BTreeMap;
use std::sync::Arc;

use decider::Decider;
use time::OffsetDateTime;

use super::agency::Agency;
use super::division::Code;
use super::id::{AgencyId, PlanId, PointId, WindowId};
use super::point::Point;
use super::slot::Dates;
use super::window::{CLOSING_NOTICE, Window};

mod hours;
#[cfg(test)]
pub(crate) mod tests;

/// A plan by its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not published.
    #[default]
    Empty,
    /// Published and going on.
    Live(Plan),
    /// 已结束: nothing changes any more.
    Finished(Plan),
}

impl State {
    /// The plan, live or finished.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Empty => None,
            Self::Live(plan) | Self::Finished(plan) => Some(plan),
        }
    }

    /// When a point confirms: in a plan that goes on, for an agency that takes part.
    pub fn dates(&self, point: &Point) -> Option<Dates> {
        let Self::Live(plan) = self else { return None };
        let joined = plan.agencies.get(&point.agency).filter(|joined| joined.join_in)?;
        let assignment = joined.points.get(&point.id)?;
        Some(Dates { begin: assignment.confirm_begin, end: assignment.confirm_end })
    }
}

/// The plan of a province for one batch (批次).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Random.
    pub id: PlanId,
    /// Which province.
    pub province: Code,
    /// 2026年秋季
    pub batch: String,
    /// 机构计划 of those who were asked whether they take part; the next state shares those that a change leaves alone.
    pub agencies: BTreeMap<AgencyId, Arc<AgencyPlan>>,
}

impl Plan {
    /// A window and the agency that opened it.
    pub fn find_window(&self, id: WindowId) -> Option<(AgencyId, &Window)> {
        let windows =
            self.agencies.iter().flat_map(|(agency, plan)| plan.windows.iter().map(|window| (*agency, window)));
        windows.into_iter().find(|(_, window)| window.id == id)
    }

    /// The windows in which one may file, of all agencies or of one.
    pub fn filing(&self, agency: Option<AgencyId>) -> impl Iterator<Item = &Window> {
        let plans = self.agencies.iter().filter(move |(id, _)| agency.is_none_or(|agency| agency == **id));
        plans.filter(|(_, plan)| plan.join_in && plan.is_open).flat_map(|(_, plan)| &plan.windows)
    }

    /// All windows that there ever were, or those of an agency, as they are by now: those that were taken back, and those of agencies
    /// that had stopped filing before they began, have ended as they began, with the next revision.
    pub fn windows<'p>(
        &'p self,
        agency: Option<AgencyId>,
        stopped: &'p BTreeMap<AgencyId, OffsetDateTime>,
    ) -> impl Iterator<Item = Window> + 'p {
        let plans = self.agencies.iter().filter(move |(id, _)| agency.is_none_or(|agency| agency == **id));
        plans.flat_map(|(id, plan)| {
            let is_there = |window: &Window| stopped.get(id).is_none_or(|stop| window.begin <= *stop);
            let windows = plan.windows.iter();
            let windows =
                windows.map(move |window| if is_there(window) { window.clone() } else { window.taken_back() });
            windows.chain(plan.taken_back.iter().cloned())
        })
    }
}

/// 机构计划
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgencyPlan {
    /// 是否参加
    pub join_in: bool,
    /// 是否开通网报
    pub is_open: bool,
    /// 网报时间段 by their begin.
    pub windows: Vec<Window>,
    /// Those that were taken back.
    pub taken_back: Vec<Window>,
    /// 确认点安排
    pub points: BTreeMap<PointId, Assignment>,
}

/// When and for whom a point confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which point.
    pub point: PointId,
    /// First instant at which it confirms.
    pub confirm_begin: OffsetDateTime,
    /// First instant at which it does not any more.
    pub confirm_end: OffsetDateTime,
    /// 确认范围
    pub range: String,
    /// 注意事项
    pub notes: String,
}

/// What an officer wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Begins a plan.
    PublishPlan {
        /// Fresh.
        plan: PlanId,
        /// Which province.
        province: Code,
        /// 批次
        batch: String,
    },
    /// Ends it for good.
    FinishPlan {
        /// Now.
        now: OffsetDateTime,
    },
    /// Says whether an agency takes part and files on line.
    JoinAgency {
        /// `None` when nobody knows it.
        agency: Option<Agency>,
        /// 是否参加
        join_in: bool,
        /// 是否开通网报
        is_open: bool,
        /// Now.
        now: OffsetDateTime,
    },
    /// Opens a window of an agency.
    OpenWindow {
        /// Fresh.
        window: WindowId,
        /// Whose.
        agency: AgencyId,
        /// First instant inside.
        begin: OffsetDateTime,
        /// First instant after; later than `begin`.
        end: OffsetDateTime,
        /// 0 to 120.
        grace_minutes: u32,
        /// Now.
        now: OffsetDateTime,
    },
    /// Gives a window a later end.
    ExtendWindow {
        /// Which.
        window: WindowId,
        /// The later end.
        end: OffsetDateTime,
        /// Now.
        now: OffsetDateTime,
    },
    /// Gives a window an earlier end.
    CloseWindow {
        /// Which.
        window: WindowId,
        /// The earlier end.
        end: OffsetDateTime,
        /// Now.
        now: OffsetDateTime,
    },
    /// Takes a window back before it begins.
    CancelWindow {
        /// Which.
        window: WindowId,
        /// Now.
        now: OffsetDateTime,
    },
    /// Says when a point confirms.
    AssignPoint {
        /// `None` when nobody knows it.
        point: Option<Point>,
        /// Its dates, range and notes.
        assignment: Assignment,
    },
}

/// What happened to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It began.
    PlanPublished {
        /// Its id.
        plan: PlanId,
        /// Which province.
        province: Code,
        /// 批次
        batch: String,
    },
    /// It ended.
    PlanFinished,
    /// An agency takes part, or does not.
    AgencyJoined {
        /// Which.
        agency: AgencyId,
        /// 是否参加
        join_in: bool,
        /// 是否开通网报
        is_open: bool,
    },
    /// A window was opened.
    WindowOpened {
        /// Whose.
        agency: AgencyId,
        /// As it is now.
        window: Window,
    },
    /// A window ends later.
    WindowExtended {
        /// Whose.
        agency: AgencyId,
        /// As it is now.
        window: Window,
    },
    /// A window ends earlier.
    WindowClosed {
        /// Whose.
        agency: AgencyId,
        /// As it is now.
        window: Window,
    },
    /// A window was taken back before it began.
    WindowCancelled {
        /// Whose.
        agency: AgencyId,
        /// Which.
        window: WindowId,
    },
    /// A point has its dates.
    PointAssigned {
        /// Whose.
        agency: AgencyId,
        /// As it is now.
        assignment: Assignment,
    },
}

/// Why a plan does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no such plan.
    UnknownPlan,
    /// The province has a plan that is not finished.
    PlanExists,
    /// The plan is finished.
    PlanFinished,
    /// No such agency in this province.
    UnknownAgency,
    /// The agency does not take part (是否参加).
    AgencyNotJoined,
    /// Another window of the agency has a time in common.
    WindowsOverlap {
        /// That one.
        with: Window,
    },
    /// Its end has passed already.
    WindowInThePast,
    /// There is no such window in this plan.
    UnknownWindow,
    /// Not later than the end that it has.
    NotLater {
        /// That end.
        end: OffsetDateTime,
    },
    /// Not earlier than the end that it has.
    NotEarlier {
        /// That end.
        end: OffsetDateTime,
    },
    /// People count on a window: filing does not stop before it is over with its grace.
    WindowNotOver {
        /// That one.
        window: Window,
    },
    /// An earlier end takes effect ten minutes after it is announced.
    TooEarly {
        /// Earliest end that can be announced now.
        earliest: OffsetDateTime,
    },
    /// It would end before it begins.
    EndsBeforeBegin {
        /// Its begin.
        begin: OffsetDateTime,
    },
    /// The window has ended.
    WindowClosed {
        /// When.
        end: OffsetDateTime,
    },
    /// The window has begun.
    WindowBegun {
        /// When.
        begin: OffsetDateTime,
    },
    /// No such point in this province.
    UnknownPoint,
}

/// Decides about one plan.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let (plan, command) = match (state, command) {
            (State::Empty, Command::PublishPlan { plan, province, batch }) => {
                return Ok(vec![Event::PlanPublished { plan, province, batch }]);
            }
            (State::Empty, _) => return Err(Rejection::UnknownPlan),
            (State::Live(_) | State::Finished(_), Command::PublishPlan { .. }) => return Err(Rejection::PlanExists),
            (State::Finished(_), _) => return Err(Rejection::PlanFinished),
            (State::Live(plan), command) => (plan, command),
        };
        decide_live(plan, command)
    }

    fn evolve(state: State, event: &Event) -> State {
        match (state, event) {
            (State::Empty, Event::PlanPublished { plan, province, batch }) => {
                State::Live(Plan { id: *plan, province: *province, batch: batch.clone(), agencies: BTreeMap::new() })
            }
            (State::Live(plan), Event::PlanFinished) => State::Finished(plan),
            (State::Live(mut plan), event) => {
                evolve_live(&mut plan, event);
                State::Live(plan)
            }
            (state, _) => state,
        }
    }
}

fn decide_live(plan: &Plan, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::PublishPlan { .. } => Err(Rejection::PlanExists),
        Command::FinishPlan { now } => {
            nobody_relies_on(plan.filing(None), now)?;
            Ok(vec![Event::PlanFinished])
        }
        Command::JoinAgency { agency, join_in, is_open, now } => {
            let agency = agency.filter(|agency| plan.province.covers(agency.division));
            let agency = agency.ok_or(Rejection::UnknownAgency)?.id;
            if !(join_in && is_open) {
                nobody_relies_on(plan.filing(Some(agency)), now)?;
            }
            let joined = plan.agencies.get(&agency).map(|joined| (joined.join_in, joined.is_open));
            let event = Event::AgencyJoined { agency, join_in, is_open };
            Ok(unless(joined == Some((join_in, is_open)), event))
        }
        Command::OpenWindow { window: id, agency, begin, end, grace_minutes, now } => {
            let joined = joined(plan, agency)?;
            let window = Window { id, begin, end, grace_minutes, revision: 1 };
            if end <= now {
                return Err(Rejection::WindowInThePast);
            }
            free(joined, &window)?;
            Ok(vec![Event::WindowOpened { agency, window }])
        }
        Command::ExtendWindow { window, end, now } => {
            let (agency, window) = plan.find_window(window).ok_or(Rejection::UnknownWindow)?;
            if window.end <= now {
                return Err(Rejection::WindowClosed { end: window.end });
            }
            if end <= window.end {
                return Err(Rejection::NotLater { end: window.end });
            }
            let longer = window.ending(end);
            free(&plan.agencies[&agency], &longer)?;
            Ok(vec![Event::WindowExtended { agency, window: longer }])
        }
        Command::CloseWindow { window, end, now } => {
            let (agency, window) = plan.find_window(window).ok_or(Rejection::UnknownWindow)?;
            if window.end <= now {
                return Err(Rejection::WindowClosed { end: window.end });
            }
            if end >= window.end {
                return Err(Rejection::NotEarlier { end: window.end });
            }
            if end <= window.begin {
                return Err(Rejection::EndsBeforeBegin { begin: window.begin });
            }
            if end < now + CLOSING_NOTICE {
                return Err(Rejection::TooEarly { earliest: now + CLOSING_NOTICE });
            }
            Ok(vec![Event::WindowClosed { agency, window: window.ending(end) }])
        }
        Command::CancelWindow { window, now } => {
            let (agency, window) = plan.find_window(window).ok_or(Rejection::UnknownWindow)?;
            if window.begin <= now {
                return Err(Rejection::WindowBegun { begin: window.begin });
            }
            if window.is_relied_on(now) {
                return Err(Rejection::TooEarly { earliest: now + CLOSING_NOTICE });
            }
            Ok(vec![Event::WindowCancelled { agency, window: window.id }])
        }
        Command::AssignPoint { point, assignment } => {
            let agency = point.ok_or(Rejection::UnknownPoint)?.agency;
            let joined = joined(plan, agency)?;
            let same = joined.points.get(&assignment.point) == Some(&assignment);
            Ok(unless(same, Event::PointAssigned { agency, assignment }))
        }
    }
}

fn evolve_live(plan: &mut Plan, event: &Event) {
    match event {
        Event::PlanPublished { .. } | Event::PlanFinished => {}
        Event::AgencyJoined { agency, join_in, is_open } => {
            let joined = of(plan, *agency);
            (joined.join_in, joined.is_open) = (*join_in, *is_open);
        }
        Event::WindowOpened { agency, window }
        | Event::WindowExtended { agency, window }
        | Event::WindowClosed { agency, window } => {
            let windows = &mut of(plan, *agency).windows;
            windows.retain(|known| known.id != window.id);
            windows.push(window.clone());
            windows.sort_by_key(|window| (window.begin, window.id));
        }
        Event::WindowCancelled { agency, window } => {
            let agency = of(plan, *agency);
            let cancelled = agency.windows.extract_if(.., |known| known.id == *window);
            agency.taken_back.extend(cancelled.map(|window| window.taken_back()));
        }
        Event::PointAssigned { agency, assignment } => {
            of(plan, *agency).points.insert(assignment.point, assignment.clone());
        }
    }
}

/// 机构计划 of an agency, to be changed.
fn of(plan: &mut Plan, agency: AgencyId) -> &mut AgencyPlan {
    Arc::make_mut(plan.agencies.entry(agency).or_default())
}

/// The plan of an agency that takes part.
fn joined(plan: &Plan, agency: AgencyId) -> Result<&AgencyPlan, Rejection> {
    plan.agencies.get(&agency).map(Arc::as_ref).filter(|plan| plan.join_in).ok_or(Rejection::AgencyNotJoined)
}

/// Whether filing may stop at once.
fn nobody_relies_on<'p>(mut windows: impl Iterator<Item = &'p Window>, now: OffsetDateTime) -> Result<(), Rejection> {
    match windows.find(|window| window.is_relied_on(now)) {
        Some(window) => Err(Rejection::WindowNotOver { window: window.clone() }),
        None => Ok(()),
    }
}

/// Whether a window has its time for itself.
fn free(agency: &AgencyPlan, window: &Window) -> Result<(), Rejection> {
    match agency.windows.iter().find(|other| other.id != window.id && other.overlaps(window)) {
        Some(with) => Err(Rejection::WindowsOverlap { with: with.clone() }),
        None => Ok(()),
    }
}

/// Nothing when it is so already.
fn unless(already: bool, event: Event) -> Vec<Event> {
    if already { Vec::new() } else { vec![event] }
}
