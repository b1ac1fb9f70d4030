//! 审核期限: by when a confirmed application has its conclusion, counted in working days from the end of the acceptance
//! period (DOMAIN L15).

use time::{Date, Duration, OffsetDateTime};

use crate::domain::calendar::shanghai_date;
use crate::domain::directory::Directory;
use crate::domain::registration::{Application, Phase};
use crate::domain::rules::RuleSet;
use crate::domain::working_days::WorkCalendar;

/// Where the count stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimit {
    /// Last day of the acceptance period: the count begins with the next working day.
    pub accepted_until: Date,
    /// Working days that there are.
    pub days: u32,
    /// The last of them.
    pub due: Date,
    /// Which of them it is, or was when it was concluded; 0 before the first, more than `days` when overdue.
    pub day: u32,
    /// Not concluded by the due day.
    pub overdue: bool,
    /// The holidays of some year that it reaches into are not known yet: the due day may move.
    pub provisional: bool,
}

impl TimeLimit {
    /// Of an application that was accepted; `None` before its confirmation, after its withdrawal, and where the
    /// directory knows no end of the acceptance period.
    pub fn of(
        application: &Application,
        directory: &Directory,
        rules: &RuleSet,
        calendar: &WorkCalendar,
        today: Date,
    ) -> Option<Self> {
        let concluded = match &application.phase {
            Phase::Confirmed { .. } => None,
            Phase::Concluded(record) => Some(record.concluded_on),
            Phase::Pending { .. } | Phase::Withdrawn => return None,
        };
        let end = directory.acceptance_end(application.window, application.place.agency, application.place.point)?;
        Some(Self::counted(last_day(end), rules.review_working_days, calendar, concluded.unwrap_or(today)))
    }

    /// As of a day.
    fn counted(accepted_until: Date, days: u32, calendar: &WorkCalendar, on: Date) -> Self {
        let due = calendar.after(accepted_until, days);
        Self {
            accepted_until,
            days,
            due,
            day: calendar.count(accepted_until, on),
            overdue: on > due,
            provisional: !calendar.is_arranged(accepted_until, due),
        }
    }
}

/// The last day in Shanghai of what ends before an instant.
fn last_day(end: OffsetDateTime) -> Date {
    shanghai_date(end - Duration::NANOSECOND)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::domain::registration::testing::{COUNTY, NOW, PLAN, POINT, WINDOW, directory};

    fn counted(on: Date) -> TimeLimit {
        TimeLimit::counted(date!(2026 - 11 - 20), 90, &WorkCalendar::default(), on)
    }

    #[test]
    fn ninety_working_days_begin_after_the_acceptance_period() {
        let limit = counted(date!(2026 - 11 - 20));
        assert_eq!((limit.day, limit.due, limit.overdue), (0, date!(2027 - 03 - 26), false), "eighteen weeks");
        assert_eq!(counted(date!(2026 - 11 - 22)).day, 0, "a weekend");
        assert_eq!(counted(date!(2026 - 11 - 23)).day, 1);
        assert_eq!(counted(date!(2027 - 01 - 04)).day, 31, "over the turn of the year");
        assert_eq!(counted(date!(2026 - 11 - 01)).day, 0, "before it has begun");
    }

    #[test]
    fn the_day_after_the_last_one_is_overdue() {
        let (last, after) = (counted(date!(2027 - 03 - 26)), counted(date!(2027 - 03 - 27)));
        assert_eq!((last.day, last.overdue), (90, false));
        assert_eq!((after.day, after.overdue), (90, true), "a Saturday, on which nobody works");
        assert_eq!(counted(date!(2027 - 03 - 29)).day, 91);
    }

    #[test]
    fn a_due_day_in_a_year_without_known_holidays_is_provisional() {
        assert!(counted(date!(2026 - 11 - 23)).provisional);
        let years = [2026, 2027].map(|year| (year, crate::domain::working_days::Arrangement::default())).into();
        let calendar = WorkCalendar { version: 1, years };
        assert!(!TimeLimit::counted(date!(2026 - 11 - 20), 90, &calendar, date!(2026 - 11 - 23)).provisional);
    }

    #[test]
    fn what_ends_at_midnight_ends_the_day_before() {
        assert_eq!(last_day(datetime!(2026-11-23 16:00 UTC)), date!(2026 - 11 - 23));
        assert_eq!(last_day(datetime!(2026-11-23 16:00:01 UTC)), date!(2026 - 11 - 24));
    }

    #[test]
    fn the_acceptance_period_is_the_points_in_the_plan_that_it_was_filed_under() {
        let mut directory = directory();
        let end = NOW + Duration::days(20);
        assert_eq!(directory.acceptance_end(WINDOW, COUNTY, POINT), Some(end));
        // The next season's plan does not move it.
        let next = uuid::Uuid::from_u128(0x4f);
        directory.plans.get_mut("32").unwrap().id = next;
        assert_eq!(directory.acceptance_end(WINDOW, COUNTY, POINT), Some(end));
        // Without dates of the point it is the window's end, without the window there is none.
        directory.agency_plans.get_mut(&(PLAN, COUNTY)).unwrap().assignments.clear();
        assert_eq!(directory.acceptance_end(WINDOW, COUNTY, POINT), Some(NOW + Duration::days(7)));
        assert_eq!(directory.acceptance_end(next, COUNTY, POINT), None);
    }
}
