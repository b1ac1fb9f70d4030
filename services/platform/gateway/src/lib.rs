//! A provider behind HTTP that speaks one of our contracts: asked with a token, and answered within bounds of time and size or not at all.

mod wait;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often a provider is asked, and how long it may take each time: a person waits.
const TRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(3);
/// Before the second time.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of the largest answer.
const LARGEST_ANSWER: usize = 4096;

/// The way to one provider.
pub struct Gateway {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    host: String,
    authorization: HeaderValue,
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Not an address, or one that would carry personal data in clear over a network.
    #[error("{setting} must be https, or http to this machine")]
    Url {
        /// The setting.
        setting: &'static str,
    },
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

/// The provider gave no answer of its contract; why was logged, without anything that it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider gave no answer")]
pub struct NoAnswer;

/// Why there is no answer; the word is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Another try may succeed.
    Passing {
        /// `connection`, `timeout`, `status`.
        problem: &'static str,
        /// How long the provider wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// It will not: `address`, `status`, `size`, and what the asker finds wrong.
    Lasting(&'static str),
}

impl Trouble {
    const fn passing(problem: &'static str) -> Self {
        Self::Passing { problem, retry_after: None }
    }
}

#[derive(Serialize)]
struct Question<'a, Q> {
    request_id: Uuid,
    #[serde(flatten)]
    question: &'a Q,
}

#[derive(Deserialize)]
struct Answer<A> {
    request_id: Uuid,
    #[serde(flatten)]
    answer: A,
}

impl Gateway {
    /// The one at this address, which stands in this setting; it is not asked yet.
    pub fn open(setting: &'static str, url: &str, token_file: &Path) -> Result<Self, GatewayError> {
        let flaw = || GatewayError::Url { setting };
        let parsed: Uri = url.parse().map_err(|_| flaw())?;
        let host = parsed.host().ok_or_else(flaw)?.to_owned();
        let is_here = matches!(host.as_str(), "127.0.0.1" | "[::1]" | "localhost");
        if !(parsed.scheme_str() == Some("https") || parsed.scheme_str() == Some("http") && is_here) {
            return Err(flaw());
        }
        let path = || token_file.to_owned();
        let token =
            std::fs::read_to_string(token_file).map_err(|source| GatewayError::Token { path: path(), source })?;
        if token.trim().is_empty() {
            return Err(GatewayError::NoToken { path: path() });
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| GatewayError::NoToken { path: path() })?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(GatewayError::Roots)?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, url: url.to_owned(), host, authorization })
    }

    /// How its answers are recorded.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Asks below its address, once more where that may help; the same `id` is one question.
    pub async fn ask<A: DeserializeOwned>(
        &self,
        path: &str,
        id: Uuid,
        question: &impl Serialize,
    ) -> Result<A, NoAnswer> {
        let question = Question { request_id: id, question };
        let body = Bytes::from(serde_json::to_vec(&question).expect("plain values encode"));
        let host = self.host();
        for attempt in 1..=TRIES {
            let asked = tokio::time::timeout(PATIENCE, self.ask_once(path, id, body.clone())).await;
            match asked.unwrap_or(Err(Trouble::passing("timeout"))) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Passing { problem, .. }) => {
                    tracing::warn!(host, attempt, problem, "a provider did not answer");
                    if attempt < TRIES {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                Err(Trouble::Lasting(problem)) => {
                    tracing::error!(host, problem, "a provider gave no answer of its contract");
                    break;
                }
            }
        }
        Err(NoAnswer)
    }

    async fn ask_once<A: DeserializeOwned>(&self, path: &str, id: Uuid, body: Bytes) -> Result<A, Trouble> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", id.to_string())
            .body(Full::new(body))
            .map_err(|_| Trouble::Lasting("address"))?;
        let read = self.exchange(request, LARGEST_ANSWER).await?;
        let answer: Answer<A> = serde_json::from_slice(&read).map_err(|_| Trouble::Lasting("form"))?;
        if answer.request_id != id {
            return Err(Trouble::Lasting("another request"));
        }
        Ok(answer.answer)
    }

    /// Reads JSON below its address, once: at most so many bytes, within so long.
    pub async fn get(&self, path: &str, largest: usize, patience: Duration) -> Result<Bytes, Trouble> {
        let request = Request::builder()
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|_| Trouble::Lasting("address"))?;
        let read = tokio::time::timeout(patience, self.exchange(request, largest)).await;
        read.unwrap_or(Err(Trouble::passing("timeout")))
    }

    /// The body of an answer that is one.
    async fn exchange(&self, request: Request<Full<Bytes>>, largest: usize) -> Result<Bytes, Trouble> {
        let response = self.client.request(request).await.map_err(|_| Trouble::passing("connection"))?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                return Err(Trouble::Passing {
                    problem: "status",
                    retry_after: retry_after.and_then(|text| wait::parse(text, lifecycle::clock::now())),
                });
            }
            _ => return Err(Trouble::Lasting("status")),
        }
        let read = Limited::new(response.into_body(), largest).collect().await;
        let read = read.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Trouble::Lasting("size")
            } else {
                Trouble::passing("connection")
            }
        })?;
        Ok(read.to_bytes())
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({})", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str, token: &str) -> Result<Gateway, GatewayError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token).unwrap();
        Gateway::open("DINGZHU_X_URL", url, &file)
    }

    #[test]
    fn personal_data_goes_in_clear_to_nobody_but_this_machine() {
        for url in ["http://provider.example/check", "ftp://127.0.0.1/", "provider.example", "/check", ""] {
            assert!(matches!(opened(url, "t"), Err(GatewayError::Url { setting: "DINGZHU_X_URL" })), "{url}");
        }
        assert_eq!(opened("https://provider.example/check", "t").unwrap().host(), "provider.example");
        assert_eq!(opened("http://127.0.0.1:8080/check", "t").unwrap().host(), "127.0.0.1");
    }

    #[test]
    fn a_token_is_one_line_and_does_not_show_itself() {
        for token in ["", " \n", "one\ntwo"] {
            assert!(matches!(opened("https://provider.example/", token), Err(GatewayError::NoToken { .. })), "{token}");
        }
        let shown = format!("{:?}", opened("https://provider.example/", "geheim\n").unwrap());
        assert_eq!(shown, "Gateway(provider.example)");
    }
}
