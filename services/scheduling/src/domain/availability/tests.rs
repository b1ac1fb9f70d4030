//! Every message of DOMAIN 6, and availability against a plain model over random plans.

use std::collections::{BTreeMap, HashMap};

use decider::Decider as _;
use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

use super::super::id::{PlanId, WindowId};
use super::super::name::Name;
use super::super::plan::tests::{command, history, step};
use super::super::plan::{Decisions, Event};
use super::super::school::tests::agency;
use super::*;

const BEGIN: OffsetDateTime = datetime!(2026-10-25 01:00 UTC);
const END: OffsetDateTime = datetime!(2026-11-04 09:00 UTC);
const POINT: PointId = PointId(Uuid::from_u128(7));

fn xuzhou() -> Agency {
    Agency { name: Name::parse("徐州市教育局").unwrap(), ..agency("3203") }
}

fn published() -> Event {
    let province = xuzhou().division.province();
    Event::PlanPublished { plan: PlanId(Uuid::from_u128(1)), province, batch: "2026年秋季".to_owned() }
}

fn join(join_in: bool, is_open: bool) -> Event {
    Event::AgencyJoined { agency: xuzhou().id, join_in, is_open }
}

fn window(n: u128, begin: OffsetDateTime, end: OffsetDateTime) -> Event {
    let window = Window { id: WindowId(Uuid::from_u128(n)), begin, end, grace_minutes: 30, revision: 1 };
    Event::WindowOpened { agency: xuzhou().id, window }
}

fn assigned(confirm_end: OffsetDateTime) -> Event {
    assigned_to(7, confirm_end)
}

fn assigned_to(point: u128, confirm_end: OffsetDateTime) -> Event {
    let (range, notes) = ("本校教师".to_owned(), "请携带证书原件".to_owned());
    let point = PointId(Uuid::from_u128(point));
    let assignment = Assignment { point, confirm_begin: BEGIN, confirm_end, range, notes };
    Event::PointAssigned { agency: xuzhou().id, assignment }
}

fn asked(plan: &State, point: Option<PointId>, now: OffsetDateTime) -> Answer<'_> {
    check(plan, &xuzhou(), &BTreeSet::new(), point, now)
}

#[track_caller]
fn expect(history: &[Event], now: OffsetDateTime, closed: Option<Closed>, message: &str) {
    let plan = Decisions::fold(history);
    let answer = asked(&plan, None, now);
    assert_eq!((answer.closed, answer.message.as_str()), (closed, message));
}

#[test]
fn without_a_plan_work_has_not_begun() {
    let message = "该机构目前未开展注册工作，请与该机构联系，了解其注册工作的时间安排";
    expect(&[], BEGIN, Some(Closed::NoPlan), message);
    expect(&[published()], BEGIN, Some(Closed::AgencyNotJoined), message);
    expect(&[published(), join(false, true)], BEGIN, Some(Closed::AgencyNotJoined), message);
    expect(&[published(), join(true, true)], BEGIN, Some(Closed::NoWindow), message);
}

#[test]
fn a_finished_plan_comes_before_everything_else() {
    let history = [published(), join(true, true), window(5, BEGIN, END), assigned(END), Event::PlanFinished];
    expect(&history, BEGIN, Some(Closed::PlanFinished), "该机构当前注册工作已经结束");
}

#[test]
fn an_agency_may_take_part_without_filing_on_line() {
    let message = "该机构注册工作目前未安排网上采集信息的时间，请与该机构联系，了解其注册工作的时间安排";
    let history = [published(), join(true, true), window(5, BEGIN, END), join(true, false)];
    expect(&history, BEGIN, Some(Closed::OnlineNotOpen), message);
}

#[test]
fn outside_every_window_all_are_listed_and_marked() {
    let later = datetime!(2026-12-01 01:00 UTC);
    let history = [published(), join(true, true), window(5, BEGIN, END), window(6, later, later + Duration::days(1))];
    expect(
        &history,
        END,
        Some(Closed::WindowNotOpen),
        "徐州市教育局网报时间：2026年10月25日 09:00 至 2026年11月4日 17:00（网报时间已截止）；\
         2026年12月1日 09:00 至 2026年12月2日 09:00（还未到网报时间）。",
    );
    let plan = Decisions::fold(&history);
    let answer = asked(&plan, None, END);
    assert_eq!((answer.windows.len(), answer.current, answer.next_begin), (2, None, Some(later)));
    let before = asked(&plan, None, BEGIN - Duration::MICROSECOND);
    assert_eq!((before.closed, before.next_begin), (Some(Closed::WindowNotOpen), Some(BEGIN)));
}

#[test]
fn inside_is_from_the_begin_until_before_the_end() {
    let history = [published(), join(true, true), window(5, BEGIN, END), assigned(END + Duration::days(9))];
    let message = "徐州市教育局已开通网报，网报时间：2026年10月25日 09:00 至 2026年11月4日 17:00。";
    expect(&history, BEGIN, None, message);
    expect(&history, END - Duration::MICROSECOND, None, message);
    let plan = Decisions::fold(&history);
    assert_eq!(asked(&plan, None, END).closed, Some(Closed::WindowNotOpen));
    let answer = asked(&plan, Some(POINT), BEGIN);
    assert_eq!((answer.closed, answer.points.len()), (None, 1));
    assert_eq!(answer.current.map(|window| window.end), Some(END));
}

#[test]
fn an_agency_without_points_that_confirm_says_so() {
    let message = "徐州市教育局目前还没有安排确认点，请与该机构联系！";
    let history = [published(), join(true, true), window(5, BEGIN, END)];
    expect(&history, BEGIN, Some(Closed::NoPoint), message);
    let over = [&history[..], &[assigned(BEGIN)]].concat();
    expect(&over, BEGIN, Some(Closed::NoPoint), message);
}

#[test]
fn a_point_that_does_not_confirm_any_more_is_named_with_its_date() {
    let history = [published(), join(true, true), window(5, BEGIN, END), assigned(BEGIN), assigned_to(8, END)];
    let plan = Decisions::fold(&history);
    let over = asked(&plan, Some(POINT), BEGIN);
    assert_eq!(over.closed, Some(Closed::PointClosed));
    assert_eq!(over.message, "您选择的确认点现场确认时间已于2026年10月25日 09:00截止，请选择其他确认点。");
    let never = asked(&plan, Some(PointId(Uuid::from_u128(9))), BEGIN);
    assert_eq!(never.closed, Some(Closed::PointClosed));
    assert_eq!(never.message, "您选择的确认点未列入该机构本次注册安排，请选择其他确认点。");
}

#[test]
fn a_point_that_was_closed_confirms_nobody_whatever_its_dates() {
    let history = [published(), join(true, true), window(5, BEGIN, END), assigned(END), assigned_to(8, END)];
    let (plan, other) = (Decisions::fold(&history), PointId(Uuid::from_u128(8)));
    let asked = |closed: &[PointId], point| check(&plan, &xuzhou(), &closed.iter().copied().collect(), point, BEGIN);
    let told = |closed: &[PointId], point| asked(closed, point).closed;
    assert_eq!((told(&[POINT], None), told(&[POINT], Some(other))), (None, None));
    assert_eq!(asked(&[POINT], None).points.iter().map(|assignment| assignment.point).collect::<Vec<_>>(), [other]);
    let chosen = asked(&[POINT], Some(POINT));
    assert_eq!(chosen.closed, Some(Closed::PointClosed));
    assert_eq!(chosen.message, "您选择的确认点未列入该机构本次注册安排，请选择其他确认点。");
    assert_eq!(told(&[POINT, other], None), Some(Closed::NoPoint));
    assert_eq!(told(&[POINT, other], Some(other)), Some(Closed::NoPoint));
}

/// Each obstacle alone with all that come after it: the first one is told, until nothing is in the way.
#[test]
fn obstacles_are_told_in_the_order_of_checks() {
    let earlier = window(4, BEGIN - Duration::days(9), BEGIN - Duration::days(8));
    let steps = [
        (published(), Closed::AgencyNotJoined),
        (join(true, false), Closed::OnlineNotOpen),
        (join(true, true), Closed::NoWindow),
        (earlier, Closed::WindowNotOpen),
        (window(5, BEGIN, END), Closed::NoPoint),
        (assigned_to(8, END), Closed::PointClosed),
    ];
    let mut history = Vec::new();
    let mut closed = Some(Closed::NoPlan);
    for (event, next) in steps {
        let plan = Decisions::fold(&history);
        assert_eq!(asked(&plan, Some(POINT), BEGIN).closed, closed);
        let finished = [&history[..], &[Event::PlanFinished]].concat();
        if !history.is_empty() {
            assert_eq!(asked(&Decisions::fold(&finished), Some(POINT), BEGIN).closed, Some(Closed::PlanFinished));
        }
        history.push(event);
        closed = Some(next);
    }
    assert_eq!(asked(&Decisions::fold(&history), Some(POINT), BEGIN).closed, closed);
    history.push(assigned(END));
    assert_eq!(asked(&Decisions::fold(&history), Some(POINT), BEGIN).closed, None);
}

#[test]
fn the_clock_turns_an_answer_at_the_edges_of_windows_and_at_the_end_of_points() {
    let history = [published(), join(true, true), window(5, BEGIN, END), assigned(END - Duration::days(1))];
    let plan = Decisions::fold(&history);
    let turns: Vec<OffsetDateTime> =
        std::iter::successors(next_turn(&plan, xuzhou().id, BEGIN - Duration::days(9)), |turn| {
            next_turn(&plan, xuzhou().id, *turn)
        })
        .collect();
    assert_eq!(turns, [BEGIN, END - Duration::days(1), END]);
    assert_eq!(next_turn(&plan, agency("3201").id, BEGIN), None);
    assert_eq!(next_turn(&State::Empty, xuzhou().id, BEGIN), None);
}

/// What the rules give.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    closed: Option<Closed>,
    points: Vec<PointId>,
}

/// The rules once more, read off the events one by one without any state.
fn model(
    events: &[Event],
    agency: &Agency,
    closed_points: &BTreeSet<PointId>,
    point: Option<PointId>,
    now: OffsetDateTime,
) -> Expected {
    let of = |id| id == agency.id;
    let last = |pick: &dyn Fn(&Event) -> Option<(bool, bool)>| events.iter().rev().find_map(pick);
    let joined = last(&|event| match event {
        Event::AgencyJoined { agency, join_in, is_open } if of(*agency) => Some((*join_in, *is_open)),
        _ => None,
    });
    let mut spans = HashMap::new();
    let mut ends = BTreeMap::new();
    for event in events {
        match event {
            Event::WindowOpened { agency, window }
            | Event::WindowExtended { agency, window }
            | Event::WindowClosed { agency, window }
                if of(*agency) =>
            {
                spans.insert(window.id, (window.begin, window.end));
            }
            Event::WindowCancelled { agency, window } if of(*agency) => {
                spans.remove(window);
            }
            Event::PointAssigned { agency, assignment } if of(*agency) => {
                ends.insert(assignment.point, assignment.confirm_end);
            }
            _ => {}
        }
    }
    let open: Vec<PointId> = ends
        .into_iter()
        .filter(|(point, end)| now < *end && !closed_points.contains(point))
        .map(|(point, _)| point)
        .collect();
    let rules = [
        (events.is_empty(), Closed::NoPlan),
        (events.contains(&Event::PlanFinished), Closed::PlanFinished),
        (joined.is_none_or(|(join_in, _)| !join_in), Closed::AgencyNotJoined),
        (joined.is_none_or(|(_, is_open)| !is_open), Closed::OnlineNotOpen),
        (spans.is_empty(), Closed::NoWindow),
        (!spans.values().any(|(begin, end)| *begin <= now && now < *end), Closed::WindowNotOpen),
        (open.is_empty(), Closed::NoPoint),
        (point.is_some_and(|point| !open.contains(&point)), Closed::PointClosed),
    ];
    let closed = rules.into_iter().find(|(applies, _)| *applies).map(|(_, closed)| closed);
    let points = match (closed, point) {
        (None, Some(point)) => vec![point],
        (None, None) | (Some(Closed::PointClosed), _) => open,
        (Some(_), _) => Vec::new(),
    };
    Expected { closed, points }
}

/// The instants at which an answer may change.
fn edges(events: &[Event]) -> Vec<OffsetDateTime> {
    let edges = events.iter().flat_map(|event| match event {
        Event::WindowOpened { window, .. }
        | Event::WindowExtended { window, .. }
        | Event::WindowClosed { window, .. } => vec![window.begin, window.end],
        Event::PointAssigned { assignment, .. } => vec![assignment.confirm_end],
        Event::PlanPublished { .. }
        | Event::PlanFinished
        | Event::AgencyJoined { .. }
        | Event::WindowCancelled { .. } => Vec::new(),
    });
    edges.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn availability_is_what_the_plain_model_says(
        commands in proptest::collection::vec(command(), 0..40),
        steps in -1..46_i64,
        edge in proptest::option::of(any::<proptest::sample::Index>()),
        beside in -1..2_i64,
        point in proptest::option::of(7..10_u128),
        closed_points in proptest::collection::btree_set((7..10_u128).prop_map(|n| PointId(Uuid::from_u128(n))), 0..3),
    ) {
        let events = history(commands);
        let edges = edges(&events);
        let at = edge.filter(|_| !edges.is_empty()).map_or(step(steps), |edge| *edge.get(&edges));
        let now = at + Duration::MICROSECOND * i32::try_from(beside).unwrap();
        let point = point.map(|n| PointId(Uuid::from_u128(n)));
        let plan = Decisions::fold(&events);
        for agency in [agency("3203"), agency("3201"), agency("320302")] {
            let answer = check(&plan, &agency, &closed_points, point, now);
            let points = answer.points.iter().map(|assignment| assignment.point).collect();
            let expected = model(&events, &agency, &closed_points, point, now);
            prop_assert_eq!(Expected { closed: answer.closed, points }, expected);
            prop_assert_eq!(answer.current.is_some(), answer.windows.iter().any(|window| window.contains(now)));
            prop_assert_eq!(
                answer.next_begin,
                answer.windows.iter().map(|window| window.begin).filter(|begin| *begin > now).min()
            );
        }
    }

    #[test]
    fn between_two_turns_of_the_clock_the_answer_stays_the_same(
        commands in proptest::collection::vec(command(), 0..40),
        steps in -1..46_i64,
        point in proptest::option::of(7..10_u128),
    ) {
        let plan = Decisions::fold(&history(commands));
        let point = point.map(|n| PointId(Uuid::from_u128(n)));
        let agency = agency("3203");
        let now = step(steps);
        let until = next_turn(&plan, agency.id, now).map_or(now + Duration::days(9), |turn| turn - Duration::MICROSECOND);
        prop_assert!(until >= now);
        let at = |instant| check(&plan, &agency, &BTreeSet::new(), point, instant);
        prop_assert_eq!(at(now), at(until));
    }
}
