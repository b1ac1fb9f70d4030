//! `Erasure`: refused, put off, done; what is left of a person afterwards, and what the receipt says.

use eventlog::Verdict;
use identity::domain::role::Role as OwnRole;
use identity::handle::{Asked, Asking};
use identity::hashing::Password;
use prost::Name as _;
use proto::applications::v1 as applications;
use proto::identity::v1 as api;
use proto::identity::v1::erasure_client::ErasureClient;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::staff_client::StaffClient;
use proto::types::v1::{ErasedKind, PersonalDataErased};
use service::testing::{Channel, Neighbour};
use tonic::Code;
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, violations};

const NUMBER: &str = "20263203020000017";

/// Identity beside all that it hears of.
pub async fn registry() -> Desk {
    let neighbours = vec![
        Neighbour::start("applications", rpc::Surface::new()).await,
        Neighbour::start("certificates", rpc::Surface::new()).await,
    ];
    Desk::open_beside(neighbours).await
}

fn erasure(desk: &Desk, token: &str) -> ErasureClient<Channel> {
    ErasureClient::new(desk.identity.with_token(token))
}

fn request(teacher: &Teacher) -> api::RequestErasureRequest {
    let request_id = lifecycle::ids::random().to_string();
    api::RequestErasureRequest { request_id, password: teacher.password.clone() }
}

/// Asks as soon as the view of applications is known to be complete.
pub async fn erase(desk: &Desk, token: &str, teacher: &Teacher) -> api::RequestErasureResponse {
    let request = request(teacher);
    eventually("the view of applications", async || match erasure(desk, token).request_erasure(request.clone()).await {
        Ok(answer) => Some(answer.into_inner()),
        Err(status) => {
            assert_eq!(rpc::Refusal::from_status(&status).reason, "REFERENCE_NOT_READY");
            None
        }
    })
    .await
}

async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let patience = std::time::Duration::from_secs(20);
    cluster::wait::until(what, patience, ask).await.unwrap()
}

async fn receipt(desk: &Desk, erasure_id: &str) -> Option<api::GetReceiptResponse> {
    let request = api::GetReceiptRequest { erasure_id: erasure_id.to_owned() };
    ErasureClient::new(desk.identity.anyone()).get_receipt(request).await.ok().map(tonic::Response::into_inner)
}

/// Records of all that somebody may have begun, beside sessions and codes.
async fn begin_everything(desk: &Desk, person: Uuid) {
    for sql in [
        "INSERT INTO recovery (id, number_hash, person, expires_at) SELECT gen_random_uuid(), sha256($1::text::bytea), $1, now()",
        "INSERT INTO recovery_link (token_hash, person, expires_at) SELECT sha256($1::text::bytea), $1, now()",
        "INSERT INTO wechat_ticket (id, person, expires_at) SELECT gen_random_uuid(), $1, now()",
        "INSERT INTO totp (person, secret, tried_at) SELECT $1, '', now()",
    ] {
        sqlx::query(sql).bind(person).execute(&desk.identity.service.ground.pool).await.unwrap();
    }
}

/// Waits until identity itself has forgotten.
pub async fn confirmed(desk: &Desk, erasure_id: &str) -> api::GetReceiptResponse {
    eventually("identity's own confirmation", async || {
        receipt(desk, erasure_id).await.filter(|receipt| receipt.services[0].confirm_time.is_some())
    })
    .await
}

async fn file(desk: &Desk, person: Uuid) -> Uuid {
    let certificate = lifecycle::ids::random();
    let submitted = applications::ApplicationSubmitted {
        certificate_id: certificate.to_string(),
        enrolment_number: NUMBER.to_owned(),
        person_id: person.to_string(),
        ..Default::default()
    };
    desk.identity.neighbour("applications").publish(certificate, "320302", &submitted).await;
    certificate
}

/// Waits until the view of applications has applied all that was published.
async fn heard(desk: &Desk, position: i64) {
    let bus = &desk.identity.service.bus;
    eventually("the event to be heard", async || bus.wait_for("filed-applications", position).await.ok()).await;
}

#[tokio::test]
async fn a_forgotten_person_is_unreadable_and_everybody_confirms_it() {
    let desk = registry().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let tokens = desk.newcomer(&teacher).await;
    let neighbour = desk.newcomer(&other).await;
    let token = &tokens.access_token;
    let person = desk.person_id(token).await;
    let profile = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        ..Default::default()
    };
    desk.profiles(token).complete_profile(profile).await.unwrap();
    let change = api::ChangeProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "02".to_owned(),
        ..Default::default()
    };
    desk.profiles(token).change_profile(change).await.unwrap();
    assert_eq!(desk.identity.opens_with_any_key(&[person]).await, 3, "the person can be read before");
    for whose in [person, desk.person_id(&neighbour.access_token).await] {
        begin_everything(&desk, whose).await;
    }

    let answer = erase(&desk, token, &teacher).await;
    assert_eq!(answer.archive_end_date, "");
    let signed = desk.identity.service.ground.log.load(person).await.unwrap().pop().unwrap();
    let payload = <api::PersonErased as prost::Message>::decode(signed.payload.as_slice()).unwrap();
    assert!(service::testing::root_key().public().signed_erasure(&payload));

    let own = confirmed(&desk, &answer.erasure_id).await;
    let kinds = |service: &api::ServiceReceipt| -> Vec<(String, i64)> {
        service.erased.iter().map(|erased| (erased.kind.clone(), erased.count)).collect()
    };
    let expected = [
        ("sealed_event", 3),
        ("session", 1),
        ("one_time_code", 1),
        ("recovery", 1),
        ("recovery_link", 1),
        ("wechat_ticket", 1),
        ("totp", 1),
    ];
    assert_eq!(kinds(&own.services[0]), expected.map(|(kind, count)| (kind.to_owned(), count)));
    let waiting: Vec<_> = own.services[1..].iter().map(|service| service.service.as_str()).collect();
    assert_eq!(waiting, ["certificates", "applications", "notifications"]);
    assert!(!own.complete && own.services[1..].iter().all(|service| service.confirm_time.is_none()));

    for name in ["certificates", "applications", "notifications"] {
        let confirmed = PersonalDataErased {
            erasure_id: answer.erasure_id.clone(),
            person_id: person.to_string(),
            erased: vec![ErasedKind { kind: "draft".to_owned(), count: 3 }],
        };
        let stream = Uuid::parse_str(&answer.erasure_id).unwrap();
        desk.identity.neighbour(name).publish(stream, "00", &confirmed).await;
    }
    let whole = eventually("all confirmations", async || {
        receipt(&desk, &answer.erasure_id).await.filter(|receipt| receipt.complete)
    })
    .await;
    assert_eq!(kinds(&whole.services[3]), [("draft".to_owned(), 3)]);

    assert_eq!(desk.identity.opens_with_any_key(&[person]).await, 0, "no key of the key database opens anything");
    assert!(matches!(desk.identity.service.ground.vault.obtain(person).await, Err(vault::VaultError::Destroyed)));
    let verdict = desk.identity.service.ground.log.verify(1, |_, _| {}).await.unwrap();
    assert!(!matches!(verdict, Verdict::Broken { .. }), "{verdict:?}");
    for view in ["grants", "filed-applications", "erasures", "erasures-in-certificates", "authority"] {
        let rebuilt = desk.identity.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
    let known = desk.profiles(&neighbour.access_token).get_profile(api::GetProfileRequest {}).await.unwrap();
    assert_eq!(known.into_inner().masked_name, "示例*", "nobody else is forgotten");
}

#[tokio::test]
async fn a_forgotten_person_is_nobody_and_the_number_is_free() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let tokens = desk.newcomer(&teacher).await;
    let person = desk.person_id(&tokens.access_token).await;
    erase(&desk, &tokens.access_token, &teacher).await;

    let refresh = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    assert_eq!(refusal(desk.sessions().refresh_session(refresh).await).reason, "SESSION_ENDED");
    assert_eq!(
        refusal(desk.sessions().start_sign_in(teacher.credentials()).await).reason,
        "WRONG_CREDENTIALS",
        "the same answer as for any unknown number"
    );
    eventually("the access token to count no more", async || {
        let answer = desk.profiles(&tokens.access_token).get_profile(api::GetProfileRequest {}).await;
        let refused = refusal(answer);
        // Until the service has heard of it, there is nobody to show.
        assert!(["NOT_FOUND", "TOKEN_INVALID"].contains(&refused.reason.as_str()), "{}", refused.reason);
        (refused.reason == "TOKEN_INVALID").then_some(())
    })
    .await;
    let contact = api::GetContactRequest { person_id: person.to_string(), purpose: "发送通知".to_owned() };
    let mut notifications = ProfilesClient::new(desk.identity.service("notifications"));
    eventually("the key to be destroyed", async || {
        notifications.clone().get_contact(contact.clone()).await.err().map(|status| status.code())
    })
    .await;
    assert_eq!(refusal(notifications.get_contact(contact).await).code, Code::NotFound);

    let again = desk.newcomer(&teacher).await;
    assert_ne!(desk.person_id(&again.access_token).await, person, "whoever comes back is somebody new");
}

#[tokio::test]
async fn the_same_request_has_one_effect_and_a_begun_erasure_goes_on() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    eventually("the view of applications", async || {
        let bad = api::RequestErasureRequest { password: "falsch77#".to_owned(), ..request(&teacher) };
        let refused = refusal(erasure(&desk, &token).request_erasure(bad).await);
        desk.sql("DELETE FROM sign_in_failure").await;
        (refused.reason == "WRONG_PASSWORD").then_some(())
    })
    .await;
    let request = request(&teacher);
    let asked = Asked {
        actor: format!("person:{person}"),
        id: request.request_id.parse().unwrap(),
        fingerprint: rpc::fingerprint(&request),
    };
    let first = eventually("the erasure", async || {
        erasure(&desk, &token).request_erasure(request.clone()).await.ok().map(tonic::Response::into_inner)
    })
    .await;
    let handle = desk.handle().await;
    let repeated = handle.request_erasure(&asked, person, Password::new(teacher.password.clone())).await.unwrap();
    assert_eq!(repeated, Asking::Erased(first.erasure_id.parse().unwrap()));

    let confirmations = async || {
        let stream = first.erasure_id.parse().unwrap();
        desk.identity.service.ground.log.load(stream).await.unwrap()
    };
    eventually("the confirmation", async || (!confirmations().await.is_empty()).then_some(())).await;
    // As after a crash before the checkpoint: the reaction sees every event again.
    desk.sql(
        "UPDATE public.feed_checkpoint SET epoch = 0, position = 0, hash = decode(repeat('00', 32), 'hex')
         WHERE name = 'on_person_erased'",
    )
    .await;
    let head = desk.head().await;
    eventually("the reaction to have seen all again", async || {
        let sql = "SELECT position FROM public.feed_checkpoint WHERE name = 'on_person_erased'";
        let position: i64 = sqlx::query_scalar(sql).fetch_one(&desk.identity.service.ground.pool).await.unwrap();
        (position == head).then_some(())
    })
    .await;
    let confirmed = confirmations().await;
    assert_eq!(confirmed.len(), 1);
    assert_eq!(confirmed[0].kind, PersonalDataErased::full_name());
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn an_open_application_comes_first_and_a_conclusion_is_kept_for_years() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let certificate = file(&desk, person).await;
    heard(&desk, 1).await;
    let refused = eventually("the view of applications", async || {
        let refused = refusal(erasure(&desk, &token).request_erasure(request(&teacher)).await);
        (refused.reason != "REFERENCE_NOT_READY").then_some(refused)
    })
    .await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "APPLICATION_OPEN"));

    let year = lifecycle::clock::now().year();
    let concluded = applications::ApplicationConcluded {
        certificate_id: certificate.to_string(),
        enrolment_number: NUMBER.to_owned(),
        conclude_date: format!("{}-06-30", year - 1),
        ..Default::default()
    };
    let appended = desk.identity.neighbour("applications").publish(certificate, "320302", &concluded).await;
    heard(&desk, appended.position).await;
    let restricted = erase(&desk, &token, &teacher).await;
    assert_eq!((restricted.erasure_id.as_str(), restricted.archive_end_date), ("", format!("{}-06-30", year + 5)));

    let of_staff = async |token: &str| {
        let mut staff = StaffClient::new(desk.identity.with_token(token));
        refusal(staff.list_grants(api::ListGrantsRequest::default()).await).reason
    };
    eventually("the token from before to be restricted", async || {
        (of_staff(&token).await == "ACCOUNT_RESTRICTED").then_some(())
    })
    .await;
    let token = desk.sign_in(&teacher).await.access_token;
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!(profile.masked_name, "示例*", "one's own data stays open");
    let mut staff = StaffClient::new(desk.identity.with_token(&token));
    let refused = refusal(staff.list_grants(api::ListGrantsRequest::default()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "ACCOUNT_RESTRICTED"));

    let withdraw = || api::WithdrawErasureRequest {
        request_id: lifecycle::ids::random().to_string(),
        password: teacher.password.clone(),
    };
    let first = withdraw();
    erasure(&desk, &token).withdraw_erasure(first.clone()).await.unwrap();
    erasure(&desk, &token).withdraw_erasure(first).await.unwrap();
    assert_eq!(refusal(erasure(&desk, &token).withdraw_erasure(withdraw()).await).reason, "NOT_RESTRICTED");
    let token = desk.sign_in(&teacher).await.access_token;
    eventually("the account to be free again", async || (of_staff(&token).await == "ROLE_REQUIRED").then_some(()))
        .await;

    desk.sql("UPDATE views.filed_application SET concluded = concluded - interval '6 years'").await;
    assert_ne!(erase(&desk, &token, &teacher).await.erasure_id, "", "nothing has to be kept any more");
}

#[tokio::test]
async fn staff_give_their_roles_back_first() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let (_, token) = desk.staff(&teacher, OwnRole::Helpdesk, "320000", None).await;
    let refused = eventually("the view of applications", async || {
        let refused = refusal(erasure(&desk, &token).request_erasure(request(&teacher)).await);
        (refused.reason != "REFERENCE_NOT_READY").then_some(refused)
    })
    .await;
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "ROLES_HELD"));
}

#[tokio::test]
async fn a_session_alone_forgets_nobody() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    for _ in 0..5 {
        let wrong = api::RequestErasureRequest { password: "falsch77#".to_owned(), ..request(&teacher) };
        assert_eq!(refusal(erasure(&desk, &token).request_erasure(wrong).await).reason, "WRONG_PASSWORD");
    }
    let refused = refusal(erasure(&desk, &token).request_erasure(request(&teacher)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "LOCKED_OUT"));
    assert_eq!(refusal(desk.sessions().start_sign_in(teacher.credentials()).await).reason, "LOCKED_OUT");

    let anyone = ErasureClient::new(desk.identity.anyone()).request_erasure(request(&teacher)).await;
    assert_eq!(refusal(anyone).reason, "SIGN_IN_REQUIRED");
    let empty = erasure(&desk, &token).request_erasure(api::RequestErasureRequest::default()).await;
    assert_eq!(violations(&refusal(empty)), [("request_id", "REQUIRED"), ("password", "REQUIRED")]);
    let mut receipts = ErasureClient::new(desk.identity.anyone());
    let unknown = api::GetReceiptRequest { erasure_id: Uuid::from_u128(7).to_string() };
    assert_eq!(refusal(receipts.get_receipt(unknown).await).code, Code::NotFound);
    let malformed = receipts.get_receipt(api::GetReceiptRequest { erasure_id: "7".to_owned() }).await;
    assert_eq!(violations(&refusal(malformed)), [("erasure_id", "NOT_A_UUID")]);
}

#[tokio::test]
async fn nothing_is_destroyed_while_applications_is_not_heard() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let refused = refusal(erasure(&desk, &token).request_erasure(request(&teacher)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "REFERENCE_NOT_READY"));
    assert!(refused.retry_after.is_some());
}
