//! Persons whose data is looked for afterwards: in every log line, every refusal, every table of the database.

use std::io::Write;
use std::sync::{Arc, Mutex};

use identity::domain::role::Role;
use proto::identity::v1 as api;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::staff_client::StaffClient;
use sqlx::{AssertSqlSafe, PgPool};
use tonic::Status;
use tracing_subscriber::EnvFilter;

use crate::desk::{Desk, Teacher};

#[derive(Clone, Default)]
pub struct Lines(pub Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that this process logs from now on; ours in full, the libraries as operators set them.
pub fn listen() -> Lines {
    let lines = Lines::default();
    let writer = lines.clone();
    let ours =
        ["identity", "access", "service", "rpc", "eventlog", "eventbus", "vault", "telemetry", "lifecycle", "call"];
    let filter: Vec<String> = ours.iter().map(|name| format!("{name}=trace")).collect();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("debug,h2=info,hyper=info,{}", filter.join(","))))
        .without_time()
        .with_writer(move || writer.clone())
        .init();
    lines
}

/// Every row of every table as text, where bytes are hexadecimal.
pub async fn dump(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let query = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        rows.extend(sqlx::query_scalar::<_, String>(query).fetch_all(pool).await.unwrap());
    }
    rows.join("\n")
}

fn canary() -> Teacher {
    Teacher { name: "金丝雀".to_owned(), password: "Kanarienvogel77#".to_owned(), ..Teacher::new(777) }
}

/// Walks the canary through every flow and returns what it was refused.
async fn walk(desk: &Desk, canary: &Teacher, email: &str) -> Vec<Status> {
    let mut refused = Vec::new();
    let mut request = desk.registration(canary).await;
    request.email = email.to_owned();
    (request.email_challenge_id, request.email_code) = desk.email_code(email).await;
    let wrong = api::RegisterAccountRequest { phone_code: "000000".to_owned(), ..request.clone() };
    refused.extend(desk.accounts().register_account(wrong).await.err());
    let broken = api::RegisterAccountRequest { number: format!("{}7", canary.number), ..request.clone() };
    refused.extend(desk.accounts().register_account(broken).await.err());
    desk.accounts().register_account(request.clone()).await.unwrap();
    let reused = api::RegisterAccountRequest { name: "金丝鸟".to_owned(), ..request };
    refused.extend(desk.accounts().register_account(reused).await.err());

    let wrong = Teacher { password: "Kanarienvogel78#".to_owned(), ..canary.clone() };
    refused.extend(desk.sessions().start_sign_in(wrong.credentials()).await.err());
    let attempt = desk.start_sign_in(canary).await;
    refused.extend(desk.sessions().start_sign_in(canary.credentials()).await.err());
    let tokens = desk.sessions().complete_sign_in(attempt.clone()).await.unwrap().into_inner().tokens.unwrap();
    refused.extend(desk.sessions().complete_sign_in(attempt).await.err());

    let token = tokens.access_token;
    let person_id = desk.person_id(&token).await.to_string();
    let profile = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        sex: "1".to_owned(),
        ..Default::default()
    };
    refused.extend(desk.profiles(&token).complete_profile(profile.clone()).await.err());
    let profile = api::CompleteProfileRequest { sex: String::new(), ..profile };
    desk.profiles(&token).complete_profile(profile).await.unwrap();
    let lookups = vec![api::PersonLookup { number: canary.number.clone(), name: canary.name.clone() }];
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    let found = certificates.find_person_by_number(api::FindPersonByNumberRequest { lookups }).await.unwrap();
    assert!(found.into_inner().matches[0].name_matches);
    let contact = api::GetContactRequest { person_id: person_id.clone(), purpose: "发送通知".to_owned() };
    let mut notifications = ProfilesClient::new(desk.identity.service("notifications"));
    assert_eq!(notifications.get_contact(contact).await.unwrap().into_inner().phone, canary.phone);

    let (_, administrator) = desk.staff(&Teacher::new(1), Role::SecurityAdmin, "320000", None).await;
    let grant = api::GrantRoleRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id,
        role: api::Role::Helpdesk.into(),
        scope: Some(api::Scope { division: "320000".to_owned(), unit_id: String::new() }),
    };
    let mut staff = StaffClient::new(desk.identity.with_token(&administrator));
    staff.grant_role(grant.clone()).await.unwrap();
    let again = api::GrantRoleRequest { request_id: lifecycle::ids::random().to_string(), ..grant };
    refused.extend(staff.grant_role(again).await.err());

    let refresh = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    desk.sessions().refresh_session(refresh.clone()).await.unwrap();
    refused.extend(desk.sessions().refresh_session(refresh).await.err());
    refused
}

#[tokio::test]
async fn a_canary_is_found_in_no_log_line_no_refusal_and_no_table() {
    let lines = listen();
    let desk = Desk::open().await;
    let (canary, email) = (canary(), "canary77@school.example");
    let refused = walk(&desk, &canary, email).await;
    assert_eq!(refused.len(), 9);
    let refused: Vec<String> =
        refused.iter().map(|status| format!("{status:?} {}", hex::encode(status.details()))).collect();
    let refused = refused.join(
        "
",
    );
    let stored = dump(&desk.identity.service.ground.pool).await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("published a signing key"), "the log was listened to");
    assert!(logged.contains("RegisterAccount"), "the calls, too");

    for secret in [&canary.number, &canary.name, &canary.phone, &canary.password, email] {
        let bytes = hex::encode(secret);
        for (place, text) in [("log", &logged), ("refusals", &refused), ("database", &stored)] {
            assert!(!text.contains(secret), "{secret} is in the {place}");
            assert!(!text.to_lowercase().contains(&bytes), "{secret} is in the {place}, as bytes");
        }
    }
    let codes = desk.outbox.secrets();
    assert!(codes.len() >= 3);
    for code in codes {
        for (place, text) in [("log", &logged), ("refusals", &refused)] {
            let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            assert!(!words.contains(&code.as_str()), "a code is in the {place}");
        }
        assert!(!stored.contains(&hex::encode(&code)), "a code is in the database, as bytes");
    }
    // The walk itself can be seen: the canary's events are there, sealed.
    assert!(stored.contains("dingzhu.identity.v1.ProfileCompleted"));
}
