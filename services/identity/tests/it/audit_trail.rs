//! What identity leaves in the audit trail: signing in and credentials, of whoever tries; of ordinary calls nothing.

use identity::Identity;
use identity::domain::role::Role;
use proto::identity::v1 as api;
use proto::identity::v1::export_client::ExportClient;
use proto::identity::v1::real_name_client::RealNameClient;
use proto::identity::v1::recovery_client::RecoveryClient;
use proto::identity::v1::sessions_client::SessionsClient;
use proto::identity::v1::wechat_bindings_client::WechatBindingsClient;
use proto::operations::v1::audit_client::AuditClient;
use proto::operations::v1::{AuditRecord, ListAuditRequest};
use service::Service as _;
use tonic::Request;

use crate::desk::{Desk, Teacher, refusal};

const AUDITOR: u32 = 90;

/// An auditor of the nation.
async fn auditor(desk: &Desk) -> String {
    desk.staff(&Teacher::new(AUDITOR), Role::Auditor, "000000", None).await.1
}

/// The records of a method, newest first, once there are so many.
async fn records(desk: &Desk, auditor: &str, method: &str, count: usize) -> Vec<AuditRecord> {
    let ask = async || {
        let mut client = AuditClient::new(desk.identity.with_token(auditor));
        let request = ListAuditRequest { method: format!("dingzhu.identity.v1.{method}"), ..Default::default() };
        let records = client.list_audit(request).await.unwrap().into_inner().records;
        (records.len() >= count).then_some(records)
    };
    cluster::wait::until("the records", std::time::Duration::from_secs(20), ask).await.unwrap()
}

fn outcomes(records: &[AuditRecord]) -> Vec<(&str, &str)> {
    records.iter().map(|record| (record.code.as_str(), record.reason.as_str())).collect()
}

#[test]
fn what_is_recorded_is_there_to_be_called() {
    for (method, _) in Identity::AUDITED {
        assert!(Identity::ACCESS.iter().any(|(row, _)| row == method), "{method}");
    }
}

#[tokio::test]
async fn a_failed_sign_in_is_recorded_with_the_address_that_a_trusted_proxy_names() {
    let desk = Desk::open().await;
    let auditor = auditor(&desk).await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let mut settings = desk.identity.settings.clone();
    settings.server.trusted_proxies = vec![[127, 0, 0, 1].into()];
    let starting = desk.identity.start_again(&settings, desk.settings.clone());
    let behind_a_proxy = Box::pin(starting).await.unwrap();
    let wrong = Teacher { password: "wrong123#".to_owned(), ..teacher };
    for channel in [desk.identity.anyone(), behind_a_proxy.anyone()] {
        let mut request = Request::new(wrong.credentials());
        request.metadata_mut().insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        let refused = refusal(SessionsClient::new(channel).start_sign_in(request).await);
        assert_eq!(refused.reason, "WRONG_CREDENTIALS");
    }
    // One more is the auditor's own, who was signed in before.
    let tried = records(&desk, &auditor, "Sessions/StartSignIn", 3).await;
    let failed = ("UNAUTHENTICATED", "WRONG_CREDENTIALS");
    assert_eq!(outcomes(&tried)[..3], [failed, failed, ("OK", "")]);
    let origins: Vec<_> = tried.iter().map(|record| record.origin.as_str()).collect();
    assert_eq!(origins[..2], ["198.51.100.7", "127.0.0.1"], "nobody else's word counts");
    assert_eq!((tried[0].person_id.as_str(), tried[0].session_id.as_str()), ("", ""), "nobody was signed in");
}

#[tokio::test]
async fn a_sign_in_is_recorded_under_whoever_has_signed_in_by_either_way() {
    let desk = Desk::open().await;
    let auditor = auditor(&desk).await;
    let teacher = Teacher::new(1);
    let by_code = desk.newcomer(&teacher).await;
    let person = desk.person_id(&by_code.access_token).await.to_string();
    let puzzle = desk.puzzle(&teacher).await;
    desk.puzzles().sign_in(puzzle).await.unwrap();
    // The auditor has signed in by code, too.
    for (method, count) in [("Sessions/CompleteSignIn", 2), ("PuzzleSignIn/SignIn", 1)] {
        let newest = records(&desk, &auditor, method, count).await.remove(0);
        assert_eq!((newest.person_id.as_str(), newest.code.as_str()), (person.as_str(), "OK"), "{method}");
        assert_eq!(newest.session_id.len(), 36);
        assert_eq!(newest.divisions, [] as [String; 0]);
    }
}

#[tokio::test]
async fn ordinary_calls_wrong_fields_and_a_session_that_goes_on_leave_nothing_and_one_that_is_refused_does() {
    let desk = Desk::open().await;
    let auditor = auditor(&desk).await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    desk.person_id(&tokens.access_token).await;
    let auditor_id = desk.person_id(&auditor).await.to_string();
    desk.sessions().start_sign_in(api::StartSignInRequest::default()).await.unwrap_err();
    let refresh = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    desk.sessions().refresh_session(refresh.clone()).await.unwrap();
    assert_eq!(refusal(desk.sessions().refresh_session(refresh).await).reason, "SESSION_ENDED");
    let start = api::StartRecoveryRequest {
        document_type: api::DocumentType::ResidentId.into(),
        number: Teacher::new(7).number,
        name: "示例七".to_owned(),
    };
    RecoveryClient::new(desk.identity.anyone()).start_recovery(start).await.unwrap();

    records(&desk, &auditor, "Recovery/StartRecovery", 1).await;
    let refreshed = records(&desk, &auditor, "Sessions/RefreshSession", 1).await;
    assert_eq!(outcomes(&refreshed), [("UNAUTHENTICATED", "SESSION_ENDED")]);
    let tried = records(&desk, &auditor, "Sessions/StartSignIn", 1).await;
    assert!(tried.iter().all(|record| record.code == "OK"), "{tried:?}");
    // The auditor looked at a profile, too, and did so as staff.
    let looked = records(&desk, &auditor, "Profiles/GetProfile", 1).await;
    assert!(looked.iter().all(|record| record.person_id == auditor_id), "{looked:?}");
}

#[tokio::test]
async fn what_touches_credentials_or_the_profile_or_takes_data_along_is_recorded_under_whoever_calls() {
    let desk = Desk::open().await;
    let auditor = auditor(&desk).await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let person = desk.person_id(&token).await.to_string();
    let request_id = || lifecycle::ids::random().to_string();
    let complete =
        api::CompleteProfileRequest { request_id: request_id(), ethnicity: "01".to_owned(), ..Default::default() };
    desk.profiles(&token).complete_profile(complete).await.unwrap();
    let change =
        api::ChangeProfileRequest { request_id: request_id(), ethnicity: "02".to_owned(), ..Default::default() };
    desk.profiles(&token).change_profile(change).await.unwrap();
    let new_phone = api::SendNewPhoneCodeRequest { phone: Teacher::new(3).phone };
    desk.credentials(&token).send_new_phone_code(new_phone).await.unwrap();
    let verify = api::VerifyRealNameRequest { request_id: request_id(), name: "真名".to_owned() };
    RealNameClient::new(desk.identity.with_token(&token)).verify_real_name(verify).await.unwrap_err();
    let complete = api::CompleteWechatBindingRequest { request_id: request_id(), ticket_id: request_id() };
    let mut wechat = WechatBindingsClient::new(desk.identity.with_token(&token));
    wechat.complete_wechat_binding(complete).await.unwrap_err();
    let mut export = ExportClient::new(desk.identity.with_token(&token));
    export.export_my_data(api::ExportMyDataRequest {}).await.unwrap();
    for (method, outcome) in [
        ("Profiles/CompleteProfile", ("OK", "")),
        ("Profiles/ChangeProfile", ("OK", "")),
        ("Credentials/SendNewPhoneCode", ("OK", "")),
        ("RealName/VerifyRealName", ("UNAVAILABLE", "DEPENDENCY_UNAVAILABLE")),
        ("WechatBindings/CompleteWechatBinding", ("FAILED_PRECONDITION", "WECHAT_TICKET_EXPIRED")),
        ("Export/ExportMyData", ("OK", "")),
    ] {
        let newest = cluster::wait::until(method, std::time::Duration::from_secs(20), async || {
            records(&desk, &auditor, method, 1).await.into_iter().find(|record| record.person_id == person)
        });
        assert_eq!(outcomes(&[newest.await.unwrap()]), [outcome], "{method}");
    }
    // Nobody is signed in where access is lost.
    let start = api::StartRecoveryRequest {
        document_type: api::DocumentType::ResidentId.into(),
        number: Teacher::new(7).number,
        name: "示例七".to_owned(),
    };
    let mut recovery = RecoveryClient::new(desk.identity.anyone());
    let recovery_id = recovery.start_recovery(start).await.unwrap().into_inner().recovery_id;
    recovery.send_recovery_code(api::SendRecoveryCodeRequest { recovery_id: recovery_id.clone() }).await.unwrap();
    recovery.send_recovery_link(api::SendRecoveryLinkRequest { recovery_id: recovery_id.clone() }).await.unwrap();
    let mut wechat = WechatBindingsClient::new(desk.identity.anyone());
    wechat.send_recovery_wechat_code(api::SendRecoveryWechatCodeRequest { recovery_id }).await.unwrap();
    for method in ["Recovery/SendRecoveryCode", "Recovery/SendRecoveryLink", "WechatBindings/SendRecoveryWechatCode"] {
        let sent = records(&desk, &auditor, method, 1).await;
        assert_eq!((outcomes(&sent), sent[0].person_id.as_str()), (vec![("OK", "")], ""), "{method}");
    }
}
