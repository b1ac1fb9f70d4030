//! 实名核验: asks whoever knows whether a document number and a name belong together.
//!
//! The contract over HTTP, which a deployment's gateway to the real provider serves:
//!
//! ```text
//! POST <DINGZHU_REAL_NAME_URL>                       https, or http to this machine
//! authorization: Bearer <DINGZHU_REAL_NAME_TOKEN_FILE>
//! idempotency-key: <request_id>
//! content-type: application/json
//!
//! {"request_id": "<uuid>", "document_type": "RESIDENT_ID", "number": "…", "name": "…"}
//!
//! 200 {"request_id": "<the same>", "result": "MATCH"}     or "MISMATCH"
//! 429, 5xx                                                asked once more
//! anything else                                           a failure of the provider
//! ```
//!
//! `document_type` is one of `RESIDENT_ID`, `RESIDENCE_PERMIT`, `HK_MACAU_PERMIT`, `TAIWAN_PERMIT`. An answer has at most 4 KiB, comes within three
//! seconds and names the request: one that does not is no answer. Nothing that the provider says is logged, since it may repeat the person.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::contact::same_name;
use crate::domain::document::{Document, DocumentType};
use crate::error::Error;

/// How often the provider is asked, and how long it may take each time: a person waits.
const TRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(3);
/// Before the second time.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of the largest answer, and of the longest line of a register.
const LARGEST_ANSWER: usize = 4096;
const LONGEST_LINE: u64 = 1024;

/// Which provider, if any.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Where the provider is asked, by our contract: https, or http to this machine.
    #[arg(long, env = "DINGZHU_REAL_NAME_URL", requires = "real_name_token_file", conflicts_with = "real_name_file")]
    pub real_name_url: Option<String>,
    /// File with the token that the provider is shown.
    #[arg(long, env = "DINGZHU_REAL_NAME_TOKEN_FILE", requires = "real_name_url")]
    pub real_name_token_file: Option<PathBuf>,
    /// A register in place of a provider, for a local cluster: CSV in UTF-8 with the header `number,name`.
    #[arg(long, env = "DINGZHU_REAL_NAME_FILE")]
    pub real_name_file: Option<PathBuf>,
}

/// Who is asked. Clones share the connections.
#[derive(Clone)]
pub enum Provider {
    /// Nobody: every check is refused as unavailable.
    Off,
    /// A register on this machine.
    File(PathBuf),
    /// The provider of a deployment.
    Http(Arc<Http>),
}

/// A provider that speaks our contract.
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    host: String,
    authorization: HeaderValue,
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Not an address, or one that would carry personal data in clear over a network.
    #[error("DINGZHU_REAL_NAME_URL must be https, or http to this machine")]
    Url,
    /// The token cannot be read.
    #[error("cannot read {}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The token is none that a header can carry.
    #[error("{} does not hold a token", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The authorities that this machine trusts cannot be read.
    #[error("cannot read the certificate authorities of this machine")]
    Roots(#[source] io::Error),
}

/// Why there is no answer; the word is for the log.
enum Trouble {
    /// Another try may succeed.
    Passing(&'static str),
    /// It will not.
    Lasting(&'static str),
}

#[derive(Serialize)]
struct Question<'a> {
    request_id: Uuid,
    document_type: &'static str,
    number: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    request_id: Uuid,
    result: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Outcome {
    Match,
    Mismatch,
}

impl Provider {
    /// The one that the settings name; it is not asked yet.
    pub fn open(settings: &Settings) -> Result<Self, ProviderError> {
        match (&settings.real_name_url, &settings.real_name_token_file, &settings.real_name_file) {
            (Some(url), Some(token_file), _) => Ok(Self::Http(Arc::new(Http::open(url, token_file)?))),
            (_, _, Some(file)) => Ok(Self::File(file.clone())),
            _ => Ok(Self::Off),
        }
    }

    /// As it stands in the events: `file`, or the host.
    pub fn name(&self) -> &str {
        match self {
            Self::Off => "off",
            Self::File(_) => "file",
            Self::Http(http) => &http.host,
        }
    }

    /// Whether number and name belong together; the same `id` is one question.
    pub async fn check(&self, id: Uuid, document: &Document, name: &str) -> Result<bool, Error> {
        match self {
            Self::Off => Err(Error::RealNameUnavailable),
            Self::File(path) => {
                let (path, number, name) = (path.clone(), document.number().to_owned(), name.to_owned());
                let found = tokio::task::spawn_blocking(move || stands_in(&path, &number, &name)).await;
                found.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| {
                    tracing::warn!(kind = %error.kind(), "the register of names cannot be read");
                    Error::RealNameUnavailable
                })
            }
            Self::Http(http) => http.check(id, document, name).await,
        }
    }
}

impl Http {
    fn open(url: &str, token_file: &Path) -> Result<Self, ProviderError> {
        let url: Uri = url.parse().map_err(|_| ProviderError::Url)?;
        let host = url.host().ok_or(ProviderError::Url)?.to_owned();
        let is_here = matches!(host.as_str(), "127.0.0.1" | "[::1]" | "localhost");
        if !(url.scheme_str() == Some("https") || url.scheme_str() == Some("http") && is_here) {
            return Err(ProviderError::Url);
        }
        let path = || token_file.to_owned();
        let token =
            std::fs::read_to_string(token_file).map_err(|source| ProviderError::Token { path: path(), source })?;
        if token.trim().is_empty() {
            return Err(ProviderError::NoToken { path: path() });
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| ProviderError::NoToken { path: path() })?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(ProviderError::Roots)?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), url, host, authorization })
    }

    async fn check(&self, id: Uuid, document: &Document, name: &str) -> Result<bool, Error> {
        let question =
            Question { request_id: id, document_type: type_name(document.kind()), number: document.number(), name };
        let body = Bytes::from(serde_json::to_vec(&question).expect("plain values encode"));
        for attempt in 1..=TRIES {
            let asked = tokio::time::timeout(PATIENCE, self.ask(id, body.clone())).await;
            match asked.unwrap_or(Err(Trouble::Passing("timeout"))) {
                Ok(matches) => return Ok(matches),
                Err(Trouble::Passing(problem)) => {
                    tracing::warn!(attempt, problem, "the provider of real names did not answer");
                    if attempt < TRIES {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Err(Trouble::Lasting(problem)) => {
                    tracing::error!(problem, "the provider of real names gave no answer of its contract");
                    break;
                }
            }
        }
        Err(Error::RealNameUnavailable)
    }

    async fn ask(&self, id: Uuid, body: Bytes) -> Result<bool, Trouble> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", id.to_string())
            .body(Full::new(body))
            .expect("the parts were read before");
        let response = self.client.request(request).await.map_err(|_| Trouble::Passing("connection"))?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Trouble::Passing("status"));
            }
            _ => return Err(Trouble::Lasting("status")),
        }
        let read = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let read = read.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Trouble::Lasting("size")
            } else {
                Trouble::Passing("connection")
            }
        })?;
        let answer: Answer = serde_json::from_slice(&read.to_bytes()).map_err(|_| Trouble::Lasting("form"))?;
        if answer.request_id != id {
            return Err(Trouble::Lasting("another request"));
        }
        Ok(matches!(answer.result, Outcome::Match))
    }
}

const fn type_name(kind: DocumentType) -> &'static str {
    match kind {
        DocumentType::ResidentId => "RESIDENT_ID",
        DocumentType::ResidencePermit => "RESIDENCE_PERMIT",
        DocumentType::HkMacauPermit => "HK_MACAU_PERMIT",
        DocumentType::TaiwanPermit => "TAIWAN_PERMIT",
    }
}

/// Whether a register has this number with this name, read line by line.
fn stands_in(path: &Path, number: &str, name: &str) -> io::Result<bool> {
    let mut file = BufReader::new(std::fs::File::open(path)?);
    let mut line = String::new();
    loop {
        line.clear();
        if file.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let Some((of, called)) = line.trim_end().split_once(',') else { continue };
        if of.trim().eq_ignore_ascii_case(number) && same_name(called, name) {
            return Ok(true);
        }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str, token: &str) -> Result<Provider, ProviderError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token).unwrap();
        Provider::open(&Settings {
            real_name_url: Some(url.to_owned()),
            real_name_token_file: Some(file),
            real_name_file: None,
        })
    }

    #[test]
    fn personal_data_goes_in_clear_to_nobody_but_this_machine() {
        for url in ["http://provider.example/check", "ftp://127.0.0.1/", "provider.example", "/check", ""] {
            assert!(matches!(opened(url, "t"), Err(ProviderError::Url)), "{url}");
        }
        assert_eq!(opened("https://provider.example/check", "t").unwrap().name(), "provider.example");
        assert_eq!(opened("http://127.0.0.1:8080/check", "t").unwrap().name(), "127.0.0.1");
    }

    #[test]
    fn a_token_is_one_line_and_does_not_show_itself() {
        for token in ["", " \n", "one\ntwo"] {
            assert!(
                matches!(opened("https://provider.example/", token), Err(ProviderError::NoToken { .. })),
                "{token}"
            );
        }
        let shown = format!("{:?}", opened("https://provider.example/", "geheim\n").unwrap());
        assert_eq!(shown, "Provider(provider.example)");
    }

    #[test]
    fn without_settings_nobody_is_asked() {
        assert!(matches!(Provider::open(&Settings::default()).unwrap(), Provider::Off));
    }
}
