//! `Secrets/Deliver`: for identity only, at once, once per request, and nothing of it stays anywhere.

use std::fs;

use proto::notifications::v1::secrets_client::SecretsClient;
use proto::notifications::v1::{Channel, DeliverRequest};
use rpc::Refusal;
use tonic::Code;
use uuid::Uuid;

use crate::stage::{Stage, person};

const PHONE: &str = "13800002222";

fn request(id: Uuid) -> DeliverRequest {
    DeliverRequest {
        request_id: id.to_string(),
        channel: Channel::Sms.into(),
        address: PHONE.to_owned(),
        template: "sign_in_code".to_owned(),
        secret: "730194".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_sent_before_the_answer_and_a_repetition_sends_nothing() {
    let stage = Stage::set(&[]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let id = lifecycle::ids::random();
    secrets.deliver(request(id)).await.unwrap();
    let sent = stage.files("sms");
    assert_eq!(sent.len(), 1);
    let sms: serde_json::Value = serde_json::from_str(&sent[0]).unwrap();
    assert_eq!((sms["to"].as_str(), sms["template"].as_str()), (Some(PHONE), Some("sign_in_code")));
    assert!(sms["text"].as_str().unwrap().contains("验证码730194，"));

    fs::remove_dir_all(stage.folder.path().join("sms")).unwrap();
    fs::create_dir(stage.folder.path().join("sms")).unwrap();
    secrets.deliver(request(id)).await.unwrap();
    assert!(stage.files("sms").is_empty(), "the same request is sent once");
    secrets.deliver(request(lifecycle::ids::random())).await.unwrap();
    assert_eq!(stage.files("sms").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_three_times_at_once_is_sent_once() {
    let stage = Stage::set(&[]).await;
    let id = lifecycle::ids::random();
    let secrets = SecretsClient::new(stage.running.service("identity"));
    let calls = (0..3).map(|_| {
        let mut secrets = secrets.clone();
        async move { secrets.deliver(request(id)).await }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().any(Result::is_ok));
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let refusal = Refusal::from_status(refused);
        assert_eq!((refusal.code, refusal.reason.as_str()), (Code::Aborted, "CONFLICT"));
        assert!(refusal.retry_after.is_some());
    }
    assert_eq!(stage.files("sms").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_secret_is_stored_or_recorded() {
    let stage = Stage::set(&[]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let id = lifecycle::ids::random();
    secrets.deliver(request(id)).await.unwrap();
    let stored = stage.everything_stored().await;
    assert!(stored.contains(&id.to_string()), "the search looks at the right tables");
    for secret in ["730194", PHONE] {
        let hex = hex::encode(secret);
        assert!(!stored.contains(secret) && !stored.contains(&hex), "{secret} is stored");
    }
    assert!(stage.log().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_says_so_and_the_same_request_may_be_repeated_at_once() {
    let stage = Stage::set(&[]).await;
    let folder = stage.folder.path().join("sms");
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let id = lifecycle::ids::random();
    fs::remove_dir(&folder).unwrap();
    let refused = Refusal::from_status(&secrets.deliver(request(id)).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "CHANNEL_FAILED"));
    assert!(refused.retry_after.is_some());
    assert!(!refused.sentence.contains(PHONE));

    fs::create_dir(&folder).unwrap();
    secrets.deliver(request(id)).await.unwrap();
    assert_eq!(stage.files("sms").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_identity_may_hand_over_secrets() {
    let stage = Stage::set(&[]).await;
    let id = lifecycle::ids::random();
    let refused = SecretsClient::new(stage.running.service("applications")).deliver(request(id)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = SecretsClient::new(stage.running.person(person(1))).deliver(request(id)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = SecretsClient::new(stage.running.anyone()).deliver(request(id)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(stage.files("sms").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_refused_all_at_once_and_nothing_is_sent() {
    let stage = Stage::set(&[]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let cases = [
        (
            DeliverRequest { channel: Channel::Inbox.into(), ..DeliverRequest::default() },
            vec![("request_id", "REQUIRED"), ("template", "UNKNOWN_VALUE"), ("channel", "UNKNOWN_VALUE")],
        ),
        (
            DeliverRequest { address: "12".to_owned(), secret: "1 2".to_owned(), ..request(person(1)) },
            vec![("address", "MALFORMED"), ("secret", "MALFORMED")],
        ),
        (
            DeliverRequest { channel: Channel::Mail.into(), address: "a@b.cn".to_owned(), ..request(person(1)) },
            vec![("channel", "CHANNEL_NOT_OFFERED")],
        ),
        (
            DeliverRequest { template: "account_exists".to_owned(), ..request(person(1)) },
            vec![("secret", "NOT_ALLOWED")],
        ),
        (
            DeliverRequest { template: "application_submitted".to_owned(), ..request(person(1)) },
            vec![("template", "UNKNOWN_VALUE")],
        ),
    ];
    for (request, expected) in cases {
        let refused = Refusal::from_status(&secrets.deliver(request).await.unwrap_err());
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
        let found: Vec<_> =
            refused.violations.iter().map(|violation| (violation.field.as_str(), violation.reason.as_str())).collect();
        assert_eq!(found, expected);
        assert!(refused.violations.iter().all(|violation| !violation.sentence.contains("730194")));
    }
    assert!(stage.files("sms").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_without_a_code_is_sent_too() {
    let stage = Stage::set(&[]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let warning = DeliverRequest {
        template: "account_exists".to_owned(),
        secret: String::new(),
        ..request(lifecycle::ids::random())
    };
    secrets.deliver(warning).await.unwrap();
    assert!(stage.files("sms")[0].contains("您已有账号"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_forgotten_after_a_day() {
    let stage = Stage::set(&[]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let (old, new) = (lifecycle::ids::random(), lifecycle::ids::random());
    secrets.deliver(request(old)).await.unwrap();
    secrets.deliver(request(new)).await.unwrap();
    let pool = &stage.running.service.ground.pool;
    sqlx::query("UPDATE secret SET asked_at = asked_at - interval '25 hours' WHERE request_id = $1")
        .bind(old)
        .execute(pool)
        .await
        .unwrap();
    let store = notifications::store::Store::new(pool.clone());
    assert_eq!(store.forget_old_secrets().await.unwrap(), 1);
    let left: Vec<Uuid> = sqlx::query_scalar("SELECT request_id FROM secret").fetch_all(pool).await.unwrap();
    assert_eq!(left, [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_recovery_goes_by_mail_to_the_portal() {
    let stage = Stage::set(&["--portal-url", "https://portal.example/"]).await;
    let mut secrets = SecretsClient::new(stage.running.service("identity"));
    let token = "ab".repeat(32);
    let link = DeliverRequest {
        channel: Channel::Mail.into(),
        address: "teacher@school.example".to_owned(),
        template: "recovery_link".to_owned(),
        secret: token.clone(),
        ..request(lifecycle::ids::random())
    };
    secrets.deliver(link).await.unwrap();
    let letters = stage.letters();
    let line = format!("https://portal.example/reset-password#{token}");
    assert!(letters[0].lines().any(|read| read == line), "{letters:?}");
    assert_eq!(letters.len(), 1);
}
