//! Rows of a school's file: read as they are written, and every bad cell named.

use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::sheet::Line;

fn number() -> EnrolmentNumber {
    EnrolmentNumber::new(2026, "320303", 7).unwrap()
}

fn text<'c>(cells: impl IntoIterator<Item = &'c str>) -> Vec<String> {
    cells.into_iter().map(str::to_owned).collect()
}

/// Reads one row of these columns and cells, beside a good 报名号.
fn read(cells: &[(&str, &str)]) -> Result<Row, Vec<(String, &'static str)>> {
    let number = number();
    let with_number = || [(NUMBER, number.as_str())].into_iter().chain(cells.iter().copied());
    let line = Line { line: 2, cells: Ok(text(with_number().map(|(_, cell)| cell))) };
    let sheet = Sheet { header: text(with_number().map(|(name, _)| name)), rows: vec![line] };
    let (_, row) = rows(sheet).unwrap().pop().unwrap();
    row.map_err(|wrong| wrong.into_iter().map(|one| (one.column.into_owned(), one.reason)).collect())
}

fn header(names: &[&str]) -> Unusable {
    rows(Sheet { header: text(names.iter().copied()), rows: Vec::new() }).unwrap_err()
}

#[test]
fn a_full_row_is_read() {
    let row = read(&[
        ("姓名", "示例*"),
        ("师德考核", "合格"),
        ("2024年年度考核", "优秀"),
        ("2025年年度考核", "不定等次"),
        ("培训合计", "365.5"),
        ("2025年培训", "72"),
        ("中止教学起始日期", "2024-02-01"),
        ("中止教学结束日期", "2024-07-01"),
        ("中止教学学期数", "1"),
        ("中止教学原因", "病休"),
        ("中止教学经批准", "是"),
        ("身心健康", "不合格"),
        ("其他条件：普通话达标", "满足"),
        ("其他条件:住房", "不满足"),
        ("试用期考核", "合格"),
        ("聘用合同", "无"),
        ("备注", "表现良好"),
    ]);
    let facts = Facts {
        ethics: Some(Finding::Passed),
        grades: BTreeMap::from([(2024, Grade::Excellent), (2025, Grade::Undetermined)]),
        training_total: Some(365.5),
        training_years: BTreeMap::from([(2025, 72.0)]),
        interruptions: vec![Interruption {
            from: date!(2024 - 02 - 01),
            to: date!(2024 - 07 - 01),
            semesters: 1.0,
            reason: LeaveReason::Sickness,
            approved: true,
        }],
        health: Some(Finding::Failed),
        others: vec![("普通话达标".to_owned(), true), ("住房".to_owned(), false)],
        probation: Some(Finding::Passed),
        contract: Some(Finding::Failed),
    };
    let given = Given { facts, uninterrupted: false };
    assert_eq!(row, Ok(Row { number: number(), given, note: Some("表现良好".to_owned()) }));
}

#[test]
fn blank_cells_say_nothing_and_none_says_that_there_was_no_interruption() {
    let blank = read(&[("师德考核", ""), ("2025年年度考核", ""), ("中止教学起始日期", ""), ("备注", "")]).unwrap();
    assert_eq!((blank.given, blank.note), (Given::default(), None));
    let none = read(&[("中止教学起始日期", "无"), ("中止教学结束日期", "")]).unwrap();
    assert_eq!(none.given, Given { facts: Facts::default(), uninterrupted: true });
}

#[test]
fn every_bad_cell_is_named() {
    let wrong = |name: &str, reason| (name.to_owned(), reason);
    let long = "长".repeat(1_001);
    let refused = read(&[
        ("师德考核", "优"),
        ("2025年年度考核", "良"),
        ("培训合计", "约300"),
        ("2025年培训", "-1"),
        ("身心健康", "#N/A"),
        ("其他条件：住房", "有"),
        ("聘用合同", "合格"),
        ("备注", &long),
        ("中止教学起始日期", "2024-07-02"),
        ("中止教学结束日期", "2024-07-01"),
        ("中止教学学期数", "0"),
        ("中止教学原因", "病休"),
        ("中止教学经批准", "是"),
        ("中止教学起始日期2", "2024/7/2"),
        ("中止教学原因2", "旅行"),
    ]);
    let mut expected = vec![
        wrong("师德考核", "UNKNOWN_VALUE"),
        wrong("2025年年度考核", "UNKNOWN_VALUE"),
        wrong("培训合计", "NOT_A_NUMBER"),
        wrong("2025年培训", "OUT_OF_RANGE"),
        wrong("身心健康", "FORMULA_ERROR"),
        wrong("其他条件：住房", "UNKNOWN_VALUE"),
        wrong("聘用合同", "UNKNOWN_VALUE"),
        wrong("备注", "TOO_LONG"),
        wrong("中止教学结束日期", "NOT_AN_INTERRUPTION"),
        wrong("中止教学学期数", "OUT_OF_RANGE"),
    ];
    expected.extend(["中止教学结束日期2", "中止教学学期数2", "中止教学经批准2"].map(|name| wrong(name, "REQUIRED")));
    expected.extend([wrong("中止教学起始日期2", "NOT_A_DATE"), wrong("中止教学原因2", "UNKNOWN_VALUE")]);
    assert_eq!(refused, Err(expected));
    let both = read(&[
        ("中止教学起始日期", "无"),
        ("中止教学起始日期2", "2024-02-01"),
        ("中止教学结束日期2", "2024-07-01"),
        ("中止教学学期数2", "1"),
        ("中止教学原因2", "病休"),
        ("中止教学经批准2", "是"),
    ]);
    assert_eq!(both, Err(vec![wrong("中止教学起始日期", "NOT_AN_INTERRUPTION")]));
}

#[test]
fn a_header_that_is_not_understood_is_refused_instead_of_losing_facts() {
    assert_eq!(header(&["师德考核"]), Unusable::ColumnMissing(NUMBER));
    assert_eq!(header(&[NUMBER, "师德"]), Unusable::ColumnUnknown(2));
    assert_eq!(header(&[NUMBER, "205年年度考核"]), Unusable::ColumnUnknown(2));
    assert_eq!(header(&[NUMBER, "其他条件："]), Unusable::ColumnUnknown(2));
    assert_eq!(header(&[NUMBER, "中止教学原因10"]), Unusable::ColumnUnknown(2));
    assert_eq!(header(&[NUMBER, "备注", "", "备注"]), Unusable::ColumnTwice(4));
    assert_eq!(header(&[NUMBER, "其他条件：住房", "其他条件:住房"]), Unusable::ColumnTwice(3));
}

fn facts() -> impl Strategy<Value = Facts> {
    let finding = || prop::option::of(prop::sample::select(vec![Finding::Passed, Finding::Failed]));
    let amount = || (0_u32..1_000_000).prop_map(|hundredths| f64::from(hundredths) / 100.0);
    let grades = prop::collection::btree_map(2015..2030_i32, prop::sample::select(GRADES.to_vec()), 0..6);
    let stop = (0..1_000_i64, 0..300_i64, 1_u32..9, any::<bool>()).prop_map(|(from, days, halves, approved)| {
        let from = date!(2020 - 01 - 01) + time::Duration::days(from);
        let (to, semesters) = (from + time::Duration::days(days), f64::from(halves) / 2.0);
        Interruption { from, to, semesters, reason: LeaveReason::Exchange, approved }
    });
    let others = prop::collection::btree_map("[一-九]{1,5}", any::<bool>(), 0..4);
    let training = prop::collection::btree_map(2015..2030_i32, amount(), 0..6);
    let all = (finding(), grades, prop::option::of(amount()), training, prop::collection::vec(stop, 0..4));
    (all, finding(), others, finding(), finding()).prop_map(|(told, health, others, probation, contract)| {
        let (ethics, grades, training_total, training_years, interruptions) = told;
        let others = others.into_iter().collect();
        Facts { ethics, grades, training_total, training_years, interruptions, health, others, probation, contract }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(facts in facts()) {
        let columns = crate::sheet::work_list::columns_of(&[(&facts, &[])]);
        let cells: Vec<(String, String)> = columns
            .iter()
            .filter(|column| !matches!(column, Column::Number | Column::Note))
            .map(|column| (column.name(), column.cell(&facts)))
            .collect();
        let cells: Vec<(&str, &str)> = cells.iter().map(|(name, cell)| (name.as_str(), cell.as_str())).collect();
        prop_assert_eq!(read(&cells).unwrap().given.facts, facts);
    }
}
