//! What identity leaves in the audit trail: signing in and credentials, of whoever tries; of ordinary calls nothing.

use identity::Identity;
use identity::domain::role::Role;
use proto::identity::v1 as api;
use proto::identity::v1::recovery_client::RecoveryClient;
use proto::identity::v1::sessions_client::SessionsClient;
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
