//! Facts from a school's file: row by row, dry and real, once and again, in every form of file; and the work list that is filled in.

use applications::domain::enrolment_number::EnrolmentNumber;
use encoding_rs::GB18030;
use futures::stream;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::bulk_client::BulkClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::import_facts_request::Part;
use proto::applications::v1::{self as wire, Turn};
use rpc::Refusal;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use service::testing::Channel;
use tonic::Status;

use crate::stage::{COUNTY, OTHER_POINT, POINT, Stage, facts, reason, record_facts, request_id};

const PASSED: i32 = wire::Finding::Passed as i32;

pub(crate) fn options(request_id: &str, dry_run: bool) -> wire::FileOptions {
    wire::FileOptions { request_id: request_id.to_owned(), dry_run }
}

/// Brings a file in chunks; its report, or why nothing of it was taken.
async fn bring(
    client: &mut BulkClient<Channel>,
    options: wire::FileOptions,
    file: &[u8],
) -> Result<Vec<wire::ImportFactsResponse>, Status> {
    // The first piece is shorter than what tells a workbook from a text.
    let (first, rest) = file.split_at(3.min(file.len()));
    let chunks = std::iter::once(first).chain(rest.chunks(60_000)).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Options(options)).chain(chunks).collect();
    let parts = parts.into_iter().map(|part| wire::ImportFactsRequest { part: Some(part) });
    let (mut answers, mut report) = (client.import_facts(stream::iter(parts)).await?.into_inner(), Vec::new());
    while let Some(row) = answers.message().await? {
        report.push(row);
    }
    Ok(report)
}

/// Line, columns and reasons of a report; a row without problems has none.
fn told(report: &[wire::ImportFactsResponse]) -> Vec<(i64, Vec<(&str, &str)>)> {
    let of_row = |row: &wire::ImportFactsResponse| row.outcome.is_none() != row.problems.is_empty();
    assert!(report.iter().all(of_row), "an outcome or problems: {report:?}");
    assert!(report.iter().flat_map(|row| &row.problems).all(|problem| !problem.message.is_empty()));
    report
        .iter()
        .map(|row| {
            let problems = row.problems.iter().map(|problem| (problem.column.as_str(), problem.reason.as_str()));
            (row.line, problems.collect())
        })
        .collect()
}

fn head(stage: &Stage) -> i64 {
    *stage.running.service.ground.log.head().borrow()
}

async fn recorded(stage: &Stage, key: &wire::ApplicationKey) -> (wire::Facts, i64) {
    let get = wire::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let mut liaison = ApplicationsClient::new(stage.liaison().await);
    let application = liaison.get_application(get).await.unwrap().into_inner().application.unwrap();
    (application.facts.unwrap_or_default(), application.version)
}

async fn filed(stage: &Stage) -> wire::ApplicationKey {
    stage.filed(&stage.teacher().await).await
}

#[tokio::test]
async fn each_row_is_recorded_or_says_why_not_and_the_same_file_again_records_nothing() {
    let stage = Stage::start().await;
    let (first, second, past) =
        (filed(&stage).await, filed(&stage).await, stage.confirmed(&stage.teacher().await).await);
    let [one, two, confirmed] = [&first, &second, &past].map(|key| key.enrolment_number.as_str());
    let unknown = EnrolmentNumber::new(2026, "320303", 999_999).unwrap();
    let file = format!(
        "报名号,姓名,师德考核,2025年年度考核,培训合计,备注\n\
         {one},示例*,合格,优秀,360,表现良好\n\
         {two},示例*,合格,良,很多,\n\
         \n\
         {two},示例*,不合格,,,\n\
         {one},示例*,合格,,,\n\
         {confirmed},示例*,合格,,,\n\
         {unknown},示例*,合格,,,\n\
         2026,示例*,合格,,,\n"
    );
    let mut school = BulkClient::new(stage.liaison().await);
    let id = request_id();
    let before = head(&stage);
    let dry = bring(&mut school, options(&id, true), file.as_bytes()).await.unwrap();
    let expected: Vec<(i64, Vec<(&str, &str)>)> = vec![
        (2, vec![]),
        (3, vec![("2025年年度考核", "UNKNOWN_VALUE"), ("培训合计", "NOT_A_NUMBER")]),
        (5, vec![]),
        (6, vec![("报名号", "GIVEN_TWICE")]),
        (7, vec![("", "WRONG_STATE")]),
        (8, vec![("", "NOT_FOUND")]),
        (9, vec![("报名号", "NOT_AN_ENROLMENT_NUMBER")]),
    ];
    assert_eq!(told(&dry), expected);
    assert_eq!(dry[0].enrolment_number, one);
    assert_eq!(head(&stage), before, "a dry run records nothing");

    let done = bring(&mut school, options(&id, false), file.as_bytes()).await.unwrap();
    assert_eq!(done, dry, "the dry run said what would come");
    assert_eq!(head(&stage), before + 2);
    assert_eq!(done[0].outcome.as_ref().unwrap().turn(), Turn::Point);
    let again = bring(&mut school, options(&id, false), file.as_bytes()).await.unwrap();
    assert_eq!(again, done);
    let once_more = bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(told(&once_more), expected);
    assert_eq!(head(&stage), before + 2, "what is so already is not recorded again");

    let (facts, _) = recorded(&stage, &first).await;
    assert_eq!((facts.ethics, facts.training_total, facts.note.as_str()), (PASSED, Some(360.0), "表现良好"));
    assert_eq!(facts.year_grades, [wire::YearGrade { year: 2025, grade: "1".to_owned() }]);
    assert_eq!(recorded(&stage, &second).await.0.ethics, wire::Finding::Failed as i32);
}

#[tokio::test]
async fn a_blank_cell_leaves_what_was_recorded_and_the_note_goes_on() {
    let stage = Stage::start().await;
    let key = filed(&stage).await;
    let mut single = ConfirmationClient::new(stage.liaison().await);
    single.record_facts(record_facts(&key, facts())).await.unwrap();
    let number = &key.enrolment_number;
    let file = format!("报名号,师德考核,身心健康,备注\n{number},,不合格,\n");
    let mut school = BulkClient::new(stage.liaison().await);
    let report = bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![])]);
    let expected = wire::Facts { health: wire::Finding::Failed.into(), ..facts() };
    assert_eq!(recorded(&stage, &key).await, (expected.clone(), 3));

    // Nothing told, nothing recorded.
    let file = format!("报名号,师德考核,备注\n{number},,\n");
    bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(recorded(&stage, &key).await, (expected.clone(), 3));
    // Another note alone is something new.
    let file = format!("报名号,备注\n{number},有待核实\n");
    bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(recorded(&stage, &key).await, (wire::Facts { note: "有待核实".to_owned(), ..expected }, 4));
}

#[tokio::test]
async fn what_adds_up_row_by_row_stays_within_the_bounds_of_a_single_call() {
    let stage = Stage::start().await;
    let key = filed(&stage).await;
    let other_conditions = (0..60).map(|n| wire::OtherCondition { name: format!("条件{n}"), met: true }).collect();
    let mut single = ConfirmationClient::new(stage.liaison().await);
    single.record_facts(record_facts(&key, wire::Facts { other_conditions, ..facts() })).await.unwrap();
    let mut school = BulkClient::new(stage.liaison().await);
    for (condition, expected) in [("条件7", vec![]), ("住房", vec![("", "NOT_A_NAME")])] {
        let file = format!("报名号,其他条件：{condition}\n{},不满足\n", key.enrolment_number);
        let report = bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
        assert_eq!(told(&report), [(2, expected)]);
    }
}

#[tokio::test]
async fn a_row_without_facts_records_none() {
    let stage = Stage::start().await;
    let key = filed(&stage).await;
    let file = format!("报名号,师德考核\n{},\n", key.enrolment_number);
    let mut school = BulkClient::new(stage.liaison().await);
    let report = bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(report[0].outcome.as_ref().unwrap().turn(), Turn::School);
    assert_eq!(recorded(&stage, &key).await.1, 1);
}

#[tokio::test]
async fn the_same_rows_say_the_same_in_every_form_of_file() {
    let stage = Stage::start().await;
    let key = filed(&stage).await;
    let number = key.enrolment_number.as_str();
    let header = [
        "报名号",
        "师德考核",
        "培训合计",
        "2025年培训",
        "其他条件：普通话达标",
        "中止教学起始日期",
        "中止教学结束日期",
        "中止教学学期数",
        "中止教学原因",
        "中止教学经批准",
    ];
    let cells = [number, "合格", "360.5", "72", "满足", "2024-02-01", "2024-07-01", "1", "病休", "是"];
    let text = format!("{}\n{}\n{number}1,合格\n", header.join(","), cells.join(","));
    let gb18030 = GB18030.encode(&text).0.into_owned();
    let with_mark = [b"\xef\xbb\xbf", text.as_bytes()].concat();

    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, header).unwrap();
    sheet.write_row(1, 0, cells).unwrap();
    // As a person fills it in: amounts as numbers, days as dates.
    let day = Format::new().set_num_format("yyyy-mm-dd");
    sheet.write(1, 2, 360.5).unwrap();
    sheet.write(1, 3, 72).unwrap();
    sheet.write_with_format(1, 5, ExcelDateTime::from_ymd(2024, 2, 1).unwrap(), &day).unwrap();
    sheet.write(1, 7, 1).unwrap();
    sheet.write_row(2, 0, [format!("{number}1").as_str(), "合格"]).unwrap();
    let xlsx = workbook.save_to_buffer().unwrap();

    let mut school = BulkClient::new(stage.liaison().await);
    let id = request_id();
    let dry = bring(&mut school, options(&id, true), text.as_bytes()).await.unwrap();
    assert_eq!(told(&dry), [(2, vec![]), (3, vec![("报名号", "NOT_AN_ENROLMENT_NUMBER")])]);
    for file in [&gb18030, &with_mark, &xlsx] {
        assert_eq!(bring(&mut school, options(&id, true), file).await.unwrap(), dry);
    }
    assert_eq!(bring(&mut school, options(&id, false), &xlsx).await.unwrap(), dry);
    let by_workbook = recorded(&stage, &key).await;
    assert_eq!(by_workbook.1, 2);
    assert_eq!(by_workbook.0.interruptions[0].from_date, "2024-02-01");
    for file in [text.as_bytes(), &gb18030, &with_mark, &xlsx] {
        bring(&mut school, options(&request_id(), false), file).await.unwrap();
        assert_eq!(recorded(&stage, &key).await, by_workbook, "nothing new");
    }
}

#[tokio::test]
async fn anothers_applications_are_not_found_and_only_those_who_may_record_do() {
    let stage = Stage::start().await;
    let (own, confirmed) = (filed(&stage).await, stage.confirmed(&stage.teacher().await).await);
    let file = format!("报名号,师德考核\n{},合格\n{},不合格\n", own.enrolment_number, confirmed.enrolment_number);
    let mut other = BulkClient::new(stage.clerk(OTHER_POINT).await);
    let report = bring(&mut other, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![("", "NOT_FOUND")]), (3, vec![("", "NOT_FOUND")])]);
    let mut county = BulkClient::new(stage.reviewer(COUNTY).await);
    let report = bring(&mut county, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![("", "WRONG_STATE")]), (3, vec![])]);
    let mut person = BulkClient::new(stage.running.person(stage.teacher().await.person));
    let refused = bring(&mut person, options(&request_id(), false), file.as_bytes()).await.unwrap_err();
    assert_eq!(Refusal::from_status(&refused).reason, "ROLE_REQUIRED");
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_is_refused_whole() {
    let stage = Stage::start().await;
    let key = filed(&stage).await;
    let number = &key.enrolment_number;
    let mut school = BulkClient::new(stage.liaison().await);
    let before = head(&stage);
    let good = format!("报名号,师德考核\n{number},合格\n");
    let many = format!("报名号,师德考核\n{}", format!("{number},合格\n").repeat(1_001));
    let encrypted = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 4_096]].concat();
    for (file, reason) in [
        (format!("师德考核\n{number}\n").into_bytes(), "COLUMN_MISSING"),
        (format!("报名号,师德\n{number},合格\n").into_bytes(), "COLUMN_UNKNOWN"),
        (format!("报名号,备注,备注\n{number},,\n").into_bytes(), "COLUMN_TWICE"),
        ("报名号,师德考核\n".into(), "NO_ROWS"),
        (many.into_bytes(), "TOO_MANY_ROWS"),
        (format!("{good}\"{number},合格\n").into_bytes(), "QUOTE_NOT_CLOSED"),
        ([b"\xff\xff\n".as_slice(), good.as_bytes()].concat(), "NOT_TEXT"),
        (encrypted, "WORKBOOK_ENCRYPTED"),
        (b"PK\x03\x04 and nothing that follows".to_vec(), "WORKBOOK_MALFORMED"),
        ([b"PK\x03\x04".to_vec(), vec![0; 65 * 1024 * 1024]].concat(), "WORKBOOK_TOO_LARGE"),
    ] {
        let refused =
            Refusal::from_status(&bring(&mut school, options(&request_id(), false), &file).await.unwrap_err());
        assert_eq!(refused.reason, reason);
        assert!(!refused.sentence.is_empty());
    }
    // A part that is larger than a chunk may be is the end of the upload.
    let parts = [Part::Options(options(&request_id(), false)), Part::Chunk(vec![b'x'; 64 * 1024 + 1].into())];
    let parts = parts.map(|part| wire::ImportFactsRequest { part: Some(part) });
    assert_eq!(reason(school.import_facts(stream::iter(parts)).await), "UPLOAD_BROKEN");
    let parts = [wire::ImportFactsRequest { part: Some(Part::Chunk(good.clone().into())) }];
    assert_eq!(reason(school.import_facts(stream::iter(parts)).await), "INVALID_FIELDS");
    assert_eq!(head(&stage), before);

    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, ["报名号", "师德考核"]).unwrap();
    sheet.write(1, 0, number).unwrap();
    sheet.write(1, 1, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    sheet.write(2, 0, 20_263_203_030_000_000_f64).unwrap();
    let xlsx = workbook.save_to_buffer().unwrap();
    let report = bring(&mut school, options(&request_id(), false), &xlsx).await.unwrap();
    let expected = [(2, vec![("师德考核", "FORMULA_ERROR")]), (3, vec![("报名号", "NOT_AN_ENROLMENT_NUMBER")])];
    assert_eq!(told(&report), expected);
    let report = bring(&mut school, options(&request_id(), false), good.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![])], "the service lives on");
}

async fn export(channel: Channel, request: wire::ExportFactsRequest) -> (String, String) {
    let mut parts = BulkClient::new(channel).export_facts(request).await.unwrap().into_inner();
    let (mut file, mut next) = (String::new(), String::new());
    while let Some(part) = parts.message().await.unwrap() {
        file.push_str(&part.text);
        next = part.next_page_token;
    }
    (file, next)
}

#[tokio::test]
async fn the_work_list_is_filled_in_and_brought_back() {
    let stage = Stage::start().await;
    let (empty, full) = (filed(&stage).await, filed(&stage).await);
    stage.confirmed(&stage.teacher().await).await;
    let told_before = wire::Facts {
        note: "=1+1".to_owned(),
        training_total: Some(360.0),
        other_conditions: vec![wire::OtherCondition { name: "普通话达标".to_owned(), met: true }],
        ..facts()
    };
    let mut single = ConfirmationClient::new(stage.clerk(POINT).await);
    single.record_facts(record_facts(&full, told_before.clone())).await.unwrap();

    let request = || wire::ExportFactsRequest { min_position: head(&stage), ..Default::default() };
    let (file, next) = export(stage.liaison().await, request()).await;
    assert_eq!(next, "");
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(
        lines[0],
        "\u{feff}报名号,师德考核,培训合计,中止教学起始日期,中止教学结束日期,中止教学学期数,中止教学原因,中止教学经批准,\
         身心健康,其他条件：普通话达标,试用期考核,聘用合同,备注,姓名,注册次数,尚缺"
    );
    let [newest, oldest] = [&full, &empty].map(|key| format!("\t{}", key.enrolment_number));
    let missing = "师德考核、身心健康状况、试用期考核、聘用合同";
    let expected = [
        format!("{newest},合格,360,,,,,,合格,满足,合格,有,'=1+1,测试教*,1,"),
        format!("{oldest}{}测试教*,1,{missing}", ",".repeat(13)),
    ];
    assert_eq!(lines[1..], expected, "those past confirmation are not due");

    let before = head(&stage);
    let mut school = BulkClient::new(stage.liaison().await);
    let report = bring(&mut school, options(&request_id(), false), file.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![]), (3, vec![])]);
    assert_eq!(head(&stage), before, "what was written says nothing new");
    assert_eq!(recorded(&stage, &full).await.0, told_before);

    let filled = file.replace(&format!("{oldest}{}", ",".repeat(12)), &format!("{oldest},合格,,无,,,,,合格,,合格,有,"));
    assert_ne!(filled, file);
    let report = bring(&mut school, options(&request_id(), false), filled.as_bytes()).await.unwrap();
    assert_eq!(told(&report), [(2, vec![]), (3, vec![])]);
    assert_eq!(recorded(&stage, &empty).await.0, wire::Facts { note: String::new(), ..facts() });
    let missing = wire::ExportFactsRequest { only_missing: true, ..request() };
    let (file, _) = export(stage.clerk(POINT).await, missing).await;
    assert_eq!(file.lines().count(), 1, "nobody lacks anything");
}

#[tokio::test]
async fn the_work_list_of_others_is_empty() {
    let stage = Stage::start().await;
    filed(&stage).await;
    let request = || wire::ExportFactsRequest { min_position: head(&stage), ..Default::default() };
    assert_eq!(export(stage.clerk(OTHER_POINT).await, request()).await.0.lines().count(), 1);
    let of_point = wire::ExportFactsRequest { point_id: OTHER_POINT.to_string(), ..request() };
    assert_eq!(export(stage.reviewer(COUNTY).await, of_point).await.0.lines().count(), 1);
    assert_eq!(export(stage.reviewer(COUNTY).await, request()).await.0.lines().count(), 2);
}
