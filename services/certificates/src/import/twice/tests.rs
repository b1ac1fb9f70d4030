//! Which rows of a file contradict each other.

use time::Date;
use time::macros::date;

use super::*;
use crate::domain::certificate::{Conclusion, Details, PriorRegistration};
use crate::domain::kind::Kind;
use crate::store::Personal;

const NUMBER: &str = "20103203221000001";

fn row(number: &str, subject: &str, standing: Standing, prior: Option<PriorRegistration>) -> Row {
    let details = Details {
        kind: Kind::Primary,
        subject: subject.to_owned(),
        issuing_agency: "徐州市教育局".to_owned(),
        issue_date: date!(2010 - 06 - 15),
        number: [0; 32],
        holder: [0; 32],
        digest: [0; 32],
        generation: 0,
    };
    let personal = Personal {
        number: number.to_owned(),
        holder_number: "320399199001010018".to_owned(),
        holder_name: "示例一".to_owned(),
    };
    let source = if prior.is_some() { Source::PriorRegistration } else { Source::Register };
    Row { line: 2, says: Says::Certificate { details, source, prior, standing, personal }, warnings: Vec::new() }
}

fn plain(number: &str, subject: &str) -> Row {
    row(number, subject, Standing::Normal, None)
}

fn registered(subject: &str, ordinal: u32, conclusion: Conclusion, concluded: Date) -> Row {
    let prior = PriorRegistration { ordinal, conclusion, concluded };
    row(NUMBER, subject, Standing::Normal, Some(prior))
}

fn taken(rows: impl IntoIterator<Item = Row>) -> Vec<bool> {
    let mut given = Given::nothing();
    rows.into_iter().map(|row| given.judge(row).is_ok()).collect()
}

#[test]
fn a_later_row_with_other_words_is_refused_and_the_same_words_are_not() {
    let rows =
        [plain(NUMBER, "语文"), plain(NUMBER, "数学"), plain(NUMBER, "语文"), plain("20103203221000002", "数学")];
    assert_eq!(taken(rows), [true, false, true, true]);
    let problems = {
        let mut given = Given::nothing();
        given.judge(plain(NUMBER, "语文")).unwrap();
        given.judge(plain(NUMBER, "数学")).unwrap_err()
    };
    assert_eq!((problems[0].line, problems[0].field, problems[0].reason), (2, "证书号码", "GIVEN_TWICE"));
}

#[test]
fn a_certificate_is_there_or_deleted_and_restricted_or_not() {
    let says = |standing| row(NUMBER, "语文", standing, None);
    assert_eq!(taken([says(Standing::Normal), says(Standing::Deleted)]), [true, false]);
    assert_eq!(taken([says(Standing::Deleted), says(Standing::Normal)]), [true, false]);
    assert_eq!(taken([says(Standing::Normal), says(Standing::Restricted)]), [true, true]);
}

#[test]
fn registrations_follow_each_other_and_each_is_told_in_one_way() {
    let (first, second) = (date!(2016 - 11 - 30), date!(2021 - 11 - 30));
    let qualified = |ordinal, day| registered("语文", ordinal, Conclusion::Qualified, day);
    let deferred = |ordinal, day| registered("语文", ordinal, Conclusion::Deferred, day);
    assert_eq!(taken([qualified(1, first), qualified(2, second), qualified(3, second)]), [true; 3]);
    assert_eq!(taken([qualified(2, second), qualified(1, first), qualified(1, first)]), [true; 3]);
    assert_eq!(taken([qualified(1, first), deferred(1, first), qualified(1, second)]), [true, false, false]);
    assert_eq!(taken([qualified(2, second), qualified(1, first), deferred(1, first)]), [true, true, false]);
    assert_eq!(taken([qualified(2, first), deferred(2, first), qualified(2, second)]), [true, false, false]);
    let renamed = registered("数学", 2, Conclusion::Qualified, second);
    assert_eq!(taken([qualified(1, first), renamed]), [true, false], "the rest of both rows is the same certificate");
}

#[test]
fn two_sources_may_contradict_each_other() {
    let registration = registered("数学", 1, Conclusion::Qualified, date!(2021 - 11 - 30));
    assert_eq!(taken([plain(NUMBER, "语文"), registration]), [true, true], "that is a conflict, if anything");
}

#[test]
fn no_two_numbers_are_taken_for_one() {
    let numbers = ["963203041234567", "993203041234567", "19963203041234567", "19993203041234567", "20263203041234567"];
    let compact: std::collections::BTreeSet<u64> = numbers.iter().map(|number| compact(number).unwrap()).collect();
    assert_eq!(compact.len(), numbers.len());
    assert!(compact.iter().all(|number| *number < 1 << 50));
}
