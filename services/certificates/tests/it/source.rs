//! Registers read over HTTP: page after page and once, whatever the source does, and on from where a run was cut off.

use std::time::Duration;

use certificates::Certificates;
use certificates::config::Settings;
use certificates::import::stream;
use certificates::store::StoredEvent;
use proto::certificates::v1 as wire;
use proto::certificates::v1::sync_client::SyncClient;
use proto::identity::v1::Role;
use rpc::Refusal;
use service::testing::{Running, start};
use uuid::Uuid;

use crate::identity::{self, People};
use crate::register_server::{Server, Way};
use crate::sync::{TEACHER, eventually, listed};
use crate::texts::record;

/// What a run told: its last report, all rejected and warned rows, and why it ended too soon.
pub struct Told {
    pub report: wire::SyncFromSourceResponse,
    rejected: Vec<(String, String)>,
    warned: Vec<(String, String)>,
    refusal: Option<String>,
}

pub fn certificate(server: &Server, second: u32, id: u32, subject: &str) {
    let number = format!("2010320322{:07}", 1_000_000 + id);
    let cells = [
        ("证件号码", TEACHER.number),
        ("姓名", TEACHER.name),
        ("证书号码", &number),
        ("资格种类", "小学教师资格"),
        ("任教学科", subject),
        ("认定机构", "徐州市教育局"),
        ("签发日期", "2010-06-15"),
    ];
    server.put("certificates", second, id, &cells);
}

/// Five certificates, on three pages.
pub async fn with_rows() -> Server {
    let server = Server::start().await;
    (1..=5).for_each(|id| certificate(&server, id, id, "语文"));
    server
}

pub async fn running(server: &Server) -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    let settings = Settings { source: server.settings(), ..Settings::default() };
    start::<Certificates>(settings, vec![identity::start(&people).await]).await
}

async fn sync_as(running: &Running<Certificates>, division: &str, request_id: Uuid) -> Result<Told, tonic::Status> {
    sync_with(running, division, asked(request_id)).await
}

pub fn asked(request_id: Uuid) -> wire::SyncFromSourceRequest {
    wire::SyncFromSourceRequest { request_id: request_id.to_string(), ..Default::default() }
}

pub async fn sync_with(
    running: &Running<Certificates>,
    division: &str,
    request: wire::SyncFromSourceRequest,
) -> Result<Told, tonic::Status> {
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, division, None).await;
    let mut answers = SyncClient::new(officer).sync_from_source(request).await?.into_inner();
    let report = wire::SyncFromSourceResponse::default();
    let mut told = Told { report, rejected: Vec::new(), warned: Vec::new(), refusal: None };
    loop {
        match answers.message().await {
            Ok(Some(mut report)) => {
                let rows = std::mem::take(&mut report.rejected_rows);
                told.rejected.extend(rows.into_iter().map(|row| (row.row_id, row.reason)));
                let rows = std::mem::take(&mut report.warned_rows);
                told.warned.extend(rows.into_iter().map(|row| (row.row_id, row.reason)));
                told.report = report;
            }
            Ok(None) => return Ok(told),
            Err(status) => {
                let refusal = Refusal::from_status(&status);
                assert!(!refusal.sentence.is_empty());
                told.refusal = Some(refusal.reason);
                return Ok(told);
            }
        }
    }
}

pub async fn sync(running: &Running<Certificates>) -> Told {
    sync_as(running, "32", lifecycle::ids::random()).await.unwrap()
}

pub fn counts(told: &Told) -> (bool, i64, i64, i64, i64, i64) {
    let it = &told.report;
    (it.done, it.rows_read, it.added, it.changed, it.unchanged, it.rejected)
}

/// The source shows this in its first answer: the run ends with the reason, takes nothing of it, and the next one takes all.
async fn ends_and_goes_on(way: Way, reason: &str, taken: i64) {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::Right, way]);
    let told = sync(&running).await;
    assert_eq!((told.refusal.as_deref(), told.report.done), (Some(reason), false), "{way:?}");
    assert_eq!(told.report.added, taken, "{way:?}");
    let failed = running.service.ground.log.load(stream(told.report.sync_id.parse().unwrap())).await.unwrap();
    assert!(failed.last().unwrap().kind.ends_with("SyncFailed"));
    server.goes([]);
    let told = sync(&running).await;
    assert_eq!((told.refusal, told.report.done, told.report.added), (None, true, 5 - taken), "{way:?}");
}

#[tokio::test]
async fn pages_are_read_once_and_only_what_changed_comes_again() {
    let server = with_rows().await;
    let running = running(&server).await;
    assert_eq!(counts(&sync(&running).await), (true, 5, 5, 0, 0, 0));
    let asked = server.asked();
    // Three pages and an empty one of certificates, one of restrictions.
    assert_eq!(asked.len(), 5);
    assert!(asked[0].starts_with("GET /register/certificates?limit=500 HTTP/1.1\r\n"), "{}", asked[0]);
    let second =
        "GET /register/certificates?limit=500&after=2026-11-01T08:00:02Z,00000000-0000-0000-0000-000000000002 ";
    assert!(asked[1].starts_with(second), "{}", asked[1]);
    assert!(asked.iter().all(|head| head.contains("authorization: Bearer geheim-token\r\n")));
    assert_eq!(listed(&running, TEACHER.id, 5).await.len(), 5);

    certificate(&server, 9, 3, "数学");
    certificate(&server, 10, 6, "语文");
    let restriction = [
        ("证件号码", TEACHER.number),
        ("证书号码", "20103203221000001"),
        ("限制类型", "考试作弊"),
        ("文件编号", "苏教〔2026〕1号"),
        ("状态", "已审核"),
    ];
    server.put("restrictions", 1, 1, &restriction);
    assert_eq!(counts(&sync(&running).await), (true, 3, 1, 2, 0, 0));
    assert!(server.asked()[0].contains("after=2026-11-01T08:00:05Z,"));
    assert_eq!(counts(&sync(&running).await), (true, 0, 0, 0, 0, 0));
}

#[tokio::test]
async fn what_a_row_says_of_the_certificate_itself_counts_and_a_decision_makes_it_precise() {
    let server = with_rows().await;
    let running = running(&server).await;
    let numbers = ["20103203221000011", "20103203221000012"];
    let say = |second: u32, place: usize, standing: &str| {
        let cells = [
            ("证件号码", TEACHER.number),
            ("姓名", TEACHER.name),
            ("证书号码", numbers[place]),
            ("资格种类", "小学教师资格"),
            ("任教学科", "语文"),
            ("认定机构", "徐州市教育局"),
            ("签发日期", "2010-06-15"),
            ("状态", standing),
        ];
        server.put("certificates", second, 11 + u32::try_from(place).unwrap(), &cells);
    };
    say(11, 0, "受限");
    say(12, 1, "正常");
    let decision = [
        ("证件号码", TEACHER.number),
        ("证书号码", numbers[0]),
        ("限制类型", "考试作弊"),
        ("文件编号", "苏教〔2026〕1号"),
        ("状态", "已审核"),
    ];
    server.put("restrictions", 1, 1, &decision);
    assert_eq!(counts(&sync(&running).await), (true, 8, 7, 1, 0, 0));
    let kinds = async || {
        let listed = listed(&running, TEACHER.id, 0).await;
        let restricted =
            listed.iter().filter(|one| one.restricted).map(wire::Certificate::restriction).collect::<Vec<_>>();
        (listed.len(), restricted)
    };
    let cheating = vec![wire::RestrictionKind::ExamCheating];
    eventually("the restriction", async || (kinds().await == (7, cheating.clone())).then_some(())).await;

    say(13, 1, "删除");
    say(14, 0, "无效");
    let told = sync(&running).await;
    assert_eq!(counts(&told), (true, 2, 0, 1, 0, 1));
    assert_eq!(told.rejected, [("00000000-0000-0000-0000-000000000011".to_owned(), "UNKNOWN_STATUS".to_owned())]);
    eventually("the deletion", async || (kinds().await == (6, cheating.clone())).then_some(())).await;
}

#[tokio::test]
async fn rows_are_held_against_the_same_rules_as_those_of_a_file() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.put("certificates", 7, 7, &[("姓名", "示例一")]);
    server.put("certificates", 8, 8, &[("证件号码", "32\u{fffd}"), ("姓名", "示\u{fffd}")]);
    let told = sync(&running).await;
    assert_eq!(counts(&told), (true, 7, 5, 0, 0, 2));
    let of = |id: u32, reason: &str| (format!("00000000-0000-0000-0000-{id:012}"), reason.to_owned());
    assert!(told.rejected.contains(&of(7, "REQUIRED")));
    // What could not be read where it came from is no name.
    assert!(told.rejected.contains(&of(8, "TOO_LONG")));
}

#[tokio::test]
async fn a_source_that_fails_is_asked_again() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::HangsUp, Way::Right, Way::Status("503 Service Unavailable")]);
    assert_eq!(counts(&sync(&running).await), (true, 5, 5, 0, 0, 0));
    assert_eq!(server.times(), 7);
}

#[tokio::test]
async fn a_source_that_throttles_is_asked_again() {
    let server = with_rows().await;
    let running = running(&server).await;
    // By itself it would be asked again after a second and a half at most.
    server.goes([Way::Status("429 Too Many Requests\r\nretry-after: 4")]);
    assert_eq!(counts(&sync(&running).await), (true, 5, 5, 0, 0, 0));
    assert_eq!(server.times(), 6);
    let left_alone = server.pauses()[0];
    assert!(left_alone >= Duration::from_secs(4), "{left_alone:?}");
}

#[tokio::test]
async fn a_source_that_refuses_ends_the_run() {
    ends_and_goes_on(Way::Status("403 Forbidden"), "SOURCE_REFUSES", 2).await;
}

#[tokio::test]
async fn a_source_that_repeats_a_page_ends_the_run() {
    ends_and_goes_on(Way::Repeats, "SOURCE_REPEATS", 2).await;
}

#[tokio::test]
async fn a_source_that_counts_wrong_ends_the_run() {
    ends_and_goes_on(Way::CountsTooMany, "SOURCE_COUNT_WRONG", 2).await;
}

#[tokio::test]
async fn a_source_that_promises_rows_it_does_not_have_ends_the_run() {
    // The page itself is right; the last one shows that a row is missing.
    ends_and_goes_on(Way::PromisesTooMany, "SOURCE_COUNT_WRONG", 4).await;
}

#[tokio::test]
async fn a_source_without_order_ends_the_run() {
    ends_and_goes_on(Way::Disorder, "SOURCE_OUT_OF_ORDER", 2).await;
}

#[tokio::test]
async fn a_source_in_another_encoding_ends_the_run() {
    ends_and_goes_on(Way::NotUtf8, "SOURCE_NOT_UTF8", 2).await;
}

#[tokio::test]
async fn a_source_that_answers_something_else_ends_the_run() {
    ends_and_goes_on(Way::Garbage, "SOURCE_MALFORMED", 2).await;
}

#[tokio::test]
async fn a_source_that_does_not_stop_answering_ends_the_run() {
    ends_and_goes_on(Way::Flood, "SOURCE_TOO_LARGE", 2).await;
}

#[tokio::test]
async fn rows_that_share_an_id_are_not_believed() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::OneId]);
    let told = sync(&running).await;
    // The second row comes again, under its own id.
    assert_eq!(counts(&told), (true, 6, 4, 0, 0, 2));
    assert!(told.rejected.iter().all(|(_, reason)| reason == "DUPLICATE_ID"));
}

#[tokio::test]
async fn a_row_from_the_future_ends_the_run() {
    let server = with_rows().await;
    let running = running(&server).await;
    let late = lifecycle::clock::now() + time::Duration::days(400);
    server.put_at("certificates", &format!("{}-01-01T00:00:00Z", late.year()), 9, &[("姓名", "示例一")]);
    let told = sync(&running).await;
    assert_eq!((told.refusal.as_deref(), told.report.added), (Some("SOURCE_FROM_FUTURE"), 4));
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_from_the_last_row_taken() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::Right, Way::Silent]);
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let request_id = lifecycle::ids::random();
    let _answers = SyncClient::new(officer).sync_from_source(asked(request_id)).await.unwrap();
    service::testing::until("the second page to be asked for", || server.times() == 2).await;
    running.stop().await;
    // What a killed replica leaves behind: it holds the run until its time is over.
    let pool = sqlx::PgPool::connect(&running.database.url()).await.unwrap();
    let held = "UPDATE source_run SET holder = gen_random_uuid(), held_until = clock_timestamp() + interval '1 second'";
    assert_eq!(sqlx::query(held).execute(&pool).await.unwrap().rows_affected(), 1);

    assert_eq!(server.asked().len(), 2);
    let own = Settings { source: server.settings(), ..Settings::default() };
    let _again = running.start_again(&running.settings, own).await.unwrap();
    let finished = "SELECT rows_read, added, failed FROM source_run WHERE sync_id = $1 AND finished_at IS NOT NULL";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let run: (i64, i64, Option<String>) = loop {
        if let Some(run) = sqlx::query_as(finished).bind(request_id).fetch_optional(&pool).await.unwrap() {
            break run;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for the run to end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(run, (5, 5, None));
    assert!(server.asked()[0].contains("after=2026-11-01T08:00:02Z,"));
}

#[tokio::test]
async fn the_same_request_is_the_same_run_and_only_whose_scope_covers_the_source_may_ask() {
    let server = with_rows().await;
    let running = running(&server).await;
    let request_id = lifecycle::ids::random();
    let told = sync_as(&running, "32", request_id).await.unwrap();
    assert_eq!(told.report.sync_id, request_id.to_string());
    server.asked();
    let again = sync_as(&running, "32", request_id).await.unwrap();
    assert_eq!((counts(&again), server.times()), (counts(&told), 0));

    let stranger = running.staff(Uuid::from_u128(0x0ff2), Role::RegisterOfficer, "33", None).await;
    let request = asked(lifecycle::ids::random());
    let refused = SyncClient::new(stranger).sync_from_source(request).await.unwrap_err();
    assert_eq!(Refusal::from_status(&refused).reason, "OUTSIDE_SCOPE");
}

#[tokio::test]
async fn without_a_source_there_is_nothing_to_ask_for() {
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&People::default()).await]).await;
    let Err(refused) = sync_as(&running, "32", lifecycle::ids::random()).await else { panic!("there is no source") };
    assert_eq!(Refusal::from_status(&refused).reason, "NO_SOURCE");
}

#[tokio::test]
async fn a_schedule_begins_a_run_by_itself() {
    let server = with_rows().await;
    let people = People::default();
    people.add(&TEACHER);
    let source = certificates::source::Settings { register_minutes: Some(60), ..server.settings() };
    let own = Settings { source, ..Settings::default() };
    let running = start::<Certificates>(own, vec![identity::start(&people).await]).await;
    assert_eq!(listed(&running, TEACHER.id, 5).await.len(), 5);
}

fn restriction(server: &Server, second: u32, id: u32, number: &str) {
    let cells = [
        ("证件号码", TEACHER.number),
        ("证书号码", number),
        ("限制类型", "考试作弊"),
        ("文件编号", "苏教〔2026〕1号"),
        ("状态", "已审核"),
    ];
    server.put("restrictions", second, id, &cells);
}

#[tokio::test]
async fn a_dry_run_reports_records_nothing_and_leaves_the_place_where_it_is() {
    let server = with_rows().await;
    let running = running(&server).await;
    restriction(&server, 1, 1, "20103203221000009");
    let dry = wire::SyncFromSourceRequest { dry_run: true, ..asked(lifecycle::ids::random()) };
    let waits = vec![("00000000-0000-0000-0000-000000000001".to_owned(), "UNKNOWN_CERTIFICATE".to_owned())];
    for _ in 0..2 {
        let request = wire::SyncFromSourceRequest { request_id: lifecycle::ids::random().to_string(), ..dry.clone() };
        let told = sync_with(&running, "32", request).await.unwrap();
        assert_eq!((counts(&told), told.report.warned), ((true, 6, 5, 1, 0, 0), 1));
        assert_eq!(told.warned, waits);
        assert!(running.service.ground.log.read(0, 100).await.unwrap().is_empty());
    }
    let told = sync(&running).await;
    assert_eq!((counts(&told), told.report.warned), ((true, 6, 5, 1, 0, 0), 1));
    assert_eq!(told.warned, waits, "the same report");

    // It begins where the next one does, or at the beginning.
    certificate(&server, 9, 6, "语文");
    let told = sync_with(&running, "32", dry.clone()).await.unwrap();
    assert_eq!(counts(&told), (true, 1, 1, 0, 0, 0));
    let from_the_beginning = wire::SyncFromSourceRequest {
        request_id: lifecycle::ids::random().to_string(),
        from_the_beginning: true,
        ..dry.clone()
    };
    let told = sync_with(&running, "32", from_the_beginning).await.unwrap();
    assert_eq!(counts(&told), (true, 7, 1, 0, 6, 0));
    assert_eq!(counts(&sync(&running).await), (true, 1, 1, 0, 0, 0));
    let Err(reused) = sync_with(&running, "32", wire::SyncFromSourceRequest { dry_run: false, ..dry }).await else {
        panic!("that request was another one")
    };
    assert_eq!(Refusal::from_status(&reused).reason, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_run_from_the_beginning_brings_again_what_was_rejected() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::OneId]);
    assert_eq!(counts(&sync(&running).await), (true, 6, 4, 0, 0, 2));
    assert_eq!(counts(&sync(&running).await), (true, 0, 0, 0, 0, 0), "and not by itself");
    let again = wire::SyncFromSourceRequest { from_the_beginning: true, ..asked(lifecycle::ids::random()) };
    assert_eq!(counts(&sync_with(&running, "32", again).await.unwrap()), (true, 5, 1, 0, 4, 0));
    assert_eq!(counts(&sync(&running).await), (true, 0, 0, 0, 0, 0));
}

#[tokio::test]
async fn a_restriction_that_comes_before_its_certificate_is_not_lost() {
    let server = with_rows().await;
    let running = running(&server).await;
    restriction(&server, 1, 1, "20103203221000006");
    let told = sync(&running).await;
    assert_eq!((counts(&told), told.report.warned), ((true, 6, 5, 1, 0, 0), 1));
    certificate(&server, 6, 6, "语文");
    assert_eq!(counts(&sync(&running).await), (true, 1, 1, 0, 0, 0));
    let restricted = eventually("the restriction", async || {
        listed(&running, TEACHER.id, 6).await.into_iter().find(|one| one.restricted)
    })
    .await;
    assert_eq!(restricted.masked_number, "2010***********06");
}

#[tokio::test]
async fn one_run_is_under_way_at_a_time_and_is_not_taken_for_another_one() {
    let server = with_rows().await;
    let running = running(&server).await;
    server.goes([Way::Right, Way::Silent]);
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let mut client = SyncClient::new(officer);
    let _answers = client.sync_from_source(asked(lifecycle::ids::random())).await.unwrap();
    service::testing::until("the second page to be asked for", || server.times() == 2).await;
    for (dry_run, from_the_beginning) in [(true, false), (false, true)] {
        let other = wire::SyncFromSourceRequest { dry_run, from_the_beginning, ..asked(lifecycle::ids::random()) };
        let refused = client.sync_from_source(other).await.unwrap_err();
        assert_eq!(Refusal::from_status(&refused).reason, "SYNC_UNDER_WAY");
    }
    let pool = running.service.ground.log.pool();
    let places: i64 = sqlx::query_scalar("SELECT count(*) FROM source_place").fetch_one(pool).await.unwrap();
    assert_eq!(places, 1, "the place is where it was");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_ends_the_run_and_holds_up_no_other() {
    let server = with_rows().await;
    let running = running(&server).await;
    assert_eq!(counts(&sync(&running).await), (true, 5, 5, 0, 0, 0));
    let third = listed(&running, TEACHER.id, 5).await.into_iter().find(|one| one.masked_number.ends_with("03"));
    let kind = "dingzhu.certificates.v1.CertificateChanged".to_owned();
    let unreadable = StoredEvent { kind, payload: vec![0xff], inner: Vec::new() };
    record(&running, third.unwrap().certificate_id.parse().unwrap(), unreadable).await;
    certificate(&server, 9, 3, "数学");
    for _ in 0..2 {
        let told = tokio::time::timeout(Duration::from_secs(20), sync(&running)).await.expect("the run ends");
        assert!(told.refusal.is_some() && !told.report.done);
        let run = stream(told.report.sync_id.parse().unwrap());
        let recorded = running.service.ground.log.load(run).await.unwrap();
        assert!(recorded.last().unwrap().kind.ends_with("SyncFailed"));
    }
}
