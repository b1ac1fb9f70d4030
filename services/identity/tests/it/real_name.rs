//! `RealName`: against a register, and against a provider that answers, refuses, fails, is slow, or lies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use identity::real_name::Settings;
use proto::identity::v1 as api;
use proto::identity::v1::real_name_client::RealNameClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, retry_within, violations};

/// What a provider does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Match,
    Mismatch,
    /// Answers a question that was not asked.
    AnotherRequest,
    /// Answers something else.
    Garbage,
    /// Answers without an end.
    Flood,
    /// Fails the first time.
    FailsOnce,
    Fails,
    Forbids,
    Silent,
    HangsUp,
}

/// A provider on this machine; keeps what it was asked.
struct Provider {
    url: String,
    way: Arc<Mutex<Way>>,
    asked: Arc<Mutex<Vec<String>>>,
    calls: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/check", listener.local_addr().unwrap());
        let (way, asked, calls) = (Arc::new(Mutex::new(way)), Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let provider = Self { url, way, asked, calls };
        let (way, asked, calls) = (Arc::clone(&provider.way), Arc::clone(&provider.asked), Arc::clone(&provider.calls));
        #[expect(clippy::disallowed_methods, reason = "the server of a test lives as long as its runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (way, asked, call) =
                    (*way.lock().unwrap(), Arc::clone(&asked), calls.fetch_add(1, Ordering::Relaxed));
                tokio::spawn(async move { serve(stream, way, &asked, call).await });
            }
        });
        provider
    }

    fn settings(&self, token_file: std::path::PathBuf) -> Settings {
        std::fs::write(&token_file, "geheim-token\n").unwrap();
        Settings { real_name_url: Some(self.url.clone()), real_name_token_file: Some(token_file), real_name_file: None }
    }

    fn goes(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// One question, one answer, one connection.
async fn serve(mut stream: TcpStream, way: Way, asked: &Mutex<Vec<String>>, call: usize) {
    let mut request = String::new();
    let body = loop {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if body.len() >= length.unwrap().parse().unwrap() {
            break body.to_owned();
        }
    };
    asked.lock().unwrap().push(request);
    let question: serde_json::Value = serde_json::from_str(&body).unwrap();
    let answer = |result: &str| serde_json::json!({"request_id": question["request_id"], "result": result}).to_string();
    let (status, body) = match way {
        Way::Match => ("200 OK", answer("MATCH")),
        Way::Mismatch => ("200 OK", answer("MISMATCH")),
        Way::AnotherRequest => {
            ("200 OK", serde_json::json!({"request_id": uuid::Uuid::from_u128(7), "result": "MATCH"}).to_string())
        }
        Way::Garbage => ("200 OK", answer("PERHAPS")),
        Way::Flood => ("200 OK", "{".repeat(100_000)),
        Way::FailsOnce if call > 0 => ("200 OK", answer("MATCH")),
        Way::FailsOnce | Way::Fails => ("503 Service Unavailable", answer("MATCH")),
        Way::Forbids => ("403 Forbidden", answer("MATCH")),
        Way::Silent => return tokio::time::sleep(Duration::from_secs(60)).await,
        Way::HangsUp => return,
    };
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // Whoever has read enough may be gone.
    let _ = stream.write_all(response.as_bytes()).await;
}

fn verify(name: &str) -> api::VerifyRealNameRequest {
    api::VerifyRealNameRequest { request_id: lifecycle::ids::random().to_string(), name: name.to_owned() }
}

fn client(desk: &Desk, token: &str) -> RealNameClient<service::testing::Channel> {
    RealNameClient::new(desk.identity.with_token(token))
}

async fn profile(desk: &Desk, token: &str) -> api::GetProfileResponse {
    desk.profiles(token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner()
}

/// A desk with a provider that goes this way, and somebody who is signed in.
async fn desk_with(provider: &Provider) -> (Desk, String) {
    let desk = Desk::open_with(|folder| provider.settings(folder.join("token"))).await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    (desk, token)
}

#[tokio::test]
async fn a_register_says_whose_name_is_right_and_only_such_a_name_takes_the_old_ones_place() {
    let teacher = Teacher::new(1);
    let register = format!("number,name\n{},别人\n{},真名\n", Teacher::new(2).number, teacher.number);
    let desk = Desk::open_with(|folder| {
        let path = folder.join("names.csv");
        std::fs::write(&path, register).unwrap();
        Settings { real_name_file: Some(path), ..Settings::default() }
    })
    .await;
    let token = desk.newcomer(&teacher).await.access_token;
    let head = desk.head().await;
    let answer = client(&desk, &token).verify_real_name(verify("别人")).await.unwrap().into_inner();
    assert!(!answer.passed);
    let known = profile(&desk, &token).await;
    assert_eq!((known.masked_name.as_str(), known.name_verified), ("示例*", false), "nothing has changed");
    assert_eq!(desk.head().await, head + 1, "that it was refused is recorded");

    let request = verify("真名");
    assert!(client(&desk, &token).verify_real_name(request.clone()).await.unwrap().into_inner().passed);
    let known = profile(&desk, &token).await;
    assert_eq!((known.masked_name.as_str(), known.name_verified), ("真*", true));
    assert_eq!(desk.head().await, head + 3, "changed and verified");
    assert!(client(&desk, &token).verify_real_name(request).await.unwrap().into_inner().passed);
    assert!(client(&desk, &token).verify_real_name(verify("真名")).await.unwrap().into_inner().passed);
    assert_eq!(desk.head().await, head + 3, "what is verified is recorded once");
}

#[tokio::test]
async fn a_provider_is_asked_by_the_contract_and_its_answer_is_kept() {
    let provider = Provider::start(Way::Mismatch).await;
    let (desk, token) = desk_with(&provider).await;
    let request = verify("真名");
    assert!(!client(&desk, &token).verify_real_name(request.clone()).await.unwrap().into_inner().passed);
    provider.goes(Way::Match);
    assert!(!client(&desk, &token).verify_real_name(request.clone()).await.unwrap().into_inner().passed);
    assert_eq!(provider.calls(), 1, "a repeated request is answered from memory");
    let asked = provider.asked.lock().unwrap()[0].clone();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("post /check http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer geheim-token\r\n"), "{head}");
    assert!(head.contains(&format!("idempotency-key: {}\r\n", request.request_id)), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "request_id": request.request_id, "document_type": "RESIDENT_ID", "number": Teacher::new(1).number, "name": "真名"
    });
    assert_eq!(body, expected);
    assert!(client(&desk, &token).verify_real_name(verify("真名")).await.unwrap().into_inner().passed);
    assert_eq!(profile(&desk, &token).await.masked_name, "真*");
    let other = api::VerifyRealNameRequest { name: "假名".to_owned(), ..request };
    assert_eq!(refusal(client(&desk, &token).verify_real_name(other).await).reason, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_provider_that_gives_no_answer_of_the_contract_records_nothing() {
    let provider = Provider::start(Way::Match).await;
    let (desk, token) = desk_with(&provider).await;
    let head = desk.head().await;
    for (way, calls) in [
        (Way::AnotherRequest, 1),
        (Way::Garbage, 1),
        (Way::Flood, 1),
        (Way::Forbids, 1),
        (Way::Fails, 2),
        (Way::HangsUp, 2),
    ] {
        provider.goes(way);
        let before = provider.calls();
        let refused = refusal(client(&desk, &token).verify_real_name(verify("真名")).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"), "{way:?}");
        assert_eq!(refused.metadata["dependency"], "real-name");
        assert_eq!(provider.calls() - before, calls, "{way:?}");
    }
    assert_eq!(desk.head().await, head);
    assert!(!profile(&desk, &token).await.name_verified);
    provider.goes(Way::Match);
    let answer = client(&desk, &token).verify_real_name(verify("示例一")).await.unwrap().into_inner();
    assert!(answer.passed, "whoever was told to try again later is not locked out");
}

#[tokio::test]
async fn a_provider_that_fails_once_is_asked_once_more() {
    let provider = Provider::start(Way::FailsOnce).await;
    let (desk, token) = desk_with(&provider).await;
    assert!(client(&desk, &token).verify_real_name(verify("真名")).await.unwrap().into_inner().passed);
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn a_provider_that_is_silent_is_not_waited_for_longer_than_twice_three_seconds() {
    let provider = Provider::start(Way::Silent).await;
    let (desk, token) = desk_with(&provider).await;
    let head = desk.head().await;
    let answer =
        tokio::time::timeout(Duration::from_secs(15), client(&desk, &token).verify_real_name(verify("真名"))).await;
    let refused = refusal(answer.expect("an answer, in time"));
    assert_eq!(refused.reason, "DEPENDENCY_UNAVAILABLE");
    assert_eq!((provider.calls(), desk.head().await), (2, head));
}

#[tokio::test]
async fn five_names_that_do_not_pass_are_enough() {
    let provider = Provider::start(Way::Mismatch).await;
    let (desk, token) = desk_with(&provider).await;
    for _ in 0..5 {
        assert!(!client(&desk, &token).verify_real_name(verify("假名")).await.unwrap().into_inner().passed);
    }
    let refused = refusal(client(&desk, &token).verify_real_name(verify("真名")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_CHECKS"));
    assert!(retry_within(&refused, Duration::from_secs(901)), "{refused:?}");
    assert_eq!(provider.calls(), 5, "nobody is asked for more");
}

#[tokio::test]
async fn the_name_that_has_passed_is_asked_about_no_more_and_names_that_pass_count_like_any_other() {
    let provider = Provider::start(Way::Match).await;
    let (desk, token) = desk_with(&provider).await;
    let check = async |name| client(&desk, &token).verify_real_name(verify(name)).await;
    assert!(check("真名").await.unwrap().into_inner().passed);
    let head = desk.head().await;
    for _ in 0..10 {
        assert!(check(" 真名").await.unwrap().into_inner().passed);
    }
    assert_eq!((provider.calls(), desk.head().await), (1, head));
    for name in ["假名", "真名", "假名", "真名"] {
        assert!(check(name).await.unwrap().into_inner().passed);
    }
    assert_eq!(refusal(check("假名").await).reason, "TOO_MANY_CHECKS");
    assert!(check("真名").await.unwrap().into_inner().passed);
    assert_eq!(provider.calls(), 5);
}

#[tokio::test]
async fn a_provider_that_gives_no_answer_takes_back_no_check_but_its_own() {
    let provider = Provider::start(Way::Mismatch).await;
    let (desk, token) = desk_with(&provider).await;
    let check = async || client(&desk, &token).verify_real_name(verify("假名")).await;
    for _ in 0..4 {
        assert!(!check().await.unwrap().into_inner().passed);
    }
    provider.goes(Way::Forbids);
    for _ in 0..3 {
        assert_eq!(refusal(check().await).reason, "DEPENDENCY_UNAVAILABLE");
    }
    provider.goes(Way::Mismatch);
    assert!(!check().await.unwrap().into_inner().passed);
    assert_eq!(refusal(check().await).reason, "TOO_MANY_CHECKS");
}

#[tokio::test]
async fn without_a_provider_no_name_is_checked_and_fields_are_judged_first() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let refused = refusal(client(&desk, &token).verify_real_name(verify("真名")).await);
    assert_eq!(refused.reason, "DEPENDENCY_UNAVAILABLE");
    let wrong = api::VerifyRealNameRequest { request_id: "1".to_owned(), name: "x".to_owned() };
    let refused = refusal(client(&desk, &token).verify_real_name(wrong).await);
    assert_eq!(violations(&refused), [("request_id", "NOT_A_UUID"), ("name", "MALFORMED")]);
    let refused = refusal(client(&desk, "").verify_real_name(verify("真名")).await);
    assert_eq!(refused.code, Code::Unauthenticated);
}
