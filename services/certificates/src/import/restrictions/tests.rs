//! Rows of a register of restrictions, as officers send it.

use access::Scope;
use time::macros::date;

use super::*;
use crate::import::file::Register;

fn limits() -> Limits {
    let jiangsu = Scope { division: eventlog::Division::parse("32").unwrap(), unit: None };
    Limits { register: Register::Restrictions, within: vec![jiangsu], today: date!(2026 - 11 - 23), agencies: None }
}

fn read(cells: [&str; 6]) -> Result<Row, Vec<(&'static str, &'static str)>> {
    let columns = Register::Restrictions.columns(1, &COLUMNS.map(Cow::Borrowed)).unwrap();
    let row = row(&columns, &cells.map(Cow::Borrowed), 7, &limits());
    row.map_err(|problems| problems.into_iter().map(|problem| (problem.field, problem.reason)).collect())
}

const GOOD: [&str; 6] =
    ["32039919900101001x", "20103203221000001", "考试作弊", "苏教〔2026〕1号", "2029-01-31", "已审核"];

#[test]
fn every_kind_is_read_with_its_end_and_whether_it_was_lifted() {
    let says = |kind, end, lifted| Says::Restriction {
        number: "20103203221000001".to_owned(),
        holder_number: "32039919900101001X".to_owned(),
        kind,
        end,
        file_reference: "苏教〔2026〕1号".to_owned(),
        lifted,
    };
    let end = Some(date!(2029 - 01 - 31));
    assert_eq!(
        read(GOOD).unwrap(),
        Row { line: 7, says: says(Restriction::ExamCheating, end, false), warnings: vec![] }
    );
    for (text, kind) in [
        ("丧失", Restriction::Forfeited),
        ("撤销（品行不良）", Restriction::RevokedConduct),
        ("撤销(品行不良)", Restriction::RevokedConduct),
        ("撤销（弄虚作假）", Restriction::RevokedFraud),
        ("撤销(弄虚作假)", Restriction::RevokedFraud),
        ("其他", Restriction::Unspecified),
    ] {
        let cells = [GOOD[0], GOOD[1], text, GOOD[3], "", "已解除"];
        assert_eq!(read(cells).unwrap().says, says(kind, None, true), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_of_every_cell() {
    let expected = [
        ("证件号码", "REQUIRED"),
        ("文件编号", "REQUIRED"),
        ("状态", "REQUIRED"),
        ("证书号码", "NOT_A_CERTIFICATE_NUMBER"),
        ("限制类型", "UNKNOWN_RESTRICTION"),
        ("截止日期", "NOT_A_DATE"),
    ];
    assert_eq!(read(["", "x", "警告", " ", "明年", ""]).unwrap_err(), expected);
    let with = |place: usize, cell: &'static str| {
        let mut cells = GOOD;
        cells[place] = cell;
        read(cells).unwrap_err()
    };
    assert_eq!(with(5, "待审核"), [("状态", "UNKNOWN_STATUS")]);
    assert_eq!(with(1, "20103303221000001"), [("证书号码", "OF_ANOTHER_PROVINCE")]);
    assert_eq!(with(3, "关于20103203221000001的决定"), [("文件编号", "NOT_A_REFERENCE")]);
    assert_eq!(with(3, "关于32039919900101001x的决定"), [("文件编号", "NOT_A_REFERENCE")]);
    assert_eq!(with(3, "#REF!"), [("文件编号", "FORMULA_ERROR")]);
}
