//! Filing is judged twice: for who asks (scheduling's availability) and for who submits (applications' opening). Both say the same
//! of every plan, word for word.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use applications::domain::directory::{self, Directory};
use applications::domain::opening::{self, Windows};
use applications::domain::values;
use decider::Decider as _;
use proptest::prelude::*;
use proptest::sample::Index;
use scheduling::domain::agency::Agency;
use scheduling::domain::availability;
use scheduling::domain::division::{Code, Level};
use scheduling::domain::id::{AgencyId, PlanId, PointId, WindowId};
use scheduling::domain::name::Name;
use scheduling::domain::plan::{Assignment, Decisions, Event, State};
use scheduling::domain::window::Window;
use time::macros::datetime;
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

const BEGIN: OffsetDateTime = datetime!(2026-10-25 01:00 UTC);

fn agency(digits: &str, name: &str, level: Level) -> Agency {
    let division = Code::parse(digits).unwrap();
    Agency { id: AgencyId::of(division), division, name: Name::parse(name).unwrap(), level, parent: None }
}

fn xuzhou() -> Agency {
    agency("3203", "徐州市教育局", Level::City)
}

fn gulou() -> Agency {
    agency("320302", "鼓楼区教育局", Level::County)
}

fn point(n: u128) -> PointId {
    PointId(Uuid::from_u128(n))
}

/// Points 7 and 8 are of 徐州, 9 is of 鼓楼.
fn agency_of(point: u128) -> Agency {
    if point < 9 { xuzhou() } else { gulou() }
}

/// Whole steps of ten minutes, so that instants meet.
fn step(n: i64) -> OffsetDateTime {
    BEGIN + Duration::minutes(10 * n)
}

fn published() -> Event {
    let province = xuzhou().division.province();
    Event::PlanPublished { plan: PlanId(Uuid::from_u128(1)), province, batch: "2026年秋季".to_owned() }
}

/// Anything that may happen to a plan of both agencies, within 300 minutes.
fn event() -> impl Strategy<Value = Event> {
    let agency = || prop_oneof![3 => Just(xuzhou().id), 1 => Just(gulou().id)];
    let span = || (0..30_i64, 1..15_i64).prop_map(|(begin, length)| (step(begin), step(begin + length)));
    let id = || (1..4_u128).prop_map(|n| WindowId(Uuid::from_u128(n)));
    let mostly = || proptest::bool::weighted(0.9);
    prop_oneof![
        1 => Just(Event::PlanFinished),
        30 => (agency(), mostly(), mostly())
            .prop_map(|(agency, join_in, is_open)| Event::AgencyJoined { agency, join_in, is_open }),
        40 => (agency(), id(), span(), 1..5_u32).prop_map(|(agency, id, (begin, end), revision)| {
            Event::WindowOpened { agency, window: Window { id, begin, end, grace_minutes: 30, revision } }
        }),
        5 => (agency(), id()).prop_map(|(agency, window)| Event::WindowCancelled { agency, window }),
        40 => (7..10_u128, span()).prop_map(|(n, (confirm_begin, confirm_end))| {
            let (range, notes) = (String::new(), String::new());
            let assignment = Assignment { point: point(n), confirm_begin, confirm_end, range, notes };
            Event::PointAssigned { agency: agency_of(n).id, assignment }
        }),
    ]
}

/// What applications know of it.
fn directory(state: &State, closed_points: &BTreeSet<PointId>) -> Directory {
    let agencies = [(xuzhou(), values::Level::City), (gulou(), values::Level::County)].map(|(agency, level)| {
        let names = BTreeMap::from([(Date::MIN, agency.name.as_str().to_owned())]);
        let division = agency.division.as_str().to_owned();
        (agency.id.0, directory::Agency { division, names, abolished_on: None, level: Some(level), parent: None })
    });
    let points = (7..10).map(|n| {
        let closed = closed_points.contains(&point(n));
        (point(n).0, directory::Point { agency: agency_of(n).id.0, name: String::new(), closed })
    });
    let mut directory = Directory { agencies: agencies.into(), points: points.collect(), ..Directory::default() };
    let Some(plan) = state.plan() else { return directory };
    let finished = matches!(state, State::Finished(_));
    directory.plans.insert("32".to_owned(), directory::Plan { id: plan.id.0, finished });
    for (agency, joined) in &plan.agencies {
        let windows = joined.windows.iter().map(|window| directory::Window {
            id: window.id.0,
            begin: window.begin,
            end: window.end,
            grace_minutes: window.grace_minutes,
            revision: window.revision,
        });
        let assignments = joined.points.values().map(|assignment| {
            (assignment.point.0, directory::Assignment { begin: assignment.confirm_begin, end: assignment.confirm_end })
        });
        let agency_plan = directory::AgencyPlan {
            joined: joined.join_in,
            open: joined.is_open,
            windows: windows.collect(),
            assignments: assignments.collect::<HashMap<_, _>>(),
        };
        directory.agency_plans.insert((plan.id.0, agency.0), agency_plan);
    }
    directory
}

/// What who asks would hear where a submission hears this.
fn of_availability(closed: &opening::Closed) -> availability::Closed {
    match closed {
        opening::Closed::NoPlan => availability::Closed::NoPlan,
        opening::Closed::PlanFinished => availability::Closed::PlanFinished,
        opening::Closed::AgencyNotJoined => availability::Closed::AgencyNotJoined,
        opening::Closed::OnlineNotOpen => availability::Closed::OnlineNotOpen,
        opening::Closed::NoWindow => availability::Closed::NoWindow,
        opening::Closed::WindowNotOpen(_) | opening::Closed::WindowClosed(_) => availability::Closed::WindowNotOpen,
        opening::Closed::NoPoint { .. } => availability::Closed::NoPoint,
        opening::Closed::PointNotListed | opening::Closed::PointClosed { .. } => availability::Closed::PointClosed,
    }
}

/// What becomes of a submission whose record's clock shows the same instant: its window, or why not.
fn submitted(
    directory: &Directory,
    agency: AgencyId,
    point: PointId,
    now: OffsetDateTime,
) -> Result<(Uuid, u32), opening::Closed> {
    let admission = opening::admit(directory, agency.0, point.0, now, None)?;
    if admission.opening <= now && now < admission.closing {
        Ok((admission.window, admission.revision))
    } else {
        Err(opening::outside(Windows::of(directory, agency.0, now)))
    }
}

/// The instants at which an answer may change.
fn edges(events: &[Event]) -> Vec<OffsetDateTime> {
    let edges = events.iter().flat_map(|event| match event {
        Event::WindowOpened { window, .. } => vec![window.begin, window.end],
        Event::PointAssigned { assignment, .. } => vec![assignment.confirm_end],
        _ => Vec::new(),
    });
    edges.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn both_judges_say_the_same(
        happened in proptest::collection::vec(event(), 0..30),
        is_published in proptest::bool::weighted(0.95),
        chosen in 7..11_u128,
        closed_points in proptest::collection::btree_set((7..10_u128).prop_map(point), 0..3),
        edge in any::<Index>(),
        beside in prop_oneof![Just(-1), Just(0), Just(1), Just(30_000_000), Just(61_000_000)],
    ) {
        let events: Vec<Event> = std::iter::once(published()).filter(|_| is_published).chain(happened).collect();
        let state = Decisions::fold(&events);
        let edges = [edges(&events), vec![BEGIN]].concat();
        let now = *edge.get(&edges) + Duration::microseconds(beside);
        let directory = directory(&state, &closed_points);
        let point = point(chosen);
        for agency in [xuzhou(), gulou()] {
            let answer = availability::check(&state, &agency, &closed_points, Some(point), now);
            let asked = opening::closed(&directory, agency.id.0, Some(point.0), now, None);
            match submitted(&directory, agency.id, point, now) {
                Ok(admission) => {
                    prop_assert_eq!(answer.closed, None);
                    prop_assert_eq!(answer.current.map(|window| (window.id.0, window.revision)), Some(admission));
                    prop_assert_eq!(asked, []);
                }
                Err(closed) => {
                    prop_assert_eq!(answer.closed, Some(of_availability(&closed)));
                    prop_assert_eq!(answer.message, closed.sentence());
                    prop_assert_eq!(asked.first(), Some(&closed));
                }
            }
        }
    }
}
