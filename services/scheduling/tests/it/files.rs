//! The directory as files: brought, rehearsed, brought again, and written so that it can be brought.

use futures::stream;
use proto::identity::v1::Role;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::import_directory_request::Part;
use proto::scheduling::v1::{
    CloseSchoolRequest, DirectoryTable, ExportDirectoryRequest, GetAgencyRequest, ImportDirectoryOptions,
    ImportDirectoryRequest, ImportDirectoryResponse, ListPointsRequest, ListSchoolsRequest,
};
use service::testing::Channel;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, agencies_of, eventually, refused, request_id};

const AGENCIES: &str = "行政区划,名称,启用日期\n\
    320000,江苏省教育厅,\n320300,徐州市教育局,\n320302,鼓楼区教育局,\n320302,鼓楼区教育体育局,2020-07-01\n";
const SCHOOLS: &str =
    "行政区划,名称,隶属机构,学校类型\n320302,徐州市第一中学,320300,34\n320302,\"鼓楼,小学\",320302,21\n";
const POINTS: &str = "注册机构,名称,服务范围,学校所在区县,学校名称\n\
    320300,徐州市第一中学,本校教师,320302,徐州市第一中学\n320302,鼓楼区政务服务中心,\"区属学校,\n幼儿园\",,\n";

const SUBJECTS: &str = "行政区划,学段,学科,状态\n\
    320000,小学,书法,启用\n320000,小学,陶艺,停用\n320000,初级中学,物理,停用\n320000,初级中学,语文,启用\n";

fn options(table: DirectoryTable, dry_run: bool) -> ImportDirectoryRequest {
    let options = ImportDirectoryOptions { request_id: request_id(), table: table.into(), dry_run };
    ImportDirectoryRequest { part: Some(Part::Options(options)) }
}

/// Brings a file in small chunks; the sum of all reports.
async fn bring(
    mut client: DirectoryClient<Channel>,
    table: DirectoryTable,
    dry_run: bool,
    file: &[u8],
) -> ImportDirectoryResponse {
    let chunk = |part: &[u8]| ImportDirectoryRequest { part: Some(Part::Chunk(part.to_vec().into())) };
    let parts: Vec<_> = [options(table, dry_run)].into_iter().chain(file.chunks(7).map(chunk)).collect();
    let mut reports = client.import_directory(stream::iter(parts)).await.unwrap().into_inner();
    let mut rejected_rows = Vec::new();
    loop {
        let report = reports.message().await.unwrap().expect("the last report says that it is done");
        rejected_rows.extend(report.rejected_rows.clone());
        if report.done {
            return ImportDirectoryResponse { rejected_rows, ..report };
        }
    }
}

/// Rows added, changed, unchanged, rejected.
fn counts(report: &ImportDirectoryResponse) -> [i64; 4] {
    assert_eq!(report.rows_read, report.added + report.changed + report.unchanged + report.rejected);
    [report.added, report.changed, report.unchanged, report.rejected]
}

async fn export(world: &World, table: DirectoryTable, division: &str) -> String {
    let request = ExportDirectoryRequest { table: table.into(), division: division.to_owned() };
    let mut chunks = world.directory().export_directory(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(part) = chunks.message().await.unwrap() {
        file.extend_from_slice(&part.chunk);
    }
    String::from_utf8(file).unwrap()
}

async fn head(world: &World) -> i64 {
    let pool = &world.running.service.ground.pool;
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM event_log").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn files_are_rehearsed_brought_and_brought_again() {
    let world = World::start().await;
    let tables = [
        (DirectoryTable::Agencies, AGENCIES, [3, 1, 0, 0], 4),
        (DirectoryTable::Schools, SCHOOLS, [2, 0, 0, 0], 2),
        (DirectoryTable::Points, POINTS, [2, 0, 0, 0], 2),
        // One is there and off, one was there and is what the file says.
        (DirectoryTable::Subjects, SUBJECTS, [2, 1, 1, 0], 4),
    ];
    for (table, file, expected, events) in tables {
        let before = head(&world).await;
        let rehearsed = bring(world.directory(), table, true, file.as_bytes()).await;
        assert_eq!(counts(&rehearsed), expected, "{:?}", rehearsed.rejected_rows);
        assert_eq!(head(&world).await, before, "a dry run records nothing");
        let brought = bring(world.directory(), table, false, file.as_bytes()).await;
        assert_eq!(counts(&brought), expected, "{:?}", brought.rejected_rows);
        let after = head(&world).await;
        assert_eq!(after, before + events);
        let again = bring(world.directory(), table, false, file.as_bytes()).await;
        let unchanged = [0, 0, brought.rows_read, 0];
        assert_eq!((counts(&again), head(&world).await), (unchanged, after), "{:?}", again.rejected_rows);
    }
    let listed = world.directory().list_agencies(agencies_of("32", "3203")).await.unwrap().into_inner().agencies;
    let names: Vec<&str> = listed.iter().map(|agency| agency.name.as_str()).collect();
    assert_eq!(names, ["江苏省教育厅", "徐州市教育局", "鼓楼区教育体育局"]);
    let get = GetAgencyRequest { agency_id: listed[2].agency_id.clone(), date: "2020-06-30".to_owned() };
    let then = world.directory().get_agency(get).await.unwrap().into_inner().agency.unwrap();
    assert_eq!(then.name, "鼓楼区教育局");

    let moved = SCHOOLS.replace("\",320302,21", "\",320300,21");
    assert_eq!(counts(&bring(world.directory(), DirectoryTable::Schools, false, moved.as_bytes()).await), [0, 1, 1, 0]);
    let described = POINTS.replace("本校教师", "市直属学校教师");
    let report = bring(world.directory(), DirectoryTable::Points, false, described.as_bytes()).await;
    assert_eq!(counts(&report), [0, 1, 1, 0]);
    eventually("the point's new range", || async {
        let agency_id = listed[1].agency_id.clone();
        let request = ListPointsRequest { agency_id, ..ListPointsRequest::default() };
        let points = world.directory().list_points(request).await.unwrap().into_inner().points;
        (points[0].range == "市直属学校教师").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_exported_file_is_brought_unchanged_and_makes_the_same_directory_elsewhere() {
    let (world, elsewhere) = (World::start().await, World::start().await);
    let tables = [DirectoryTable::Agencies, DirectoryTable::Schools, DirectoryTable::Points, DirectoryTable::Subjects];
    for (table, file) in tables.into_iter().zip([AGENCIES, SCHOOLS, POINTS, SUBJECTS]) {
        bring(world.directory(), table, false, file.as_bytes()).await;
    }
    let many: Vec<String> = (0..1_100).map(|n| format!("320303,第{n:04}小学,320300,21")).collect();
    let many = format!("行政区划,名称,隶属机构,学校类型\n{}\n", many.join("\n"));
    assert_eq!(counts(&bring(world.directory(), DirectoryTable::Schools, false, many.as_bytes()).await)[0], 1_100);
    eventually("all schools to be exported", || async {
        (export(&world, DirectoryTable::Schools, "32").await.lines().count() == 1 + 2 + 1_100).then_some(())
    })
    .await;
    eventually("all subjects to be exported", || async {
        export(&world, DirectoryTable::Subjects, "32").await.contains("320000,初级中学,物理,停用").then_some(())
    })
    .await;
    for table in tables {
        let file = export(&world, table, "32").await;
        let before = head(&world).await;
        let unchanged = bring(world.directory(), table, false, file.as_bytes()).await;
        assert_eq!(counts(&unchanged), [0, 0, unchanged.rows_read, 0], "{table:?}: {:?}", unchanged.rejected_rows);
        assert_eq!(head(&world).await, before);
        let copied = bring(elsewhere.directory(), table, false, file.as_bytes()).await;
        assert_eq!(copied.rejected, 0, "{table:?}: {:?}", copied.rejected_rows);
        eventually("the copy to be the same", || async {
            (export(&elsewhere, table, "32").await == file).then_some(())
        })
        .await;
    }
    let county = export(&world, DirectoryTable::Agencies, "320302").await;
    let expected = "\u{feff}行政区划,名称,启用日期\n320302,鼓楼区教育局,\n320302,鼓楼区教育体育局,2020-07-01\n";
    assert_eq!(county, expected);
    assert_eq!(export(&world, DirectoryTable::Points, "3201").await.lines().count(), 1, "nothing lies there");
    let subjects = export(&world, DirectoryTable::Subjects, "32").await;
    for line in ["320000,小学,语文,启用", "320000,小学,书法,启用", "320000,小学,陶艺,停用", "320000,初级中学,物理,停用"]
    {
        assert!(subjects.lines().any(|found| found == line), "{line} in {subjects}");
    }
    assert_eq!(export(&world, DirectoryTable::Subjects, "3203").await.lines().count(), 1, "of whole provinces alone");
}

#[tokio::test]
async fn every_row_that_is_wrong_is_named_and_the_others_are_taken() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    let reasons = |report: &ImportDirectoryResponse| {
        let row = |row: &proto::scheduling::v1::RejectedDirectoryRow| (row.line, row.field.clone(), row.reason.clone());
        report.rejected_rows.iter().map(row).collect::<Vec<_>>()
    };
    let wrong = |line: i64, field: &str, reason: &str| (line, field.to_owned(), reason.to_owned());
    let file = "学校类型,名称,行政区划,隶属机构\n\
        34,徐州市第一中学,320302,320300\n\
        99,中,3203,32\n\
        34,徐州市第一中学,320302,320300\n\
        34,徐州市第三中学,320303,320302\n\
        34,杭州第一中学,330102,330100\n\
        34,徐州市第五中学,320302,320300\n";
    let expected = [
        wrong(3, "行政区划", "UNKNOWN_DIVISION"),
        wrong(3, "名称", "NOT_A_NAME"),
        wrong(3, "隶属机构", "UNKNOWN_DIVISION"),
        wrong(3, "学校类型", "UNKNOWN_CODE"),
        wrong(4, "", "GIVEN_TWICE"),
        wrong(5, "", "AGENCY_ELSEWHERE"),
        wrong(6, "", "UNKNOWN_AGENCY"),
    ];
    for dry_run in [true, false] {
        let report = bring(world.directory(), DirectoryTable::Schools, dry_run, file.as_bytes()).await;
        assert_eq!((counts(&report), reasons(&report)), ([2, 0, 0, 4], expected.to_vec()), "{dry_run}");
    }
    let other_kind = file.replace("34,徐州市第五中学", "31,徐州市第五中学");
    let report = bring(world.directory(), DirectoryTable::Schools, false, other_kind.as_bytes()).await;
    assert_eq!(reasons(&report).last(), Some(&wrong(7, "", "SCHOOL_EXISTS")));

    let names = "行政区划,名称,启用日期\n320300,徐州教委,\n320302,鼓楼教育局,2020-02-30\n330000,浙江省教育厅,\n320303,云龙区教育局,2020-01-01\n";
    let report = bring(world.directory(), DirectoryTable::Agencies, false, names.as_bytes()).await;
    let expected = [
        wrong(2, "", "AGENCY_EXISTS"),
        wrong(3, "启用日期", "NOT_A_DATE"),
        wrong(4, "", "NOT_FOUND"),
        wrong(5, "", "UNKNOWN_AGENCY"),
    ];
    assert_eq!(reasons(&report), expected);
    let points = "注册机构,名称,服务范围,学校所在区县,学校名称\n320300,新点,,320302,\n320300,新点,,320302,没有的学校\n";
    let report = bring(world.directory(), DirectoryTable::Points, false, points.as_bytes()).await;
    assert_eq!(reasons(&report), [wrong(2, "学校名称", "NOT_A_NAME"), wrong(3, "", "UNKNOWN_SCHOOL")]);
    let subjects = "行政区划,学段,学科,状态\n320300,大学,书 法,在用\n330000,小学,书法,启用\n320000,小学,书法,启用\n320000,小学,书法,停用\n";
    let report = bring(world.directory(), DirectoryTable::Subjects, false, subjects.as_bytes()).await;
    let expected = [
        wrong(2, "行政区划", "UNKNOWN_DIVISION"),
        wrong(2, "学段", "UNKNOWN_CODE"),
        wrong(2, "学科", "NOT_A_NAME"),
        wrong(2, "状态", "UNKNOWN_CODE"),
        wrong(3, "", "NOT_FOUND"),
        wrong(5, "", "GIVEN_TWICE"),
    ];
    assert_eq!((counts(&report), reasons(&report)), ([1, 0, 0, 3], expected.to_vec()));
    for (file, expected) in [
        (&b"\xff\xff"[..], wrong(1, "", "NOT_TEXT")),
        ("名称,启用日期\n".as_bytes(), wrong(1, "行政区划", "COLUMN_MISSING")),
        (b"", wrong(1, "行政区划", "COLUMN_MISSING")),
    ] {
        let report = bring(world.directory(), DirectoryTable::Agencies, false, file).await;
        assert_eq!(reasons(&report), [expected]);
    }
    let county_school = ListSchoolsRequest { division: "320302".to_owned(), ..ListSchoolsRequest::default() };
    let listed = eventually("both schools to be listed", || async {
        let listed = world.directory().list_schools(county_school.clone()).await.unwrap().into_inner().schools;
        (listed.len() == 2).then_some(listed)
    })
    .await;
    assert!(listed.iter().all(|school| school.agency_id == xuzhou.agency_id));
    let close = CloseSchoolRequest { request_id: request_id(), school_id: listed[0].school_id.clone() };
    world.directory().close_school(close).await.unwrap();
    let report = bring(world.directory(), DirectoryTable::Schools, false, file.as_bytes()).await;
    assert_eq!(counts(&report), [1, 0, 1, 4], "what was closed is added anew");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_said_to_and_nobody_brings_or_takes_what_is_not_theirs() {
    let world = World::start().await;
    let [_, _, gulou] = world.agencies().await;
    for (part, reason) in [(None, "UPLOAD_BROKEN"), (Some("320302,\"x"), "QUOTE_NOT_CLOSED")] {
        let header = Part::Chunk("行政区划,名称,启用日期\n".as_bytes().to_vec().into());
        let rest = part.map(|text| Part::Chunk(text.as_bytes().to_vec().into()));
        let parts = [
            options(DirectoryTable::Agencies, false),
            ImportDirectoryRequest { part: Some(header) },
            ImportDirectoryRequest { part: rest },
        ];
        let mut reports = world.directory().import_directory(stream::iter(parts)).await.unwrap().into_inner();
        let status = loop {
            match reports.message().await {
                Ok(report) => assert!(!report.expect("a failure ends it").done),
                Err(status) => break status,
            }
        };
        assert_eq!(rpc::Refusal::from_status(&status).reason, reason);
    }
    let nothing = world.directory().import_directory(stream::iter([])).await;
    assert_eq!(refused(nothing).violation("options").unwrap().reason, "REQUIRED");
    let unit = Some(Uuid::parse_str(&gulou.agency_id).unwrap());
    let county = world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "320302", unit).await;
    let county = DirectoryClient::new(county);
    let report = bring(county.clone(), DirectoryTable::Schools, false, SCHOOLS.as_bytes()).await;
    assert_eq!(counts(&report), [1, 0, 0, 1], "only of the own agency");
    assert_eq!(report.rejected_rows[0].reason, "NOT_FOUND");
    let beyond = ExportDirectoryRequest { table: DirectoryTable::Schools.into(), division: "3203".to_owned() };
    assert_eq!(refused(county.clone().export_directory(beyond).await).code, Code::NotFound);
    let own = ExportDirectoryRequest { table: DirectoryTable::Schools.into(), division: "320302".to_owned() };
    assert!(county.clone().export_directory(own).await.is_ok());
}
