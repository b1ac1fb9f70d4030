//! Mail: over SMTP where a server is configured, else files in a folder.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr as _;

use http::Uri;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::{Category, Code, Detail, Severity};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::folder::Folder;
use super::{Letter, SendError};
use crate::settings::Settings;

#[cfg(test)]
mod tests;

/// Sender where nothing is sent: a name that no mail server knows.
const NOBODY: &str = "定注 <noreply@dingzhu.invalid>";

/// The way by which mail leaves.
#[derive(Debug)]
pub struct Mail {
    from: Mailbox,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Folder(Folder),
    Server(AsyncSmtpTransport<Tokio1Executor>),
}

impl Mail {
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let from = settings.mail_from.as_deref();
        let (from, way) = match (&settings.smtp_url, &settings.mail_dir) {
            (Some(url), _) => {
                let from = from.ok_or("DINGZHU_MAIL_FROM is not set, and a mail server wants a sender")?;
                (from, Way::Server(server(url, settings)?))
            }
            (None, Some(path)) => (from.unwrap_or(NOBODY), Way::Folder(Folder::open(path)?)),
            (None, None) => return Err("neither DINGZHU_SMTP_URL nor DINGZHU_MAIL_DIR is set".to_owned()),
        };
        let from = Mailbox::from_str(from).map_err(|_| "DINGZHU_MAIL_FROM is no address".to_owned())?;
        Ok(Self { from, way })
    }

    /// Hands over one mail.
    pub async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let message = self.message(letter)?;
        match &self.way {
            Way::Folder(folder) => {
                let put = folder.put(letter.id, letter.at, "eml", message.formatted()).await;
                put.map_err(|error| SendError::Failed(format!("MAIL_FOLDER_{:?}", error.kind())))
            }
            Way::Server(server) => server.send(message).await.map(drop).map_err(|error| judge(&error)),
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, SendError> {
        let to: Address = letter.to.as_str().parse().map_err(|_| SendError::AddressRefused)?;
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .date(letter.at.into())
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|_| SendError::Failed("MAIL_MALFORMED".to_owned()))
    }
}

/// What a failure means for the next try. Servers repeat addresses in their answers, so only the code is kept.
fn judge(error: &lettre::transport::smtp::Error) -> SendError {
    if let Some(code) = error.status() {
        return if is_refusal_of_address(code) {
            SendError::AddressRefused
        } else {
            SendError::Failed(format!("SMTP_{code}"))
        };
    }
    let what = if error.is_tls() {
        "SMTP_TLS"
    } else if error.is_timeout() {
        "SMTP_TIMEOUT"
    } else if error.is_response() {
        "SMTP_ANSWER"
    } else {
        "SMTP_CONNECTION"
    };
    SendError::Failed(what.to_owned())
}

/// 550 no such mailbox, 551 not local, 553 name not allowed. Other refusals (530, 535, 554 …) are about us, not about the person.
fn is_refusal_of_address(code: Code) -> bool {
    code.severity == Severity::PermanentNegativeCompletion
        && code.category == Category::MailSystem
        && matches!(code.detail, Detail::Zero | Detail::One | Detail::Three)
}

fn server(url: &str, settings: &Settings) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    const SHAPE: &str =
        "DINGZHU_SMTP_URL is none of smtps://host[:port], smtp://host[:port]?tls=required, smtp://127.0.0.1[:port]";
    // A password in an address would show in process lists: the whole authority must be host and port.
    let uri = Uri::from_str(url).ok().filter(|uri| !uri.authority().is_none_or(|a| a.as_str().contains('@')));
    let uri = uri.ok_or(SHAPE)?;
    let host = uri.host().ok_or(SHAPE)?.trim_matches(['[', ']']);
    let parameters = || {
        let parameters = TlsParameters::builder(host.to_owned());
        let parameters = match &settings.smtp_ca {
            Some(path) => parameters.add_root_certificate(authority(path)?),
            None => parameters,
        };
        parameters.build_rustls().map_err(|_| "TLS for the mail server cannot be set up".to_owned())
    };
    let (tls, port) = match (uri.scheme_str(), uri.query()) {
        (Some("smtps"), None) => (Tls::Wrapper(parameters()?), 465),
        (Some("smtp"), Some("tls=required")) => (Tls::Required(parameters()?), 587),
        (Some("smtp"), None) if host.parse().is_ok_and(|address: IpAddr| address.is_loopback()) => (Tls::None, 25),
        _ => return Err(SHAPE.to_owned()),
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(uri.port_u16().unwrap_or(port))
        .tls(tls)
        .timeout(Some(settings.timeout()));
    if let (Some(user), Some(path)) = (&settings.smtp_user, &settings.smtp_password_file) {
        let password = std::fs::read_to_string(path)
            .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
        server = server.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
    }
    Ok(server.build())
}

fn authority(path: &Path) -> Result<Certificate, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Certificate::from_pem(&pem).map_err(|_| format!("{} is no certificate", path.display()))
}
