//! 查询工作开展情况: may one file with an agency at an instant, and if not, why and when; in the order of checks of DOMAIN 6.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::agency::Agency;
use super::id::{AgencyId, PointId};
use super::plan::{AgencyPlan, Assignment, State};
use super::shanghai;
use super::window::Window;

#[cfg(test)]
mod tests;

const NOT_STARTED: &str = "该机构目前未开展注册工作，请与该机构联系，了解其注册工作的时间安排";
const FINISHED: &str = "该机构当前注册工作已经结束";
const NO_ONLINE_FILING: &str = "该机构注册工作目前未安排网上采集信息的时间，请与该机构联系，了解其注册工作的时间安排";

/// Why one may not file now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The province has no plan.
    NoPlan,
    /// The province's plan is finished.
    PlanFinished,
    /// The agency does not take part (是否参加).
    AgencyNotJoined,
    /// The agency does not file on line (是否开通网报).
    OnlineNotOpen,
    /// The agency has no window.
    NoWindow,
    /// Now lies outside every window.
    WindowNotOpen,
    /// No point of the agency confirms any more, or none was assigned yet.
    NoPoint,
    /// The chosen point does not confirm for this agency, or not any more.
    PointClosed,
}

/// Whether one may file with an agency now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'p> {
    /// Why not; `None` when one may.
    pub closed: Option<Closed>,
    /// A sentence for the applicant, with the dates.
    pub message: String,
    /// All windows of the agency, in order.
    pub windows: &'p [Window],
    /// The one that is open now.
    pub current: Option<&'p Window>,
    /// Begin of the next one.
    pub next_begin: Option<OffsetDateTime>,
    /// Points that may be chosen; of a question that names one of them, that one alone.
    pub points: Vec<&'p Assignment>,
}

/// Judges at the instant `now`, by the province's newest plan. Points that were closed keep their dates in it, and confirm nobody.
pub fn check<'p>(
    plan: &'p State,
    agency: &Agency,
    closed_points: &BTreeSet<PointId>,
    point: Option<PointId>,
    now: OffsetDateTime,
) -> Answer<'p> {
    let refuse = |closed, message: &str| Answer {
        closed: Some(closed),
        message: message.to_owned(),
        windows: &[],
        current: None,
        next_begin: None,
        points: Vec::new(),
    };
    let live = match plan {
        State::Empty => return refuse(Closed::NoPlan, NOT_STARTED),
        State::Finished(_) => return refuse(Closed::PlanFinished, FINISHED),
        State::Live(plan) => plan,
    };
    let Some(joined) = live.agencies.get(&agency.id).filter(|joined| joined.join_in) else {
        return refuse(Closed::AgencyNotJoined, NOT_STARTED);
    };
    if !joined.is_open {
        return refuse(Closed::OnlineNotOpen, NO_ONLINE_FILING);
    }
    if joined.windows.is_empty() {
        return refuse(Closed::NoWindow, NOT_STARTED);
    }
    let current = joined.windows.iter().find(|window| window.contains(now));
    let is_there = |assignment: &&Assignment| !closed_points.contains(&assignment.point);
    let confirms = |assignment: &&Assignment| now < assignment.confirm_end && is_there(assignment);
    let mut points = joined.points.values().filter(confirms).peekable();
    let (closed, message, points) = match (current, point) {
        (None, _) => (Some(Closed::WindowNotOpen), all_windows(agency, joined, now), Vec::new()),
        (Some(_), _) if points.peek().is_none() => {
            (Some(Closed::NoPoint), format!("{}目前还没有安排确认点，请与该机构联系！", agency.name), Vec::new())
        }
        (Some(window), None) => (None, open(agency, window), points.collect()),
        (Some(window), Some(point)) => {
            let listed = joined.points.get(&point).filter(is_there);
            match listed.filter(confirms) {
                Some(chosen) => (None, open(agency, window), vec![chosen]),
                None => (Some(Closed::PointClosed), point_closed(listed), points.collect()),
            }
        }
    };
    Answer {
        closed,
        message,
        windows: &joined.windows,
        current,
        next_begin: joined.windows.iter().map(|window| window.begin).find(|begin| *begin > now),
        points,
    }
}

/// The next instant after `now` at which the answer about an agency may be another one by the clock alone; `None` when only an
/// event can change it.
pub fn next_turn(plan: &State, agency: AgencyId, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let State::Live(plan) = plan else { return None };
    let joined = plan.agencies.get(&agency)?;
    let windows = joined.windows.iter().flat_map(|window| [window.begin, window.end]);
    let points = joined.points.values().map(|assignment| assignment.confirm_end);
    windows.chain(points).filter(|turn| *turn > now).min()
}

fn open(agency: &Agency, window: &Window) -> String {
    format!("{}已开通网报，网报时间：{}。", agency.name, span(window))
}

/// Lists the windows, each marked: to come, or over.
fn all_windows(agency: &Agency, joined: &AgencyPlan, now: OffsetDateTime) -> String {
    let marked = joined.windows.iter().map(|window| {
        let mark = if now < window.begin { "还未到网报时间" } else { "网报时间已截止" };
        format!("{}（{mark}）", span(window))
    });
    format!("{}网报时间：{}。", agency.name, marked.collect::<Vec<_>>().join("；"))
}

fn point_closed(listed: Option<&Assignment>) -> String {
    match listed {
        Some(assignment) => {
            let end = shanghai::render(assignment.confirm_end);
            format!("您选择的确认点现场确认时间已于{end}截止，请选择其他确认点。")
        }
        None => "您选择的确认点未列入该机构本次注册安排，请选择其他确认点。".to_owned(),
    }
}

fn span(window: &Window) -> String {
    format!("{} 至 {}", shanghai::render(window.begin), shanghai::render(window.end))
}
