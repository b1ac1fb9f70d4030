//! The file of a register: columns, and what each cell must be. The source is untrusted.

use std::collections::HashMap;
use std::io::{self, Read};

use access::Scope;
use bytes::{Buf as _, Bytes};
use time::Date;
use tokio::sync::mpsc;

use crate::domain::certificate::{Conclusion, Details, PriorRegistration, Source};
use crate::domain::kind::Kind;
use crate::domain::number::{FIRST_YEAR, Malformed, Number};
use crate::handle::is_of_province;
use crate::store::Personal;
use crate::store::events::read_date;

/// Columns of every file.
const COLUMNS: [&str; 7] = ["证件号码", "姓名", "证书号码", "资格种类", "任教学科", "认定机构", "签发日期"];
/// Columns of a file that tells of earlier registrations; all or none.
const REGISTRATION: [&str; 3] = ["注册次数", "注册结论", "注册日期"];
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
    /// To be sealed.
    pub personal: Personal,
}

/// What is wrong with a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file; the header is 1.
    pub line: i64,
    /// The column's header.
    pub field: &'static str,
    /// Stable.
    pub reason: &'static str,
    /// For the officer. Never repeats the cell.
    pub sentence: &'static str,
}

type Batch = Vec<Result<Row, Vec<Problem>>>;

/// A piece of the file, or the news that no more will come although the file has not ended.
pub type Chunk = Result<Bytes, UploadBroken>;

/// The upload ended before the file did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upload broke off")]
pub struct UploadBroken;

/// What rows are held against.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Scopes of the officer who brings the file.
    pub within: Vec<Scope>,
    /// In Shanghai.
    pub today: Date,
}

/// Reads the chunks as CSV to their end, in a thread that may block, and sends batches of rows. What came before a
/// broken upload is sent, but for the line that it broke.
pub fn read(
    chunks: mpsc::Receiver<Chunk>,
    batches: &mpsc::Sender<Batch>,
    size: usize,
    limits: &Limits,
) -> Result<(), UploadBroken> {
    let mut batch = Batch::with_capacity(size);
    let outcome = read_rows(chunks, limits, |row| {
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
    chunks: mpsc::Receiver<Chunk>,
    limits: &Limits,
    mut take: impl FnMut(Result<Row, Vec<Problem>>) -> bool,
) -> Result<(), UploadBroken> {
    let mut file = csv::ReaderBuilder::new().flexible(true).from_reader(Chunks { chunks, current: Bytes::new() });
    let header = match file.headers() {
        Ok(header) => Columns::find(header),
        Err(error) if error.is_io_error() => return Err(UploadBroken),
        Err(_) => Err(unreadable(1)),
    };
    let columns = match header {
        Ok(columns) => columns,
        Err(problem) => {
            take(Err(vec![problem]));
            return Ok(());
        }
    };
    let mut record = csv::StringRecord::new();
    loop {
        let more = file.read_record(&mut record);
        let line = record.position().map_or(0, |position| position.line().cast_signed());
        let row = match more {
            Ok(false) => return Ok(()),
            Ok(true) => columns.row(&record, line, limits),
            Err(error) if error.is_io_error() => return Err(UploadBroken),
            Err(error) => {
                let line = error.position().map_or(line, |position| position.line().cast_signed());
                Err(vec![unreadable(line)])
            }
        };
        if !take(row) {
            return Ok(());
        }
    }
}

fn unreadable(line: i64) -> Problem {
    Problem {
        line, field: "", reason: "NOT_UTF8", sentence: "该行不是 UTF-8 编码，请将文件另存为 UTF-8 后重试。"
    }
}

/// The file as a reader that waits for the next chunk.
struct Chunks {
    chunks: mpsc::Receiver<Chunk>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Where the columns stand.
struct Columns {
    places: HashMap<&'static str, usize>,
    registrations: bool,
}

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Self, Problem> {
        let cells: Vec<&str> = header.iter().map(|cell| cell.trim_start_matches('\u{feff}').trim()).collect();
        let place = |name: &&'static str| Some((*name, cells.iter().position(|cell| cell == name)?));
        let missing = |name: &'static str| Problem {
            line: 1,
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
        Ok(Self { places, registrations })
    }

    fn row(&self, record: &csv::StringRecord, line: i64, limits: &Limits) -> Result<Row, Vec<Problem>> {
        let today = limits.today;
        let mut problems = Problems { line, found: Vec::new() };
        let cell = |name: &str| record.get(self.places[name]).unwrap_or_default().trim();
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
        };
        let personal =
            Personal { number: number.as_str().to_owned(), holder_number, holder_name: cell("姓名").to_owned() };
        Ok(Row { details, source, prior, personal })
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

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";

    fn limits() -> Limits {
        let jiangsu = Scope { division: eventlog::Division::parse("32").unwrap(), unit: None };
        Limits { within: vec![jiangsu], today: date!(2026 - 11 - 23) }
    }

    fn rows(text: &str) -> Batch {
        let (send, chunks) = mpsc::channel(1_000);
        for chunk in text.as_bytes().chunks(7) {
            send.try_send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
        }
        drop(send);
        let (batches, mut read_back) = mpsc::channel(100);
        read(chunks, &batches, 2, &limits()).unwrap();
        drop(batches);
        std::iter::from_fn(|| read_back.try_recv().ok()).flatten().collect()
    }

    fn reasons(text: &str) -> Vec<(i64, &'static str, &'static str)> {
        let problems = rows(text).into_iter().filter_map(Result::err).flatten();
        problems.map(|problem| (problem.line, problem.field, problem.reason)).collect()
    }

    #[test]
    fn rows_are_read_whatever_the_chunks() {
        let row = "32039919900101001x,示例一,20103203211234567,小学教师资格,语文,徐州市教育局,2010-06-15,1,注册合格,2021-11-30\n";
        let read = rows(&format!("\u{feff}{HEADER}{row}{row}{row}"));
        assert_eq!(read.len(), 3);
        let row = read[2].as_ref().unwrap();
        assert_eq!(row.personal.holder_number, "32039919900101001X");
        assert_eq!(row.prior.unwrap().ordinal, 1);
        assert_eq!((row.details.kind, row.source), (Kind::Primary, Source::Register));
    }

    #[test]
    fn an_old_certificate_with_a_registration_is_known_from_it() {
        let row =
            "320399199001010018,示例一,20053203211234567,小学,语文,徐州市教育局,2005-06-15,1,注册合格,2021-11-30\n";
        assert_eq!(rows(&format!("{HEADER}{row}"))[0].as_ref().unwrap().source, Source::PriorRegistration);
    }

    #[test]
    fn every_bad_cell_of_a_row_is_named_with_its_line() {
        let good = "320399199001010018,示例一,20103203211234567,小学,语文,徐州市教育局,2010-06-15,,,\n";
        let bad = "３２０,,123,大学,语文,徐州市教育局,2010-6-15,零,好,2027-01-01\n";
        assert_eq!(
            reasons(&format!("{HEADER}{good}{bad}")),
            [
                (3, "姓名", "REQUIRED"),
                (3, "证件号码", "NOT_A_DOCUMENT_NUMBER"),
                (3, "证书号码", "NOT_A_CERTIFICATE_NUMBER"),
                (3, "资格种类", "UNKNOWN_KIND"),
                (3, "签发日期", "NOT_A_DATE"),
                (3, "注册次数", "NOT_AN_ORDINAL"),
                (3, "注册结论", "UNKNOWN_CONCLUSION"),
                (3, "注册日期", "IN_THE_FUTURE"),
            ]
        );
    }

    #[test]
    fn a_file_without_its_columns_is_refused_at_the_header() {
        assert_eq!(reasons("证件号码,姓名\n1,2\n"), [(1, "证书号码", "COLUMN_MISSING")]);
        let header = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数\n";
        assert_eq!(reasons(header), [(1, "注册结论", "COLUMN_MISSING")]);
    }

    #[test]
    fn what_is_not_utf8_is_a_problem_of_its_line_alone() {
        let (send, chunks) = mpsc::channel(10);
        let good = "320399199001010018,示例一,20103203211234567,小学,语文,徐州市教育局,2010-06-15,,,\n";
        for part in [HEADER.as_bytes(), b"\xff\xfe,,,,,,,,,\n", good.as_bytes()] {
            send.try_send(Ok(Bytes::copy_from_slice(part))).unwrap();
        }
        drop(send);
        let (batches, mut read_back) = mpsc::channel(10);
        read(chunks, &batches, 10, &limits()).unwrap();
        let batch = read_back.try_recv().unwrap();
        assert_eq!(batch[0].as_ref().unwrap_err()[0].reason, "NOT_UTF8");
        assert!(batch[1].is_ok());
    }

    #[test]
    fn a_row_of_another_province_is_rejected() {
        let elsewhere = "320399199001010018,示例一,20103303211234567,小学,语文,杭州市教育局,2010-06-15,,,\n";
        assert_eq!(reasons(&format!("{HEADER}{elsewhere}")), [(2, "证书号码", "OF_ANOTHER_PROVINCE")]);
    }

    #[test]
    fn a_broken_upload_gives_whole_rows_and_says_so() {
        let good = "320399199001010018,示例一,20103203211234567,小学,语文,徐州市教育局,2010-06-15,,,\n";
        let (send, chunks) = mpsc::channel(10);
        for part in [HEADER.as_bytes(), good.as_bytes(), &good.as_bytes()[..60]] {
            send.try_send(Ok(Bytes::copy_from_slice(part))).unwrap();
        }
        send.try_send(Err(UploadBroken)).unwrap();
        let (batches, mut read_back) = mpsc::channel(10);
        assert_eq!(read(chunks, &batches, 10, &limits()), Err(UploadBroken));
        assert_eq!(read_back.try_recv().unwrap().len(), 1);
        assert!(read_back.try_recv().is_err());
    }
}
