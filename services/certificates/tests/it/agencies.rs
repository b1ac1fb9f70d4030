//! Issuing agencies by their names of the day: what the directory knows is told, warned of, and asked of an entry by hand.

use certificates::Certificates;
use certificates::config::Settings;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::scheduling::v1 as scheduling;
use proto::types::v1::AgencyLevel;
use rpc::Refusal;
use service::testing::{Neighbour, Running, start};
use uuid::Uuid;

use crate::api::entry;
use crate::identity::{self, People};
use crate::sync::{HEADER, TEACHER, eventually, import, listed};

const XUZHOU: Uuid = Uuid::from_u128(0xa1);
const JIULI: Uuid = Uuid::from_u128(0xa2);
const QUANSHAN: Uuid = Uuid::from_u128(0xa3);

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    let neighbours = vec![identity::start(&people).await, Neighbour::start("scheduling", rpc::Surface::new()).await];
    start::<Certificates>(Settings::default(), neighbours).await
}

async fn add(running: &Running<Certificates>, id: Uuid, division: &str, name: &str) {
    let agency = scheduling::Agency {
        agency_id: id.to_string(),
        division: division.to_owned(),
        name: name.to_owned(),
        level: AgencyLevel::City.into(),
        parent_agency_id: String::new(),
    };
    let added = scheduling::AgencyAdded { agency: Some(agency) };
    running.neighbour("scheduling").publish(id, division, &added).await;
}

async fn rename(running: &Running<Certificates>, id: Uuid, name: &str, since: &str) {
    let (name, effective_date) = (name.to_owned(), since.to_owned());
    let renamed = scheduling::AgencyRenamed { agency_id: id.to_string(), name, effective_date };
    running.neighbour("scheduling").publish(id, "320300", &renamed).await;
}

/// 徐州 was renamed in 2001; 泉山 goes on with what 九里 did until 2010.
async fn publish(running: &Running<Certificates>) {
    add(running, XUZHOU, "320300", "徐州市教育委员会").await;
    add(running, QUANSHAN, "320311", "泉山区教育局").await;
    add(running, JIULI, "320304", "九里区教育局").await;
    rename(running, XUZHOU, "徐州市教育局", "2001-03-01").await;
    let abolished = scheduling::AgencyAbolished {
        agency_id: JIULI.to_string(),
        effective_date: "2010-09-01".to_owned(),
        successor_agency_id: QUANSHAN.to_string(),
    };
    running.neighbour("scheduling").publish(JIULI, "320304", &abolished).await;
}

fn row(number: &str, agency: &str, issued: &str) -> String {
    format!("{},{},{number},小学教师资格,语文,{agency},{issued},,,\n", TEACHER.number, TEACHER.name)
}

/// The only certificate of the list, once the directory says this of its agency.
async fn known(running: &Running<Certificates>, name_then: &str) -> wire::Certificate {
    eventually(name_then, async || {
        let certificate = listed(running, TEACHER.id, 1).await.remove(0);
        certificate.agency.as_ref().is_some_and(|agency| agency.name_then == name_then).then_some(certificate)
    })
    .await
}

#[tokio::test]
async fn a_rename_that_is_recorded_later_changes_what_is_told_and_no_event() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", row("20103203221000001", "徐州市教育局", "2010-06-15")), false).await;
    publish(&running).await;
    let certificate = known(&running, "徐州市教育局").await;
    let agency = certificate.agency.unwrap();
    assert_eq!((agency.agency_id, &agency.present_agency_id), (XUZHOU.to_string(), &XUZHOU.to_string()));
    assert_eq!((agency.present_name.as_str(), agency.abolished_date.as_str()), ("徐州市教育局", ""));
    assert_eq!(certificate.warning_reasons, Vec::<String>::new());

    let log = &running.service.ground.log;
    let (record, head) = (certificate.certificate_id.parse().unwrap(), *log.head().borrow());
    let before = log.load(record).await.unwrap();
    rename(&running, XUZHOU, "徐州市教育体育局", "2005-01-01").await;
    let certificate = known(&running, "徐州市教育体育局").await;
    assert_eq!(certificate.issuing_agency, "徐州市教育局");
    assert_eq!(certificate.warning_reasons, ["AGENCY_NAMED_OTHERWISE"]);
    let sentence = "该机构在2010年6月15日时名称为“徐州市教育体育局”，请对照证书信息页右下角的盖章和签发日期核对。";
    assert_eq!(certificate.warnings, [sentence]);
    // A day that is past again, and one to come.
    rename(&running, XUZHOU, "徐州市教育局", "2008-01-01").await;
    rename(&running, XUZHOU, "徐州市教育委员会", "2099-01-01").await;
    let certificate = known(&running, "徐州市教育局").await;
    assert_eq!(certificate.agency.unwrap().present_name, "徐州市教育局");
    assert_eq!((log.load(record).await.unwrap(), *log.head().borrow()), (before, head));

    let rebuilt = running.service.bus.rebuild("agencies", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn a_registers_rows_are_taken_whatever_the_directory_says_of_their_agencies() {
    let running = running().await;
    publish(&running).await;
    import(&running, &format!("{HEADER}{}", row("20103203221000001", "九里区教育局", "2010-06-15")), false).await;
    let agency = known(&running, "九里区教育局").await.agency.unwrap();
    assert_eq!((agency.agency_id, agency.present_agency_id), (JIULI.to_string(), QUANSHAN.to_string()));
    assert_eq!((agency.present_name.as_str(), agency.abolished_date.as_str()), ("泉山区教育局", "2010-09-01"));

    let rows = [
        row("20103203221000002", "徐州市教育委员会", "2010-06-15"),
        row("20103203221000003", "九里区教育局", "2010-09-01"),
        row("20103203221000004", "某市教育局", "2010-06-15"),
        row("20103303221000005", "徐州市教育局", "2010-06-15"),
        row("20103203221000006", "徐州市教育局", "2010-06-15"),
    ];
    // The officer's scope is 32: the number of 33 is rejected for that.
    let reports = import(&running, &format!("{HEADER}{}", rows.concat()), false).await;
    let last = reports.last().unwrap();
    assert_eq!((last.added, last.rejected, last.warned), (4, 1, 3));
    let warned = reports.iter().flat_map(|report| &report.warned_rows);
    let warned: Vec<_> = warned.map(|row| (row.line, row.field.as_str(), row.reason.as_str())).collect();
    assert_eq!(warned.len(), 3, "{warned:?}");
    for expected in [
        (2, "认定机构", "AGENCY_NAMED_OTHERWISE"),
        (3, "认定机构", "AGENCY_ABOLISHED"),
        (4, "认定机构", "AGENCY_UNKNOWN"),
    ] {
        assert!(warned.contains(&expected), "{warned:?}");
    }
}

#[tokio::test]
async fn an_entry_by_hand_names_its_agency_as_it_was_called_then() {
    let running = running().await;
    publish(&running).await;
    import(&running, &format!("{HEADER}{}", row("20103203221000001", "徐州市教育局", "2010-06-15")), false).await;
    known(&running, "徐州市教育局").await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let named = |agency: &str| wire::AddCertificateRequest {
        issuing_agency: agency.to_owned(),
        ..entry("20003203221000001", "2000-06-30")
    };
    let refused = teacher.add_certificate(named("徐州市教育局")).await.unwrap_err();
    let violations = Refusal::from_status(&refused).violations;
    let [violation] = &violations[..] else { panic!("one field: {violations:?}") };
    assert_eq!((violation.field.as_str(), violation.reason.as_str()), ("issuing_agency", "AGENCY_NAMED_OTHERWISE"));
    assert!(
        violation.sentence.starts_with("该机构在2000年6月30日时名称为“徐州市教育委员会”"),
        "{}",
        violation.sentence
    );

    let added = teacher.add_certificate(named(" 徐州市教育委员会")).await.unwrap().into_inner();
    assert_eq!(added.warning_reasons, Vec::<String>::new());
    // The directory does not know every name that there ever was.
    let unknown =
        wire::AddCertificateRequest { number: "20003203221000002".to_owned(), ..named("某市教育委员会") };
    let added = teacher.add_certificate(unknown).await.unwrap().into_inner();
    assert_eq!(added.warning_reasons, ["AGENCY_UNKNOWN"]);
}

#[tokio::test]
async fn until_the_directory_was_known_completely_nothing_is_said_of_agencies() {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let added = teacher.add_certificate(entry("20003203221000001", "2000-06-30")).await.unwrap().into_inner();
    assert_eq!(added.warning_reasons, Vec::<String>::new());
    let certificate = listed(&running, TEACHER.id, 1).await.remove(0);
    assert_eq!((certificate.agency, certificate.warning_reasons), (None, Vec::new()));
}
