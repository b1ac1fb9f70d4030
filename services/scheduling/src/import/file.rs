//! The file of a part of the directory: its columns, and what each cell must be. The source is untrusted.

use std::borrow::Cow;

use proto::scheduling::v1::ImportDirectoryRequest;
use proto::scheduling::v1::import_directory_request::Part;
use records::{Chunk, Encoding, Record, Records, Stopped};
use rpc::Violations;
use time::Date;
use tokio::sync::mpsc;

use crate::domain::division::{Code, Division, Divisions};
use crate::domain::name::Name;
use crate::domain::school::Kind;
use crate::domain::subject::{Stage, Subject};
use crate::domain::text::{LONGEST_RANGE, is_plain};

/// Which part of the directory a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// 注册机构 with their names.
    Agencies,
    /// 确认点
    Points,
    /// 任教学校
    Schools,
    /// 任教学科
    Subjects,
}

/// How a file calls a subject that can be chosen.
pub const ON: &str = "启用";
/// … and one that cannot.
pub const OFF: &str = "停用";

impl Table {
    /// Headers of its columns, which may stand in any order.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Agencies => &["行政区划", "名称", "启用日期"],
            Self::Points => &["注册机构", "名称", "服务范围", "学校所在区县", "学校名称"],
            Self::Schools => &["行政区划", "名称", "隶属机构", "学校类型"],
            Self::Subjects => &["行政区划", "学段", "学科", "状态"],
        }
    }
}

/// What is wrong with a cell, or with a row as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, as an editor shows it; the header is 1.
    pub line: i64,
    /// The column's header; empty for the row as a whole.
    pub field: &'static str,
    /// Stable.
    pub reason: &'static str,
    /// For the officer. Never repeats the cell.
    pub sentence: &'static str,
}

/// A name of an agency.
#[derive(Clone, Debug)]
pub struct AgencyRow {
    /// Where it is responsible.
    pub division: &'static Division,
    /// Its full name.
    pub name: Name,
    /// First day of the name; `None` for its first one.
    pub since: Option<Date>,
}

/// A point.
#[derive(Clone, Debug)]
pub struct PointRow {
    /// Division of its agency.
    pub agency: Code,
    /// What it is called.
    pub name: Name,
    /// Whom it serves.
    pub range: String,
    /// County and name of the school that it is.
    pub school: Option<(Code, Name)>,
}

/// A school.
#[derive(Clone, Debug)]
pub struct SchoolRow {
    /// The county where it stands.
    pub division: Code,
    /// Its full name.
    pub name: Name,
    /// Division of the agency that it belongs to.
    pub agency: Code,
    /// What is taught there.
    pub kind: Kind,
}

/// A subject of a province.
#[derive(Clone, Debug)]
pub struct SubjectRow {
    /// Whose.
    pub province: Code,
    /// Of which stage.
    pub stage: Stage,
    /// What it is called.
    pub subject: Subject,
    /// Whether it can be chosen.
    pub on: bool,
}

/// A row that can be taken.
#[derive(Clone, Debug)]
pub enum Row {
    /// Of [`Table::Agencies`].
    Agency(AgencyRow),
    /// Of [`Table::Points`].
    Point(PointRow),
    /// Of [`Table::Schools`].
    School(SchoolRow),
    /// Of [`Table::Subjects`].
    Subject(SubjectRow),
}

impl Row {
    /// What a file can hold once.
    pub fn key(&self) -> String {
        match self {
            Self::Agency(row) => format!("{}/{:?}", row.division.digits, row.since),
            Self::Point(row) => format!("{}/{}", row.agency, row.name),
            Self::School(row) => format!("{}/{}", row.division, row.name),
            Self::Subject(row) => format!("{}/{}/{}", row.province, row.stage.name(), row.subject.as_str()),
        }
    }

    /// What tells it from another row of the same line.
    pub fn fingerprint(&self) -> [u8; 32] {
        let text = format!("{self:?}").into_bytes();
        rpc::fingerprint(&ImportDirectoryRequest { part: Some(Part::Chunk(text.into())) })
    }
}

/// A record of the file.
#[derive(Debug)]
pub struct Line {
    /// At which it begins; the file's first is 1.
    pub line: i64,
    /// What it says, or everything that is wrong with it.
    pub row: Result<Row, Vec<Problem>>,
}

/// Reads the chunks as CSV to their end, in a thread that may block, and sends line by line.
pub fn read(table: Table, chunks: mpsc::Receiver<Chunk>, lines: &mpsc::Sender<Line>) -> Result<(), Stopped> {
    let mut file = Records::new(chunks);
    let header = match file.read()? {
        Some(header) => header_of(table, &header),
        None => places(table, 1, &[]).map(|places| (places, Encoding::Utf8)),
    };
    let (places, encoding) = match header {
        Ok(header) => header,
        Err(problem) => {
            // Whoever took the lines may have stopped: then nothing more is wanted, here and below.
            let _ = lines.blocking_send(Line { line: problem.line, row: Err(vec![problem]) });
            return Ok(());
        }
    };
    while let Some(Record { line, cells }) = file.read()? {
        let row = match cells.map(|cells| cells.text(encoding)) {
            Some(Some(cells)) => {
                let cell = |place: &usize| cells.get(*place).map_or("", |cell| cell.trim());
                parse(table, &places.iter().map(cell).collect::<Vec<_>>(), line)
            }
            Some(None) => Err(vec![whole(line, "NOT_TEXT", NOT_TEXT)]),
            None => Err(vec![whole(line, "RECORD_TOO_LONG", TOO_LONG)]),
        };
        if lines.blocking_send(Line { line, row }).is_err() {
            break;
        }
    }
    Ok(())
}

const NOT_TEXT: &str = "不是 UTF-8 或 GB18030 编码的 CSV，请另存为 CSV 后重试。";
const TOO_LONG: &str = "该行过长或列数过多，无法读取，请对照模板检查分隔符和换行，改正后重试。";

fn whole(line: i64, reason: &'static str, sentence: &'static str) -> Problem {
    Problem { line, field: "", reason, sentence }
}

/// Where the columns stand, and the encoding of the whole file.
fn header_of(table: Table, header: &Record<'_>) -> Result<(Vec<usize>, Encoding), Problem> {
    let cells = header.cells.ok_or_else(|| whole(header.line, "RECORD_TOO_LONG", TOO_LONG))?;
    let (cells, encoding) = cells.header().ok_or_else(|| whole(header.line, "NOT_TEXT", NOT_TEXT))?;
    Ok((places(table, header.line, &cells)?, encoding))
}

fn places(table: Table, line: i64, header: &[Cow<'_, str>]) -> Result<Vec<usize>, Problem> {
    let place = |field: &&'static str| {
        let sentence = "文件缺少这一列，请按模板补齐表头后重试。";
        let missing = Problem { line, field, reason: "COLUMN_MISSING", sentence };
        header.iter().position(|cell| cell.trim() == *field).ok_or(missing)
    };
    table.columns().iter().map(place).collect()
}

/// Reads the cells of a row, in the order of the table's columns.
fn parse(table: Table, cells: &[&str], line: i64) -> Result<Row, Vec<Problem>> {
    let mut cells = Cells { line, fields: table.columns().iter().zip(cells), problems: Vec::new() };
    let row = match table {
        Table::Agencies => match (cells.division(), cells.name(), cells.day()) {
            (Some(division), Some(name), Ok(since)) => Some(Row::Agency(AgencyRow { division, name, since })),
            _ => None,
        },
        Table::Points => match (cells.division(), cells.name(), cells.range(), cells.school()) {
            (Some(agency), Some(name), Some(range), Ok(school)) => {
                Some(Row::Point(PointRow { agency: agency.code(), name, range, school }))
            }
            _ => None,
        },
        Table::Schools => match (cells.county(), cells.name(), cells.division(), cells.kind()) {
            (Some(division), Some(name), Some(agency), Some(kind)) => {
                Some(Row::School(SchoolRow { division, name, agency: agency.code(), kind }))
            }
            _ => None,
        },
        Table::Subjects => match (cells.province(), cells.stage(), cells.subject(), cells.on()) {
            (Some(province), Some(stage), Some(subject), Some(on)) => {
                Some(Row::Subject(SubjectRow { province, stage, subject, on }))
            }
            _ => None,
        },
    };
    row.filter(|_| cells.problems.is_empty()).ok_or(cells.problems)
}

/// The cells of a row, one after the other, and what is wrong with them.
struct Cells<'c> {
    line: i64,
    fields: std::iter::Zip<std::slice::Iter<'static, &'static str>, std::slice::Iter<'c, &'c str>>,
    problems: Vec<Problem>,
}

impl<'c> Cells<'c> {
    fn next(&mut self) -> (&'static str, &'c str) {
        let (field, cell) = self.fields.next().expect("a row has the cells of its table");
        (field, cell)
    }

    fn check<T>(
        &mut self,
        field: &'static str,
        read: Option<T>,
        reason: &'static str,
        sentence: &'static str,
    ) -> Option<T> {
        if read.is_none() {
            self.problems.push(Problem { line: self.line, field, reason, sentence });
        }
        read
    }

    /// Six digits of a division with an authority, or that could have one.
    fn division(&mut self) -> Option<&'static Division> {
        let (field, cell) = self.next();
        let code = Code::parse(cell).filter(|_| cell.len() == 6);
        let division = code.and_then(|code| Divisions::national().at(code));
        self.check(field, division, "UNKNOWN_DIVISION", "行政区划代码应为六位数字，请对照区划表填写。")
    }

    fn county(&mut self) -> Option<Code> {
        let (field, cell) = self.next();
        let county = Divisions::national().find(cell).filter(|division| division.digits.len() == 6);
        self.check(field, county.map(Division::code), "UNKNOWN_DIVISION", "应为学校所在区县的六位代码。")
    }

    fn province(&mut self) -> Option<Code> {
        let (field, cell) = self.next();
        let code = Code::parse(cell).filter(|code| cell.len() == 6 && code.province() == *code);
        let province = code.filter(|code| Divisions::national().at(*code).is_some());
        self.check(field, province, "UNKNOWN_DIVISION", "应为省级行政区划的六位代码。")
    }

    fn stage(&mut self) -> Option<Stage> {
        let (field, cell) = self.next();
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == cell);
        self.check(field, stage, "UNKNOWN_CODE", "学段应为幼儿园、小学、初级中学、高级中学或中等职业学校。")
    }

    fn subject(&mut self) -> Option<Subject> {
        let (field, cell) = self.next();
        self.check(field, Subject::parse(cell), "NOT_A_NAME", "学科名称应为1至30个字，不含空格。")
    }

    fn on(&mut self) -> Option<bool> {
        let (field, cell) = self.next();
        let on = [(ON, true), (OFF, false)].into_iter().find(|(word, _)| *word == cell);
        self.check(field, on.map(|(_, on)| on), "UNKNOWN_CODE", "状态应为启用或停用。")
    }

    fn name(&mut self) -> Option<Name> {
        let (field, cell) = self.next();
        self.check(field, Name::parse(cell), "NOT_A_NAME", "名称应为2至60个字，以公章名称为准。")
    }

    fn kind(&mut self) -> Option<Kind> {
        let (field, cell) = self.next();
        self.check(field, Kind::parse(cell), "UNKNOWN_CODE", "学校类型应为代码表中的两位代码。")
    }

    fn range(&mut self) -> Option<String> {
        let (field, cell) = self.next();
        let fits = cell.chars().count() <= LONGEST_RANGE;
        let range = self.check(field, fits.then(|| cell.to_owned()), "WRONG_LENGTH", "服务范围不超过500个字。")?;
        let sentence = "服务范围不能含有控制字符，请删除后重试。";
        self.check(field, Some(range).filter(|range| is_plain(range)), "NOT_PLAIN_TEXT", sentence)
    }

    /// A day, where there is one.
    fn day(&mut self) -> Result<Option<Date>, Flawed> {
        let (field, cell) = self.next();
        if cell.is_empty() {
            return Ok(None);
        }
        let day = rpc::parse_date("", cell, &mut Violations::new());
        let day = self.check(field, day, "NOT_A_DATE", "日期应写作 2026-11-23 的形式，首个名称留空。");
        day.map(Some).ok_or(Flawed)
    }

    /// County and name of a school, where there is one: both cells or none.
    fn school(&mut self) -> Result<Option<(Code, Name)>, Flawed> {
        let mut ahead = self.fields.clone();
        if ahead.by_ref().take(2).all(|(_, cell)| cell.is_empty()) {
            self.fields = ahead;
            return Ok(None);
        }
        self.county().zip(self.name()).map(Some).ok_or(Flawed)
    }
}

/// A cell that is no value; its problem is noted.
struct Flawed;
