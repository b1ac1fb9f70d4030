//! 查询工作开展情况, judged at every submission: plan, agency, window and point, in the order and with the reasons of
//! DOMAIN 6.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::domain::directory::{AgencyPlan, Directory, Window};

#[cfg(test)]
mod tests;

/// The closing instant is judged by the log's clock. Ours only spares it what is late beyond any difference of clocks.
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
    /// Recorded before this instant or not at all.
    pub closing: OffsetDateTime,
    /// Whether the closing instant is the one of a ticket.
    pub with_ticket: bool,
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
    WindowNotOpen(Vec<Window>),
    /// The last window is over.
    WindowClosed(Vec<Window>),
    /// The point is not one of the agency, or has no dates.
    NoPoint,
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
    let admission = window(joined(directory, agency)?, now, ticket)?;
    take_point(directory, agency, point, now)?;
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
    let over = || Closed::WindowClosed(plan.windows.clone());
    let window =
        window(plan, now, ticket).and_then(|admission| if now < admission.closing { Ok(()) } else { Err(over()) });
    let point = point.map_or(Ok(()), |point| take_point(directory, agency, point, now));
    [window, point].into_iter().filter_map(Result::err).collect()
}

/// Judges whether an application that was submitted in time may move to this agency and point: the window does not
/// matter any more, the point's dates do.
pub fn transfer(directory: &Directory, agency: Uuid, point: Uuid, now: OffsetDateTime) -> Result<(), Closed> {
    joined(directory, agency)?;
    take_point(directory, agency, point, now)
}

fn joined(directory: &Directory, agency: Uuid) -> Result<&AgencyPlan, Closed> {
    let plan = directory.plan_of(agency).ok_or(Closed::NoPlan)?;
    if plan.finished {
        return Err(Closed::PlanFinished);
    }
    directory.agency_plan(agency).filter(|plan| plan.joined).ok_or(Closed::AgencyNotJoined)
}

fn window(plan: &AgencyPlan, now: OffsetDateTime, ticket: Option<GraceTicket>) -> Result<Admission, Closed> {
    if !plan.open {
        return Err(Closed::OnlineNotOpen);
    }
    let admission = |window: &Window| {
        // Before the end, too: it may be recorded later than it was decided.
        let with_ticket = ticket.is_some_and(|ticket| ticket.window == window.id);
        let closing = if with_ticket { window.end_with_grace() } else { window.end };
        Admission { window: window.id, revision: window.revision, closing, with_ticket }
    };
    if plan.windows.is_empty() {
        return Err(Closed::NoWindow);
    }
    // The one that is open, else the one that closed last: whether it has closed is for the log to say.
    let begun = || plan.windows.iter().filter(|window| window.begin <= now);
    let current = begun().find(|window| now < window.end).or_else(|| begun().max_by_key(|window| window.end));
    match current.map(admission) {
        Some(admission) if now < admission.closing + CLOCKS_DIFFER_AT_MOST => Ok(admission),
        _ if plan.windows.iter().any(|window| now < window.begin) => Err(Closed::WindowNotOpen(plan.windows.clone())),
        _ => Err(Closed::WindowClosed(plan.windows.clone())),
    }
}

fn take_point(directory: &Directory, agency: Uuid, point: Uuid, now: OffsetDateTime) -> Result<(), Closed> {
    let of_the_agency = directory.points.get(&point).is_some_and(|point| point.agency == agency);
    let assignment = directory.assignment(agency, point).filter(|_| of_the_agency).ok_or(Closed::NoPoint)?;
    if now >= assignment.end { Err(Closed::PointClosed { end: assignment.end }) } else { Ok(()) }
}
