//! 查询工作开展情况, judged at every submission: plan, agency, window and point, in the order and with the reasons of
//! DOMAIN 6.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::domain::calendar::shanghai_date;
use crate::domain::directory::{AgencyPlan, Directory, Window};

mod sentence;
#[cfg(test)]
mod tests;

/// Opening and closing instant are judged by the log's clock. Ours only spares it what is late beyond any difference of clocks.
const CLOCKS_DIFFER_AT_MOST: Duration = Duration::minutes(1);

/// A ticket taken before the end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraceTicket {
    /// The window that it belongs to.
    pub window: Uuid,
}

/// Under which window a submission may be recorded, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The window.
    pub window: Uuid,
    /// Its revision.
    pub revision: u32,
    /// Recorded at this instant or later, or not at all.
    pub opening: OffsetDateTime,
    /// Recorded before this instant or not at all.
    pub closing: OffsetDateTime,
    /// Whether the closing instant is the one of a ticket.
    pub with_ticket: bool,
}

/// All windows of an agency, as somebody finds them who comes outside of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// What the agency is called.
    pub agency: String,
    /// In order of their begin.
    pub windows: Vec<Window>,
    /// When they are looked at.
    pub at: OffsetDateTime,
}

impl Windows {
    /// As the directory has them; none where nobody knows the agency.
    pub fn of(directory: &Directory, agency: Uuid, at: OffsetDateTime) -> Self {
        let windows = directory.agency_plan(agency).map(|plan| plan.windows.clone()).unwrap_or_default();
        Self { agency: name(directory, agency, at), windows, at }
    }
}

/// Why it is not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The agency's province has no plan.
    NoPlan,
    /// 省级计划 is over.
    PlanFinished,
    /// The agency does not take part.
    AgencyNotJoined,
    /// 网报 is not switched on.
    OnlineNotOpen,
    /// The agency has no window.
    NoWindow,
    /// Every window is still to come, or the next one is.
    WindowNotOpen(Windows),
    /// The last window is over.
    WindowClosed(Windows),
    /// No point of the agency confirms any more, or none has dates yet.
    NoPoint {
        /// What the agency is called.
        agency: String,
    },
    /// The point is not one of the agency, was closed, or has no dates.
    PointNotListed,
    /// The point's confirmation is over.
    PointClosed {
        /// Since when.
        end: OffsetDateTime,
    },
}

/// Judges whether an application may be submitted now.
pub fn admit(
    directory: &Directory,
    agency: Uuid,
    point: Uuid,
    now: OffsetDateTime,
    ticket: Option<GraceTicket>,
) -> Result<Admission, Closed> {
    let plan = joined(directory, agency)?;
    let admission = window(directory, agency, plan, now, ticket)?;
    // What is over by our clock is told first, as for whoever only asks.
    let in_order = |closed| if now < admission.closing { closed } else { outside(Windows::of(directory, agency, now)) };
    take_point(directory, agency, plan, point, now).map_err(in_order)?;
    Ok(admission)
}

/// Everything that is closed to somebody who would submit now, the point as far as it is chosen.
pub fn closed(
    directory: &Directory,
    agency: Uuid,
    point: Option<Uuid>,
    now: OffsetDateTime,
    ticket: Option<GraceTicket>,
) -> Vec<Closed> {
    let plan = match joined(directory, agency) {
        Ok(plan) => plan,
        Err(closed) => return vec![closed],
    };
    // A submission would still be left to the log's clock for a minute; who only asks is told by ours.
    let window = window(directory, agency, plan, now, ticket).and_then(|admission| {
        if now < admission.closing { Ok(()) } else { Err(outside(Windows::of(directory, agency, now))) }
    });
    let point = point.map_or(Ok(()), |point| take_point(directory, agency, plan, point, now));
    [window, point].into_iter().filter_map(Result::err).collect()
}

/// Judges whether an application that was submitted in time, in this window, may move to this agency and point: the window does not
/// matter any more, the point's dates in its plan do.
pub fn transfer(
    directory: &Directory,
    window: Uuid,
    agency: Uuid,
    point: Uuid,
    now: OffsetDateTime,
) -> Result<(), Closed> {
    let plan = match directory.earlier_plan(window, agency) {
        Some(plan) if plan.joined => plan,
        Some(_) => return Err(Closed::AgencyNotJoined),
        None => joined(directory, agency)?,
    };
    take_point(directory, agency, plan, point, now)
}

fn name(directory: &Directory, agency: Uuid, at: OffsetDateTime) -> String {
    directory.agencies.get(&agency).map_or("", |agency| agency.name_on(shanghai_date(at))).to_owned()
}

fn joined(directory: &Directory, agency: Uuid) -> Result<&AgencyPlan, Closed> {
    let plan = directory.plan_of(agency).ok_or(Closed::NoPlan)?;
    if plan.finished {
        return Err(Closed::PlanFinished);
    }
    directory.agency_plan(agency).filter(|plan| plan.joined).ok_or(Closed::AgencyNotJoined)
}

fn window(
    directory: &Directory,
    agency: Uuid,
    plan: &AgencyPlan,
    now: OffsetDateTime,
    ticket: Option<GraceTicket>,
) -> Result<Admission, Closed> {
    if !plan.open {
        return Err(Closed::OnlineNotOpen);
    }
    let admission = |window: &Window| {
        // Before the end, too: it may be recorded later than it was decided.
        let with_ticket = ticket.is_some_and(|ticket| ticket.window == window.id);
        let closing = if with_ticket { window.end_with_grace() } else { window.end };
        Admission { window: window.id, revision: window.revision, opening: window.begin, closing, with_ticket }
    };
    if plan.windows.is_empty() {
        return Err(Closed::NoWindow);
    }
    // The one that is open, else the one that closed last: whether it has closed is for the log to say.
    let begun = || plan.windows.iter().filter(|window| window.begin <= now);
    let current = begun().find(|window| now < window.end).or_else(|| begun().max_by_key(|window| window.end));
    match current.map(admission) {
        Some(admission) if now < admission.closing + CLOCKS_DIFFER_AT_MOST => Ok(admission),
        _ => Err(outside(Windows::of(directory, agency, now))),
    }
}

/// Outside of every window: before one, or after the last.
pub fn outside(windows: Windows) -> Closed {
    if windows.windows.iter().any(|window| windows.at < window.begin) {
        Closed::WindowNotOpen(windows)
    } else {
        Closed::WindowClosed(windows)
    }
}

fn take_point(
    directory: &Directory,
    agency: Uuid,
    plan: &AgencyPlan,
    point: Uuid,
    now: OffsetDateTime,
) -> Result<(), Closed> {
    let is_there =
        |point: &Uuid| directory.points.get(point).is_some_and(|known| known.agency == agency && !known.closed);
    let listed = plan.assignments.get(&point).filter(|_| is_there(&point));
    if listed.is_some_and(|assignment| now < assignment.end) {
        return Ok(());
    }
    if !plan.assignments.iter().any(|(point, assignment)| now < assignment.end && is_there(point)) {
        return Err(Closed::NoPoint { agency: name(directory, agency, now) });
    }
    Err(listed.map_or(Closed::PointNotListed, |assignment| Closed::PointClosed { end: assignment.end }))
}
