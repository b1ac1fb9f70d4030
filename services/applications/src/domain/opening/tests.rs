//! Each answer of DOMAIN 6, in its order.

use time::Duration;

use super::*;
use crate::domain::registration::testing::{COUNTY, NOW, PLAN, POINT, WINDOW, directory};

fn admitted(directory: &Directory) -> Result<Admission, Closed> {
    admit(directory, COUNTY, POINT, NOW, None)
}

fn agency_plan(change: impl FnOnce(&mut AgencyPlan)) -> Directory {
    let mut directory = directory();
    change(directory.agency_plans.get_mut(&(PLAN, COUNTY)).unwrap());
    directory
}

#[test]
fn inside_the_window_the_closing_instant_is_its_end() {
    let admission = admitted(&directory()).unwrap();
    assert_eq!(admission.window, WINDOW);
    assert_eq!(admission.closing, NOW + Duration::days(7));
    assert!(!admission.with_ticket);
}

#[test]
fn a_province_without_a_plan_does_nothing_at_present() {
    let mut directory = directory();
    directory.plans.clear();
    assert_eq!(admitted(&directory), Err(Closed::NoPlan));
    assert_eq!(admit(&directory, Uuid::from_u128(404), POINT, NOW, None), Err(Closed::NoPlan));
}

#[test]
fn a_finished_plan_is_over() {
    let mut directory = directory();
    directory.plans.get_mut("32").unwrap().finished = true;
    assert_eq!(admitted(&directory), Err(Closed::PlanFinished));
}

#[test]
fn an_agency_must_have_joined() {
    assert_eq!(admitted(&agency_plan(|plan| plan.joined = false)), Err(Closed::AgencyNotJoined));
    let mut directory = directory();
    directory.agency_plans.clear();
    assert_eq!(admitted(&directory), Err(Closed::AgencyNotJoined));
}

#[test]
fn filing_on_line_must_be_switched_on() {
    assert_eq!(admitted(&agency_plan(|plan| plan.open = false)), Err(Closed::OnlineNotOpen));
}

#[test]
fn an_agency_without_windows_says_so() {
    assert_eq!(admitted(&agency_plan(|plan| plan.windows.clear())), Err(Closed::NoWindow));
}

#[test]
fn before_the_begin_it_is_not_open() {
    let directory = directory();
    let windows = directory.agency_plans[&(PLAN, COUNTY)].windows.clone();
    let begin = windows[0].begin;
    let just_before = begin - Duration::microseconds(1);
    assert_eq!(admit(&directory, COUNTY, POINT, just_before, None), Err(Closed::WindowNotOpen(windows)));
    assert!(admit(&directory, COUNTY, POINT, begin, None).is_ok());
}

#[test]
fn around_the_end_the_logs_clock_decides_and_later_it_is_closed() {
    let directory = directory();
    let windows = directory.agency_plans[&(PLAN, COUNTY)].windows.clone();
    let end = windows[0].end;
    let admission = admit(&directory, COUNTY, POINT, end + Duration::seconds(1), None).unwrap();
    assert_eq!(admission.closing, end);
    assert_eq!(admit(&directory, COUNTY, POINT, end + CLOCKS_DIFFER_AT_MOST, None), Err(Closed::WindowClosed(windows)));
}

#[test]
fn a_ticket_of_the_window_admits_until_the_grace_is_over() {
    let directory = directory();
    let window = directory.agency_plans[&(PLAN, COUNTY)].windows[0];
    let ticket = Some(GraceTicket { window: WINDOW });
    let admission = admit(&directory, COUNTY, POINT, window.end + Duration::minutes(10), ticket).unwrap();
    assert_eq!((admission.closing, admission.with_ticket), (window.end + Duration::minutes(30), true));
    // Decided before the end and recorded after it: the ticket counts all the same.
    let admission = admit(&directory, COUNTY, POINT, window.end - Duration::microseconds(1), ticket).unwrap();
    assert_eq!((admission.closing, admission.with_ticket), (window.end + Duration::minutes(30), true));
    let stranger = Some(GraceTicket { window: Uuid::from_u128(5) });
    assert!(admit(&directory, COUNTY, POINT, window.end + Duration::minutes(10), stranger).is_err());
    let late = window.end_with_grace() + CLOCKS_DIFFER_AT_MOST;
    assert!(matches!(admit(&directory, COUNTY, POINT, late, ticket), Err(Closed::WindowClosed(_))));
}

#[test]
fn between_two_windows_the_next_one_is_not_open_yet() {
    let directory = agency_plan(|plan| {
        let mut next = plan.windows[0];
        next.id = Uuid::from_u128(77);
        next.begin += Duration::days(30);
        next.end += Duration::days(30);
        plan.windows.push(next);
        plan.assignments.get_mut(&POINT).unwrap().end += Duration::days(60);
    });
    let between = NOW + Duration::days(8);
    assert!(matches!(admit(&directory, COUNTY, POINT, between, None), Err(Closed::WindowNotOpen(_))));
    let admission = admit(&directory, COUNTY, POINT, NOW + Duration::days(31), None).unwrap();
    assert_eq!(admission.window, Uuid::from_u128(77));
}

#[test]
fn the_point_must_be_one_of_the_agency_with_dates_and_not_over() {
    let directory = directory();
    assert_eq!(admit(&directory, COUNTY, Uuid::from_u128(404), NOW, None), Err(Closed::NoPoint));
    assert_eq!(admitted(&agency_plan(|plan| plan.assignments.clear())), Err(Closed::NoPoint));
    let closed = agency_plan(|plan| plan.assignments.get_mut(&POINT).unwrap().end = NOW);
    assert_eq!(admitted(&closed), Err(Closed::PointClosed { end: NOW }));
}

#[test]
fn an_amendment_may_move_after_the_window_but_not_after_the_points_dates() {
    let directory = directory();
    let end = directory.assignment(COUNTY, POINT).unwrap().end;
    assert_eq!(transfer(&directory, COUNTY, POINT, end - Duration::seconds(1)), Ok(()));
    assert_eq!(transfer(&directory, COUNTY, POINT, end), Err(Closed::PointClosed { end }));
}

#[test]
fn who_only_asks_is_told_of_window_and_point_at_once() {
    let mut directory = agency_plan(|plan| plan.windows.clear());
    directory.points.clear();
    let told = |directory: &Directory, point| closed(directory, COUNTY, point, NOW, None);
    assert_eq!(told(&directory, Some(POINT)), [Closed::NoWindow, Closed::NoPoint]);
    assert_eq!(told(&directory, None), [Closed::NoWindow]);
    directory.plans.clear();
    assert_eq!(told(&directory, Some(POINT)), [Closed::NoPlan]);
    assert_eq!(told(&self::directory(), Some(POINT)), []);
}

#[test]
fn who_only_asks_is_told_of_the_end_by_our_clock() {
    let directory = directory();
    let end = NOW + Duration::days(7);
    assert!(admit(&directory, COUNTY, POINT, end, None).is_ok(), "the log's clock decides");
    assert!(matches!(&closed(&directory, COUNTY, Some(POINT), end, None)[..], [Closed::WindowClosed(_)]));
    assert_eq!(closed(&directory, COUNTY, Some(POINT), end - Duration::seconds(1), None), []);
    let ticket = Some(GraceTicket { window: WINDOW });
    assert_eq!(closed(&directory, COUNTY, Some(POINT), end, ticket), []);
}
