//! 更正申请: asked for by the person, answered by the province's officers, a bounded number, unreadable after an erasure.

use certificates::Certificates;
use certificates::config::Settings;
use proto::certificates::v1 as wire;
use proto::certificates::v1::corrections_client::CorrectionsClient;
use proto::certificates::v1::export_client::ExportClient;
use proto::identity::v1::Role;
use service::testing::{Channel, Running, start};
use uuid::Uuid;
use wire::CorrectionState;
use wire::request_correction_request::Certificate;

use crate::api::reason;
use crate::identity::{self, People, Somebody};
use crate::sync::{HEADER, TEACHER, eventually, import, listed, row};

const OTHER: Somebody = Somebody { id: Uuid::from_u128(0x7002), number: "320399199001010026", name: "示例二" };
const NUMBER: &str = "20103203221000001";
const STATEMENT: &str = "证书上的任教学科为数学，系统显示为语文。";

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    people.add(&OTHER);
    start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await
}

fn request(certificate: Certificate) -> wire::RequestCorrectionRequest {
    let request_id = lifecycle::ids::random().to_string();
    wire::RequestCorrectionRequest { request_id, certificate: Some(certificate), statement: STATEMENT.to_owned() }
}

fn answer(correction_id: &str, state: CorrectionState, answer: &str) -> wire::AnswerCorrectionRequest {
    wire::AnswerCorrectionRequest {
        request_id: lifecycle::ids::random().to_string(),
        correction_id: correction_id.to_owned(),
        state: state.into(),
        answer: answer.to_owned(),
    }
}

async fn officer(running: &Running<Certificates>, person: Uuid, province: &str) -> CorrectionsClient<Channel> {
    CorrectionsClient::new(running.staff(person, Role::RegisterOfficer, province, None).await)
}

async fn own(client: &mut CorrectionsClient<Channel>, min_position: i64) -> Vec<wire::Correction> {
    let request = wire::ListMyCorrectionsRequest { min_position, ..Default::default() };
    client.list_my_corrections(request).await.unwrap().into_inner().corrections
}

async fn of_province(client: &mut CorrectionsClient<Channel>, min_position: i64) -> Vec<wire::Correction> {
    let request = wire::ListCorrectionsRequest { min_position, ..Default::default() };
    client.list_corrections(request).await.unwrap().into_inner().corrections
}

#[tokio::test]
async fn a_request_is_seen_by_the_provinces_officers_answered_and_closed() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", row(&TEACHER, NUMBER, "语文")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    let mut teacher = CorrectionsClient::new(running.person(TEACHER.id));
    let mut other = CorrectionsClient::new(running.person(OTHER.id));
    let asked = request(Certificate::CertificateId(certificate_id.clone()));
    assert_eq!(reason(other.request_correction(asked.clone()).await), "NOT_FOUND", "it is not in their list");
    let requested = teacher.request_correction(asked.clone()).await.unwrap().into_inner();
    assert_eq!(teacher.request_correction(asked).await.unwrap().into_inner(), requested, "once");

    let mine = own(&mut teacher, requested.position).await.remove(0);
    assert_eq!((mine.certificate_id.as_str(), mine.number.as_str()), (certificate_id.as_str(), NUMBER));
    assert_eq!((mine.statement.as_str(), mine.state()), (STATEMENT, CorrectionState::Requested));
    assert_eq!(own(&mut other, requested.position).await, []);
    let mut elsewhere = officer(&running, Uuid::from_u128(0x0ff2), "33").await;
    let mut office = officer(&running, Uuid::from_u128(0x0ff3), "32").await;
    assert_eq!(of_province(&mut elsewhere, requested.position).await, []);
    let seen = of_province(&mut office, requested.position).await;
    assert_eq!(seen, [mine]);
    let id = &seen[0].correction_id;

    let working = answer(id, CorrectionState::InProgress, "已转徐州市教育局核实。");
    assert_eq!(reason(elsewhere.answer_correction(working.clone()).await), "NOT_FOUND");
    let position = office.answer_correction(working).await.unwrap().into_inner().position;
    assert_eq!(of_province(&mut office, position).await.len(), 1, "it is open");
    let mine = own(&mut teacher, position).await.remove(0);
    assert_eq!((mine.state(), mine.answer.as_str()), (CorrectionState::InProgress, "已转徐州市教育局核实。"));
    assert!(mine.answer_time.is_some());

    let done = answer(id, CorrectionState::Corrected, "已更正，下次数据同步后显示。");
    let position = office.answer_correction(done.clone()).await.unwrap().into_inner().position;
    assert_eq!(office.answer_correction(done).await.unwrap().into_inner().position, position, "once");
    assert_eq!(of_province(&mut office, position).await, []);
    assert_eq!(own(&mut teacher, position).await[0].state(), CorrectionState::Corrected);
    let again = answer(id, CorrectionState::Refused, "不予更正。");
    assert_eq!(reason(office.answer_correction(again).await), "CORRECTION_CLOSED");
    let rebuilt = running.service.bus.rebuild("corrections", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);

    // An officer may be a teacher, too.
    let mut both = officer(&running, TEACHER.id, "32").await;
    let requested =
        both.request_correction(request(Certificate::CertificateId(certificate_id))).await.unwrap().into_inner();
    let own = answer(&requested.correction_id, CorrectionState::Corrected, "已更正。");
    assert_eq!(reason(both.answer_correction(own).await), "OWN_CORRECTION");
}

#[tokio::test]
async fn a_certificate_that_is_not_listed_is_named_by_its_number_and_five_requests_are_enough() {
    let running = running().await;
    let mut teacher = CorrectionsClient::new(running.person(TEACHER.id));
    let by_number = || request(Certificate::Number(NUMBER.to_owned()));
    let mut ids = Vec::new();
    let mut position = 0;
    for _ in 0..5 {
        let requested = teacher.request_correction(by_number()).await.unwrap().into_inner();
        position = requested.position;
        ids.push(requested.correction_id);
    }
    assert_eq!(reason(teacher.request_correction(by_number()).await), "TOO_MANY_CORRECTIONS");
    let mut other = CorrectionsClient::new(running.person(OTHER.id));
    other.request_correction(by_number()).await.unwrap();

    let mut office = officer(&running, Uuid::from_u128(0x0ff3), "32").await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = wire::ListCorrectionsRequest { page_size: 4, page_token, min_position: position + 1 };
        let page = office.list_corrections(request).await.unwrap().into_inner();
        seen.extend(page.corrections.into_iter().map(|correction| correction.correction_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), &seen[..5]), (6, &ids[..]), "oldest first");
    let request = wire::ListMyCorrectionsRequest { page_size: 3, ..Default::default() };
    let page = teacher.list_my_corrections(request.clone()).await.unwrap().into_inner();
    let request = wire::ListMyCorrectionsRequest { page_token: page.next_page_token, ..request };
    let rest = teacher.list_my_corrections(request).await.unwrap().into_inner();
    let newest: Vec<_> = page.corrections.iter().chain(&rest.corrections).map(|one| &one.correction_id).collect();
    assert_eq!(newest, ids.iter().rev().collect::<Vec<_>>(), "newest first");
    assert_eq!(rest.next_page_token, "");

    let closed = answer(&ids[2], CorrectionState::Refused, "证书原件与登记一致。");
    office.answer_correction(closed).await.unwrap();
    teacher.request_correction(by_number()).await.unwrap();
    assert_eq!(reason(teacher.request_correction(by_number()).await), "TOO_MANY_CORRECTIONS");
}

#[tokio::test]
async fn what_was_asked_and_answered_is_exported_and_unreadable_once_its_person_is_erased() {
    let running = running().await;
    let mut teacher = CorrectionsClient::new(running.person(TEACHER.id));
    let requested =
        teacher.request_correction(request(Certificate::Number(NUMBER.to_owned()))).await.unwrap().into_inner();
    let mut office = officer(&running, Uuid::from_u128(0x0ff3), "32").await;
    let working = answer(&requested.correction_id, CorrectionState::InProgress, "已转徐州市教育局核实。");
    let position = office.answer_correction(working).await.unwrap().into_inner().position;
    let stream = [requested.correction_id.parse().unwrap()];
    assert_eq!(running.opens_with_any_key(&stream).await, 2);
    assert_eq!(own(&mut teacher, position).await.len(), 1);
    let mut export = ExportClient::new(running.person(TEACHER.id));
    let exported = export.export_my_data(wire::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    assert!(exported.contains(STATEMENT) && exported.contains("已转徐州市教育局核实。"), "{exported}");

    let confirmed = running.erase(TEACHER.id).await;
    let counted = confirmed.erased.iter().find(|erased| erased.kind == "correction").unwrap();
    assert_eq!(counted.count, 1);
    assert_eq!(running.opens_with_any_key(&stream).await, 0);
    assert_eq!(of_province(&mut office, position).await, []);
    let pool = &running.service.ground.pool;
    eventually("the requests to be nobody's", async || {
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM views.correction").fetch_one(pool).await.unwrap();
        (kept == 0).then_some(())
    })
    .await;
    let late = answer(&requested.correction_id, CorrectionState::Corrected, "已更正。");
    assert_eq!(reason(office.answer_correction(late).await), "NOT_FOUND");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_every_field() {
    let running = running().await;
    let mut teacher = CorrectionsClient::new(running.person(TEACHER.id));
    let fields = |status: &tonic::Status| -> Vec<String> {
        rpc::Refusal::from_status(status).violations.into_iter().map(|violation| violation.field).collect()
    };
    let empty = teacher.request_correction(wire::RequestCorrectionRequest::default()).await.unwrap_err();
    assert_eq!(fields(&empty), ["request_id", "certificate_id", "statement"]);
    let long = wire::RequestCorrectionRequest {
        statement: "字".repeat(1001),
        ..request(Certificate::Number("1".to_owned()))
    };
    assert_eq!(fields(&teacher.request_correction(long).await.unwrap_err()), ["number", "statement"]);
    let mut office = officer(&running, Uuid::from_u128(0x0ff3), "32").await;
    let empty = office.answer_correction(answer("x", CorrectionState::Requested, "")).await.unwrap_err();
    assert_eq!(fields(&empty), ["correction_id", "state", "answer"]);
    let unknown = answer(&lifecycle::ids::random().to_string(), CorrectionState::Corrected, "已更正。");
    assert_eq!(reason(office.answer_correction(unknown).await), "NOT_FOUND");
}
