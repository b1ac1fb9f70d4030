//! `PhoneFixes`: whoever has lost the phone asks, the helpdesk of the province settles, a stranger is answered alike.

use std::time::{Duration, Instant};

use identity::domain::role::Role;
use proto::identity::v1 as api;
use proto::identity::v1::access_log_client::AccessLogClient;
use proto::identity::v1::export_client::ExportClient;
use proto::identity::v1::phone_fixes_client::PhoneFixesClient;
use proto::identity::v1::real_name_client::RealNameClient;
use service::testing::{Channel, until};
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, violations};

const EVIDENCE: &str = "手机已停机，身份证照片见附件，请联系本校王老师核实。";

fn anyone(desk: &Desk) -> PhoneFixesClient<tonic::transport::Channel> {
    PhoneFixesClient::new(desk.identity.anyone())
}

fn helpdesk(desk: &Desk, token: &str) -> PhoneFixesClient<Channel> {
    PhoneFixesClient::new(desk.identity.with_token(token))
}

/// A request with a fresh code, not sent yet.
pub async fn request(desk: &Desk, teacher: &Teacher, phone: &str) -> api::RequestPhoneFixRequest {
    let code = api::SendPhoneFixCodeRequest { phone: phone.to_owned() };
    let sent = anyone(desk).send_phone_fix_code(code).await.unwrap().into_inner();
    api::RequestPhoneFixRequest {
        request_id: lifecycle::ids::random().to_string(),
        document_type: api::DocumentType::ResidentId.into(),
        number: teacher.number.clone(),
        name: teacher.name.clone(),
        phone: phone.to_owned(),
        challenge_id: sent.challenge_id,
        code: desk.outbox.last(phone, "new_phone_code"),
        province: "32".to_owned(),
        evidence: EVIDENCE.to_owned(),
    }
}

async fn listed(desk: &Desk, token: &str) -> Vec<api::PhoneFix> {
    let list = api::ListPhoneFixesRequest { min_position: desk.head().await, ..Default::default() };
    helpdesk(desk, token).list_phone_fixes(list).await.unwrap().into_inner().fixes
}

fn settle(fix: &api::PhoneFix, outcome: api::PhoneFixOutcome) -> api::SettlePhoneFixRequest {
    api::SettlePhoneFixRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id: fix.person_id.clone(),
        fix_id: fix.fix_id.clone(),
        outcome: outcome.into(),
    }
}

#[tokio::test]
async fn an_approved_phone_takes_the_lost_ones_place_and_both_are_told() {
    let desk = Desk::open().await;
    let (teacher, new_phone) = (Teacher::new(1), Teacher::new(2).phone);
    desk.register(&teacher).await;
    let (_, token) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    let ask = request(&desk, &teacher, &new_phone).await;
    anyone(&desk).request_phone_fix(ask.clone()).await.unwrap();
    anyone(&desk).request_phone_fix(ask).await.unwrap();
    let fixes = listed(&desk, &token).await;
    assert_eq!(fixes.len(), 1);
    assert_eq!(fixes[0].masked_number, format!("320*************{}", &teacher.number[16..]));
    assert_eq!((fixes[0].masked_name.as_str(), fixes[0].province.as_str()), ("示例*", "32"));
    assert_eq!((fixes[0].masked_phone.as_str(), fixes[0].masked_new_phone.as_str()), ("100****0001", "100****0002"));
    assert_eq!(fixes[0].evidence, EVIDENCE);
    desk.sign_in(&teacher).await;

    let approve = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    let position = helpdesk(&desk, &token).settle_phone_fix(approve.clone()).await.unwrap().into_inner().position;
    let again = helpdesk(&desk, &token).settle_phone_fix(approve).await.unwrap().into_inner().position;
    assert_eq!((position, desk.head().await), (again, position));
    assert!(listed(&desk, &token).await.is_empty());
    desk.sign_in(&Teacher { phone: new_phone.clone(), ..teacher.clone() }).await;
    until("both phones to be told", || {
        desk.outbox.count(&teacher.phone, "phone_changed") == 1
            && desk.outbox.count(&new_phone, "phone_fix_approved") == 1
    })
    .await;
    let again = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    assert_eq!(refusal(helpdesk(&desk, &token).settle_phone_fix(again).await).reason, "UNKNOWN_FIX");
}

#[tokio::test]
async fn phone_and_mail_address_of_the_account_hear_of_a_request_when_it_is_made() {
    let desk = Desk::open().await;
    let (teacher, new_phone) = (Teacher::new(1), Teacher::new(2).phone);
    desk.register(&teacher).await;
    let stranger = Teacher { name: "陌生人".to_owned(), ..teacher.clone() };
    anyone(&desk).request_phone_fix(request(&desk, &stranger, &Teacher::new(3).phone).await).await.unwrap();
    let ask = request(&desk, &teacher, &new_phone).await;
    anyone(&desk).request_phone_fix(ask.clone()).await.unwrap();
    let told = || {
        let by_mail = desk.outbox.count(&teacher.email(), "phone_fix_requested_mail");
        (desk.outbox.count(&teacher.phone, "phone_fix_requested"), by_mail)
    };
    until("both to be told", || told() == (1, 1)).await;
    anyone(&desk).request_phone_fix(ask).await.unwrap();
    anyone(&desk).request_phone_fix(request(&desk, &teacher, &Teacher::new(4).phone).await).await.unwrap();
    let (_, token) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    let refuse = settle(&listed(&desk, &token).await[0], api::PhoneFixOutcome::EvidenceInsufficient);
    helpdesk(&desk, &token).settle_phone_fix(refuse).await.unwrap();
    until("the phone of the request to be told", || desk.outbox.count(&new_phone, "phone_fix_refused") == 1).await;
    assert_eq!(told(), (1, 1), "of nothing that a stranger asked, that came again, or that changed nothing");
    assert_eq!(desk.outbox.count(&new_phone, "phone_fix_requested"), 0);
}

#[tokio::test]
async fn a_refused_phone_is_not_put_in_and_another_request_may_follow() {
    let desk = Desk::open().await;
    let (teacher, new_phone) = (Teacher::new(1), Teacher::new(2).phone);
    desk.register(&teacher).await;
    let (_, token) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    anyone(&desk).request_phone_fix(request(&desk, &teacher, &new_phone).await).await.unwrap();
    let fixes = listed(&desk, &token).await;
    let second = request(&desk, &teacher, &Teacher::new(3).phone).await;
    anyone(&desk).request_phone_fix(second).await.unwrap();
    assert_eq!(listed(&desk, &token).await, fixes, "one is open at a time");
    let refuse = settle(&fixes[0], api::PhoneFixOutcome::EvidenceInsufficient);
    helpdesk(&desk, &token).settle_phone_fix(refuse).await.unwrap();
    until("the phone of the request to be told", || desk.outbox.count(&new_phone, "phone_fix_refused") == 1).await;
    assert_eq!(desk.outbox.count(&teacher.phone, "phone_changed"), 0);
    desk.sign_in(&teacher).await;
    anyone(&desk).request_phone_fix(request(&desk, &teacher, &new_phone).await).await.unwrap();
    assert_eq!(listed(&desk, &token).await.len(), 1);
}

#[tokio::test]
async fn a_stranger_is_answered_alike_after_the_same_time_and_nothing_is_recorded() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let head = desk.head().await;
    let strangers = [Teacher { name: "陌生人".to_owned(), ..teacher.clone() }, Teacher::new(500)];
    for (stranger, phone) in strangers.iter().zip([3, 4]) {
        let ask = request(&desk, stranger, &Teacher::new(phone).phone).await;
        let asked = Instant::now();
        anyone(&desk).request_phone_fix(ask.clone()).await.unwrap();
        assert!(asked.elapsed() >= Duration::from_millis(300));
        anyone(&desk).request_phone_fix(ask).await.unwrap();
    }
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn only_the_helpdesk_of_the_province_sees_and_settles_and_never_its_own_account() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let own = desk.newcomer(&teacher).await.access_token;
    let (elsewhere, away) = (Teacher::new(8), Teacher::new(9));
    let (_, abroad) = desk.staff(&away, Role::Helpdesk, "330000", None).await;
    let (_, at_home) = desk.staff(&elsewhere, Role::Helpdesk, "320000", None).await;
    anyone(&desk).request_phone_fix(request(&desk, &teacher, &Teacher::new(2).phone).await).await.unwrap();
    anyone(&desk).request_phone_fix(request(&desk, &elsewhere, &Teacher::new(3).phone).await).await.unwrap();
    assert!(listed(&desk, &abroad).await.is_empty());
    let fixes = listed(&desk, &at_home).await;
    assert_eq!(fixes.len(), 2);
    let approve = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    assert_eq!(refusal(helpdesk(&desk, &abroad).settle_phone_fix(approve.clone()).await).reason, "UNKNOWN_FIX");
    let refused =
        refusal(helpdesk(&desk, &at_home).settle_phone_fix(settle(&fixes[1], api::PhoneFixOutcome::Approved)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "OWN_ACCOUNT"));
    assert_eq!(refusal(helpdesk(&desk, &own).settle_phone_fix(approve).await).reason, "ROLE_REQUIRED");
    let list = api::ListPhoneFixesRequest::default();
    assert_eq!(refusal(helpdesk(&desk, &own).list_phone_fixes(list).await).reason, "ROLE_REQUIRED");
}

#[tokio::test]
async fn naming_another_province_puts_no_account_into_the_hands_of_its_helpdesk() {
    let desk = Desk::open().await;
    let (teacher, taken) = (Teacher::new(1), Teacher::new(2).phone);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let (_, abroad) = desk.staff(&Teacher::new(8), Role::Helpdesk, "330000", None).await;
    let (_, at_home) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    let ask = api::RequestPhoneFixRequest { province: "33".to_owned(), ..request(&desk, &teacher, &taken).await };
    anyone(&desk).request_phone_fix(ask).await.unwrap();
    assert!(listed(&desk, &abroad).await.is_empty());
    let fixes = listed(&desk, &at_home).await;
    assert_eq!((fixes.len(), fixes[0].province.as_str()), (1, "32"), "the number is one of 32");
    let approve = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    assert_eq!(refusal(helpdesk(&desk, &abroad).settle_phone_fix(approve.clone()).await).reason, "UNKNOWN_FIX");

    // Meanwhile the person files in 33: who has seen the request may only refuse it.
    let filed = "INSERT INTO views.filed_application (enrolment_number, person, is_open, division) VALUES ('1', $1, true, '330102')";
    sqlx::query(filed).bind(person).execute(&desk.identity.service.ground.pool).await.unwrap();
    let refused = refusal(helpdesk(&desk, &at_home).settle_phone_fix(approve).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "PERSON_ELSEWHERE"));
    desk.sign_in(&teacher).await;
    let refuse = settle(&fixes[0], api::PhoneFixOutcome::EvidenceInsufficient);
    helpdesk(&desk, &at_home).settle_phone_fix(refuse).await.unwrap();
    let phone = Teacher::new(3).phone;
    let ask = api::RequestPhoneFixRequest { province: "33".to_owned(), ..request(&desk, &teacher, &phone).await };
    anyone(&desk).request_phone_fix(ask).await.unwrap();
    let fixes = listed(&desk, &abroad).await;
    let approve = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    helpdesk(&desk, &abroad).settle_phone_fix(approve).await.unwrap();
    desk.sign_in(&Teacher { phone, ..teacher }).await;
}

#[tokio::test]
async fn somebody_of_whom_no_province_is_known_is_settled_for_by_the_helpdesk_of_the_nation() {
    let desk = Desk::open().await;
    let visitor = Teacher::new(1);
    let registration = api::RegisterAccountRequest {
        document_type: api::DocumentType::HkMacauPermit.into(),
        number: "H12345678".to_owned(),
        ..desk.registration(&visitor).await
    };
    desk.accounts().register_account(registration).await.unwrap();
    let (_, province) = desk.staff(&Teacher::new(8), Role::Helpdesk, "320000", None).await;
    let (_, nation) = desk.staff(&Teacher::new(9), Role::Helpdesk, "000000", None).await;
    let ask = api::RequestPhoneFixRequest {
        document_type: api::DocumentType::HkMacauPermit.into(),
        number: "H12345678".to_owned(),
        ..request(&desk, &visitor, &Teacher::new(2).phone).await
    };
    anyone(&desk).request_phone_fix(ask).await.unwrap();
    assert!(listed(&desk, &province).await.is_empty(), "whoever asks names any province they like");
    let fixes = listed(&desk, &nation).await;
    assert_eq!((fixes.len(), fixes[0].province.as_str()), (1, "00"));
    let approve = settle(&fixes[0], api::PhoneFixOutcome::Approved);
    assert_eq!(refusal(helpdesk(&desk, &province).settle_phone_fix(approve.clone()).await).reason, "UNKNOWN_FIX");
    helpdesk(&desk, &nation).settle_phone_fix(approve).await.unwrap();
    until("the new phone to be told", || desk.outbox.count(&Teacher::new(2).phone, "phone_fix_approved") == 1).await;
}

#[tokio::test]
async fn the_person_learns_who_read_the_evidence_and_exports_it_with_roles_and_checks() {
    let teacher = Teacher::new(1);
    let register = format!("number,name\n{},{}\n", teacher.number, teacher.name);
    let desk = Desk::open_with(|folder| {
        let file = folder.join("register.csv");
        std::fs::write(&file, register).unwrap();
        identity::real_name::Settings { real_name_file: Some(file), ..Default::default() }
    })
    .await;
    let (_, own) = desk.staff(&teacher, Role::Clerk, "320302", Some(uuid::Uuid::from_u128(5))).await;
    let mut real_name = RealNameClient::new(desk.identity.with_token(&own));
    for name in ["别人", teacher.name.as_str()] {
        let request_id = lifecycle::ids::random().to_string();
        let check = api::VerifyRealNameRequest { request_id, name: name.to_owned() };
        real_name.verify_real_name(check).await.unwrap();
    }
    let (_, token) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    let new_phone = Teacher::new(2).phone;
    anyone(&desk).request_phone_fix(request(&desk, &teacher, &new_phone).await).await.unwrap();
    let fixes = listed(&desk, &token).await;
    helpdesk(&desk, &token).settle_phone_fix(settle(&fixes[0], api::PhoneFixOutcome::NotThePerson)).await.unwrap();

    let mut log = AccessLogClient::new(desk.identity.with_token(&own));
    let seen = log.list_my_access(api::ListMyAccessRequest::default()).await.unwrap().into_inner().accesses;
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].role(), seen[0].division.as_str()), (api::Role::Helpdesk, "320000"));
    assert_eq!(seen[0].fields().collect::<Vec<_>>(), [api::PersonField::Evidence]);
    let mut export = ExportClient::new(desk.identity.with_token(&own));
    let json = export.export_my_data(api::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&all["profile"]["name_verified"], &all["profile"]["email_verified"]), (&true.into(), &false.into()));
    assert_eq!((&all["roles"][0]["role"], &all["roles"][0]["division"]), (&"ROLE_CLERK".into(), &"320302".into()));
    assert!(all["roles"][0]["granted"].is_string() && all["roles"][0]["ended"].is_null());
    let passed: Vec<_> = all["name_checks"].as_array().unwrap().iter().map(|check| &check["passed"]).collect();
    assert_eq!(passed, [&serde_json::Value::from(false), &true.into()]);
    let asked = &all["phone_requests"][0];
    assert_eq!((&asked["evidence"], &asked["phone"]), (&EVIDENCE.into(), &new_phone.into()));
    assert_eq!(asked["outcome"], "PHONE_FIX_OUTCOME_NOT_THE_PERSON");
}

#[tokio::test]
async fn wrong_fields_and_codes_are_refused() {
    let desk = Desk::open().await;
    let refused = refusal(anyone(&desk).request_phone_fix(api::RequestPhoneFixRequest::default()).await);
    let fields: Vec<&str> = violations(&refused).iter().map(|(field, _)| *field).collect();
    let expected = ["request_id", "document_type", "name", "phone", "challenge_id", "code", "province", "evidence"];
    assert_eq!(fields, expected);
    let good = request(&desk, &Teacher::new(1), &Teacher::new(2).phone).await;
    let other = api::RequestPhoneFixRequest { phone: Teacher::new(3).phone, ..good.clone() };
    assert_eq!(refusal(anyone(&desk).request_phone_fix(other).await).reason, "WRONG_CODE");
    anyone(&desk).request_phone_fix(good.clone()).await.unwrap();
    let again = api::RequestPhoneFixRequest { request_id: lifecycle::ids::random().to_string(), ..good };
    assert_eq!(refusal(anyone(&desk).request_phone_fix(again).await).reason, "CODE_EXPIRED");
    let (_, token) = desk.staff(&Teacher::new(9), Role::Helpdesk, "320000", None).await;
    let refused = refusal(helpdesk(&desk, &token).settle_phone_fix(api::SettlePhoneFixRequest::default()).await);
    let fields: Vec<&str> = violations(&refused).iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["request_id", "person_id", "fix_id", "outcome"]);
    let list = api::ListPhoneFixesRequest { page_token: "?".to_owned(), ..Default::default() };
    assert_eq!(refusal(helpdesk(&desk, &token).list_phone_fixes(list).await).reason, "INVALID_FIELDS");
}
