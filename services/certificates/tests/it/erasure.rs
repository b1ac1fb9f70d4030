//! A person is erased: their certificates are nobody's, nothing that was said of them opens, and the register may speak again.

use certificates::Certificates;
use certificates::config::Settings;
use eventlog::Verdict;
use proto::certificates::v1 as wire;
use proto::certificates::v1::ExportMyDataRequest;
use proto::certificates::v1::export_client::ExportClient;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::certificates::v1::sync_client::SyncClient;
use proto::identity::v1::{AccountRegistered, Role};
use proto::types::v1::PersonalDataErased;
use service::testing::start;
use uuid::Uuid;

use crate::identity::{self, People, Somebody};
use crate::register_server::Server;
use crate::sync::{TEACHER, eventually, import, listed, row};

const NUMBER: &str = "20103203221000001";
const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";

fn counts(confirmed: &PersonalDataErased) -> Vec<(&str, i64)> {
    confirmed.erased.iter().map(|erased| (erased.kind.as_str(), erased.count)).collect()
}

#[tokio::test]
async fn certificates_are_forgotten_with_their_person_and_known_again_by_the_register() {
    let people = People::default();
    people.add(&TEACHER);
    let other = Somebody { id: Uuid::from_u128(0x7009), number: "320399199001010034", name: "示例三" };
    people.add(&other);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let file = format!("{HEADER}{}{}", row(&TEACHER, NUMBER, "语文"), row(&other, "20103203221000003", "数学"));
    import(&running, &file, false).await;
    let certificate: Uuid = listed(&running, TEACHER.id, 1).await[0].certificate_id.parse().unwrap();
    let others: Uuid = listed(&running, other.id, 1).await[0].certificate_id.parse().unwrap();
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 1);
    let mut export = ExportClient::new(running.person(TEACHER.id));
    let exported = export.export_my_data(ExportMyDataRequest {}).await.unwrap().into_inner().json;
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported["certificates"].as_array().unwrap().len(), 1, "one's own only");
    assert_eq!(exported["certificates"][0]["number"], NUMBER);

    people.remove(TEACHER.id);
    let confirmed = running.erase(TEACHER.id).await;
    assert_eq!(counts(&confirmed), [("certificate", 1), ("sealed_event", 1), ("correction", 0)]);
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 0, "no key of the key database opens it");
    assert_eq!(running.opens_with_any_key(&[others]).await, 1, "nobody else is forgotten");
    let ground = &running.service.ground;
    let verdict = ground.log.verify(1, |_, _| {}).await.unwrap();
    assert!(!matches!(verdict, Verdict::Broken { .. }), "{verdict:?}");

    let head = *ground.log.head().borrow();
    eventually("the register to follow", async || service::erasure::caught_up(&ground.log, "register").await.ok())
        .await;
    let (person, holder, sealed): (Option<Uuid>, Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT person, holder, sealed FROM views.register WHERE certificate_id = $1")
            .bind(certificate)
            .fetch_one(&ground.pool)
            .await
            .unwrap();
    assert_eq!((person, holder.len(), sealed.len()), (None, 0, 0));
    let rebuilt = running.service.bus.rebuild("register", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    assert!(rebuilt.position >= head);

    // The same teacher comes back as somebody new, and the national register tells of the certificate once more.
    let again = Somebody { id: Uuid::from_u128(0x7008), ..TEACHER };
    people.add(&again);
    let registered = AccountRegistered { person_id: again.id.to_string(), document_type: 1, document_table: 1 };
    running.neighbour("identity").publish(again.id, "00", &registered).await;
    let reports = import(&running, &file, false).await;
    assert_eq!(reports.last().map(|report| (report.changed, report.unchanged)), Some((1, 1)));
    assert_eq!(listed(&running, again.id, 1).await[0].certificate_id, certificate.to_string());
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 1, "only what was said since can be read");
    let rebuilt = running.service.bus.rebuild("register", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);

    people.remove(again.id);
    assert_eq!(counts(&running.erase(again.id).await), [("certificate", 1), ("sealed_event", 1), ("correction", 0)]);
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 0);
}

#[tokio::test]
async fn whoever_is_erased_gets_no_certificate_any_more() {
    let people = People::default();
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    assert_eq!(counts(&running.erase(TEACHER.id).await), [("certificate", 0), ("sealed_event", 0), ("correction", 0)]);
    // Identity's answer from before the erasure arrives late.
    people.add(&TEACHER);
    import(&running, &format!("{HEADER}{}", row(&TEACHER, NUMBER, "语文")), false).await;
    let own = Somebody { id: Uuid::from_u128(0x7010), number: "320399199001010042", name: "示例四" };
    people.add(&own);
    import(&running, &format!("{HEADER}{}", row(&own, "20103203221000004", "语文")), false).await;
    listed(&running, own.id, 1).await;
    let matched = "SELECT count(*) FROM views.register WHERE person = $1";
    let pool = &running.service.ground.pool;
    let count: i64 = sqlx::query_scalar(matched).bind(TEACHER.id).fetch_one(pool).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_former_holder_is_forgotten_and_the_present_one_is_not() {
    let people = People::default();
    people.add(&TEACHER);
    let present = Somebody { id: Uuid::from_u128(0x7009), number: "320399199001010034", name: "示例三" };
    people.add(&present);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, NUMBER, "语文")), false).await;
    let certificate: Uuid = listed(&running, TEACHER.id, 1).await[0].certificate_id.parse().unwrap();
    import(&running, &format!("{HEADER}{}", row(&TEACHER, NUMBER, "数学")), false).await;
    import(&running, &format!("{HEADER}{}", row(&present, NUMBER, "数学")), false).await;
    assert_eq!(listed(&running, present.id, 1).await[0].certificate_id, certificate.to_string());
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 3);
    let rebuilt = running.service.bus.rebuild("register", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);

    people.remove(TEACHER.id);
    assert_eq!(counts(&running.erase(TEACHER.id).await), [("certificate", 1), ("sealed_event", 2), ("correction", 0)]);
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 1, "what was said of the present holder");
    assert_eq!(listed(&running, present.id, 1).await[0].subject, "数学");

    people.remove(present.id);
    assert_eq!(counts(&running.erase(present.id).await), [("certificate", 1), ("sealed_event", 1), ("correction", 0)]);
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 0);
}

/// A file may not say two things of one certificate; rows of a source may, and are decided and recorded together.
#[tokio::test]
async fn holders_that_follow_each_other_within_a_run_have_a_key_each() {
    let people = People::default();
    people.add(&TEACHER);
    let server = Server::start().await;
    let present = Somebody { id: Uuid::from_u128(0x7009), number: "320399199001010034", name: "示例三" };
    for (id, holder, subject) in [(1, &TEACHER, "语文"), (2, &present, "数学")] {
        let cells = [
            ("证件号码", holder.number),
            ("姓名", holder.name),
            ("证书号码", NUMBER),
            ("资格种类", "小学教师资格"),
            ("任教学科", subject),
            ("认定机构", "徐州市教育局"),
            ("签发日期", "2010-06-15"),
        ];
        server.put("certificates", id, id, &cells);
    }
    let settings = Settings { source: server.settings(), ..Settings::default() };
    let running = start::<Certificates>(settings, vec![identity::start(&people).await]).await;
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let request =
        wire::SyncFromSourceRequest { request_id: lifecycle::ids::random().to_string(), ..Default::default() };
    let mut answers = SyncClient::new(officer).sync_from_source(request).await.unwrap().into_inner();
    let mut last = wire::SyncFromSourceResponse::default();
    while let Some(answer) = answers.message().await.unwrap() {
        last = answer;
    }
    assert_eq!((last.added, last.changed, last.unchanged, last.rejected), (1, 1, 0, 0));

    let events = running.service.ground.log.read(0, 10_000).await.unwrap();
    let changed: Vec<_> = events.iter().filter(|event| event.kind.ends_with(".CertificateChanged")).collect();
    let certificate = changed[0].stream;
    assert_eq!(changed.len(), 1);
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 2);
    running.service.ground.vault.destroy(certificate).await.unwrap();
    assert_eq!(running.opens_with_any_key(&[certificate]).await, 1, "what was said of the present holder");
}

#[tokio::test]
async fn a_forgotten_certificate_is_restricted_and_lifted_by_its_province() {
    let people = People::default();
    people.add(&TEACHER);
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, NUMBER, "语文")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    people.remove(TEACHER.id);
    running.erase(TEACHER.id).await;

    let (request_id, file_reference) = (|| lifecycle::ids::random().to_string(), "苏教〔2026〕1号".to_owned());
    let restrict = || wire::RestrictCertificateRequest {
        request_id: request_id(),
        certificate_id: certificate_id.clone(),
        kind: wire::RestrictionKind::RevokedFraud.into(),
        end_date: String::new(),
        file_reference: file_reference.clone(),
    };
    let elsewhere = running.staff(Uuid::from_u128(0x0ff2), Role::RegisterOfficer, "33", None).await;
    let refused = RestrictionsClient::new(elsewhere).restrict_certificate(restrict()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    let officer = running.staff(Uuid::from_u128(0x0ff3), Role::RegisterOfficer, "32", None).await;
    let mut officer = RestrictionsClient::new(officer);
    officer.restrict_certificate(restrict()).await.unwrap();
    let (request_id, certificate_id) = (request_id(), certificate_id.clone());
    let lift = wire::LiftRestrictionRequest { request_id, certificate_id, file_reference: file_reference.clone() };
    officer.lift_restriction(lift.clone()).await.unwrap();

    // What is no certificate cannot be restricted.
    let sync = running.service.ground.log.read(0, 1).await.unwrap().remove(0).stream;
    let request = wire::RestrictCertificateRequest { certificate_id: sync.to_string(), ..restrict() };
    assert_eq!(officer.restrict_certificate(request).await.unwrap_err().code(), tonic::Code::NotFound);
}
