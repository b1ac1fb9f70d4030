//! Rows of a register's file, as officers send it: taken whole, or named with line, column and reason.

use bytes::Bytes;
use encoding_rs::GB18030;
use time::macros::date;

use super::*;
use crate::domain::kind::Kind;
use records::LARGEST_RECORD;

const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";

fn limits() -> Limits {
    let jiangsu = Scope { division: eventlog::Division::parse("32").unwrap(), unit: None };
    Limits { register: Register::Certificates, within: vec![jiangsu], today: date!(2026 - 11 - 23), agencies: None }
}

fn rows_of(file: &[u8]) -> (Batch, Result<(), Stopped<Broken>>) {
    let (send, chunks) = mpsc::channel(file.len() + 1);
    for chunk in file.chunks(7) {
        send.try_send(Ok(Bytes::copy_from_slice(chunk))).unwrap();
    }
    drop(send);
    let (batches, mut read_back) = mpsc::channel(100);
    let outcome = read(chunks, &batches, 2, &limits());
    drop(batches);
    (std::iter::from_fn(|| read_back.try_recv().ok()).flatten().collect(), outcome)
}

fn rows(text: &str) -> Batch {
    let (rows, outcome) = rows_of(text.as_bytes());
    assert_eq!(outcome, Ok(()));
    rows
}

fn certificate(row: &Result<Row, Vec<Problem>>) -> (&Details, Source, Option<PriorRegistration>, &Personal) {
    match &row.as_ref().unwrap().says {
        Says::Certificate { details, source, prior, personal, .. } => (details, *source, *prior, personal),
        Says::Restriction { .. } => panic!("a register of certificates restricts nothing"),
    }
}

fn reasons_of(rows: Batch) -> Vec<(i64, &'static str, &'static str)> {
    let problems = rows.into_iter().filter_map(Result::err).flatten();
    problems.map(|problem| (problem.line, problem.field, problem.reason)).collect()
}

fn reasons(text: &str) -> Vec<(i64, &'static str, &'static str)> {
    reasons_of(rows(text))
}

#[test]
fn rows_are_read_whatever_the_chunks() {
    let row =
        "32039919900101001x,示例一,20103203211234567,小学教师资格,语文,徐州市教育局,2010-06-15,1,注册合格,2021-11-30\n";
    let read = rows(&format!("\u{feff}{HEADER}{row}{row}{row}"));
    assert_eq!(read.len(), 3);
    let (details, source, prior, personal) = certificate(&read[2]);
    assert_eq!(personal.holder_number, "32039919900101001X");
    assert_eq!(prior.unwrap().ordinal, 1);
    assert_eq!((details.kind, source), (Kind::Primary, Source::PriorRegistration));
}

#[test]
fn a_row_with_a_registration_is_of_the_registration_in_every_year() {
    let header = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期,状态\n";
    for year in [2005, 2008, 2012, 2020] {
        let row = |registration: &str, standing: &str| {
            format!(
                "320399199001010018,示例一,{year}3203211234567,小学,语文,徐州市教育局,{year}-06-15,{registration},{standing}\n"
            )
        };
        let source = |row: String| certificate(&rows(&format!("{header}{row}"))[0]).1;
        assert_eq!(source(row("1,注册合格,2021-11-30", "")), Source::PriorRegistration, "{year}");
        assert_eq!(source(row(",,", "正常")), Source::Register, "{year}");
        // That there is no such certificate is for 认定历史库 to say.
        assert_eq!(source(row("1,注册合格,2021-11-30", "删除")), Source::Register, "{year}");
    }
}

#[test]
fn rows_that_contradict_each_other_are_found_in_the_whole_file() {
    let row = |number: u32, subject: &str| {
        format!("320399199001010018,示例一,2010320322{number:07},小学,{subject},徐州市教育局,2010-06-15,,,\n")
    };
    let many: String = (10..30).map(|number| row(number, "语文")).collect();
    let file = format!("{HEADER}{}{many}{}{}", row(1, "语文"), row(1, "数学"), row(1, "语文"));
    assert_eq!(reasons(&file), [(23, "证书号码", "GIVEN_TWICE")]);
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
    send.try_send(Err(Broken::Upload)).unwrap();
    let (batches, mut read_back) = mpsc::channel(10);
    assert_eq!(read(chunks, &batches, 10, &limits()), Err(Stopped::Broken(Broken::Upload)));
    assert_eq!(read_back.try_recv().unwrap().len(), 1);
    assert!(read_back.try_recv().is_err());
}

const GOOD: &str = "320399199001010018,示例一,20103203221234567,小学,语文,徐州市教育局,2010-06-15,,,\n";

#[test]
fn blank_lines_and_lines_within_quotes_count() {
    let quoted = "320399199001010018,\"示例\n一\",20103203227654321,小学,语文,徐州市教育局,2010-06-15,,,\n";
    let file = format!("\n{HEADER}\n\r\n{GOOD}\n,,,,,,,,,\n{quoted}\n短\n");
    let problems = reasons(&file);
    assert_eq!(problems.iter().filter(|(.., reason)| *reason == "REQUIRED").count(), 7 + 6, "{problems:?}");
    let lines: Vec<i64> = problems.chunk_by(|one, other| one.0 == other.0).map(|of_a_row| of_a_row[0].0).collect();
    assert_eq!(lines, [7, 11], "the row that spans two lines is a good one");
}

#[test]
fn the_encoding_is_the_headers() {
    let (utf8, gb18030) = (format!("{HEADER}{GOOD}"), GB18030.encode(GOOD).0.into_owned());
    let whole = GB18030.encode(&utf8).0.into_owned();
    let (read, _) = rows_of(&whole);
    assert_eq!(read, rows(&utf8));
    let (details, _, _, personal) = certificate(&read[0]);
    assert_eq!((personal.holder_name.as_str(), details.issuing_agency.as_str()), ("示例一", "徐州市教育局"));

    let (read, outcome) = rows_of(&[utf8.as_bytes(), &gb18030, GOOD.as_bytes()].concat());
    assert_eq!((read.len(), outcome), (3, Ok(())));
    assert_eq!(reasons_of(read), [(3, "", "NOT_UTF8")]);
    let (read, _) = rows_of(&[whole.as_slice(), b"\xff,,,,,,,,,\n", &gb18030].concat());
    assert_eq!(read.len(), 3);
    assert_eq!(reasons_of(read), [(3, "", "NOT_GB18030")]);
    assert_eq!(reasons_of(rows_of(b"\xff\xfe\x01\n").0), [(1, "", "NOT_TEXT")]);
}

#[test]
fn a_row_that_is_too_long_is_named_and_the_next_one_is_taken() {
    let long = "x".repeat(LARGEST_RECORD + 1);
    let read = rows(&format!("{HEADER}{long}\n{GOOD}"));
    assert!(read[1].is_ok());
    assert_eq!(reasons_of(read), [(2, "", "RECORD_TOO_LONG")]);
    assert_eq!(reasons(&long), [(1, "", "RECORD_TOO_LONG")]);
}

#[test]
fn behind_an_open_quote_nothing_is_taken_for_a_row() {
    let file = format!("{HEADER}{GOOD}\n320399199001010018,\"示例一,20\n{}", GOOD.repeat(1_000));
    let (read, outcome) = rows_of(file.as_bytes());
    assert_eq!(outcome, Err(Stopped::QuoteNotClosed { line: 4 }));
    assert_eq!(read.len(), 1);
    assert!(read[0].is_ok());
}

#[test]
fn a_long_file_is_held_a_few_chunks_at_a_time() {
    const ROWS: usize = 20_000;
    let (send, chunks) = mpsc::channel(4);
    let (batches, mut taken) = mpsc::channel(4);
    let chunk_rows = 100;
    let part = Bytes::from(GOOD.repeat(chunk_rows));
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let upload = std::thread::spawn(move || {
        send.blocking_send(Ok(Bytes::from(HEADER))).unwrap();
        for _ in 0..ROWS / chunk_rows {
            send.blocking_send(Ok(part.clone())).unwrap();
            counted.fetch_add(chunk_rows, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let reading = std::thread::spawn(move || read(chunks, &batches, 50, &limits()));
    let mut rows = 0;
    while let Some(batch) = taken.blocking_recv() {
        rows += batch.iter().filter(|row| row.is_ok()).count();
        let ahead = sent.load(std::sync::atomic::Ordering::SeqCst).saturating_sub(rows);
        // Four chunks and four batches that wait, and one of each in hand at either side.
        assert!(ahead <= 6 * chunk_rows + 6 * 50, "{ahead} rows are in memory");
    }
    upload.join().unwrap();
    assert_eq!((reading.join().unwrap(), rows), (Ok(()), ROWS));
}

#[test]
fn what_does_not_fit_together_is_taken_with_a_warning() {
    let odd = "320399199001010026,示例二,20103203231000001,小学,语文,浙江省教育厅,2011-06-15,,,\n";
    let read = rows(&format!("{HEADER}{GOOD}\n{odd}"));
    assert_eq!(read[0].as_ref().unwrap().warnings, []);
    let warnings = &read[1].as_ref().unwrap().warnings;
    let expected = ["NUMBER_YEAR_DIFFERS", "NUMBER_PROVINCE_DIFFERS", "NUMBER_KIND_DIFFERS", "NUMBER_SEX_DIFFERS"];
    assert_eq!(warnings.iter().map(Warning::reason).collect::<Vec<_>>(), expected);
}
