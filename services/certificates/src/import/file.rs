//! The file of a register: columns, and what each cell must be. The source is untrusted.

use std::borrow::Cow;
use std::collections::HashMap;

use access::Scope;
use time::Date;
use tokio::sync::mpsc;

use crate::domain::certificate::{Conclusion, Details, PriorRegistration, Source, Standing};
use crate::domain::kind::Kind;
use crate::domain::number::warning::Said;
use crate::domain::number::{FIRST_YEAR, Malformed, Number};
use crate::handle::is_of_province;
use crate::store::Personal;
use crate::store::events::read_date;
use records::{Chunk, Encoding, Record, Records, Stopped};

#[cfg(test)]
mod tests;

/// Columns of every file.
const COLUMNS: [&str; 7] = ["证件号码", "姓名", "证书号码", "资格种类", "任教学科", "认定机构", "签发日期"];
/// Columns of a file that tells of earlier registrations; all or none.
const REGISTRATION: [&str; 3] = ["注册次数", "注册结论", "注册日期"];
/// The register's word on the certificate itself; may be left out.
const STANDING: &str = "状态";
/// Years before this one are known from registrations only.
const SYNCED_SINCE: i32 = 2008;
const LONGEST_CELL: usize = 100;

/// A row that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Without the keyed hashes.
    pub details: Details,
    /// Which kind of register.
    pub source: Source,
    /// The earlier registration that the row tells of.
    pub prior: Option<PriorRegistration>,
    /// Whether the certificate may be used, and is there at all.
    pub standing: Standing,
    /// To be sealed.
    pub personal: Personal,
    /// What does not fit together, without being a reason to refuse.
    pub warnings: Vec<Problem>,
}

/// What is wrong with a cell, or deserves a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, as an editor shows it; the header is 1.
    pub line: i64,
    /// The column's header.
    pub field: &'static str,
    /// Stable.
    pub reason: &'static str,
    /// For the officer. Never repeats the cell.
    pub sentence: &'static str,
}

type Batch = Vec<Result<Row, Vec<Problem>>>;

/// What rows are held against.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Scopes of the officer who brings the file.
    pub within: Vec<Scope>,
    /// In Shanghai.
    pub today: Date,
}

/// Reads the chunks as CSV to their end, in a thread that may block, and sends batches of rows. What came before the end
/// of a file that breaks off is sent, but for the record that it broke.
pub fn read(
    chunks: mpsc::Receiver<Chunk>,
    batches: &mpsc::Sender<Batch>,
    size: usize,
    limits: &Limits,
) -> Result<(), Stopped> {
    let mut batch = Batch::with_capacity(size);
    let outcome = read_rows(Records::new(chunks), limits, |row| {
        batch.push(row);
        // Whoever took the batches may have stopped: then nothing more is wanted.
        batch.len() < size || batches.blocking_send(std::mem::take(&mut batch)).is_ok()
    });
    if !batch.is_empty() {
        // As above.
        let _ = batches.blocking_send(batch);
    }
    outcome
}

/// Hands out row by row as long as `take` wants more.
fn read_rows(
    mut file: Records,
    limits: &Limits,
    mut take: impl FnMut(Result<Row, Vec<Problem>>) -> bool,
) -> Result<(), Stopped> {
    let header = match file.read()? {
        Some(header) => header_of(&header),
        None => Columns::find(1, &[]).map(|columns| (columns, Encoding::Utf8)),
    };
    let (columns, encoding) = match header {
        Ok(header) => header,
        Err(problem) => {
            take(Err(vec![problem]));
            return Ok(());
        }
    };
    while let Some(Record { line, cells }) = file.read()? {
        let row = match cells.map(|cells| cells.text(encoding)) {
            Some(Some(cells)) => columns.row(&cells, line, limits),
            Some(None) => Err(vec![unreadable(line, encoding)]),
            None => Err(vec![too_long(line)]),
        };
        if !take(row) {
            return Ok(());
        }
    }
    Ok(())
}

/// The columns, and the encoding that the whole file has: the header can be read in one alone.
fn header_of(header: &Record<'_>) -> Result<(Columns, Encoding), Problem> {
    let cells = header.cells.ok_or_else(|| too_long(header.line))?;
    let read = |encoding| Some((cells.text(encoding)?, encoding));
    let not_text = || Problem {
        line: header.line,
        field: "",
        reason: "NOT_TEXT",
        sentence: "文件不是 UTF-8 或 GB18030 编码的 CSV，请另存为 CSV 后重试。",
    };
    let (cells, encoding) = read(Encoding::Utf8).or_else(|| read(Encoding::Gb18030)).ok_or_else(not_text)?;
    Ok((Columns::find(header.line, &cells)?, encoding))
}

fn unreadable(line: i64, encoding: Encoding) -> Problem {
    let (reason, sentence) = match encoding {
        Encoding::Utf8 => ("NOT_UTF8", "该行不是 UTF-8 编码，请将文件另存为 UTF-8 后重试。"),
        Encoding::Gb18030 => ("NOT_GB18030", "该行不是 GB18030 编码，请将文件另存为 UTF-8 后重试。"),
    };
    Problem { line, field: "", reason, sentence }
}

fn too_long(line: i64) -> Problem {
    let sentence = "该行过长或列数过多，无法读取，请对照模板检查分隔符和换行，改正后重试。";
    Problem { line, field: "", reason: "RECORD_TOO_LONG", sentence }
}

/// Where the columns stand.
struct Columns {
    places: HashMap<&'static str, usize>,
    registrations: bool,
}

impl Columns {
    fn find(line: i64, header: &[Cow<'_, str>]) -> Result<Self, Problem> {
        let cells: Vec<&str> = header.iter().map(|cell| cell.trim()).collect();
        let place = |name: &&'static str| Some((*name, cells.iter().position(|cell| cell == name)?));
        let missing = |name: &'static str| Problem {
            line,
            field: name,
            reason: "COLUMN_MISSING",
            sentence: "文件缺少这一列，请按模板补齐表头后重试。",
        };
        let mut places: HashMap<&'static str, usize> = COLUMNS.iter().filter_map(place).collect();
        if let Some(name) = COLUMNS.iter().find(|name| !places.contains_key(**name)) {
            return Err(missing(name));
        }
        let extra: HashMap<&'static str, usize> = REGISTRATION.iter().filter_map(place).collect();
        let registrations = extra.len() == REGISTRATION.len();
        if !registrations && !extra.is_empty() {
            let name = REGISTRATION.iter().find(|name| !extra.contains_key(**name)).expect("one is missing");
            return Err(missing(name));
        }
        places.extend(extra);
        places.extend(place(&STANDING));
        Ok(Self { places, registrations })
    }

    fn row(&self, cells: &[Cow<'_, str>], line: i64, limits: &Limits) -> Result<Row, Vec<Problem>> {
        let today = limits.today;
        let mut problems = Problems { line, found: Vec::new() };
        let cell =
            |name: &str| self.places.get(name).and_then(|place| cells.get(*place)).map_or("", |cell| cell.trim());
        for name in COLUMNS {
            problems.check(name, !cell(name).is_empty(), "REQUIRED", "此项不能为空。");
            let fits = cell(name).chars().count() <= LONGEST_CELL && !cell(name).contains('\0');
            problems.check(name, fits, "TOO_LONG", "此项过长或含有不可见字符。");
        }
        let holder_number = cell("证件号码").to_uppercase();
        let shaped = holder_number.len() <= 18 && holder_number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        problems.check("证件号码", shaped, "NOT_A_DOCUMENT_NUMBER", "证件号码应为半角数字或字母，不超过18位。");
        let number = match Number::parse(cell("证书号码"), today) {
            Ok(number) if number.year() >= FIRST_YEAR => Some(number),
            Ok(_) | Err(Malformed::FutureYear) => {
                problems.add("证书号码", "IMPOSSIBLE_YEAR", "证书号码中的年份不可能，请与发证机关确认。");
                None
            }
            Err(Malformed::Digits) => {
                problems.add("证书号码", "NOT_A_CERTIFICATE_NUMBER", "证书号码应为15位或17位数字。");
                None
            }
        };
        if let Some(number) = &number {
            let is_theirs = is_of_province(number, |province| limits.within.iter().any(|scope| scope.covers(province)));
            problems.check("证书号码", is_theirs, "OF_ANOTHER_PROVINCE", "该证书由其他省份认定，应由该省导入。");
        }
        let kind = Kind::parse(cell("资格种类"));
        problems.check("资格种类", kind.is_some(), "UNKNOWN_KIND", "资格种类不在代码表中。");
        let issue_date = problems.date("签发日期", cell("签发日期"), today);
        let prior = if self.registrations { prior(&cell, &mut problems, today) } else { None };
        let standing = match cell(STANDING) {
            "" | "0" | "正常" => Standing::Normal,
            "1" | "受限" => Standing::Restricted,
            "2" | "删除" => Standing::Deleted,
            _ => {
                problems.add(STANDING, "UNKNOWN_STATUS", "状态应为正常、受限或删除。");
                Standing::Normal
            }
        };
        let (Some(number), Some(kind), Some(issue_date), true) = (number, kind, issue_date, problems.found.is_empty())
        else {
            return Err(problems.found);
        };
        let source =
            if prior.is_some() && number.year() < SYNCED_SINCE { Source::PriorRegistration } else { Source::Register };
        let details = Details {
            kind,
            subject: cell("任教学科").to_owned(),
            issuing_agency: cell("认定机构").to_owned(),
            issue_date,
            number: [0; 32],
            holder: [0; 32],
            digest: [0; 32],
            generation: 0,
        };
        let personal =
            Personal { number: number.as_str().to_owned(), holder_number, holder_name: cell("姓名").to_owned() };
        let said =
            Said { kind, issued: issue_date, agency: &details.issuing_agency, holder_number: &personal.holder_number };
        let warnings = number.warnings(&said).into_iter().map(|warning| Problem {
            line,
            field: "证书号码",
            reason: warning.reason(),
            sentence: warning.sentence(),
        });
        let warnings = warnings.collect();
        Ok(Row { details, source, prior, standing, personal, warnings })
    }
}

fn prior<'c>(cell: &impl Fn(&str) -> &'c str, problems: &mut Problems, today: Date) -> Option<PriorRegistration> {
    if REGISTRATION.iter().all(|name| cell(name).is_empty()) {
        return None;
    }
    let ordinal = cell("注册次数").parse::<u32>().ok().filter(|ordinal| (1..=20).contains(ordinal));
    problems.check("注册次数", ordinal.is_some(), "NOT_AN_ORDINAL", "注册次数应为1至20的整数。");
    let conclusion = match cell("注册结论") {
        "注册合格" | "合格" => Some(Conclusion::Qualified),
        "暂缓注册" | "暂缓" => Some(Conclusion::Deferred),
        "注册不合格" | "不合格" => Some(Conclusion::Failed),
        "撤销注册" => Some(Conclusion::Revoked),
        _ => None,
    };
    problems.check(
        "注册结论",
        conclusion.is_some(),
        "UNKNOWN_CONCLUSION",
        "注册结论应为注册合格、暂缓注册、注册不合格或撤销注册。",
    );
    let concluded = problems.date("注册日期", cell("注册日期"), today);
    Some(PriorRegistration { ordinal: ordinal?, conclusion: conclusion?, concluded: concluded? })
}

struct Problems {
    line: i64,
    found: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, field: &'static str, reason: &'static str, sentence: &'static str) {
        // One problem a cell is enough to mend it.
        if self.found.iter().all(|problem| problem.field != field) {
            self.found.push(Problem { line: self.line, field, reason, sentence });
        }
    }

    fn check(&mut self, field: &'static str, holds: bool, reason: &'static str, sentence: &'static str) {
        if !holds {
            self.add(field, reason, sentence);
        }
    }

    fn date(&mut self, field: &'static str, text: &str, today: Date) -> Option<Date> {
        let date = read_date(text);
        match date {
            None => self.add(field, "NOT_A_DATE", "日期应写作 2010-06-15 的形式。"),
            Some(date) if date > today => self.add(field, "IN_THE_FUTURE", "日期不能晚于今天。"),
            Some(_) => {}
        }
        date
    }
}
