//! Counts are lists: the same filter, the same scope, the same applications, however they are grouped.

use std::collections::BTreeMap;

use applications::domain::values::{Conclusion, Level, Stage as TeachingStage, Status, Turn};
use applications::views::Tables;
use applications::views::applications::{Counted, Dimension, Filter, Group, Row, Scope, Selection};
use applications::wire as values;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::statistics_client::StatisticsClient;
use proto::applications::v1::{self as wire, CountBy};
use proto::identity::v1::Role;
use service::testing::Channel;
use uuid::Uuid;

use crate::crowd::{Crowd, Dice, OTHER_COUNTY, OTHER_SCHOOL, add_county};
use crate::lists::all_pages;
use crate::stage::{CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, SCHOOL, Stage, reason, refused};

const LEVELS: [Level; 3] = [Level::County, Level::City, Level::Province];
const STATUSES: [Status; 4] = [Status::Pending, Status::Confirmed, Status::Concluded, Status::Withdrawn];
const DIMENSIONS: [Dimension; 7] = [
    Dimension::Agency,
    Dimension::Stage,
    Dimension::School,
    Dimension::Point,
    Dimension::Status,
    Dimension::Level,
    Dimension::Conclusion,
];

fn maybe<T>(dice: &mut Dice, value: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    (dice.below(4) == 0).then(|| value(dice))
}

fn some_of(dice: &mut Dice, all: &[Uuid]) -> Vec<Uuid> {
    all.iter().copied().filter(|_| dice.below(3) == 0).collect()
}

fn some_scope(dice: &mut Dice) -> Scope {
    if dice.below(6) == 0 {
        return Scope::Own(Uuid::from_u128(0x900 + u128::from(dice.below(5))));
    }
    Scope::Units {
        schools: some_of(dice, &[SCHOOL, OTHER_SCHOOL]),
        points: some_of(dice, &[POINT, OTHER_POINT]),
        agencies: some_of(dice, &[COUNTY, OTHER_COUNTY, CITY, PROVINCE]),
    }
}

fn some_filter(dice: &mut Dice, rows: &[Row]) -> Filter {
    let turns = [Turn::Applicant, Turn::School, Turn::Point, Turn::Nobody, Turn::Review(Level::City)];
    let conclusions = [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed, Conclusion::Revoked];
    let some_row = |dice: &mut Dice| dice.one_of(&rows.iter().collect::<Vec<_>>());
    let mut statuses = STATUSES.to_vec();
    statuses.retain(|_| dice.below(4) == 0);
    Filter {
        own: false,
        statuses,
        level: maybe(dice, |dice| dice.one_of(&LEVELS)),
        turn: maybe(dice, |dice| dice.one_of(&turns)),
        conclusion: maybe(dice, |dice| dice.one_of(&conclusions)),
        stage: maybe(dice, |dice| dice.one_of(&TeachingStage::ALL)),
        refused: maybe(dice, Dice::coin),
        mending: maybe(dice, Dice::coin),
        facts: maybe(dice, Dice::coin),
        submitted_from: maybe(dice, |dice| some_row(dice).submitted_at),
        submitted_before: maybe(dice, |dice| some_row(dice).submitted_at),
        agency: None,
        without_below: false,
        point: maybe(dice, |dice| dice.one_of(&[POINT, OTHER_POINT])),
        school: maybe(dice, |dice| dice.one_of(&[SCHOOL, OTHER_SCHOOL])),
        number: (dice.below(20) == 0).then(|| some_row(dice).number),
    }
}

fn group(row: &Row, by: &[Dimension]) -> Group {
    let mut group = Group::default();
    for dimension in by {
        match dimension {
            Dimension::Agency => group.agency = Some(row.place.agency),
            Dimension::School => group.school = Some(row.place.school),
            Dimension::Point => group.point = Some(row.place.point),
            Dimension::Stage => group.stage = values::stage(row.place.stage).into(),
            Dimension::Status => group.status = values::status(row.status).into(),
            Dimension::Level => group.level = row.level.map(|level| values::level(level).into()).unwrap_or_default(),
            Dimension::Conclusion => {
                let number = row.conclusion.map(|conclusion| values::conclusion(conclusion).into());
                group.conclusion = number.unwrap_or_default();
            }
        }
    }
    group
}

#[tokio::test]
async fn list_count_and_the_row_in_hand_agree_for_any_scope_and_filter() {
    let stage = Stage::start().await;
    Crowd::settle(&stage, 400).await;
    let tables = Tables::new(stage.running.service.ground.pool.clone());
    let everything = Scope::Units { schools: vec![SCHOOL, OTHER_SCHOOL], points: Vec::new(), agencies: Vec::new() };
    let everything = Selection { scope: everything, filter: Filter::default(), agencies: None };
    let rows = tables.applications(&everything, None, 10_000).await.unwrap();
    assert_eq!(rows.len(), 400);
    let mut dice = Dice::new(7);
    let (mut some, mut grouped) = (0, 0);
    for turn in 0..400 {
        let (scope, filter) = (some_scope(&mut dice), some_filter(&mut dice, &rows));
        let agencies = maybe(&mut dice, |dice| some_of(dice, &[COUNTY, OTHER_COUNTY, CITY, PROVINCE]));
        let selection = Selection { scope, filter, agencies };
        let expected: Vec<&Row> = rows.iter().filter(|row| selection.holds(row)).collect();
        let listed = tables.applications(&selection, None, 10_000).await.unwrap();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{turn}: {selection:?}");

        let by: Vec<Dimension> = DIMENSIONS.into_iter().filter(|_| dice.below(3) == 0).collect();
        let mut groups: BTreeMap<Group, i64> = BTreeMap::new();
        for row in &expected {
            *groups.entry(group(row, &by)).or_default() += 1;
        }
        let counted = tables.count_applications(&selection, &by).await.unwrap();
        let counted = counted.into_iter().filter(|Counted { count, .. }| *count > 0);
        let counted: BTreeMap<Group, i64> = counted.map(|Counted { group, count }| (group, count)).collect();
        assert_eq!(counted, groups, "{turn}: {selection:?} by {by:?}");
        some += usize::from(!expected.is_empty());
        grouped += usize::from(groups.len() > 1);
    }
    assert!(some > 100 && grouped > 50, "{some} selections held something, {grouped} were told apart");
}

#[tokio::test]
async fn whoever_counts_counts_what_they_would_be_shown() {
    let stage = Stage::start().await;
    add_county(&stage).await;
    Crowd::settle(&stage, 150).await;
    let both = lifecycle::ids::random();
    stage.running.staff(both, Role::Liaison, "320303", Some(SCHOOL)).await;
    let actors: Vec<(&str, Channel)> = vec![
        ("a person", stage.running.person(Uuid::from_u128(0x901))),
        ("a liaison", stage.liaison().await),
        ("a clerk", stage.clerk(POINT).await),
        ("a liaison and clerk", stage.running.staff(both, Role::Clerk, "320303", Some(OTHER_POINT)).await),
        ("the county", stage.reviewer(COUNTY).await),
        ("the city", stage.reviewer(CITY).await),
        ("the province", stage.reviewer(PROVINCE).await),
        ("a stranger", stage.reviewer(Uuid::from_u128(0x405)).await),
    ];
    let any = wire::ApplicationFilter::default;
    let filters = [
        any(),
        wire::ApplicationFilter { statuses: vec![1, 2], ..any() },
        wire::ApplicationFilter { turn: wire::Turn::County.into(), ..any() },
        wire::ApplicationFilter { agency_id: CITY.to_string(), ..any() },
        wire::ApplicationFilter { agency_id: CITY.to_string(), without_below: true, ..any() },
        wire::ApplicationFilter { school_id: SCHOOL.to_string(), mending: Some(false), ..any() },
    ];
    for (who, channel) in actors {
        let (mut lists, mut counts) =
            (ApplicationsClient::new(channel.clone()), StatisticsClient::new(channel.clone()));
        for filter in &filters {
            let request = wire::ListApplicationsRequest { filter: Some(filter.clone()), ..Default::default() };
            let listed = all_pages(&mut lists, request, 40).await;
            let mut by_place: BTreeMap<(String, String, i32), i64> = BTreeMap::new();
            for summary in &listed {
                let key = (summary.agency_id.clone(), summary.point_id.clone(), summary.status);
                *by_place.entry(key).or_default() += 1;
            }
            let by = [CountBy::Agency, CountBy::Point, CountBy::Status].map(Into::into).to_vec();
            let request = wire::CountApplicationsRequest { filter: Some(filter.clone()), by, ..Default::default() };
            let counted = counts.count_applications(request).await.unwrap().into_inner();
            assert_eq!(counted.total, i64::try_from(listed.len()).unwrap(), "{who}: {filter:?}");
            let groups = counted.counts.into_iter().filter(|group| group.count > 0);
            let groups: BTreeMap<_, _> =
                groups.map(|group| ((group.agency_id, group.point_id, group.status), group.count)).collect();
            assert_eq!(groups, by_place, "{who}: {filter:?}");
        }
    }
}

#[tokio::test]
async fn an_agency_is_counted_with_those_below_as_far_as_one_may_look() {
    let stage = Stage::start().await;
    add_county(&stage).await;
    let of = async |channel: Channel, filter: wire::ApplicationFilter| {
        let by = vec![CountBy::Agency.into()];
        let request = wire::CountApplicationsRequest { filter: Some(filter), by, ..Default::default() };
        let counted = StatisticsClient::new(channel).count_applications(request).await.unwrap().into_inner();
        let counts = counted.counts.into_iter();
        let counts =
            counts.map(|count| (Uuid::parse_str(&count.agency_id).unwrap(), (count.count, count.count_with_below)));
        (counted.total, counts.collect::<BTreeMap<_, _>>())
    };
    let any = wire::ApplicationFilter::default;
    let (total, province) = of(stage.reviewer(PROVINCE).await, any()).await;
    let own = |agency: Uuid| province[&agency].0;
    let city = own(CITY) + own(COUNTY) + own(OTHER_COUNTY);
    assert!([PROVINCE, CITY, COUNTY, OTHER_COUNTY].iter().all(|agency| own(*agency) > 0));
    assert_eq!(province[&CITY].1, city);
    assert_eq!(province[&PROVINCE].1, city + own(PROVINCE));
    assert_eq!(province[&COUNTY].1, own(COUNTY));
    assert_eq!(total, city + own(PROVINCE));

    let (total, below) = of(stage.reviewer(CITY).await, any()).await;
    assert_eq!((total, below[&CITY]), (city, (own(CITY), city)));
    assert_eq!(below.get(&PROVINCE), None, "a part is not taken for the whole of the province");
    let (_, below) =
        of(stage.reviewer(PROVINCE).await, wire::ApplicationFilter { agency_id: CITY.to_string(), ..any() }).await;
    assert_eq!((below[&CITY].1, below.get(&PROVINCE)), (city, None));
    let (_, at_the_school) = of(stage.liaison().await, any()).await;
    assert!(at_the_school.values().all(|(count, with_below)| count == with_below), "{at_the_school:?}");
}

#[tokio::test]
async fn a_count_without_groups_is_a_total_and_unknown_groups_are_refused() {
    let stage = Stage::start().await;
    let mut nobody = StatisticsClient::new(stage.running.person(Uuid::from_u128(1)));
    let counted = nobody.count_applications(wire::CountApplicationsRequest::default()).await.unwrap().into_inner();
    assert_eq!((counted.total, counted.counts), (0, Vec::new()));
    let by = |by: Vec<i32>| wire::CountApplicationsRequest { by, ..Default::default() };
    assert_eq!(refused(nobody.count_applications(by(vec![0])).await).violation("by").unwrap().reason, "UNKNOWN_VALUE");
    assert_eq!(reason(nobody.count_applications(by(vec![99])).await), "INVALID_FIELDS");
    let far = wire::CountApplicationsRequest { min_position: 1_000_000, ..Default::default() };
    assert_eq!(reason(nobody.count_applications(far).await), "VIEW_BEHIND");
    let anyone = StatisticsClient::new(stage.running.anyone()).count_applications(by(Vec::new())).await;
    assert_eq!(reason(anyone), "SIGN_IN_REQUIRED");
}

#[tokio::test]
async fn more_groups_than_anybody_reads_are_not_counted_one_by_one() {
    let stage = Stage::start().await;
    sqlx::query(
        "INSERT INTO views.application (certificate_id, enrolment_number, person_id, draft_id, agency_id, point_id, \
             school_id, stage, ordinal, status, level, conclusion, mending, refused, facts, version, position, \
             submitted_at, updated_at) \
         SELECT gen_random_uuid(), lpad(serial::text, 17, '0'), gen_random_uuid(), gen_random_uuid(), $1, $2, \
             gen_random_uuid(), 2, 1, 1, 0, 0, false, false, false, 1, serial, now(), now() \
         FROM generate_series(1, 10001) AS serial",
    )
    .bind(COUNTY)
    .bind(POINT)
    .execute(&stage.running.service.ground.pool)
    .await
    .unwrap();
    let mut county = StatisticsClient::new(stage.reviewer(COUNTY).await);
    let by = |by: CountBy| wire::CountApplicationsRequest { by: vec![by.into()], ..Default::default() };
    assert_eq!(reason(county.count_applications(by(CountBy::School)).await), "TOO_MANY_GROUPS");
    let counted = county.count_applications(by(CountBy::Point)).await.unwrap().into_inner();
    assert_eq!((counted.total, counted.counts.len()), (10_001, 1));
}
