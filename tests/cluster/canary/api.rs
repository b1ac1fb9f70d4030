//! How canaries and those who deal with them call: any RPC by its name with JSON, and what comes by SMS and mail.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::actor::{Actor, Addresses, Letters};
use cluster::{Cluster, wait};
use serde_json::Value;
use tonic::{Code, Status};

/// How long what travels by events or by mail may take to arrive.
pub const ARRIVAL: Duration = Duration::from_secs(60);

/// Where to call, and where messages arrive. Clones share what was read already.
#[derive(Clone)]
pub struct Api {
    pub addresses: Addresses,
    pub letters: Letters,
    pub mails: Mails,
}

/// The folder into which the local cluster delivers mail.
#[derive(Clone)]
pub struct Mails {
    folder: PathBuf,
    read: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Api {
    pub fn of(cluster: &Cluster) -> Self {
        let layout = cluster.layout();
        let mails = Mails { folder: layout.mail(), read: Arc::default() };
        Self { addresses: layout.addresses(), letters: Letters::at(layout), mails }
    }

    /// Calls an RPC, of identity where no package is named, and gives the last answer as JSON. An array is a stream of requests.
    pub async fn ask(&self, who: Option<&Actor>, rpc: &str, request: Value) -> Result<Value, Status> {
        let name = if rpc.contains('.') { rpc.to_owned() } else { format!("identity.v1.{rpc}") };
        let url = match name.split('.').next().unwrap() {
            "identity" => &self.addresses.identity,
            "certificates" => &self.addresses.certificates,
            "scheduling" => &self.addresses.scheduling,
            "applications" => &self.addresses.applications,
            _ => &self.addresses.notifications,
        };
        crate::ask::ask(url, who, &format!("dingzhu.{name}"), &request).await
    }

    /// The same of a call that must be answered.
    pub async fn must(&self, who: &Actor, rpc: &str, request: Value) -> Value {
        self.ask(Some(who), rpc, request).await.unwrap_or_else(|status| panic!("{rpc}: {}", shown(&status)))
    }

    /// The same, once what the call needs has arrived by events.
    pub async fn once(&self, who: &Actor, rpc: &str, request: Value) -> Value {
        let answered = wait::until(rpc, ARRIVAL, async || match self.ask(Some(who), rpc, request.clone()).await {
            Err(status) if may_come_true(&status) => None,
            answered => Some(answered),
        });
        match answered.await {
            Ok(answered) => answered.unwrap_or_else(|status| panic!("{rpc}: {}", shown(&status))),
            Err(_) => self.must(who, rpc, request).await,
        }
    }

    /// Asks until the answer holds what is looked for.
    pub async fn until<T>(&self, who: &Actor, rpc: &str, request: Value, look: impl Fn(&Value) -> Option<T>) -> T {
        let mut last = Value::Null;
        let found = wait::until(rpc, ARRIVAL, async || {
            last = self.ask(Some(who), rpc, request.clone()).await.unwrap_or_else(|status| shown(&status).into());
            look(&last)
        });
        match found.await {
            Ok(found) => found,
            Err(failure) => panic!("{failure}: {last}"),
        }
    }
}

impl Mails {
    /// What stands behind the # of the link in the next unread mail to an address that has one.
    pub async fn token(&self, to: &str) -> String {
        wait::until("a mail", ARRIVAL, async || {
            let mut read = self.read.lock().unwrap();
            for path in std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                let is_mail = path.extension().is_some_and(|end| end == "eml") && !read.contains(&path);
                let text = if is_mail { std::fs::read_to_string(&path).unwrap() } else { String::new() };
                let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
                if !head.contains(&format!("To: {to}\r\n")) {
                    continue;
                }
                if let Some(found) = link_token(&decoded(head, body)) {
                    read.insert(path);
                    return Some(found);
                }
            }
            None
        })
        .await
        .unwrap()
    }
}

fn link_token(text: &str) -> Option<String> {
    let (_, token) = text.split_once('#')?;
    let token: String = token.chars().take_while(char::is_ascii_hexdigit).collect();
    (token.len() == 64).then_some(token)
}

/// The text of a mail, whichever way its bytes are written.
fn decoded(head: &str, body: &str) -> String {
    let head = head.to_ascii_lowercase();
    if head.contains("content-transfer-encoding: base64") {
        let packed: String = body.split_whitespace().collect();
        return String::from_utf8(STANDARD.decode(packed).unwrap()).unwrap();
    }
    if !head.contains("content-transfer-encoding: quoted-printable") {
        return body.to_owned();
    }
    let whole = body.replace("=\r\n", "");
    let mut parts = whole.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.extend(hex::decode(&part[..2]).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Refusals that end by themselves once the events have arrived.
fn may_come_true(status: &Status) -> bool {
    let waits = matches!(status.code(), Code::Unavailable | Code::NotFound | Code::PermissionDenied);
    waits || rpc::Refusal::from_status(status).reason == "CERTIFICATE_UNKNOWN"
}

/// All that a refusal tells, to be searched.
pub fn shown(status: &Status) -> String {
    format!("{status:?} {}", hex::encode(status.details()))
}
