//! `WechatBindings` against a gateway to WeChat that answers by the contract, or does not.

use std::sync::{Arc, Mutex};

use identity::wechat::Settings;
use proto::identity::v1 as api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal};
use crate::wechat::{reset_by_wechat, wechat};

const OPENID: &str = "oExample-WeChat_0003";

/// What a gateway answers, whatever it is asked; beside the id of the request.
type Answers = Arc<Mutex<Value>>;

/// A gateway on this machine; keeps what it was asked: path, head, body.
struct Gateway {
    url: String,
    answers: Answers,
    asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Gateway {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wechat", listener.local_addr().unwrap());
        let by_contract = json!({"qr_text": "https://qr.example/q/1", "result": "SCANNED", "openid": OPENID});
        let gateway = Self { url, answers: Arc::new(Mutex::new(by_contract)), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&gateway.answers), Arc::clone(&gateway.asked));
        #[expect(clippy::disallowed_methods, reason = "the server of a test lives as long as its runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                tokio::spawn(async move { serve(stream, &answers, &asked).await });
            }
        });
        gateway
    }

    fn answers(&self, answer: Value) {
        *self.answers.lock().unwrap() = answer;
    }

    fn last(&self) -> (String, String, Value) {
        self.asked.lock().unwrap().last().unwrap().clone()
    }

    async fn desk(&self) -> Desk {
        Desk::open_with_wechat(|folder| {
            let token_file = folder.join("wechat-token");
            std::fs::write(&token_file, "geheim-token\n").unwrap();
            Settings { wechat_url: Some(self.url.clone()), wechat_token_file: Some(token_file), wechat_dir: None }
        })
        .await
    }
}

/// One question, one answer, one connection.
async fn serve(mut stream: TcpStream, answers: &Mutex<Value>, asked: &Mutex<Vec<(String, String, Value)>>) {
    let mut request = String::new();
    let (head, body) = loop {
        let mut bytes = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else { return };
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        if body.len() >= length.unwrap().parse().unwrap() {
            break (head, body.to_owned());
        }
    };
    let question: Value = serde_json::from_str(&body).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut answer = answers.lock().unwrap().clone();
    if let Some(fields) = answer.as_object_mut().filter(|fields| !fields.contains_key("request_id")) {
        if path.ends_with("/messages") {
            fields.insert("result".to_owned(), "SENT".into());
        }
        fields.insert("request_id".to_owned(), question["request_id"].clone());
    }
    asked.lock().unwrap().push((path, head, question));
    let body = answer.to_string();
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // Whoever has read enough may be gone.
    let _ = stream.write_all(response.as_bytes()).await;
}

fn begin(teacher: &Teacher) -> api::BeginWechatBindingRequest {
    api::BeginWechatBindingRequest { password: teacher.password.clone() }
}

#[tokio::test]
async fn a_gateway_is_asked_by_the_contract() {
    let gateway = Gateway::start().await;
    let desk = gateway.desk().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let begun = wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await.unwrap().into_inner();
    assert_eq!(begun.qr_text, "https://qr.example/q/1");
    let (path, head, body) = gateway.last();
    assert!(head.contains("authorization: bearer geheim-token\r\n"), "{head}");
    assert!(head.contains(&format!("idempotency-key: {}", body["request_id"].as_str().unwrap())), "{head}");
    let expected = json!({"request_id": body["request_id"], "ticket_id": begun.ticket_id, "life_seconds": 300});
    assert_eq!((path.as_str(), &body), ("/wechat/tickets", &expected));

    let request_id = lifecycle::ids::random().to_string();
    let complete = api::CompleteWechatBindingRequest { request_id, ticket_id: begun.ticket_id.clone() };
    gateway.answers(json!({"result": "WAITING"}));
    let refused = refusal(wechat(&desk, &token).complete_wechat_binding(complete.clone()).await);
    assert_eq!(refused.reason, "WECHAT_NOT_SCANNED");
    let (_, _, first) = gateway.last();
    gateway.answers(json!({"result": "SCANNED", "openid": OPENID}));
    wechat(&desk, &token).complete_wechat_binding(complete).await.unwrap();
    let (path, _, body) = gateway.last();
    assert_eq!(path, "/wechat/scans");
    assert_eq!(body, json!({"request_id": body["request_id"], "ticket_id": begun.ticket_id}));
    assert_ne!(body["request_id"], first["request_id"], "each time it is another question");

    let calls = gateway.asked.lock().unwrap().len();
    let request_id = lifecycle::ids::random().to_string();
    let again = api::CompleteWechatBindingRequest { request_id, ticket_id: begun.ticket_id };
    assert_eq!(refusal(wechat(&desk, &token).complete_wechat_binding(again).await).reason, "WECHAT_TICKET_EXPIRED");
    assert_eq!(gateway.asked.lock().unwrap().len(), calls, "nobody is asked about a ticket that was used");

    let reset = reset_by_gateway(&gateway, &desk, &teacher).await;
    assert_eq!(reset, ("/wechat/messages".to_owned(), OPENID.to_owned(), "recovery_code".to_owned()));
}

/// Path, openid and template of the message that a recovery sends; its code resets the password.
async fn reset_by_gateway(gateway: &Gateway, desk: &Desk, teacher: &Teacher) -> (String, String, String) {
    let codes = || {
        let asked = gateway.asked.lock().unwrap();
        let sent = asked.iter().filter(|(path, ..)| path.ends_with("/messages"));
        sent.map(|(.., body)| body["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let request = reset_by_wechat(desk, teacher, codes).await;
    let mut client = proto::identity::v1::recovery_client::RecoveryClient::new(desk.identity.anyone());
    client.reset_password_by_code(request).await.unwrap();
    let (path, _, body) = gateway.last();
    (path, body["openid"].as_str().unwrap().to_owned(), body["template"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_gateway_that_gives_no_answer_of_the_contract_binds_nobody() {
    let gateway = Gateway::start().await;
    let desk = gateway.desk().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let begun = wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await.unwrap().into_inner();
    let head = desk.head().await;
    for answer in [
        json!({"result": "SCANNED"}),
        json!({"result": "SCANNED", "openid": ""}),
        json!({"result": "SCANNED", "openid": "a b"}),
        json!({"result": "PERHAPS", "openid": OPENID}),
        json!({"openid": OPENID}),
        json!({"result": "SCANNED", "openid": OPENID, "request_id": uuid::Uuid::from_u128(7)}),
        json!([]),
    ] {
        gateway.answers(answer.clone());
        let request_id = lifecycle::ids::random().to_string();
        let complete = api::CompleteWechatBindingRequest { request_id, ticket_id: begun.ticket_id.clone() };
        let refused = refusal(wechat(&desk, &token).complete_wechat_binding(complete).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"), "{answer}");
        assert_eq!(refused.metadata["dependency"], "wechat");
    }
    for answer in [json!({"qr_text": ""}), json!({"qr_text": "x".repeat(1025)}), json!({})] {
        gateway.answers(answer.clone());
        let refused = refusal(wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await);
        assert_eq!(refused.reason, "DEPENDENCY_UNAVAILABLE", "{answer}");
    }
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn without_a_gateway_nothing_is_bound() {
    let desk = Desk::open_with_wechat(|_| Settings::default()).await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let refused = refusal(wechat(&desk, &token).begin_wechat_binding(begin(&teacher)).await);
    assert_eq!(
        (refused.reason.as_str(), refused.metadata["dependency"].as_str()),
        ("DEPENDENCY_UNAVAILABLE", "wechat")
    );
}
