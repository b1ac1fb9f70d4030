//! Adding, renaming and abolishing an authority.

use decider::testing::given;
use time::Duration;
use time::macros::{date, datetime};
use uuid::Uuid;

use super::super::id::WindowId;
use super::*;

const DAY: Date = date!(2020 - 07 - 01);
const NOW: OffsetDateTime = datetime!(2020-06-01 00:00 UTC);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn code(digits: &str) -> Code {
    Code::parse(digits).unwrap()
}

fn id(digits: &str) -> AgencyId {
    AgencyId::of(code(digits))
}

fn add(digits: &str, called: &str) -> Command {
    Command::AddAgency { division: Divisions::national().find(digits).unwrap(), name: name(called) }
}

fn agency(digits: &str, called: &str, level: Level, parent: &str) -> Agency {
    Agency { id: id(digits), division: code(digits), name: name(called), level, parent: Some(id(parent)) }
}

fn xuzhou() -> Event {
    Event::AgencyAdded(agency("3203", "徐州市教育局", Level::City, "32"))
}

fn rename(called: &str, since: Date) -> Command {
    Command::RenameAgency { name: name(called), since }
}

fn renamed(called: &str, since: Date) -> Event {
    Event::AgencyRenamed { agency: id("3203"), name: name(called), since }
}

fn abolish(successor: Successor) -> Command {
    Command::AbolishAgency { on: DAY, successor, has_others_below: false, windows: Vec::new(), now: NOW }
}

fn abolished(successor: Option<AgencyId>) -> Event {
    Event::AgencyAbolished { agency: id("3203"), abolition: Abolition { on: DAY, successor } }
}

fn nanjing() -> Record {
    Record::new(agency("3201", "南京市教育局", Level::City, "32"))
}

fn gone() -> Rejection {
    Rejection::AgencyAbolished { name: name("徐州市教育局"), on: DAY }
}

fn record(events: &[Event]) -> Record {
    let state = events.iter().fold(State::default(), Decisions::evolve);
    state.record().unwrap()
}

#[test]
fn a_division_gets_its_authority_with_level_and_parent() {
    given::<Decisions>([]).when(add("3203", "徐州市教育局")).then([xuzhou()]);
}

#[test]
fn a_division_has_one_authority() {
    given::<Decisions>([xuzhou()]).when(add("3203", "徐州市教委")).then_refused(&Rejection::AgencyExists);
    given::<Decisions>([xuzhou(), abolished(None)])
        .when(add("3203", "徐州市教委"))
        .then_refused(&Rejection::AgencyExists);
}

#[test]
fn a_pseudo_city_has_no_authority() {
    given::<Decisions>([]).when(add("1101", "市辖区教育局")).then_refused(&Rejection::NoAuthorityHere);
    given::<Decisions>([]).when(add("441900", "东莞市教育局")).then_refused(&Rejection::NoAuthorityHere);
}

#[test]
fn the_authority_at_the_top_has_none_above() {
    let events = given::<Decisions>([]).when(add("32", "江苏省教育厅")).events();
    assert!(matches!(&events[..], [Event::AgencyAdded(Agency { parent: None, level: Level::Province, .. })]));
}

#[test]
fn a_district_of_a_municipality_and_a_county_run_by_the_province_stand_below_the_province() {
    for (county, province) in [("110101", "11"), ("500229", "50"), ("419001", "41"), ("659001", "65")] {
        let events = given::<Decisions>([]).when(add(county, "某区教育局")).events();
        let [Event::AgencyAdded(Agency { parent, level: Level::County, .. })] = &events[..] else {
            panic!("{county}: {events:?}");
        };
        assert_eq!(*parent, Some(id(province)), "{county}");
    }
}

#[test]
fn an_authority_is_called_by_the_name_of_the_day() {
    let record =
        record(&[xuzhou(), renamed("徐州市教育体育局", DAY), renamed("徐州市教育委员会", date!(1995 - 03 - 01))]);
    let on = |day| record.on(day).name.as_str();
    assert_eq!(on(date!(1995 - 02 - 28)), "徐州市教育局");
    assert_eq!(on(date!(1995 - 03 - 01)), "徐州市教育委员会");
    assert_eq!(on(date!(2020 - 06 - 30)), "徐州市教育委员会");
    assert_eq!(on(DAY), "徐州市教育体育局");
    let names: Vec<_> = record.names().map(|(since, name)| (since, name.as_str())).collect();
    let expected =
        [(None, "徐州市教育局"), (Some(date!(1995 - 03 - 01)), "徐州市教育委员会"), (Some(DAY), "徐州市教育体育局")];
    assert_eq!(names, expected);
}

#[test]
fn a_name_is_given_from_a_day_on_and_put_right() {
    given::<Decisions>([xuzhou()]).when(rename("徐州市教体局", DAY)).then([renamed("徐州市教体局", DAY)]);
    given::<Decisions>([xuzhou(), renamed("徐州市教体局", DAY)])
        .when(rename("徐州市教育体育局", DAY))
        .then([renamed("徐州市教育体育局", DAY)]);
}

#[test]
fn the_name_of_that_day_is_no_news() {
    given::<Decisions>([xuzhou()]).when(rename("徐州市教育局", DAY)).then_nothing();
}

#[test]
fn what_is_not_there_is_neither_renamed_nor_abolished() {
    given::<Decisions>([]).when(rename("徐州市教体局", DAY)).then_refused(&Rejection::UnknownAgency);
    given::<Decisions>([]).when(abolish(Successor::None)).then_refused(&Rejection::UnknownAgency);
    let gone_by_then = given::<Decisions>([xuzhou(), abolished(None)]).when(rename("徐州市教体局", DAY));
    gone_by_then.then_refused(&gone());
    let before = date!(2020 - 06 - 30);
    given::<Decisions>([xuzhou(), abolished(None)])
        .when(rename("徐州市教体局", before))
        .then([renamed("徐州市教体局", before)]);
}

#[test]
fn names_are_not_without_number() {
    let since = |n: usize| Date::from_ordinal_date(1990, u16::try_from(n).unwrap()).unwrap();
    let names = (1..MOST_NAMES).map(|n| renamed(&format!("第{n}个名称"), since(n)));
    let given = || given::<Decisions>([xuzhou()].into_iter().chain(names.clone()));
    given().when(rename("又一个名称", DAY)).then_refused(&Rejection::TooManyNames);
    given().when(rename("又一个名称", since(1))).then([renamed("又一个名称", since(1))]);
}

#[test]
fn an_authority_ends_with_or_without_a_successor() {
    given::<Decisions>([xuzhou()]).when(abolish(Successor::None)).then([abolished(None)]);
    let to_nanjing = [abolished(Some(id("3201")))];
    given::<Decisions>([xuzhou()]).when(abolish(Successor::Known(nanjing()))).then(to_nanjing.clone());
    let again = given::<Decisions>([xuzhou()].into_iter().chain(to_nanjing));
    again.when(abolish(Successor::Known(nanjing()))).then_nothing();
    let record = record(&[xuzhou(), abolished(None)]);
    assert!(record.is_abolished_on(DAY) && !record.is_abolished_on(date!(2020 - 06 - 30)));
    assert_eq!(active_on(&record, DAY), Err(gone()));
    assert!(active_on(&record, date!(2020 - 06 - 30)).is_ok());
}

#[test]
fn an_authority_ends_once_and_those_below_first() {
    given::<Decisions>([xuzhou(), abolished(None)]).when(abolish(Successor::Known(nanjing()))).then_refused(&gone());
    let below = Command::AbolishAgency {
        on: DAY,
        successor: Successor::None,
        has_others_below: true,
        windows: Vec::new(),
        now: NOW,
    };
    given::<Decisions>([xuzhou()]).when(below).then_refused(&Rejection::HasOthersBelow);
}

#[test]
fn an_authority_ends_when_its_windows_are_over_with_their_grace() {
    let ends = shanghai::begin(DAY);
    let until = |over: OffsetDateTime| Window {
        id: WindowId(Uuid::from_u128(5)),
        begin: ends - Duration::DAY,
        end: over - Duration::minutes(30),
        grace_minutes: 30,
        revision: 1,
    };
    let abolish = |over, now| Command::AbolishAgency {
        on: DAY,
        successor: Successor::None,
        has_others_below: false,
        windows: vec![until(over)],
        now,
    };
    let late = ends + Duration::DAY;
    for (over, now) in [(ends, NOW), (ends, late), (late, late)] {
        given::<Decisions>([xuzhou()]).when(abolish(over, now)).then([abolished(None)]);
    }
    let refusal = |over| Rejection::WindowNotOver { window: until(over) };
    for (over, now) in [(ends + Duration::MICROSECOND, NOW), (late, NOW), (late, late - Duration::MICROSECOND)] {
        given::<Decisions>([xuzhou()]).when(abolish(over, now)).then_refused(&refusal(over));
    }
    // It has ended already: that is no news.
    given::<Decisions>([xuzhou(), abolished(None)]).when(abolish(late, NOW)).then_nothing();
}

#[test]
fn who_goes_on_is_another_authority_of_the_province_that_is_there() {
    let refused =
        |successor, rejection| given::<Decisions>([xuzhou()]).when(abolish(successor)).then_refused(&rejection);
    refused(Successor::Unknown, Rejection::UnknownAgency);
    refused(Successor::Known(record(&[xuzhou()])), Rejection::SucceedsItself);
    let hangzhou = Record::new(agency("3301", "杭州市教育局", Level::City, "33"));
    refused(Successor::Known(hangzhou), Rejection::UnknownAgency);
    let ended = nanjing().abolished(Abolition { on: DAY, successor: None });
    refused(Successor::Known(ended), Rejection::AgencyAbolished { name: name("南京市教育局"), on: DAY });
}
