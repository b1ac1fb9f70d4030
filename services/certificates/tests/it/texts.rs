//! Texts that people write: control characters and numbers of people are refused, and no view halts for what was recorded before.

use certificates::Certificates;
use certificates::config::Settings;
use certificates::domain::certificate::{Besides, Details, Event, Source};
use certificates::domain::kind::Kind;
use certificates::store::{self, StoredEvent};
use eventlog::{Append, Division, NewEvent};
use lifecycle::ids;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::conflicts_client::ConflictsClient;
use proto::certificates::v1::corrections_client::CorrectionsClient;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::identity::v1::Role;
use rpc::Refusal;
use service::testing::{Running, start};
use time::macros::date;
use tonic::Status;
use uuid::Uuid;

use crate::api::entry;
use crate::identity::{self, People};
use crate::sync::{HEADER, TEACHER, import, listed, row};

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await
}

/// Records an event without a sealed part behind whatever the stream has.
pub async fn record(running: &Running<Certificates>, stream: Uuid, StoredEvent { kind, payload, inner }: StoredEvent) {
    let log = &running.service.ground.log;
    let (event_id, sealed, division) = (ids::random(), Vec::new(), Division::NONE);
    let append = Append {
        stream,
        expected_version: log.load(stream).await.unwrap().last().map_or(0, |event| event.version),
        events: vec![NewEvent { event_id, kind, payload, inner, sealed, division }],
        actor: "system".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    };
    log.append(append).await.unwrap();
}

/// The fields that are refused, each with its reason.
#[track_caller]
fn refused(answer: Result<impl std::fmt::Debug, Status>) -> Vec<(String, String)> {
    let refusal = Refusal::from_status(&answer.expect_err("this is refused"));
    assert_eq!(refusal.reason, "INVALID_FIELDS");
    refusal.violations.into_iter().map(|violation| (violation.field, violation.reason)).collect()
}

fn each(fields: &[&str], reason: &str) -> Vec<(String, String)> {
    fields.iter().map(|field| ((*field).to_owned(), reason.to_owned())).collect()
}

fn restrict(file_reference: &str) -> wire::RestrictCertificateRequest {
    wire::RestrictCertificateRequest {
        request_id: ids::random().to_string(),
        certificate_id: ids::random().to_string(),
        kind: wire::RestrictionKind::Forfeited.into(),
        end_date: String::new(),
        file_reference: file_reference.to_owned(),
    }
}

fn lift(file_reference: &str) -> wire::LiftRestrictionRequest {
    wire::LiftRestrictionRequest {
        request_id: ids::random().to_string(),
        certificate_id: ids::random().to_string(),
        file_reference: file_reference.to_owned(),
    }
}

fn settle(reason: &str, file_reference: &str) -> wire::SettleConflictRequest {
    wire::SettleConflictRequest {
        request_id: ids::random().to_string(),
        certificate_id: ids::random().to_string(),
        ordinal: 1,
        side: wire::ConflictSide::Recorded.into(),
        reason: reason.to_owned(),
        file_reference: file_reference.to_owned(),
    }
}

fn merge(reason: &str, file_reference: &str) -> wire::MergeCertificatesRequest {
    wire::MergeCertificatesRequest {
        request_id: ids::random().to_string(),
        certificate_id: ids::random().to_string(),
        into_certificate_id: ids::random().to_string(),
        reason: reason.to_owned(),
        file_reference: file_reference.to_owned(),
    }
}

fn correct(statement: &str) -> wire::RequestCorrectionRequest {
    wire::RequestCorrectionRequest {
        request_id: ids::random().to_string(),
        certificate: Some(wire::request_correction_request::Certificate::Number("20103203221000001".to_owned())),
        statement: statement.to_owned(),
    }
}

fn enter(subject: &str, issuing_agency: &str) -> wire::AddCertificateRequest {
    wire::AddCertificateRequest {
        subject: subject.to_owned(),
        issuing_agency: issuing_agency.to_owned(),
        ..entry("20053203221000001", "2005-06-30")
    }
}

#[tokio::test]
async fn control_characters_are_refused_in_every_text() {
    let running = running().await;
    let plain = |fields: &[&str]| each(fields, "NOT_PLAIN_TEXT");
    let mut person = CertificatesClient::new(running.person(TEACHER.id));
    let entered = person.add_certificate(enter("语\0文", "徐州\u{1}市\n教育局")).await;
    assert_eq!(refused(entered), plain(&["subject", "issuing_agency"]));
    let missed = wire::ExplainMissingRequest {
        number: "20053203221000001".to_owned(),
        kind: 2,
        issue_date: "2005-06-30".to_owned(),
        issuing_agency: "徐州\0市".to_owned(),
    };
    assert_eq!(refused(person.explain_missing(missed).await), plain(&["issuing_agency"]));
    let mut person = CorrectionsClient::new(running.person(TEACHER.id));
    assert_eq!(refused(person.request_correction(correct("学科应为\0语文。")).await), plain(&["statement"]));
    person.request_correction(correct("学科有误，\r\n\t应为语文。")).await.unwrap();

    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let mut restrictions = RestrictionsClient::new(officer.clone());
    assert_eq!(refused(restrictions.restrict_certificate(restrict("苏教\0")).await), plain(&["file_reference"]));
    assert_eq!(refused(restrictions.lift_restriction(lift("苏教\u{7f}")).await), plain(&["file_reference"]));
    let mut conflicts = ConflictsClient::new(officer.clone());
    let both = plain(&["reason", "file_reference"]);
    assert_eq!(refused(conflicts.settle_conflict(settle("核实\0", "苏教\n")).await), both[..1], "white space around");
    assert_eq!(refused(conflicts.merge_certificates(merge("核实\0过", "苏\n教")).await), both);
    let answer = wire::AnswerCorrectionRequest {
        request_id: ids::random().to_string(),
        correction_id: ids::random().to_string(),
        state: wire::CorrectionState::Corrected.into(),
        answer: "已\u{9f}更正".to_owned(),
    };
    assert_eq!(refused(CorrectionsClient::new(officer).answer_correction(answer).await), plain(&["answer"]));
}

#[tokio::test]
async fn a_number_of_a_person_is_refused_in_every_text_that_is_published() {
    let running = running().await;
    let numbered = |fields: &[&str]| each(fields, "NUMBER_IN_TEXT");
    let mut person = CertificatesClient::new(running.person(TEACHER.id));
    let entered = person.add_certificate(enter("语文320399", "教育局１３８０００")).await;
    assert_eq!(refused(entered), numbered(&["subject", "issuing_agency"]));
    person.add_certificate(enter("语文12345", "徐州市教育局")).await.unwrap();

    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    let mut restrictions = RestrictionsClient::new(officer.clone());
    let named = "关于320399199001010018的决定";
    let of_reference = numbered(&["file_reference"]);
    assert_eq!(refused(restrictions.restrict_certificate(restrict(named)).await), of_reference);
    assert_eq!(refused(restrictions.lift_restriction(lift(named)).await), of_reference);
    let mut conflicts = ConflictsClient::new(officer);
    // The reason is sealed.
    assert_eq!(refused(conflicts.settle_conflict(settle(named, named)).await), of_reference);
    assert_eq!(refused(conflicts.merge_certificates(merge(named, named)).await), of_reference);
    // 文号 have none: it is the certificate that is not known.
    assert_eq!(crate::api::reason(restrictions.lift_restriction(lift("苏教〔2026〕12号")).await), "NOT_FOUND");
}

#[tokio::test]
async fn what_was_recorded_with_control_characters_halts_no_view() {
    let running = running().await;
    let details = Details {
        kind: Kind::Primary,
        subject: "语\0文".to_owned(),
        issuing_agency: "徐州\u{1}市教育局".to_owned(),
        issue_date: date!(2010 - 06 - 15),
        number: [1; 32],
        holder: [2; 32],
        digest: [3; 32],
        generation: 0,
    };
    let id = ids::random();
    let said = Event::Synced { details: details.clone(), source: Source::Register };
    record(&running, id, store::write(id, &said)).await;
    let details = Details { holder: [4; 32], generation: 1, ..details };
    let besides = Besides::default();
    let against = Event::ConflictFound { ordinal: 1, details, besides, source: Source::PriorRegistration };
    record(&running, id, store::write(id, &against)).await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000001", "语文")), false).await;
    listed(&running, TEACHER.id, 1).await;
    let log = &running.service.ground.log;
    for view in ["register", "conflicts"] {
        crate::sync::eventually(view, async || service::erasure::caught_up(log, view).await.ok()).await;
        let rebuilt = running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
    for table in ["register", "conflict"] {
        let sql = format!("SELECT subject, issuing_agency FROM views.{table} WHERE certificate_id = $1");
        let held: (String, String) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(log.pool()).await.unwrap();
        assert_eq!(held, ("语 文".to_owned(), "徐州\u{1}市教育局".to_owned()), "{table}");
    }
}
