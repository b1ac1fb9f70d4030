//! A register of restrictions becomes restrictions and liftings, once, and what does not fit is reported.

use certificates::Certificates;
use certificates::config::Settings;
use proto::certificates::v1 as wire;
use proto::certificates::v1::Register;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::identity::v1::Role;
use service::testing::{Running, start};
use uuid::Uuid;

use crate::api::entry;
use crate::identity::{self, People};
use crate::sync::{TEACHER, eventually, import, import_of, listed, row};

const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";
const COLUMNS: &str = "证件号码,证书号码,限制类型,文件编号,截止日期,状态\n";
const FIRST: &str = "20103203221000001";
const SECOND: &str = "20103203221000002";

async fn begun() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let file = format!("{HEADER}{}{}", row(&TEACHER, FIRST, "语文"), row(&TEACHER, SECOND, "数学"));
    import(&running, &file, false).await;
    listed(&running, TEACHER.id, 2).await;
    running
}

async fn import_restrictions(
    running: &Running<Certificates>,
    rows: &str,
    dry_run: bool,
) -> wire::ImportRegisterResponse {
    let reports = import_of(running, Register::Restrictions, &format!("{COLUMNS}{rows}"), dry_run).await;
    let rejected_rows = reports.iter().flat_map(|report| report.rejected_rows.clone()).collect();
    let warned_rows = reports.iter().flat_map(|report| report.warned_rows.clone()).collect();
    wire::ImportRegisterResponse { rejected_rows, warned_rows, ..reports.last().unwrap().clone() }
}

fn counts(report: &wire::ImportRegisterResponse) -> (bool, i64, i64, i64, i64) {
    (report.done, report.added, report.changed, report.unchanged, report.rejected)
}

/// Waits until the list shows exactly these restrictions, oldest number first.
async fn until_restricted(running: &Running<Certificates>, expected: [Option<wire::RestrictionKind>; 2]) {
    let client = CertificatesClient::new(running.person(TEACHER.id));
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let answer = client.clone().list_my_certificates(wire::ListMyCertificatesRequest::default()).await.unwrap();
        let mut certificates = answer.into_inner().certificates;
        certificates.sort_by(|one, other| one.masked_number.cmp(&other.masked_number));
        let found: Vec<_> = certificates.iter().map(|one| one.restricted.then(|| one.restriction())).collect();
        if found == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_restricts_and_lifts_once_and_its_bad_rows_are_reported() {
    let running = begun().await;
    let rows = format!(
        "320399199001010018,{FIRST},考试作弊,苏教〔2026〕1号,2029-01-31,已审核
320399199001010018,{SECOND},丧失,苏教〔2026〕2号,,已审核
320399199001010018,{SECOND},丧失,苏教〔2026〕2号,,已解除
320399199001010018,20103203221000009,丧失,苏教〔2026〕3号,,已审核
320399199001010026,{SECOND},丧失,苏教〔2026〕4号,,已审核
320399199001010018,{FIRST},其他,苏教〔2026〕5号,,已审核
320399199001010018,{FIRST},警告,苏教〔2026〕6号,,已审核
320399199001010018,20103203221000008,丧失,苏教〔2026〕7号,,已解除
320399199001010026,{SECOND},丧失,苏教〔2026〕8号,,已解除
"
    );
    let expected = [
        (8, "限制类型", "UNKNOWN_RESTRICTION"),
        (9, "证书号码", "UNKNOWN_CERTIFICATE"),
        (10, "证件号码", "HOLDER_DIFFERS"),
        // These are taken, and wait.
        (5, "证书号码", "UNKNOWN_CERTIFICATE"),
        (6, "证件号码", "HOLDER_DIFFERS"),
        (7, "文件编号", "ALREADY_RESTRICTED"),
    ];
    let said = |report: &wire::ImportRegisterResponse| {
        assert_eq!(report.warned, 3);
        let mut rejected: Vec<_> =
            report.rejected_rows.iter().map(|it| (it.line, it.field.clone(), it.reason.clone())).collect();
        let mut warned: Vec<_> =
            report.warned_rows.iter().map(|it| (it.line, it.field.clone(), it.reason.clone())).collect();
        rejected.sort();
        warned.sort();
        [rejected, warned].concat()
    };
    let expected: Vec<_> = expected.map(|(line, field, reason)| (line, field.to_owned(), reason.to_owned())).into();

    let head = *running.service.ground.log.head().borrow();
    let dry = import_restrictions(&running, &rows, true).await;
    assert_eq!((counts(&dry), said(&dry)), ((true, 0, 6, 0, 3), expected.clone()));
    assert!(running.service.ground.log.read(head, 100).await.unwrap().is_empty());

    let first = import_restrictions(&running, &rows, false).await;
    assert_eq!((counts(&first), said(&first)), ((true, 0, 6, 0, 3), expected.clone()));
    until_restricted(&running, [Some(wire::RestrictionKind::ExamCheating), None]).await;

    let head = *running.service.ground.log.head().borrow();
    let again = import_restrictions(&running, &rows, false).await;
    assert_eq!((counts(&again), said(&again)), ((true, 0, 0, 6, 3), expected));
    // Only the run itself was recorded, and no register of certificates was brought by it.
    let events = running.service.ground.log.read(head, 100).await.unwrap();
    assert!(events.iter().all(|event| event.kind.starts_with("dingzhu.certificates.v1.Sync")), "{events:?}");
    let finished = events.iter().find(|event| event.kind.ends_with("SyncFinished")).unwrap();
    let finished: wire::SyncFinished = prost::Message::decode(finished.payload.as_slice()).unwrap();
    assert_eq!(finished.provinces, Vec::<String>::new());
}

/// An officer lifts the restriction of the one certificate that has one.
async fn an_officer_lifts(running: &Running<Certificates>) {
    let restricted = listed(running, TEACHER.id, 2).await.into_iter().find(|one| one.restricted).unwrap();
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let lift = wire::LiftRestrictionRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: restricted.certificate_id,
        file_reference: "苏教〔2026〕9号".to_owned(),
    };
    RestrictionsClient::new(officer).lift_restriction(lift).await.unwrap();
}

#[tokio::test]
async fn what_an_officer_has_lifted_an_old_file_does_not_restrict_again() {
    let running = begun().await;
    let rows = format!("320399199001010018,{FIRST},丧失,苏教〔2026〕1号,,已审核\n");
    assert_eq!(counts(&import_restrictions(&running, &rows, false).await), (true, 0, 1, 0, 0));
    until_restricted(&running, [Some(wire::RestrictionKind::Forfeited), None]).await;

    an_officer_lifts(&running).await;
    until_restricted(&running, [None, None]).await;
    assert_eq!(counts(&import_restrictions(&running, &rows, false).await), (true, 0, 0, 1, 0));
}

#[tokio::test]
async fn what_restricts_and_lifts_in_far_rows_of_one_file_follows_their_order() {
    let running = begun().await;
    let holder = TEACHER.number;
    // More than is looked up together, so that the last row is decided while the first one is recorded.
    let between = format!("{holder},{SECOND},丧失,苏教〔2026〕9号,,已解除\n").repeat(700);
    let restricts = |decision: u32| format!("{holder},{FIRST},丧失,苏教〔2026〕{decision}号,,已审核\n");
    let lifts = |decision: u32| format!("{holder},{FIRST},丧失,苏教〔2026〕{decision}号,,已解除\n");
    let report = import_restrictions(&running, &format!("{}{between}{}", restricts(1), lifts(1)), false).await;
    assert_eq!((counts(&report), report.warned), ((true, 0, 2, 700, 0), 0));
    until_restricted(&running, [None, None]).await;

    import_restrictions(&running, &restricts(2), false).await;
    until_restricted(&running, [Some(wire::RestrictionKind::Forfeited), None]).await;
    let report = import_restrictions(&running, &format!("{}{between}{}", lifts(2), restricts(3)), false).await;
    assert_eq!((counts(&report), report.warned), ((true, 0, 2, 700, 0), 0));
    until_restricted(&running, [Some(wire::RestrictionKind::Forfeited), None]).await;
}

#[tokio::test]
async fn a_restriction_of_an_unknown_number_waits_until_it_is_entered_or_brought() {
    let running = begun().await;
    let (by_hand, synced) = ("20053203221000005", "20103203221000006");
    let rows = format!(
        "320399199001010018,{by_hand},丧失,苏教〔2026〕1号,,已审核
320399199001010018,{synced},考试作弊,苏教〔2026〕2号,,已审核
"
    );
    let report = import_restrictions(&running, &rows, false).await;
    assert_eq!((counts(&report), report.warned), ((true, 0, 2, 0, 0), 2));
    for secret in [TEACHER.number, by_hand, synced] {
        let events = running.service.ground.log.read(0, 1_000).await.unwrap();
        let shown = events.iter().flat_map(|event| [&event.payload, &event.inner]);
        assert!(!shown.into_iter().any(|part| part.windows(secret.len()).any(|window| window == secret.as_bytes())));
    }

    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let added = teacher.add_certificate(entry(by_hand, "2005-06-15")).await.unwrap().into_inner();
    import(&running, &format!("{HEADER}{}", row(&TEACHER, synced, "语文")), false).await;
    let restricted = eventually("both restrictions", async || {
        let own = listed(&running, TEACHER.id, 4).await;
        let mut restricted: Vec<_> = own.into_iter().filter(|one| one.restricted).collect();
        restricted.sort_by_key(wire::Certificate::restriction);
        (restricted.len() == 2).then_some(restricted)
    })
    .await;
    assert_eq!(restricted[0].certificate_id, added.certificate_id);
    let kinds: Vec<_> = restricted.iter().map(wire::Certificate::restriction).collect();
    assert_eq!(kinds, [wire::RestrictionKind::Forfeited, wire::RestrictionKind::ExamCheating]);
    // The same rows again say nothing new, and nothing waits any more.
    let report = import_restrictions(&running, &rows, false).await;
    assert_eq!((counts(&report), report.warned), ((true, 0, 0, 2, 0), 0));
    let rebuilt = running.service.bus.rebuild("register", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn a_second_decision_holds_once_an_officer_lifts_the_first() {
    let running = begun().await;
    let rows = format!(
        "320399199001010018,{FIRST},丧失,苏教〔2026〕1号,,已审核
320399199001010018,{FIRST},考试作弊,苏教〔2026〕2号,,已审核
"
    );
    let report = import_restrictions(&running, &rows, false).await;
    assert_eq!((counts(&report), report.warned), ((true, 0, 2, 0, 0), 1));
    until_restricted(&running, [Some(wire::RestrictionKind::Forfeited), None]).await;
    an_officer_lifts(&running).await;
    until_restricted(&running, [Some(wire::RestrictionKind::ExamCheating), None]).await;
}
