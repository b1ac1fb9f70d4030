//! What is believed of a page, and what is not.

use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);

fn place(minute: i64, id: u128) -> Place {
    Place { changed_at: datetime!(2026-11-01 00:00 UTC) + Duration::minutes(minute), id: Uuid::from_u128(id) }
}

fn page(places: &[Place], remaining: u64) -> Claims {
    Claims { count: places.len() as u64, remaining, places: places.to_vec() }
}

fn judged(claims: &Claims, after: Option<Place>, promised: u64) -> Result<Judged, Lie> {
    judge(claims, after, promised, 3, NOW)
}

#[test]
fn pages_follow_each_other_until_one_is_empty() {
    let first = judged(&page(&[place(1, 7), place(1, 8), place(2, 1)], 1), None, 0).unwrap();
    assert_eq!((first.place, first.promised, first.ends), (Some(place(2, 1)), 1, false));
    let second = judged(&page(&[place(3, 7)], 0), first.place, first.promised).unwrap();
    assert_eq!((second.place, second.promised, second.ends), (Some(place(3, 7)), 0, false));
    let last = judged(&page(&[], 0), second.place, second.promised).unwrap();
    assert_eq!((last.place, last.ends), (Some(place(3, 7)), true));
    assert!(judged(&page(&[], 0), None, 0).unwrap().ends);
}

#[test]
fn rows_may_be_added_while_pages_are_read() {
    assert!(judged(&page(&[place(1, 1)], 100), None, 2).is_ok());
}

#[test]
fn a_wrong_number_of_rows_is_found() {
    let two = [place(1, 1), place(2, 2)];
    for claims in [Claims { count: 3, ..page(&two, 0) }, Claims { count: 1, ..page(&two, 0) }] {
        assert_eq!(judged(&claims, None, 0), Err(Lie::Count));
    }
    assert_eq!(judged(&page(&two, 0), None, 3), Err(Lie::Count), "a row that was promised does not come");
    assert_eq!(judged(&page(&[], 1), None, 0), Err(Lie::Count), "would never end");
    assert_eq!(judged(&page(&two, u64::MAX), None, 0), Err(Lie::Count));
    let four = [place(1, 1), place(2, 1), place(3, 1), place(4, 1)];
    assert_eq!(judged(&page(&four, 0), None, 0), Err(Lie::Count), "more than were asked for");
}

#[test]
fn a_page_that_came_before_is_found() {
    let first = page(&[place(1, 1), place(2, 2)], 0);
    assert_eq!(judged(&first, Some(place(2, 2)), 0), Err(Lie::Repeats));
    assert_eq!(judged(&page(&[place(2, 2)], 0), Some(place(2, 2)), 0), Err(Lie::Repeats));
}

#[test]
fn rows_out_of_order_are_found() {
    assert_eq!(judged(&page(&[place(2, 1), place(1, 2)], 0), None, 0), Err(Lie::Disorder));
    assert_eq!(judged(&page(&[place(1, 1), place(1, 1)], 0), None, 0), Err(Lie::Disorder));
}

#[test]
fn a_row_from_the_future_moves_nobody_there() {
    let late = Place { changed_at: NOW + AHEAD + Duration::seconds(1), id: Uuid::from_u128(1) };
    assert_eq!(judged(&page(&[late], 0), None, 0), Err(Lie::Future));
    assert!(judged(&page(&[Place { changed_at: NOW + AHEAD, ..late }], 0), None, 0).is_ok());
}

#[test]
fn an_id_that_stands_for_two_rows_is_named() {
    let found = judged(&page(&[place(1, 1), place(2, 2), place(3, 1)], 0), None, 0).unwrap();
    assert_eq!(found.duplicates, HashSet::from([Uuid::from_u128(1)]));
}
