//! 微信服务号: makes QR codes to be scanned, says who has scanned one, and sends codes to whoever follows.
//!
//! The contract over HTTP, which a deployment's gateway to WeChat serves:
//!
//! ```text
//! POST <DINGZHU_WECHAT_URL>/tickets | /scans | /messages      https, or http to this machine
//! authorization: Bearer <DINGZHU_WECHAT_TOKEN_FILE>
//! idempotency-key: <request_id>
//! content-type: application/json
//!
//! /tickets   {"request_id": "<uuid>", "ticket_id": "<uuid>", "life_seconds": 300}
//!        200 {"request_id": "<the same>", "qr_text": "https://…"}                      what a QR code says, at most 1024 bytes
//! /scans     {"request_id": "<uuid>", "ticket_id": "<uuid>"}
//!        200 {"request_id": "<the same>", "result": "SCANNED", "openid": "…"}          by whom, once there was somebody
//!        200 {"request_id": "<the same>", "result": "WAITING"}                         by nobody yet
//! /messages  {"request_id": "<uuid>", "openid": "…", "template": "recovery_code", "code": "…"}
//!        200 {"request_id": "<the same>", "result": "SENT"}                            or "UNREACHABLE": does not follow any more
//!
//! 429, 5xx                                                asked once more
//! anything else                                           a failure of the provider
//! ```
//!
//! The first to scan a ticket counts; a ticket that was never made is WAITING. An answer has at most 4 KiB, comes within three seconds and names
//! the request: one that does not is no answer. Nothing that the provider says is logged, since it may name the person.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::{Gateway, GatewayError, NoAnswer};
use lifecycle::ids;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::wechat::{OpenId, TICKET_LIFE};
use crate::error::Error;

/// Bytes of the longest text of a QR code, and of the longest line of the stand-in.
const LONGEST_QR: usize = 1024;
const LONGEST_LINE: u64 = 1024;
/// Files of the stand-in.
const SCANS: &str = "scans.csv";
const SENT: &str = "sent.csv";

/// Which provider, if any.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Where the gateway to WeChat is asked, by our contract: https, or http to this machine.
    #[arg(long, env = "DINGZHU_WECHAT_URL", requires = "wechat_token_file", conflicts_with = "wechat_dir")]
    pub wechat_url: Option<String>,
    /// File with the token that the gateway is shown.
    #[arg(long, env = "DINGZHU_WECHAT_TOKEN_FILE", requires = "wechat_url")]
    pub wechat_token_file: Option<PathBuf>,
    /// A folder in place of a gateway, for a local cluster: `scans.csv` with lines `ticket,openid` is read, `sent.csv` is written.
    #[arg(long, env = "DINGZHU_WECHAT_DIR")]
    pub wechat_dir: Option<PathBuf>,
}

/// Who is asked. Clones share the connections.
#[derive(Clone, Debug)]
pub enum Wechat {
    /// Nobody: nothing can be bound, no code arrives.
    Off,
    /// Files on this machine.
    Folder(PathBuf),
    /// The gateway of a deployment.
    Gateway(Arc<Gateway>),
}

#[derive(Serialize)]
struct TicketQuestion {
    ticket_id: Uuid,
    life_seconds: i64,
}

#[derive(Deserialize)]
struct TicketAnswer {
    qr_text: String,
}

#[derive(Serialize)]
struct ScanQuestion {
    ticket_id: Uuid,
}

#[derive(Deserialize)]
#[serde(tag = "result", rename_all = "UPPERCASE")]
enum ScanAnswer {
    Waiting,
    Scanned { openid: String },
}

#[derive(Serialize)]
struct MessageQuestion<'a> {
    openid: &'a str,
    template: &'static str,
    code: &'a str,
}

#[derive(Deserialize)]
#[serde(tag = "result", rename_all = "UPPERCASE")]
enum MessageAnswer {
    Sent,
    Unreachable,
}

impl Wechat {
    /// The one that the settings name; it is not asked yet.
    pub fn open(settings: &Settings) -> Result<Self, GatewayError> {
        match (&settings.wechat_url, &settings.wechat_token_file, &settings.wechat_dir) {
            (Some(url), Some(token), _) => {
                Ok(Self::Gateway(Arc::new(Gateway::open("DINGZHU_WECHAT_URL", url, token)?)))
            }
            (_, _, Some(folder)) => Ok(Self::Folder(folder.clone())),
            _ => Ok(Self::Off),
        }
    }

    /// Makes a ticket; returns what its QR code says.
    pub async fn make_ticket(&self, ticket_id: Uuid) -> Result<String, Error> {
        match self {
            Self::Off => Err(Error::WechatUnavailable),
            Self::Folder(_) => Ok(format!("dingzhu-wechat:{ticket_id}")),
            Self::Gateway(gateway) => {
                let question = TicketQuestion { ticket_id, life_seconds: TICKET_LIFE.whole_seconds() };
                let answer: TicketAnswer = gateway.ask("/tickets", ids::random(), &question).await.map_err(away)?;
                Some(answer.qr_text)
                    .filter(|text| (1..=LONGEST_QR).contains(&text.len()))
                    .ok_or(Error::WechatUnavailable)
            }
        }
    }

    /// Who has scanned a ticket; `None` while nobody has.
    pub async fn scanned(&self, ticket_id: Uuid) -> Result<Option<OpenId>, Error> {
        let openid = match self {
            Self::Off => return Err(Error::WechatUnavailable),
            Self::Folder(folder) => {
                let path = folder.join(SCANS);
                blocking(move || find_scan(&path, ticket_id)).await?
            }
            Self::Gateway(gateway) => {
                let question = ScanQuestion { ticket_id };
                match gateway.ask("/scans", ids::random(), &question).await.map_err(away)? {
                    ScanAnswer::Waiting => None,
                    ScanAnswer::Scanned { openid } => Some(openid),
                }
            }
        };
        openid.map(|text| OpenId::parse(&text).ok_or(Error::WechatUnavailable)).transpose()
    }

    /// Sends the code of a recovery; `id` makes it arrive once. Whoever does not follow any more gets nothing.
    pub async fn send_recovery_code(&self, id: Uuid, openid: &OpenId, code: &str) -> Result<(), Error> {
        let template = "recovery_code";
        match self {
            Self::Off => Err(Error::WechatUnavailable),
            Self::Folder(folder) => {
                let (folder, line) = (folder.clone(), format!("{},{template},{code}\n", openid.as_str()));
                blocking(move || keep_sent(&folder, &line)).await
            }
            Self::Gateway(gateway) => {
                let question = MessageQuestion { openid: openid.as_str(), template, code };
                match gateway.ask("/messages", id, &question).await.map_err(away)? {
                    MessageAnswer::Sent => {}
                    MessageAnswer::Unreachable => {
                        tracing::info!("a code reached nobody: the service account is not followed");
                    }
                }
                Ok(())
            }
        }
    }
}

fn away(NoAnswer: NoAnswer) -> Error {
    Error::WechatUnavailable
}

/// Work with the files of the stand-in.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| {
        tracing::warn!(kind = %error.kind(), "the folder that stands in for WeChat cannot be used");
        Error::WechatUnavailable
    })
}

/// The first line of a ticket, read line by line; a file that is not there has none.
fn find_scan(path: &Path, ticket_id: Uuid) -> io::Result<Option<String>> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut line, ticket_id) = (String::new(), ticket_id.to_string());
    loop {
        line.clear();
        if file.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some((of, openid)) = line.trim_end().split_once(',')
            && of.trim() == ticket_id
        {
            return Ok(Some(openid.trim().to_owned()));
        }
    }
}

fn keep_sent(folder: &Path, line: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(SENT))?;
    file.write_all(line.as_bytes())
}
