//! Given a plan, when an officer commands, then this follows.

use decider::testing::given;
use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

use super::super::school::tests::agency;
use super::*;

const NOW: OffsetDateTime = datetime!(2026-10-20 00:00 UTC);
const BEGIN: OffsetDateTime = datetime!(2026-10-25 01:00 UTC);
const END: OffsetDateTime = datetime!(2026-11-04 09:00 UTC);
/// The tickets of a window that ends at [`END`] do not count any more.
const OVER: OffsetDateTime = datetime!(2026-11-04 09:30 UTC);

fn province() -> Code {
    Code::parse("32").unwrap()
}

fn xuzhou() -> Agency {
    agency("3203")
}

fn window_id(n: u128) -> WindowId {
    WindowId(Uuid::from_u128(n))
}

fn published() -> Event {
    Event::PlanPublished { plan: PlanId(Uuid::from_u128(1)), province: province(), batch: "2026年秋季".to_owned() }
}

fn join(join_in: bool, is_open: bool) -> Event {
    Event::AgencyJoined { agency: xuzhou().id, join_in, is_open }
}

fn window(n: u128, begin: OffsetDateTime, end: OffsetDateTime, revision: u32) -> Window {
    Window { id: window_id(n), begin, end, grace_minutes: 30, revision }
}

fn opened(n: u128, begin: OffsetDateTime, end: OffsetDateTime) -> Event {
    Event::WindowOpened { agency: xuzhou().id, window: window(n, begin, end, 1) }
}

fn open(n: u128, begin: OffsetDateTime, end: OffsetDateTime, now: OffsetDateTime) -> Command {
    Command::OpenWindow { window: window_id(n), agency: xuzhou().id, begin, end, grace_minutes: 30, now }
}

fn finish(now: OffsetDateTime) -> Command {
    Command::FinishPlan { now }
}

fn stop(join_in: bool, now: OffsetDateTime) -> Command {
    Command::JoinAgency { agency: Some(xuzhou()), join_in, is_open: false, now }
}

fn point() -> Point {
    Point {
        id: PointId(Uuid::from_u128(7)),
        agency: xuzhou().id,
        name: super::super::name::Name::parse("徐州市第一中学").unwrap(),
        division: xuzhou().division,
        school: None,
        range: String::new(),
    }
}

fn assignment(notes: &str) -> Assignment {
    Assignment {
        point: point().id,
        confirm_begin: BEGIN,
        confirm_end: END,
        range: "本校教师".to_owned(),
        notes: notes.to_owned(),
    }
}

fn going_on() -> Vec<Event> {
    vec![published(), join(true, true), opened(5, BEGIN, END)]
}

fn finished() -> Vec<Event> {
    going_on().into_iter().chain([Event::PlanFinished]).collect()
}

fn when(history: Vec<Event>, command: Command) -> decider::testing::Outcome<Decisions> {
    given::<Decisions>(history).when(command)
}

#[test]
fn a_plan_is_published_once() {
    let Event::PlanPublished { plan, province, batch } = published() else { unreachable!() };
    let publish = || Command::PublishPlan { plan, province, batch: batch.clone() };
    when(vec![], publish()).then([published()]);
    when(vec![published()], publish()).then_refused(&Rejection::PlanExists);
    when(finished(), publish()).then_refused(&Rejection::PlanExists);
}

#[test]
fn nothing_happens_to_an_unknown_plan() {
    when(vec![], finish(NOW)).then_refused(&Rejection::UnknownPlan);
    when(vec![], open(5, BEGIN, END, NOW)).then_refused(&Rejection::UnknownPlan);
}

#[test]
fn a_finished_plan_does_not_change() {
    when(going_on(), finish(NOW)).then([Event::PlanFinished]);
    when(finished(), finish(NOW)).then_refused(&Rejection::PlanFinished);
    when(finished(), open(6, END, END + CLOSING_NOTICE, NOW)).then_refused(&Rejection::PlanFinished);
}

#[test]
fn an_agency_joins_leaves_and_opens() {
    let command = |join_in, is_open| Command::JoinAgency { agency: Some(xuzhou()), join_in, is_open, now: NOW };
    when(vec![published()], command(true, false)).then([join(true, false)]);
    when(vec![published(), join(true, false)], command(true, true)).then([join(true, true)]);
    when(vec![published(), join(true, true)], command(true, true)).then_nothing();
    when(vec![published(), join(true, true)], command(false, false)).then([join(false, false)]);
}

#[test]
fn an_agency_of_another_province_does_not_join() {
    let command = |agency| Command::JoinAgency { agency, join_in: true, is_open: true, now: NOW };
    when(vec![published()], command(None)).then_refused(&Rejection::UnknownAgency);
    when(vec![published()], command(Some(agency("3301")))).then_refused(&Rejection::UnknownAgency);
}

#[test]
fn a_window_needs_an_agency_that_takes_part() {
    when(vec![published()], open(5, BEGIN, END, NOW)).then_refused(&Rejection::AgencyNotJoined);
    when(vec![published(), join(false, false)], open(5, BEGIN, END, NOW)).then_refused(&Rejection::AgencyNotJoined);
    when(vec![published(), join(true, false)], open(5, BEGIN, END, NOW)).then([opened(5, BEGIN, END)]);
}

#[test]
fn a_window_that_has_ended_is_not_opened() {
    when(vec![published(), join(true, true)], open(5, BEGIN, END, END)).then_refused(&Rejection::WindowInThePast);
    when(vec![published(), join(true, true)], open(5, BEGIN, END, BEGIN)).then([opened(5, BEGIN, END)]);
}

#[test]
fn windows_of_an_agency_do_not_overlap_but_may_touch() {
    let overlap = || Rejection::WindowsOverlap { with: window(5, BEGIN, END, 1) };
    let later = END + CLOSING_NOTICE;
    when(going_on(), open(6, END - CLOSING_NOTICE, later, NOW)).then_refused(&overlap());
    when(going_on(), open(6, BEGIN - CLOSING_NOTICE, later, NOW)).then_refused(&overlap());
    when(going_on(), open(6, END, later, NOW)).then([opened(6, END, later)]);
}

#[test]
fn a_window_is_extended_to_a_later_end_that_is_free() {
    let later = END + CLOSING_NOTICE;
    let extend = |end, now| Command::ExtendWindow { window: window_id(5), end, now };
    let extended = Event::WindowExtended { agency: xuzhou().id, window: window(5, BEGIN, later, 2) };
    when(going_on(), extend(later, NOW)).then([extended]);
    when(going_on(), extend(END, NOW)).then_refused(&Rejection::NotLater { end: END });
    when(going_on(), extend(later, END)).then_refused(&Rejection::WindowClosed { end: END });
    let neighbour = opened(6, END, later);
    when([going_on(), vec![neighbour]].concat(), extend(later, NOW))
        .then_refused(&Rejection::WindowsOverlap { with: window(6, END, later, 1) });
}

#[test]
fn a_window_is_closed_ten_minutes_ahead_at_the_earliest() {
    let close = |end, now| Command::CloseWindow { window: window_id(5), end, now };
    let now = BEGIN + CLOSING_NOTICE;
    let earliest = now + CLOSING_NOTICE;
    let closed = Event::WindowClosed { agency: xuzhou().id, window: window(5, BEGIN, earliest, 2) };
    when(going_on(), close(earliest, now)).then([closed]);
    when(going_on(), close(now, now)).then_refused(&Rejection::TooEarly { earliest });
    when(going_on(), close(END, now)).then_refused(&Rejection::NotEarlier { end: END });
    when(going_on(), close(BEGIN, NOW)).then_refused(&Rejection::EndsBeforeBegin { begin: BEGIN });
    when(going_on(), close(now, END)).then_refused(&Rejection::WindowClosed { end: END });
}

#[test]
fn a_window_is_taken_back_ten_minutes_before_it_begins() {
    let cancel = |n, now| Command::CancelWindow { window: window_id(n), now };
    let cancelled = || Event::WindowCancelled { agency: xuzhou().id, window: window_id(5) };
    when(going_on(), cancel(5, BEGIN - CLOSING_NOTICE)).then([cancelled()]);
    // A replica that does not know of it yet would take applications from the begin on.
    let late = BEGIN - CLOSING_NOTICE + Duration::MICROSECOND;
    when(going_on(), cancel(5, late)).then_refused(&Rejection::TooEarly { earliest: late + CLOSING_NOTICE });
    when(going_on(), cancel(5, BEGIN)).then_refused(&Rejection::WindowBegun { begin: BEGIN });
    let history = || [going_on(), vec![cancelled()]].concat();
    when(history(), cancel(5, NOW)).then_refused(&Rejection::UnknownWindow);
    // Its time is free again.
    when(history(), open(6, BEGIN, END, NOW)).then([opened(6, BEGIN, END)]);
}

#[test]
fn an_unknown_window_neither_extends_nor_closes_nor_is_taken_back() {
    let window = window_id(9);
    when(going_on(), Command::CancelWindow { window, now: NOW }).then_refused(&Rejection::UnknownWindow);
    when(going_on(), Command::ExtendWindow { window, end: END, now: NOW }).then_refused(&Rejection::UnknownWindow);
    when(going_on(), Command::CloseWindow { window, end: BEGIN, now: NOW }).then_refused(&Rejection::UnknownWindow);
}

#[test]
fn a_point_is_assigned_and_reassigned() {
    let assign = |point, notes| Command::AssignPoint { point, assignment: assignment(notes) };
    let assigned = |notes| Event::PointAssigned { agency: xuzhou().id, assignment: assignment(notes) };
    when(going_on(), assign(Some(point()), "带原件")).then([assigned("带原件")]);
    let history = || [going_on(), vec![assigned("带原件")]].concat();
    when(history(), assign(Some(point()), "带原件")).then_nothing();
    when(history(), assign(Some(point()), "带复印件")).then([assigned("带复印件")]);
    when(going_on(), assign(None, "")).then_refused(&Rejection::UnknownPoint);
    when(vec![published()], assign(Some(point()), "")).then_refused(&Rejection::AgencyNotJoined);
}

#[test]
fn commands_that_depend_on_the_hour_say_until_when_they_may_be_recorded() {
    let state = given::<Decisions>(going_on()).state();
    let window = window_id(5);
    let deadline = |command| state.deadline(&command);
    assert_eq!(deadline(open(6, END, END + CLOSING_NOTICE, NOW)), Some(END + CLOSING_NOTICE));
    assert_eq!(deadline(Command::ExtendWindow { window, end: END + CLOSING_NOTICE, now: NOW }), Some(END));
    let last = END - CLOSING_NOTICE;
    assert_eq!(deadline(Command::CloseWindow { window, end: END, now: NOW }), Some(last + Duration::MICROSECOND));
    let recall = BEGIN - CLOSING_NOTICE + Duration::MICROSECOND;
    assert_eq!(deadline(Command::CancelWindow { window, now: NOW }), Some(recall));
    assert_eq!(deadline(finish(NOW)), Some(recall));
    assert_eq!(deadline(stop(true, NOW)), Some(recall));
    assert_eq!(deadline(finish(OVER)), None);
    let join = Command::JoinAgency { agency: Some(xuzhou()), join_in: true, is_open: true, now: NOW };
    assert_eq!(deadline(join), None, "whoever opens takes nothing away");
}

#[test]
fn filing_stops_by_the_logs_clock_after_what_is_taken_for_over() {
    let next = window(6, OVER + Duration::DAY, OVER + Duration::DAY * 2, 1);
    let history = [going_on(), vec![Event::WindowOpened { agency: xuzhou().id, window: next }]].concat();
    let state = given::<Decisions>(history).state();
    let now = OVER + Duration::HOUR;
    let recall = OVER + Duration::DAY - CLOSING_NOTICE + Duration::MICROSECOND;
    for command in [finish(now), stop(true, now), stop(false, now)] {
        assert_eq!((state.earliest(&command), state.deadline(&command)), (Some(OVER), Some(recall)));
    }
    assert_eq!(state.earliest(&finish(NOW)), None);
    assert_eq!(state.earliest(&open(7, OVER, OVER + Duration::HOUR, now)), None);
    let elsewhere = Command::JoinAgency { agency: Some(agency("3201")), join_in: false, is_open: false, now };
    assert_eq!((state.earliest(&elsewhere), state.deadline(&elsewhere)), (None, None));
}

/// 是否开通网报 and 已结束 are ends too: announced in time, or after the window and its tickets.
#[test]
fn filing_does_not_stop_while_people_count_on_a_window() {
    let not_over = Rejection::WindowNotOver { window: window(5, BEGIN, END, 1) };
    let late = BEGIN - CLOSING_NOTICE + Duration::MICROSECOND;
    for now in [late, BEGIN, END, OVER - Duration::MICROSECOND] {
        when(going_on(), finish(now)).then_refused(&not_over);
        when(going_on(), stop(true, now)).then_refused(&not_over);
        when(going_on(), stop(false, now)).then_refused(&not_over);
    }
    for now in [BEGIN - CLOSING_NOTICE, OVER] {
        when(going_on(), finish(now)).then([Event::PlanFinished]);
        when(going_on(), stop(true, now)).then([join(true, false)]);
        when(going_on(), stop(false, now)).then([join(false, false)]);
    }
    // Where nobody files on line, nobody is kept out.
    let closed = || [going_on(), vec![join(true, false)]].concat();
    when(closed(), stop(false, BEGIN)).then([join(false, false)]);
    when(closed(), finish(BEGIN)).then([Event::PlanFinished]);
    when(closed(), stop(true, BEGIN)).then_nothing();
}

/// Whole steps of ten minutes, so that instants meet.
pub(crate) fn step(n: i64) -> OffsetDateTime {
    NOW + time::Duration::minutes(10 * n)
}

/// Any command about two agencies, three windows and two points, within 300 minutes.
pub(crate) fn command() -> impl Strategy<Value = Command> {
    let agency = prop_oneof![3 => Just(agency("3203")), 1 => Just(agency("3201"))];
    let span = (0..30_i64, 1..15_i64).prop_map(|(begin, length)| (step(begin), step(begin + length)));
    let at = (0..30_i64).prop_map(step);
    let window = (1..4_u128).prop_map(window_id);
    let mostly = || proptest::bool::weighted(0.8);
    prop_oneof![
        1 => at.clone().prop_map(finish),
        80 => (agency.clone(), mostly(), mostly(), at.clone()).prop_map(|(agency, join_in, is_open, now)| {
            Command::JoinAgency { agency: Some(agency), join_in, is_open, now }
        }),
        100 => (agency, window.clone(), span.clone(), at.clone()).prop_map(|(agency, window, (begin, end), now)| {
            Command::OpenWindow { window, agency: agency.id, begin, end, grace_minutes: 0, now }
        }),
        40 => (window.clone(), at.clone(), at.clone())
            .prop_map(|(window, end, now)| Command::ExtendWindow { window, end, now }),
        40 => (window.clone(), at.clone(), at.clone())
            .prop_map(|(window, end, now)| Command::CloseWindow { window, end, now }),
        20 => (window, at).prop_map(|(window, now)| Command::CancelWindow { window, now }),
        100 => (span, 7..9_u128).prop_map(|((confirm_begin, confirm_end), n)| {
            let id = PointId(Uuid::from_u128(n));
            Command::AssignPoint {
                point: Some(Point { id, ..point() }),
                assignment: Assignment { point: id, confirm_begin, confirm_end, ..assignment("") },
            }
        }),
    ]
}

/// Ids of windows are fresh: nobody opens the same one twice.
fn repeats(state: &State, command: &Command) -> bool {
    matches!(command, Command::OpenWindow { window, .. }
        if state.plan().is_some_and(|plan| plan.find_window(*window).is_some()))
}

/// What really happens when commands come one after the other.
pub(crate) fn history(commands: Vec<Command>) -> Vec<Event> {
    let mut events = vec![published()];
    for command in commands {
        let state = Decisions::fold(&events);
        if !repeats(&state, &command) {
            events.extend(Decisions::decide(&state, command).unwrap_or_default());
        }
    }
    events
}

/// The hour by which a command is decided.
fn hour(command: &Command) -> Option<OffsetDateTime> {
    match command {
        Command::FinishPlan { now }
        | Command::JoinAgency { now, .. }
        | Command::OpenWindow { now, .. }
        | Command::ExtendWindow { now, .. }
        | Command::CloseWindow { now, .. }
        | Command::CancelWindow { now, .. } => Some(*now),
        Command::PublishPlan { .. } | Command::AssignPoint { .. } => None,
    }
}

/// Whether one may file with an agency at an instant.
fn files(state: &State, agency: AgencyId, at: OffsetDateTime) -> bool {
    let State::Live(plan) = state else { return false };
    plan.agencies.get(&agency).is_some_and(|joined| {
        joined.join_in && joined.is_open && joined.windows.iter().any(|window| window.contains(at))
    })
}

proptest! {
    #[test]
    fn windows_never_overlap_and_never_end_before_they_begin(commands in proptest::collection::vec(command(), 0..40)) {
        let state = Decisions::fold(&history(commands));
        for agency in state.plan().unwrap().agencies.values() {
            for pair in agency.windows.windows(2) {
                prop_assert!(pair[0].end <= pair[1].begin);
            }
            prop_assert!(agency.windows.iter().all(|window| window.begin < window.end));
        }
    }

    /// Whatever is decided, nobody who could file within the notice is kept out by it.
    #[test]
    fn nobody_is_kept_out_without_notice(commands in proptest::collection::vec(command(), 1..40), last in command()) {
        let before = history(commands);
        let Some(now) = hour(&last) else { return Ok(()) };
        let state = Decisions::fold(&before);
        prop_assume!(!repeats(&state, &last));
        let events = Decisions::decide(&state, last).unwrap_or_default();
        let after = Decisions::fold(&[before, events].concat());
        for at in [now, now + CLOSING_NOTICE - Duration::MICROSECOND] {
            for agency in [agency("3203").id, agency("3201").id] {
                prop_assert!(files(&after, agency, at) || !files(&state, agency, at));
            }
        }
    }

    #[test]
    fn evolve_takes_any_history(commands in proptest::collection::vec(command(), 0..20), seed in any::<u64>()) {
        let mut events = history(commands);
        let length = events.len();
        events.rotate_left(usize::try_from(seed % 1_000).unwrap() % length);
        let _ = Decisions::fold(&events);
    }
}

#[test]
fn a_point_has_its_dates_while_plan_and_agency_take_part() {
    let assigned = Event::PointAssigned { agency: xuzhou().id, assignment: assignment("") };
    let dates = |history: Vec<Event>| given::<Decisions>(history).state().dates(&point());
    assert_eq!(dates(going_on()), None);
    let with_point: Vec<Event> = going_on().into_iter().chain([assigned]).collect();
    assert_eq!(dates(with_point.clone()), Some(Dates { begin: BEGIN, end: END }));
    assert_eq!(dates(with_point.iter().cloned().chain([join(false, false)]).collect()), None);
    assert_eq!(dates(with_point.into_iter().chain([Event::PlanFinished]).collect()), None);
}
