//! Entering by hand, reading and restricting, with every refusal's reason.

use certificates::Certificates;
use certificates::config::Settings;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::identity::v1::Role;
use rpc::Refusal;
use service::testing::{Running, start};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::identity::{self, People, Somebody};
use crate::sync::{TEACHER, import, listed, row};

const STRANGER: Somebody = Somebody { id: Uuid::from_u128(0x7002), number: "320399199001010026", name: "示例二" };
const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";

pub fn entry(number: &str, issue_date: &str) -> wire::AddCertificateRequest {
    wire::AddCertificateRequest {
        request_id: lifecycle::ids::random().to_string(),
        number: number.to_owned(),
        kind: 2,
        subject: "语文".to_owned(),
        issuing_agency: "徐州市教育局".to_owned(),
        issue_date: issue_date.to_owned(),
    }
}

pub fn reason(answer: Result<impl std::fmt::Debug, Status>) -> String {
    let read = Refusal::from_status(&answer.expect_err("this is refused"));
    assert!(!read.sentence.is_empty());
    read.reason
}

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    people.add(&STRANGER);
    start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await
}

#[tokio::test]
async fn an_old_certificate_is_entered_once_and_listed() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let request = entry("20053203221000001", "2005-06-30");
    let added = teacher.add_certificate(request.clone()).await.unwrap().into_inner();
    let repeated = teacher.add_certificate(request.clone()).await.unwrap().into_inner();
    assert_eq!(added, repeated);
    assert_eq!(listed(&running, TEACHER.id, 1).await[0].certificate_id, added.certificate_id);

    let other_body = wire::AddCertificateRequest { subject: "数学".to_owned(), ..request };
    assert_eq!(reason(teacher.add_certificate(other_body).await), "REQUEST_ID_REUSED");
    assert_eq!(reason(teacher.add_certificate(entry("20053203221000001", "2005-06-30")).await), "ALREADY_LISTED");
    let mut stranger = CertificatesClient::new(running.person(STRANGER.id));
    assert_eq!(
        reason(stranger.add_certificate(entry("20053203221000001", "2005-06-30")).await),
        "CERTIFICATE_OF_ANOTHER"
    );
}

#[tokio::test]
async fn what_disagrees_with_an_entrys_number_is_a_warning_in_answer_and_list() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let request = wire::AddCertificateRequest {
        issuing_agency: "浙江省教育厅".to_owned(),
        ..entry("20053203235000001", "2005-06-30")
    };
    let added = teacher.add_certificate(request).await.unwrap().into_inner();
    assert_eq!(added.warning_reasons, ["NUMBER_PROVINCE_DIFFERS", "NUMBER_KIND_DIFFERS", "NUMBER_SEX_UNKNOWN"]);
    assert_eq!(added.warnings.len(), 3);
    let listed = &listed(&running, TEACHER.id, 1).await[0];
    assert_eq!((&listed.warnings, &listed.warning_reasons), (&added.warnings, &added.warning_reasons));
}

#[tokio::test]
async fn every_case_that_may_not_be_entered_has_its_reason() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    for (number, date, expected, message) in [
        (
            "20103203221000001",
            "2010-06-15",
            "SYNCED_SINCE_2008",
            "2008年及以后取得的教师资格证书由系统同步，不允许添加证书",
        ),
        (
            "20124503221000001",
            "2012-06-15",
            "SYNCED_SINCE_2008",
            "2012年及以后取得的教师资格证书由系统同步，不允许添加证书",
        ),
        ("19953203221000001", "1995-06-15", "BEFORE_1996", "无此教师资格,请与发证机关确认"),
        ("20053203221000001", "2006-06-15", "NUMBER_AND_DATE_DISAGREE", "请仔细检查证书号码或证书签发日期是否有误"),
    ] {
        let refused = Refusal::from_status(&teacher.add_certificate(entry(number, date)).await.unwrap_err());
        assert_eq!(refused.reason, expected, "{number}");
        assert!(refused.sentence.starts_with(message), "{}", refused.sentence);
    }
    let malformed = teacher.add_certificate(entry("2005320322100000", "2005-06-15")).await.unwrap_err();
    let violation = Refusal::from_status(&malformed).violations.remove(0);
    assert_eq!((violation.field.as_str(), violation.reason.as_str()), ("number", "NOT_A_CERTIFICATE_NUMBER"));
    assert!(violation.sentence.starts_with("教师资格证书号码不规范"), "{}", violation.sentence);
    let higher = wire::AddCertificateRequest { kind: 7, ..entry("20053203271000001", "2005-06-15") };
    assert_eq!(reason(teacher.add_certificate(higher).await), "HIGHER_EDUCATION");

    let registered =
        "320399199001010018,示例一,20053203222000002,小学教师资格,数学,徐州市教育局,2005-06-15,1,注册合格,2021-11-30\n";
    import(&running, &format!("{HEADER}{registered}"), false).await;
    let entered = teacher.add_certificate(entry("20053203222000002", "2005-06-15")).await;
    assert_eq!(reason(entered), "REGISTERED_BEFORE");
}

#[tokio::test]
async fn a_restriction_is_shown_to_its_owner_and_set_only_by_the_provinces_officer() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    let restrict = || wire::RestrictCertificateRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: certificate_id.clone(),
        kind: wire::RestrictionKind::Forfeited.into(),
        end_date: String::new(),
        file_reference: "苏教〔2026〕1号".to_owned(),
    };
    let lift = || wire::LiftRestrictionRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: certificate_id.clone(),
        file_reference: "苏教〔2026〕2号".to_owned(),
    };
    let elsewhere = running.staff(Uuid::from_u128(0x0ff2), Role::RegisterOfficer, "33", None).await;
    assert_eq!(reason(RestrictionsClient::new(elsewhere).restrict_certificate(restrict()).await), "NOT_FOUND");

    let officer = running.staff(Uuid::from_u128(0x0ff3), Role::RegisterOfficer, "32", None).await;
    let mut officer = RestrictionsClient::new(officer);
    let position = officer.restrict_certificate(restrict()).await.unwrap().into_inner().position;
    assert_eq!(reason(officer.restrict_certificate(restrict()).await), "ALREADY_RESTRICTED");
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let list = wire::ListMyCertificatesRequest { min_position: position };
    assert!(teacher.list_my_certificates(list).await.unwrap().into_inner().certificates[0].restricted);

    let position = officer.lift_restriction(lift()).await.unwrap().into_inner().position;
    assert_eq!(reason(officer.lift_restriction(lift()).await), "NOT_RESTRICTED");
    let list = wire::ListMyCertificatesRequest { min_position: position };
    assert!(!teacher.list_my_certificates(list).await.unwrap().into_inner().certificates[0].restricted);
}

#[tokio::test]
async fn details_are_for_applications_with_the_owners_token_only() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    let request = wire::GetCertificateDetailsRequest {
        certificate_id,
        person_id: TEACHER.id.to_string(),
        purpose: "申报".to_owned(),
    };
    let mut person = CertificatesClient::new(running.person(TEACHER.id));
    let refused = person.get_certificate_details(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut alone = CertificatesClient::new(running.service("applications"));
    assert_eq!(reason(alone.get_certificate_details(request.clone()).await), "SIGN_IN_REQUIRED");
    let mut for_stranger = CertificatesClient::new(running.service_for("applications", STRANGER.id));
    assert_eq!(reason(for_stranger.get_certificate_details(request.clone()).await), "NOT_FOUND");
    let mut for_owner = CertificatesClient::new(running.service_for("applications", TEACHER.id));
    let details = for_owner.get_certificate_details(request).await.unwrap().into_inner();
    assert_eq!(details.number, "20103203221000001");
}

#[tokio::test]
async fn what_the_register_holds_under_ones_number_and_another_name_is_refused_for_that() {
    let running = running().await;
    let renamed = Somebody { name: "示例改名", ..TEACHER };
    let held = |somebody: &Somebody, number: &str| row(somebody, number, "语文").replace("2010-06-15", "2005-06-15");
    let file = format!("{HEADER}{}", held(&renamed, "20053203221000001"));
    import(&running, &file, false).await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let refused = teacher.add_certificate(entry("20053203221000001", "2005-06-15")).await.unwrap_err();
    let refused = Refusal::from_status(&refused);
    assert_eq!(refused.reason, "NAME_DIFFERS");
    let missed = wire::ExplainMissingRequest {
        number: "20053203221000001".to_owned(),
        kind: 2,
        issue_date: "2005-06-15".to_owned(),
        issuing_agency: String::new(),
    };
    // In the same words, and without the other name.
    let explained = crate::sync::eventually("the register's view", async || {
        let answer = teacher.clone().explain_missing(missed.clone()).await.unwrap().into_inner();
        (answer.reason == "NAME_DIFFERS").then_some(answer)
    })
    .await;
    assert_eq!(explained.message, refused.sentence);
    assert!(!refused.sentence.contains(renamed.name));
}

#[tokio::test]
async fn what_is_about_to_be_listed_is_refused_for_that() {
    let people = People::default();
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let held = row(&TEACHER, "20053203221000001", "语文").replace("2010-06-15", "2005-06-15");
    import(&running, &format!("{HEADER}{held}"), false).await;
    // The certificate asks for its holder while there is none yet; nothing tells of the account afterwards.
    service::testing::until("the certificate to have asked", || people.was_asked()).await;
    people.add(&TEACHER);
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    assert_eq!(reason(teacher.add_certificate(entry("20053203221000001", "2005-06-15")).await), "MATCH_PENDING");
}
