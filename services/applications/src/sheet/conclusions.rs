//! 注册结论 in a file of the last level: its columns, and what each cell must be.

use super::{Header, NUMBER, Problem, Problems, Rows, Sheet, Unusable, columns};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::values::Conclusion;

const CONCLUSION: &str = "注册结论";
const REASON: &str = "理由";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Column {
    Number,
    Conclusion,
    Reason,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 报名号
    pub number: EnrolmentNumber,
    /// 合格, 暂缓 or 不合格.
    pub conclusion: Conclusion,
    /// Empty where none is given.
    pub reason: String,
}

/// Reads the rows below their header.
pub fn rows(sheet: Sheet) -> Result<Rows<Row>, Unusable> {
    let needed = [(NUMBER, Column::Number), (CONCLUSION, Column::Conclusion)];
    let columns = columns(&sheet.header, header, &needed)?;
    let read = |cells: Vec<String>| row(&columns, &cells);
    let rows = sheet.rows.into_iter().map(|row| (row.line, row.cells.map_err(|problem| vec![problem]).and_then(read)));
    Ok(rows.collect())
}

fn header(name: &str) -> Option<Header<Column>> {
    Some(match name {
        NUMBER => Header::Read(Column::Number),
        CONCLUSION => Header::Read(Column::Conclusion),
        REASON => Header::Read(Column::Reason),
        "姓名" | "注册次数" => Header::PassedOver,
        _ => return None,
    })
}

fn row(columns: &[Option<Column>], cells: &[String]) -> Result<Row, Vec<Problem>> {
    let mut problems = Problems::default();
    let named = [(Column::Number, NUMBER), (Column::Conclusion, CONCLUSION), (Column::Reason, REASON)];
    let [number, conclusion, reason] = named.map(|(wanted, name)| {
        let place = columns.iter().position(|column| *column == Some(wanted))?;
        problems.cell(name, cells.get(place)?)
    });
    let number = problems.number(number);
    let conclusion = problems.required(CONCLUSION, conclusion).and_then(|name| {
        let choices = [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed];
        let found = choices.into_iter().find(|conclusion| conclusion.name() == name);
        if found.is_none() {
            problems.add(CONCLUSION, "UNKNOWN_VALUE", "注册结论应为注册合格、暂缓注册或注册不合格。");
        }
        found
    });
    let reason = problems.text(REASON, reason).unwrap_or_default();
    match (number, conclusion) {
        (Some(number), Some(conclusion)) if problems.0.is_empty() => Ok(Row { number, conclusion, reason }),
        _ => Err(problems.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::Line;

    fn read(header: &[&str], cells: &[&str]) -> Result<Row, Vec<(String, &'static str)>> {
        let text = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let sheet = Sheet { header: text(header), rows: vec![Line { line: 2, cells: Ok(text(cells)) }] };
        let (_, row) = rows(sheet).unwrap().pop().unwrap();
        row.map_err(|wrong| wrong.into_iter().map(|one| (one.column.into_owned(), one.reason)).collect())
    }

    #[test]
    fn a_row_is_read_whatever_the_order_of_its_columns() {
        let number = EnrolmentNumber::new(2026, "320303", 7).unwrap();
        let row = read(&["理由", "姓名", "注册结论", "报名号"], &["复核", "示例*", "暂缓注册", number.as_str()]);
        assert_eq!(row, Ok(Row { number, conclusion: Conclusion::Deferred, reason: "复核".to_owned() }));
        let row = read(&["报名号", "注册结论"], &[number.as_str(), "注册合格"]);
        assert_eq!(row, Ok(Row { number, conclusion: Conclusion::Qualified, reason: String::new() }));
    }

    #[test]
    fn every_bad_cell_is_named() {
        let header = ["报名号", "注册结论", "理由"];
        let wrong = |column: &str, reason| (column.to_owned(), reason);
        let (number, conclusion) = ("报名号", "注册结论");
        assert_eq!(
            read(&header, &["2.02632E+16", "撤销注册", &"长".repeat(1_001)]),
            Err(vec![
                wrong(number, "NOT_AN_ENROLMENT_NUMBER"),
                wrong(conclusion, "UNKNOWN_VALUE"),
                wrong("理由", "TOO_LONG")
            ])
        );
        let fine = EnrolmentNumber::new(2026, "320303", 7).unwrap();
        let said = |text: &str| read(&header, &[fine.as_str(), "暂缓注册", text]).map(|row| row.reason);
        assert_eq!(said("一\r\n二"), Ok("一\n二".to_owned()));
        assert_eq!(said("一\u{0}二"), Err(vec![wrong("理由", "NOT_PLAIN_TEXT")]));
        let expected = Err(vec![wrong(number, "FORMULA_ERROR"), wrong(conclusion, "REQUIRED")]);
        assert_eq!(read(&header, &["#N/A", "", "x"]), expected);
    }

    #[test]
    fn a_header_needs_its_columns_each_once_and_no_others() {
        let of = |header: &[&str]| {
            let header = header.iter().map(|cell| (*cell).to_owned()).collect();
            rows(Sheet { header, rows: Vec::new() }).unwrap_err()
        };
        assert_eq!(of(&["报名号"]), Unusable::ColumnMissing("注册结论"));
        assert_eq!(of(&["报名号", "注册结论", "注册结论"]), Unusable::ColumnTwice(3));
        assert_eq!(of(&["报名号", "注册结论", "原因"]), Unusable::ColumnUnknown(3));
    }
}
