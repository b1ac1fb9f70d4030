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

use gateway::{Gateway, GatewayError, NoAnswer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::contact::same_name;
use crate::domain::document::{Document, DocumentType};
use crate::error::Error;

/// Bytes of the longest line of a register.
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
    Http(Arc<Gateway>),
}

#[derive(Serialize)]
struct Question<'a> {
    document_type: &'static str,
    number: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
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
    pub fn open(settings: &Settings) -> Result<Self, GatewayError> {
        match (&settings.real_name_url, &settings.real_name_token_file, &settings.real_name_file) {
            (Some(url), Some(token), _) => {
                Ok(Self::Http(Arc::new(Gateway::open("DINGZHU_REAL_NAME_URL", url, token)?)))
            }
            (_, _, Some(file)) => Ok(Self::File(file.clone())),
            _ => Ok(Self::Off),
        }
    }

    /// As it stands in the events: `file`, or the host.
    pub fn name(&self) -> &str {
        match self {
            Self::Off => "off",
            Self::File(_) => "file",
            Self::Http(gateway) => gateway.host(),
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
            Self::Http(gateway) => {
                let question = Question { document_type: type_name(document.kind()), number: document.number(), name };
                let answer: Answer =
                    gateway.ask("", id, &question).await.map_err(|NoAnswer| Error::RealNameUnavailable)?;
                Ok(matches!(answer.result, Outcome::Match))
            }
        }
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

    #[test]
    fn without_settings_nobody_is_asked() {
        assert!(matches!(Provider::open(&Settings::default()).unwrap(), Provider::Off));
    }
}
