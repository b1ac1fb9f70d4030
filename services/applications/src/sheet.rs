//! Files of schools and reviewers: read whole, within bounds, before anything is done with their rows. The source is untrusted.

pub mod conclusions;
pub mod facts;
pub mod work_list;

use std::borrow::Cow;
use std::collections::HashSet;

use records::{Encoding, Record, Records, Stopped};
use tokio::sync::mpsc;
use workbook::{Broken, Chunk, FORMULA_ERRORS, Flaw};

use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::text::is_in_lines;
use crate::handle::MOST_ITEMS;

/// Header of the column that names the application.
pub const NUMBER: &str = "报名号";
/// Characters with which spreadsheets begin a formula.
const FORMULAS: [char; 4] = ['=', '+', '-', '@'];

/// A file, read to its end.
#[derive(Debug)]
pub struct Sheet {
    /// Cells of the first row.
    pub header: Vec<String>,
    /// All others that are not empty.
    pub rows: Vec<Line>,
}

/// A row.
#[derive(Debug)]
pub struct Line {
    /// At which it begins; the file's first is 1.
    pub line: i64,
    /// Its cells, if they can be read.
    pub cells: Result<Vec<String>, Problem>,
}

/// What is wrong with a cell, or with a row as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The column's header; empty for the row as a whole.
    pub column: Cow<'static, str>,
    /// Stable.
    pub reason: &'static str,
    /// For people; never repeats the cell.
    pub sentence: &'static str,
}

/// The rows of a file by their lines, or all that is wrong with each.
pub type Rows<R> = Vec<(i64, Result<R, Vec<Problem>>)>;

/// Why nothing of a file can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It did not come whole.
    UploadBroken,
    /// The workbook cannot be read.
    Workbook(Flaw),
    /// Where the records of the file end is not known.
    QuoteNotClosed {
        /// At which the record begins.
        line: i64,
    },
    /// The header is text in no encoding that is known.
    NotText,
    /// There is no such column.
    ColumnMissing(&'static str),
    /// The column of this place, from 1, is none that is known.
    ColumnUnknown(usize),
    /// … is there already.
    ColumnTwice(usize),
    /// It has a header alone, or not even that.
    NoRows,
    /// It has more rows than [`MOST_ITEMS`].
    TooManyRows,
}

impl From<Stopped<Broken>> for Unusable {
    fn from(stopped: Stopped<Broken>) -> Self {
        match stopped {
            Stopped::Broken(Broken::Upload) => Self::UploadBroken,
            Stopped::Broken(Broken::Workbook(flaw)) => Self::Workbook(flaw),
            Stopped::QuoteNotClosed { line } => Self::QuoteNotClosed { line },
        }
    }
}

/// Reads a file as CSV, in a thread that may block.
pub fn read(chunks: mpsc::Receiver<Chunk>) -> Result<Sheet, Unusable> {
    let mut file = Records::new(chunks);
    let Some(first) = file.read()? else { return Err(Unusable::NoRows) };
    let (header, encoding) = first.cells.and_then(records::Cells::header).ok_or(Unusable::NotText)?;
    let header = header.into_iter().map(Cow::into_owned).collect();
    let mut rows = Vec::new();
    while let Some(Record { line, cells }) = file.read()? {
        if rows.len() == MOST_ITEMS {
            return Err(Unusable::TooManyRows);
        }
        let cells = match cells.map(|cells| cells.text(encoding)) {
            Some(Some(cells)) => Ok(cells.into_iter().map(|cell| plain(&cell).to_owned()).collect()),
            Some(None) => Err(unreadable(encoding)),
            None => Err(Problem {
                column: "".into(),
                reason: "RECORD_TOO_LONG",
                sentence: "该行过长或列数过多，无法读取，请对照模板检查分隔符和换行，改正后重试。",
            }),
        };
        // A sheet that was emptied still has its cells.
        if !cells.as_ref().is_ok_and(|cells: &Vec<String>| cells.iter().all(String::is_empty)) {
            rows.push(Line { line, cells });
        }
    }
    if rows.is_empty() { Err(Unusable::NoRows) } else { Ok(Sheet { header, rows }) }
}

fn unreadable(encoding: Encoding) -> Problem {
    let sentence = match encoding {
        Encoding::Utf8 => "该行不是 UTF-8 编码，请将文件另存为 UTF-8 后重试。",
        Encoding::Gb18030 => "该行不是 GB18030 编码，请将文件另存为 UTF-8 后重试。",
    };
    Problem { column: "".into(), reason: "NOT_TEXT", sentence }
}

/// A cell as a file shows it that may be opened in a spreadsheet: text that would be taken for a formula begins with an apostrophe.
fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(FORMULAS) || cell.starts_with(['\t', '\r']);
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell without white space around it, and without the apostrophe of [`harmless`].
fn plain(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULAS)).unwrap_or(cell)
}

/// What a header is.
enum Header<C> {
    /// The column that is read.
    Read(C),
    /// One that only people read.
    PassedOver,
}

/// The columns of a header in its order, `None` for those that only people read; `needed` must be there, and none twice.
fn columns<C: Eq + std::hash::Hash + Clone>(
    header: &[String],
    parse: impl Fn(&str) -> Option<Header<C>>,
    needed: &[(&'static str, C)],
) -> Result<Vec<Option<C>>, Unusable> {
    let (mut columns, mut seen) = (Vec::with_capacity(header.len()), HashSet::new());
    for (place, cell) in (1..).zip(header) {
        let column = match parse(cell.trim()) {
            _ if cell.trim().is_empty() => None,
            Some(Header::PassedOver) => None,
            // A fact under a name that is not understood would be lost without a word.
            None => return Err(Unusable::ColumnUnknown(place)),
            Some(Header::Read(column)) if !seen.insert(column.clone()) => return Err(Unusable::ColumnTwice(place)),
            Some(Header::Read(column)) => Some(column),
        };
        columns.push(column);
    }
    match needed.iter().find(|(_, column)| !seen.contains(column)) {
        Some((name, _)) => Err(Unusable::ColumnMissing(name)),
        None => Ok(columns),
    }
}

/// Problems of a row, one for each cell.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, column: impl Into<Cow<'static, str>>, reason: &'static str, sentence: &'static str) {
        self.0.push(Problem { column: column.into(), reason, sentence });
    }

    /// A cell that is there and has a result.
    fn cell<'c>(&mut self, column: &str, cell: &'c str) -> Option<&'c str> {
        if FORMULA_ERRORS.contains(&cell) {
            self.add(column.to_owned(), "FORMULA_ERROR", "此单元格的公式没有结果，请改为具体内容后重试。");
            return None;
        }
        (!cell.is_empty()).then_some(cell)
    }

    /// … which must be there.
    fn required<'c>(&mut self, column: &'static str, cell: Option<&'c str>) -> Option<&'c str> {
        if cell.is_none() && self.0.iter().all(|problem| problem.column != column) {
            self.add(column, "REQUIRED", "此项不能为空。");
        }
        cell
    }

    fn number(&mut self, cell: Option<&str>) -> Option<EnrolmentNumber> {
        let number = EnrolmentNumber::parse(self.required(NUMBER, cell)?);
        if number.is_none() {
            let sentence = "报名号应为17位数字；如表格软件已改为科学计数，请将该列设为文本后重新填写。";
            self.add(NUMBER, "NOT_AN_ENROLMENT_NUMBER", sentence);
        }
        number
    }

    /// Free text that can be kept.
    fn text(&mut self, column: &'static str, cell: Option<&str>) -> Option<String> {
        let text = cell?;
        if text.chars().count() > 1_000 {
            self.add(column, "TOO_LONG", "不能超过1000个字。");
            return None;
        }
        let text = text.replace("\r\n", "\n");
        if !is_in_lines(&text) {
            self.add(column, "NOT_PLAIN_TEXT", "只能是分行的纯文本，不能含有制表符等控制字符。");
            return None;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn file(text: &[u8]) -> Result<Sheet, Unusable> {
        let (send, chunks) = mpsc::channel(1);
        send.try_send(Ok(Bytes::copy_from_slice(text))).unwrap();
        drop(send);
        read(chunks)
    }

    #[test]
    fn rows_have_the_lines_of_their_file_and_empty_ones_are_none() {
        let sheet = file("报名号,备注\n\n1, x \n,,\n\"2\",\"y\nz\"\n3\n".as_bytes()).unwrap();
        assert_eq!(sheet.header, ["报名号", "备注"]);
        let rows: Vec<_> = sheet.rows.into_iter().map(|row| (row.line, row.cells.unwrap().join("|"))).collect();
        assert_eq!(rows, [(3, "1|x".to_owned()), (5, "2|y\nz".to_owned()), (7, "3".to_owned())]);
    }

    #[test]
    fn a_file_without_rows_or_with_too_many_is_refused() {
        for nothing in ["", "\n\n", "报名号\n", "报名号\n,\n"] {
            assert_eq!(file(nothing.as_bytes()).unwrap_err(), Unusable::NoRows, "{nothing:?}");
        }
        let rows = |count: usize| file(format!("报名号\n{}", "1\n".repeat(count)).as_bytes());
        assert_eq!(rows(MOST_ITEMS).unwrap().rows.len(), MOST_ITEMS);
        assert_eq!(rows(MOST_ITEMS + 1).unwrap_err(), Unusable::TooManyRows);
        assert_eq!(file(b"\xff\xff\n1\n").unwrap_err(), Unusable::NotText);
        assert_eq!(file("报名号\n\"1\n".as_bytes()).unwrap_err(), Unusable::QuoteNotClosed { line: 2 });
    }

    #[test]
    fn what_a_spreadsheet_would_take_for_a_formula_is_written_as_text_and_read_back() {
        for text in ["=1+1", "+86", "-", "@here", "合格", "'", "'tis", "1"] {
            let written = harmless(text);
            assert!(!written.starts_with(FORMULAS), "{written}");
            assert_eq!(plain(&written), text);
        }
        assert_eq!(harmless("\t=1"), "'\t=1");
    }
}
