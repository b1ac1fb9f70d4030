//! Whom a change of a plan touches, by the event that it would be.

use super::id::{AgencyId, PointId, WindowId};
use super::plan::{Event, Plan};
use super::slot::{Dates, Slot};

/// Whose drafts, applications and bookings a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Nobody's: nobody has filed by it.
    Nobody,
    /// Of everybody who files with these agencies.
    Agencies {
        /// Which.
        agencies: Vec<AgencyId>,
        /// Their points, where they stop confirming.
        closed: Vec<PointId>,
    },
    /// Of whoever was accepted under this window, and of whoever may still file with its agency.
    Window {
        /// Which.
        window: WindowId,
        /// Whose it is.
        agency: AgencyId,
    },
    /// Only of whoever may file with this agency: nobody has filed by it.
    Opening(AgencyId),
    /// Of whoever confirms at this point.
    Point {
        /// Which.
        point: PointId,
        /// When it confirms from now on; never where it is closed.
        dates: Option<Dates>,
    },
}

impl Touch {
    /// What an event would touch, as the plan stands before it.
    pub fn of(plan: &Plan, event: &Event) -> Self {
        let points = |agency| plan.agencies.get(agency).into_iter().flat_map(|joined| joined.points.keys().copied());
        match event {
            Event::PlanPublished { .. } => Self::Nobody,
            Event::WindowOpened { agency, .. } | Event::WindowCancelled { agency, .. } => Self::Opening(*agency),
            Event::PlanFinished => {
                let joined = plan.agencies.iter().filter(|(_, joined)| joined.join_in);
                let agencies: Vec<AgencyId> = joined.map(|(agency, _)| *agency).collect();
                let closed = agencies.iter().flat_map(points).collect();
                Self::Agencies { agencies, closed }
            }
            Event::AgencyJoined { agency, join_in, .. } => {
                let closed = if *join_in { Vec::new() } else { points(agency).collect() };
                Self::Agencies { agencies: vec![*agency], closed }
            }
            Event::WindowExtended { agency, window } | Event::WindowClosed { agency, window } => {
                Self::Window { window: window.id, agency: *agency }
            }
            Event::PointAssigned { assignment, .. } => {
                let dates = Dates { begin: assignment.confirm_begin, end: assignment.confirm_end };
                Self::Point { point: assignment.point, dates: Some(dates) }
            }
        }
    }

    /// What the end of an agency would touch, as the plan that goes on stands.
    pub fn of_the_end(agency: AgencyId, plan: Option<&Plan>) -> Self {
        let joined = plan.and_then(|plan| plan.agencies.get(&agency));
        let closed = joined.into_iter().flat_map(|joined| joined.points.keys().copied()).collect();
        Self::Agencies { agencies: vec![agency], closed }
    }

    /// The points where bookings may lose their slot.
    pub fn points(&self) -> &[PointId] {
        match self {
            Self::Nobody | Self::Window { .. } | Self::Opening(_) => &[],
            Self::Agencies { closed, .. } => closed,
            Self::Point { point, .. } => std::slice::from_ref(point),
        }
    }

    /// Whether nobody could confirm in a slot of one of these points any more.
    pub fn bars(&self, slot: &Slot) -> bool {
        match self {
            Self::Nobody | Self::Window { .. } | Self::Opening(_) => false,
            Self::Agencies { closed, .. } => closed.contains(&slot.point),
            Self::Point { point, dates } => *point == slot.point && dates.is_none_or(|dates| !slot.meets(dates)),
        }
    }
}

#[cfg(test)]
mod tests {
    use decider::Decider as _;
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::super::id::PlanId;
    use super::super::plan::{Assignment, Decisions, State};
    use super::super::school::tests::agency;
    use super::super::slot::HalfDay;
    use super::super::window::Window;
    use super::*;

    const POINT: PointId = PointId(Uuid::from_u128(7));
    const BEGIN: time::OffsetDateTime = datetime!(2026-10-25 01:00 UTC);

    fn assigned(confirm_end: time::OffsetDateTime) -> Event {
        let (range, notes) = (String::new(), String::new());
        let assignment = Assignment { point: POINT, confirm_begin: BEGIN, confirm_end, range, notes };
        Event::PointAssigned { agency: agency("3203").id, assignment }
    }

    fn plan() -> Plan {
        let join = |digits, join_in| Event::AgencyJoined { agency: agency(digits).id, join_in, is_open: join_in };
        let province = agency("3203").division.province();
        let published = Event::PlanPublished { plan: PlanId(Uuid::from_u128(1)), province, batch: String::new() };
        let history = [published, join("3203", true), join("3201", false), assigned(BEGIN + time::Duration::days(9))];
        match Decisions::fold(&history) {
            State::Live(plan) => plan,
            State::Empty | State::Finished(_) => unreachable!("it was published and not finished"),
        }
    }

    #[test]
    fn the_end_of_a_plan_touches_all_who_take_part_and_their_points() {
        let touch = Touch::of(&plan(), &Event::PlanFinished);
        assert_eq!(touch, Touch::Agencies { agencies: vec![agency("3203").id], closed: vec![POINT] });
        assert_eq!(Touch::of_the_end(agency("3203").id, Some(&plan())), touch, "so does the end of the only one");
        let alone = Touch::Agencies { agencies: vec![agency("3203").id], closed: Vec::new() };
        assert_eq!(Touch::of_the_end(agency("3203").id, None), alone);
    }

    #[test]
    fn an_agency_that_only_stops_filing_on_line_goes_on_confirming() {
        let joined = |join_in| Event::AgencyJoined { agency: agency("3203").id, join_in, is_open: false };
        assert!(Touch::of(&plan(), &joined(true)).points().is_empty());
        assert_eq!(Touch::of(&plan(), &joined(false)).points(), [POINT]);
    }

    #[test]
    fn a_window_touches_whoever_was_accepted_under_it_and_a_new_one_whoever_may_file() {
        let id = WindowId(Uuid::from_u128(5));
        let window = Window { id, begin: BEGIN, end: BEGIN + time::Duration::days(1), grace_minutes: 0, revision: 2 };
        let extended = Event::WindowExtended { agency: agency("3203").id, window: window.clone() };
        assert_eq!(Touch::of(&plan(), &extended), Touch::Window { window: id, agency: agency("3203").id });
        let opened = Event::WindowOpened { agency: agency("3203").id, window };
        assert_eq!(Touch::of(&plan(), &opened), Touch::Opening(agency("3203").id));
        let cancelled = Event::WindowCancelled { agency: agency("3203").id, window: id };
        assert_eq!(Touch::of(&plan(), &cancelled), Touch::Opening(agency("3203").id));
    }

    #[test]
    fn new_dates_of_a_point_bar_the_slots_beyond_them() {
        let touch = Touch::of(&plan(), &assigned(datetime!(2026-10-27 01:00 UTC)));
        let slot = |date, half| Slot { point: POINT, date, half };
        assert!(!touch.bars(&slot(date!(2026 - 10 - 27), HalfDay::Morning)));
        assert!(touch.bars(&slot(date!(2026 - 10 - 27), HalfDay::Afternoon)));
        let elsewhere = Slot { point: PointId(Uuid::from_u128(8)), ..slot(date!(2026 - 12 - 27), HalfDay::Morning) };
        assert!(!touch.bars(&elsewhere));
        let closed = Touch::Point { point: POINT, dates: None };
        assert!(closed.bars(&slot(date!(2026 - 10 - 27), HalfDay::Morning)) && !closed.bars(&elsewhere));
    }
}
