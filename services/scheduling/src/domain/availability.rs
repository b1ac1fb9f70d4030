//! 查询工作开展情况: may one file with an agency now, and if not, why and when; in the order of checks of DOMAIN 6.

use time::OffsetDateTime;

use super::agency::Agency;
use super::id::PointId;
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
pub struct Answer {
    /// Why not; `None` when one may.
    pub closed: Option<Closed>,
    /// A sentence for the applicant, with the dates.
    pub message: String,
    /// All windows of the agency, in order.
    pub windows: Vec<Window>,
    /// The one that is open now.
    pub current: Option<Window>,
    /// Begin of the next one.
    pub next_begin: Option<OffsetDateTime>,
    /// Points that may be chosen.
    pub points: Vec<Assignment>,
}

/// Judges at the instant `now`, by the province's newest plan.
pub fn check(plan: &State, agency: &Agency, point: Option<PointId>, now: OffsetDateTime) -> Answer {
    let refuse = |closed, message: &str| Answer {
        closed: Some(closed),
        message: message.to_owned(),
        windows: Vec::new(),
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
    let points: Vec<Assignment> = match current {
        Some(_) => joined.points.values().filter(|assignment| now < assignment.confirm_end).cloned().collect(),
        None => Vec::new(),
    };
    let chosen = |point| points.iter().any(|assignment| assignment.point == point);
    let (closed, message) = match (current, point) {
        (None, _) => (Some(Closed::WindowNotOpen), all_windows(agency, joined, now)),
        (Some(_), _) if points.is_empty() => {
            (Some(Closed::NoPoint), format!("{}目前还没有安排确认点，请与该机构联系！", agency.name))
        }
        (Some(_), Some(point)) if !chosen(point) => (Some(Closed::PointClosed), point_closed(joined, point)),
        (Some(window), _) => (None, open(agency, window)),
    };
    Answer {
        closed,
        message,
        windows: joined.windows.clone(),
        current: current.cloned(),
        next_begin: joined.windows.iter().map(|window| window.begin).find(|begin| *begin > now),
        points,
    }
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

fn point_closed(joined: &AgencyPlan, point: PointId) -> String {
    match joined.points.get(&point) {
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
