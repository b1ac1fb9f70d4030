//! Each answer of DOMAIN 6, in its order.

use time::Duration;
use time::macros::datetime;

use super::*;
use crate::domain::registration::testing::{COUNTY, NOW, OTHER_POINT, PLAN, POINT, WINDOW, directory};

const END: OffsetDateTime = datetime!(2026-11-04 09:00 UTC);

fn admitted(directory: &Directory) -> Result<Admission, Closed> {
    admit(directory, COUNTY, POINT, NOW, None)
}

fn agency_plan(change: impl FnOnce(&mut AgencyPlan)) -> Directory {
    let mut directory = directory();
    change(directory.agency_plans.get_mut(&(PLAN, COUNTY)).unwrap());
    directory
}

/// As they stand at an instant.
fn windows(directory: &Directory, at: OffsetDateTime) -> Windows {
    Windows::of(directory, COUNTY, at)
}

#[test]
fn inside_the_window_the_log_holds_both_its_instants() {
    let admission = admitted(&directory()).unwrap();
    assert_eq!(admission.window, WINDOW);
    assert_eq!(admission.opening, NOW - Duration::days(3), "a replica's clock may be fast");
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
    let begin = directory.agency_plans[&(PLAN, COUNTY)].windows[0].begin;
    let just_before = begin - Duration::microseconds(1);
    let closed = Closed::WindowNotOpen(windows(&directory, just_before));
    assert_eq!(admit(&directory, COUNTY, POINT, just_before, None), Err(closed));
    assert!(admit(&directory, COUNTY, POINT, begin, None).is_ok());
}

#[test]
fn around_the_end_the_logs_clock_decides_and_later_it_is_closed() {
    let directory = directory();
    let end = directory.agency_plans[&(PLAN, COUNTY)].windows[0].end;
    let admission = admit(&directory, COUNTY, POINT, end + Duration::seconds(1), None).unwrap();
    assert_eq!(admission.closing, end);
    let late = end + CLOCKS_DIFFER_AT_MOST;
    let closed = Closed::WindowClosed(windows(&directory, late));
    assert_eq!(admit(&directory, COUNTY, POINT, late, None), Err(closed));
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
    assert_eq!(admit(&directory(), COUNTY, Uuid::from_u128(404), NOW, None), Err(Closed::PointNotListed));
    let unlisted = agency_plan(|plan| plan.assignments.retain(|point, _| *point != POINT));
    assert_eq!(admitted(&unlisted), Err(Closed::PointNotListed));
    let over = agency_plan(|plan| plan.assignments.get_mut(&POINT).unwrap().end = NOW);
    assert_eq!(admitted(&over), Err(Closed::PointClosed { end: NOW }));
    let mut closed = directory();
    closed.points.get_mut(&POINT).unwrap().closed = true;
    assert_eq!(admitted(&closed), Err(Closed::PointNotListed));
}

#[test]
fn where_no_point_of_the_agency_confirms_the_agency_is_named() {
    let none = || Err(Closed::NoPoint { agency: "320303教育局".to_owned() });
    assert_eq!(admitted(&agency_plan(|plan| plan.assignments.clear())), none());
    assert_eq!(admitted(&agency_plan(|plan| plan.assignments.values_mut().for_each(|dates| dates.end = NOW))), none());
    let mut closed = directory();
    closed.points.values_mut().for_each(|point| point.closed = true);
    assert_eq!(admitted(&closed), none());
}

/// The messages of DOMAIN 6, each with its dates and marks.
#[test]
fn every_message_is_told_in_its_words() {
    const NOT_STARTED: &str = "该机构目前未开展注册工作，请与该机构联系，了解其注册工作的时间安排";
    let told = |closed: Closed| (closed.reason(), closed.sentence());
    let said = |reason, sentence: &str| (reason, sentence.to_owned());
    assert_eq!(told(Closed::NoPlan), said("NO_PLAN", NOT_STARTED));
    assert_eq!(told(Closed::PlanFinished), said("PLAN_FINISHED", "该机构当前注册工作已经结束"));
    assert_eq!(told(Closed::AgencyNotJoined), said("AGENCY_NOT_JOINED", NOT_STARTED));
    let no_online = "该机构注册工作目前未安排网上采集信息的时间，请与该机构联系，了解其注册工作的时间安排";
    assert_eq!(told(Closed::OnlineNotOpen), said("ONLINE_NOT_OPEN", no_online));
    assert_eq!(told(Closed::NoWindow), said("NO_WINDOW", NOT_STARTED));
    let no_point = Closed::NoPoint { agency: "徐州市教育局".to_owned() };
    assert_eq!(told(no_point), said("NO_POINT", "徐州市教育局目前还没有安排确认点，请与该机构联系！"));
    let not_listed = "您选择的确认点未列入该机构本次注册安排，请选择其他确认点。";
    assert_eq!(told(Closed::PointNotListed), said("POINT_CLOSED", not_listed));
    let over = "您选择的确认点现场确认时间已于2026年11月4日 17:00截止，请选择其他确认点。";
    assert_eq!(told(Closed::PointClosed { end: END }), said("POINT_CLOSED", over));
}

#[test]
fn outside_of_every_window_all_are_listed_and_marked() {
    let window = |begin, end| Window { id: WINDOW, begin, end, grace_minutes: 30, revision: 1 };
    let (begin, later) = (datetime!(2026-10-25 01:00 UTC), datetime!(2026-12-01 01:00 UTC));
    let both = vec![window(begin, END), window(later, later + Duration::days(1))];
    let at = |at| outside(Windows { agency: "徐州市教育局".to_owned(), windows: both.clone(), at });
    let between = at(END);
    assert_eq!(between.reason(), "WINDOW_NOT_OPEN");
    assert_eq!(
        between.sentence(),
        "徐州市教育局网报时间：2026年10月25日 09:00 至 2026年11月4日 17:00（网报时间已截止）；\
         2026年12月1日 09:00 至 2026年12月2日 09:00（还未到网报时间）。"
    );
    let before = at(begin - Duration::microseconds(1));
    assert_eq!((before.reason(), before.sentence().matches("还未到网报时间").count()), ("WINDOW_NOT_OPEN", 2));
    let after = at(later + Duration::days(1));
    assert_eq!((after.reason(), after.sentence().matches("网报时间已截止").count()), ("WINDOW_CLOSED", 2));
}

#[test]
fn an_amendment_may_move_after_the_window_but_not_after_the_points_dates() {
    let directory = agency_plan(|plan| plan.assignments.get_mut(&OTHER_POINT).unwrap().end += Duration::days(1));
    let end = directory.assignment(WINDOW, COUNTY, POINT).unwrap().end;
    assert_eq!(transfer(&directory, WINDOW, COUNTY, POINT, end - Duration::seconds(1)), Ok(()));
    assert_eq!(transfer(&directory, WINDOW, COUNTY, POINT, end), Err(Closed::PointClosed { end }));
}

#[test]
fn an_amendment_of_the_season_before_moves_within_its_own_plan() {
    let mut directory = directory();
    directory.plans.get_mut("32").unwrap().id = Uuid::from_u128(0x4f);
    assert_eq!(transfer(&directory, WINDOW, COUNTY, POINT, NOW), Ok(()));
    assert_eq!(transfer(&directory, Uuid::from_u128(1), COUNTY, POINT, NOW), Err(Closed::AgencyNotJoined));
    directory.agency_plans.get_mut(&(PLAN, COUNTY)).unwrap().joined = false;
    assert_eq!(transfer(&directory, WINDOW, COUNTY, POINT, NOW), Err(Closed::AgencyNotJoined));
}

#[test]
fn who_only_asks_is_told_of_window_and_point_at_once() {
    let mut directory = agency_plan(|plan| plan.windows.clear());
    directory.points.clear();
    let told = |directory: &Directory, point| closed(directory, COUNTY, point, NOW, None);
    let no_point = Closed::NoPoint { agency: "320303教育局".to_owned() };
    assert_eq!(told(&directory, Some(POINT)), [Closed::NoWindow, no_point]);
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
