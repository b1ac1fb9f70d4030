//! Which agency a seal stands for: names through the days, ends, and names that several have.

use time::macros::date;

use super::*;

const XUZHOU: u128 = 1;
const NANJING_GULOU: u128 = 2;
const XUZHOU_GULOU: u128 = 3;
const FUZHOU_GULOU: u128 = 4;
const JIULI: u128 = 5;
const QUANSHAN: u128 = 6;

const RENAMED: Date = date!(2001 - 03 - 01);
const ENDED: Date = date!(2010 - 09 - 01);
const TODAY: Date = date!(2026 - 11 - 23);

fn agency(id: u128, division: &str, names: &[(Date, &str)], abolition: Option<Abolition>) -> Agency {
    let names = names.iter().map(|(since, name)| (*since, (*name).to_owned())).collect();
    Agency { id: Uuid::from_u128(id), division: division.to_owned(), names, abolition }
}

fn end(on: Date, successor: Option<u128>) -> Abolition {
    Abolition { on, successor: successor.map(Uuid::from_u128) }
}

fn agencies() -> Agencies {
    let gulou = [(Date::MIN, "鼓楼区教育局")];
    [
        agency(XUZHOU, "320300", &[(Date::MIN, "徐州市教育委员会"), (RENAMED, "徐州市教育局")], None),
        agency(NANJING_GULOU, "320106", &gulou, None),
        agency(XUZHOU_GULOU, "320302", &gulou, None),
        agency(FUZHOU_GULOU, "350102", &gulou, None),
        agency(JIULI, "320304", &[(Date::MIN, "九里区教育局")], Some(end(ENDED, Some(QUANSHAN)))),
        agency(QUANSHAN, "320311", &[(Date::MIN, "泉山区教育局"), (ENDED, "泉山区教育体育局")], None),
    ]
    .into_iter()
    .collect()
}

fn named(id: u128, seal: &str, issued: Date, province: Option<&str>) -> &'static str {
    let agencies = agencies();
    let issuer = agencies.issuer(seal, issued, province);
    assert_eq!(issuer.agency().map(|agency| agency.id), Some(Uuid::from_u128(id)), "{issuer:?}");
    match issuer {
        Issuer::Known(_) => "known",
        Issuer::NamedOtherwise(_) => "named otherwise",
        Issuer::Ended(..) => "ended",
        Issuer::Several | Issuer::Unknown => unreachable!("an agency is meant"),
    }
}

#[test]
fn an_agency_is_known_by_the_name_of_the_day_and_its_last_day_counts() {
    assert_eq!(named(XUZHOU, "徐州市教育委员会", date!(2001 - 02 - 28), None), "known");
    assert_eq!(named(XUZHOU, "徐州市教育局", RENAMED, None), "known");
    assert_eq!(named(XUZHOU, " 徐州市 教育局 ", TODAY, Some("32")), "known");
}

#[test]
fn a_name_of_other_days_is_told_from_the_one_of_the_day() {
    assert_eq!(named(XUZHOU, "徐州市教育局", date!(2001 - 02 - 28), None), "named otherwise");
    assert_eq!(named(XUZHOU, "徐州市教育委员会", RENAMED, None), "named otherwise");
    let agencies = agencies();
    let issuer = agencies.issuer("徐州市教育委员会", RENAMED, None);
    assert_eq!(issuer.agency().map(|agency| agency.name_on(RENAMED)), Some("徐州市教育局"));
}

#[test]
fn an_agency_issues_nothing_from_its_end_on() {
    assert_eq!(named(JIULI, "九里区教育局", date!(2010 - 08 - 31), None), "known");
    assert_eq!(named(JIULI, "九里区教育局", ENDED, None), "ended");
    let agencies = agencies();
    let Issuer::Ended(_, end, Some(successor)) = agencies.issuer("九里区教育局", TODAY, None) else {
        panic!("it has ended")
    };
    assert_eq!((end.on, successor.name_on(TODAY)), (ENDED, "泉山区教育体育局"));
}

#[test]
fn of_several_with_one_name_the_numbers_province_tells() {
    assert_eq!(named(FUZHOU_GULOU, "鼓楼区教育局", TODAY, Some("35")), "known");
    assert_eq!(agencies().issuer("鼓楼区教育局", TODAY, Some("32")), Issuer::Several);
    assert_eq!(agencies().issuer("鼓楼区教育局", TODAY, None), Issuer::Several);
    assert_eq!(agencies().issuer("鼓楼区教育局", TODAY, Some("33")), Issuer::Several);
    // The only one of that name, whatever the number says.
    assert_eq!(named(XUZHOU, "徐州市教育局", TODAY, Some("33")), "known");
}

#[test]
fn a_name_that_nobody_had_is_unknown() {
    assert_eq!(agencies().issuer("某市教育局", TODAY, Some("32")), Issuer::Unknown);
    assert_eq!(Agencies::default().issuer("徐州市教育局", TODAY, None), Issuer::Unknown);
}

#[test]
fn what_an_agency_did_is_its_successors_from_its_end_on() {
    let agencies = agencies();
    let jiuli = &agencies.known[&Uuid::from_u128(JIULI)];
    assert_eq!(agencies.present(jiuli, date!(2010 - 08 - 31)), Some(jiuli));
    assert_eq!(agencies.present(jiuli, ENDED).map(|agency| agency.id), Some(Uuid::from_u128(QUANSHAN)));
    let closed: Agencies = [agency(JIULI, "320304", &[], Some(end(ENDED, None)))].into_iter().collect();
    assert_eq!(closed.present(&closed.known[&Uuid::from_u128(JIULI)], ENDED), None);
}

#[test]
fn a_circle_of_successors_ends() {
    let (one, other) = (Some(end(ENDED, Some(QUANSHAN))), Some(end(ENDED, Some(JIULI))));
    let circle: Agencies =
        [agency(JIULI, "320304", &[], one), agency(QUANSHAN, "320311", &[], other)].into_iter().collect();
    assert_eq!(circle.present(&circle.known[&Uuid::from_u128(JIULI)], TODAY), None);
}
