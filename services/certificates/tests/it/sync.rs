//! A register's file becomes certificates, once, and they find their owners from either side.

use certificates::Certificates;
use certificates::config::Settings;
use certificates::store::StoredEvent;
use futures::stream;
use prost::{Message as _, Name as _};
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::certificates::v1::sync_client::SyncClient;
use proto::identity::v1::{AccountRegistered, NameChanged, Role};
use service::erasure::caught_up;
use service::testing::{Running, start};
use uuid::Uuid;

use crate::identity::{self, People, Somebody};
use crate::texts::record;

pub const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";
pub const TEACHER: Somebody = Somebody { id: Uuid::from_u128(0x7001), number: "320399199001010018", name: "示例一" };

/// Of a new run.
pub fn options() -> wire::ImportOptions {
    wire::ImportOptions { request_id: lifecycle::ids::random().to_string(), ..Default::default() }
}

pub fn row(somebody: &Somebody, number: &str, subject: &str) -> String {
    format!("{},{},{number},小学教师资格,{subject},徐州市教育局,2010-06-15,,,\n", somebody.number, somebody.name)
}

/// Imports a file of certificates and gives every report.
pub async fn import(running: &Running<Certificates>, text: &str, dry_run: bool) -> Vec<wire::ImportRegisterResponse> {
    import_of(running, wire::Register::Certificates, text, dry_run).await
}

/// The same of any register.
pub async fn import_of(
    running: &Running<Certificates>,
    register: wire::Register,
    text: &str,
    dry_run: bool,
) -> Vec<wire::ImportRegisterResponse> {
    import_with(running, wire::ImportOptions { dry_run, register: register.into(), ..options() }, text).await
}

/// The same as these options say.
pub async fn import_with(
    running: &Running<Certificates>,
    options: wire::ImportOptions,
    text: &str,
) -> Vec<wire::ImportRegisterResponse> {
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let chunks = text.as_bytes().chunks(1_000).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Options(options))
        .chain(chunks)
        .map(|part| wire::ImportRegisterRequest { part: Some(part) })
        .collect();
    let mut answers = SyncClient::new(officer).import_register(stream::iter(parts)).await.unwrap().into_inner();
    let mut reports = Vec::new();
    while let Some(report) = answers.message().await.unwrap() {
        reports.push(report);
    }
    reports
}

/// An officer of the province restricts a certificate.
pub async fn restrict(running: &Running<Certificates>, certificate_id: String) {
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let restrict = wire::RestrictCertificateRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id,
        kind: wire::RestrictionKind::Forfeited.into(),
        end_date: String::new(),
        file_reference: "苏教〔2026〕1号".to_owned(),
    };
    RestrictionsClient::new(officer).restrict_certificate(restrict).await.unwrap();
}

/// Asks until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub async fn listed(running: &Running<Certificates>, person: Uuid, count: usize) -> Vec<wire::Certificate> {
    let client = CertificatesClient::new(running.person(person));
    eventually("the certificates", async || {
        let answer = client.clone().list_my_certificates(wire::ListMyCertificatesRequest::default()).await.unwrap();
        Some(answer.into_inner().certificates).filter(|certificates| certificates.len() >= count)
    })
    .await
}

#[tokio::test]
async fn a_file_is_taken_once_and_its_bad_rows_are_reported() {
    let people = People::default();
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let registered =
        "320399199001010018,示例一,20103203222000002,小学教师资格,数学,徐州市教育局,2010-06-15,1,注册合格,2021-11-30\n";
    let file = format!("{HEADER}{}{registered},,x,,,,,,,\n", row(&TEACHER, "20103203221000001", "语文"));

    let dry = import(&running, &file, true).await;
    assert_eq!(dry.last().map(|report| (report.rows_read, report.added, report.rejected)), Some((3, 2, 1)));
    let first = import(&running, &file, false).await;
    let last = first.last().unwrap();
    assert!(last.done);
    assert_eq!((last.rows_read, last.added, last.unchanged, last.rejected), (3, 2, 0, 1));
    let rejected: Vec<_> = first.iter().flat_map(|report| &report.rejected_rows).collect();
    assert!(rejected.iter().any(|row| row.line == 4 && row.field == "证书号码"));

    let head = *running.service.ground.log.head().borrow();
    let again = import(&running, &file, false).await;
    assert_eq!(again.last().map(|report| (report.added, report.changed, report.unchanged)), Some((0, 0, 2)));
    // Only the run itself was recorded.
    let events = running.service.ground.log.read(head, 100).await.unwrap();
    assert!(events.iter().all(|event| event.kind.starts_with("dingzhu.certificates.v1.Sync")), "{events:?}");
}

#[tokio::test]
async fn a_certificate_finds_its_owner_whichever_comes_first() {
    let people = People::default();
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;

    people.add(&TEACHER);
    let registered = AccountRegistered { person_id: TEACHER.id.to_string(), document_type: 1, document_table: 1 };
    running.neighbour("identity").publish(TEACHER.id, "00", &registered).await;
    let certificates = listed(&running, TEACHER.id, 1).await;
    assert_eq!(certificates[0].masked_number, "2010***********01");

    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000002", "数学")), false).await;
    assert_eq!(listed(&running, TEACHER.id, 2).await.len(), 2);
}

#[tokio::test]
async fn another_name_is_no_match() {
    let people = People::default();
    people.add(&Somebody { name: "示例二", ..TEACHER });
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    let own = Somebody { name: "示例二", ..TEACHER };
    import(&running, &format!("{HEADER}{}", row(&own, "20103203221000002", "语文")), false).await;
    let certificates = listed(&running, TEACHER.id, 1).await;
    assert_eq!(certificates.iter().map(|one| one.masked_number.as_str()).collect::<Vec<_>>(), ["2010***********02"]);
}

#[tokio::test]
async fn whoever_has_a_new_name_gets_the_certificates_of_that_name() {
    let people = People::default();
    people.add(&Somebody { name: "旧名", ..TEACHER });
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    people.rename(TEACHER.id, TEACHER.name);
    let changed = NameChanged { person_id: TEACHER.id.to_string() };
    running.neighbour("identity").publish(TEACHER.id, "00", &changed).await;
    listed(&running, TEACHER.id, 1).await;
}

#[tokio::test]
async fn a_match_that_comes_late_gives_nobody_the_certificate_of_its_next_holder() {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let next = Somebody { id: Uuid::from_u128(0x7002), number: "320399199001010026", name: "示例二" };
    let held = people.hold().await;
    for holder in [&TEACHER, &next] {
        import(&running, &format!("{HEADER}{}", row(holder, "20103203221000001", "语文")), false).await;
    }
    drop(held);
    let log = &running.service.ground.log;
    for feed in ["match-certificate", "register"] {
        eventually(feed, async || caught_up(log, feed).await.ok()).await;
    }
    assert_eq!(listed(&running, TEACHER.id, 0).await, []);
}

#[tokio::test]
async fn a_run_that_is_named_by_a_certificates_id_leaves_the_certificate_workable() {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let file = |number: &str, subject: &str| format!("{HEADER}{}", row(&TEACHER, number, subject));
    import(&running, &file("20103203221000001", "语文"), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await.remove(0).certificate_id;
    let id = certificate_id.parse().unwrap();
    let named = wire::ImportOptions { request_id: certificate_id.clone(), ..options() };
    let reports = import_with(&running, named, &file("20103203221000002", "语文")).await;
    assert_eq!(reports.last().map(|report| (report.done, report.added)), Some((true, 1)));
    let recorded = running.service.ground.log.load(id).await.unwrap();
    assert!(recorded.iter().all(|event| !event.kind.contains(".Sync")), "{recorded:?}");

    // Before runs had streams of their own, such a one stood behind what was said of the certificate.
    let started = wire::SyncStarted { sync_id: certificate_id.clone() }.encode_to_vec();
    let started = StoredEvent { kind: wire::SyncStarted::full_name(), payload: started, inner: Vec::new() };
    record(&running, id, started).await;
    let reports = import(&running, &file("20103203221000001", "数学"), false).await;
    assert_eq!(reports.last().map(|report| (report.done, report.changed)), Some((true, 1)));
    restrict(&running, certificate_id).await;
    eventually("the restriction", async || {
        let own = listed(&running, TEACHER.id, 2).await;
        own.iter().any(|one| one.restricted && one.subject == "数学").then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_that_leaves_the_service_names_a_person_or_a_number() {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    listed(&running, TEACHER.id, 1).await;
    for event in running.service.ground.log.read(0, 1_000).await.unwrap() {
        for secret in [TEACHER.number, TEACHER.name, "20103203221000001"] {
            for part in [&event.payload, &event.inner, &event.sealed, &event.metadata_bytes] {
                let found = part.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} shows {secret}", event.kind);
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_a_failed_run_that_can_come_again() {
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&People::default()).await]).await;
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let file = format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文"));
    // A second set of options is no piece of the file.
    let parts = [Part::Options(options()), Part::Chunk(file.clone().into_bytes().into()), Part::Options(options())];
    let parts: Vec<_> = parts.into_iter().map(|part| wire::ImportRegisterRequest { part: Some(part) }).collect();
    let mut answers = SyncClient::new(officer).import_register(stream::iter(parts)).await.unwrap().into_inner();
    let refusal = loop {
        match answers.message().await {
            Ok(report) => assert!(!report.expect("the stream ends with a refusal").done),
            Err(status) => break rpc::Refusal::from_status(&status),
        }
    };
    assert_eq!(refusal.reason, "UPLOAD_BROKEN");
    let events = running.service.ground.log.read(0, 100).await.unwrap();
    assert!(events.iter().any(|event| event.kind.ends_with("SyncFailed")));
    let again = import(&running, &file, false).await;
    assert_eq!(again.last().map(|report| (report.done, report.added, report.unchanged)), Some((true, 0, 1)));
}

#[tokio::test]
async fn a_quote_that_stays_open_ends_the_run_behind_the_rows_that_count() {
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&People::default()).await]).await;
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let good = row(&TEACHER, "20103203221000001", "语文");
    let file = format!("{HEADER}{good}\n320399199001010018,\"示例一,20\n{}", good.repeat(1_000));
    let chunks = file.as_bytes().chunks(60_000).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Options(options()))
        .chain(chunks)
        .map(|part| wire::ImportRegisterRequest { part: Some(part) })
        .collect();
    let mut answers = SyncClient::new(officer).import_register(stream::iter(parts)).await.unwrap().into_inner();
    let mut added = 0;
    let refusal = loop {
        match answers.message().await {
            Ok(report) => added = report.expect("the stream ends with a refusal").added,
            Err(status) => break rpc::Refusal::from_status(&status),
        }
    };
    assert_eq!((added, refusal.reason.as_str()), (1, "QUOTE_NOT_CLOSED"));
    assert!(refusal.sentence.starts_with("第4行"), "{}", refusal.sentence);
    let events = running.service.ground.log.read(0, 100).await.unwrap();
    assert!(events.iter().any(|event| event.kind.ends_with("SyncFailed")));
}

#[tokio::test]
async fn a_row_whose_number_disagrees_is_taken_and_reported() {
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&People::default()).await]).await;
    let odd = "320399199001010018,示例一,20103203232000001,小学教师资格,语文,徐州市教育局,2011-06-15,,,\n";
    let reports =
        import(&running, &format!("{HEADER}{odd}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    let last = reports.last().unwrap();
    assert_eq!((last.done, last.added, last.rejected, last.warned), (true, 2, 0, 1));
    let warned: Vec<_> = reports.iter().flat_map(|report| &report.warned_rows).collect();
    assert!(warned.iter().all(|row| row.line == 2 && row.field == "证书号码" && !row.message.is_empty()));
    let reasons: Vec<_> = warned.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons, ["NUMBER_YEAR_DIFFERS", "NUMBER_KIND_DIFFERS", "NUMBER_SEX_DIFFERS"]);
}

#[tokio::test]
async fn rows_that_contradict_each_other_are_taken_once_and_the_file_changes_nothing_when_it_comes_again() {
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&People::default()).await]).await;
    // Between them lies more than is looked up together.
    let between: String = (0..600).map(|_| row(&TEACHER, "20103203221000002", "语文")).collect();
    let (one, other) = (row(&TEACHER, "20103203221000001", "语文"), row(&TEACHER, "20103203221000001", "数学"));
    let deleted = "320399199001010018,示例一,20103203221000001,小学教师资格,语文,徐州市教育局,2010-06-15,,,,删除\n";
    let file = format!("{},状态\n{one}{between}{other}{deleted}", HEADER.trim_end());
    let rejected = |reports: &[wire::ImportRegisterResponse]| -> Vec<(i64, String)> {
        reports.iter().flat_map(|it| &it.rejected_rows).map(|row| (row.line, row.reason.clone())).collect()
    };
    let twice = vec![(603, "GIVEN_TWICE".to_owned()), (604, "GIVEN_TWICE".to_owned())];
    assert_eq!(rejected(&import(&running, &file, true).await), twice);
    let first = import(&running, &file, false).await;
    assert_eq!(first.last().map(|report| (report.added, report.changed, report.unchanged)), Some((2, 0, 599)));
    assert_eq!(rejected(&first), twice);
    for _ in 0..2 {
        let again = import(&running, &file, false).await;
        assert_eq!(again.last().map(|report| (report.added, report.changed, report.unchanged)), Some((0, 0, 601)));
        assert_eq!(rejected(&again), twice);
    }
}
