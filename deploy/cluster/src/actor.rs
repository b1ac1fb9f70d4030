//! A person at the API: signs up, reads codes off the local folders of SMS and mail, signs in, and shows the token with every call.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::identity::v1 as identity;
use time::OffsetDateTime;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::{Failure, Result, totp, wait};

/// How long a message may take to arrive.
const DELIVERY: Duration = Duration::from_secs(20);

/// How long the next code of a second factor may take to come.
const NEXT_CODE: Duration = Duration::from_secs(45);

/// Where the services answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Addresses {
    /// `http://127.0.0.1:7101`
    pub identity: String,
    /// `http://127.0.0.1:7102`
    pub certificates: String,
    /// `http://127.0.0.1:7103`
    pub scheduling: String,
    /// `http://127.0.0.1:7104`
    pub applications: String,
    /// `http://127.0.0.1:7105`
    pub notifications: String,
}

/// The folders into which the local cluster delivers SMS and mail. Clones share what was read already.
#[derive(Clone, Debug)]
pub struct Letters {
    sms: Folder,
    mail: Folder,
}

#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    read: Arc<Mutex<HashSet<PathBuf>>>,
}

#[derive(serde::Deserialize)]
struct Sms {
    to: String,
    template: String,
    text: String,
}

impl Letters {
    /// Reads what arrives from now on.
    pub fn at(layout: &Layout) -> Self {
        Self { sms: Folder::at(layout.sms()), mail: Folder::at(layout.mail()) }
    }

    /// Waits for the next unread code that was sent to a phone.
    pub async fn code(&self, phone: &str, template: &str) -> Result<String> {
        let of = |file: &[u8]| sms_code(file, phone, template);
        wait::until("an SMS with a code", DELIVERY, async || self.sms.take(of)).await
    }

    /// Waits for the next unread code that was sent to a mail address.
    pub async fn mailed_code(&self, address: &str) -> Result<String> {
        wait::until("a mail with a code", DELIVERY, async || self.mail.take(|file| mail_code(file, address))).await
    }

    /// Waits for the next unread link that was sent to a mail address: what stands behind its `#`.
    pub async fn mailed_token(&self, address: &str) -> Result<String> {
        wait::until("a mail with a link", DELIVERY, async || self.mail.take(|file| mail_token(file, address))).await
    }
}

impl Folder {
    fn at(path: PathBuf) -> Self {
        let known = files(&path).into_iter().collect();
        Self { path, read: Arc::new(Mutex::new(known)) }
    }

    /// What the oldest unread file has that has something; it counts as read then.
    fn take(&self, of: impl Fn(&[u8]) -> Option<String>) -> Option<String> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = files(&self.path).into_iter().filter(|path| !read.contains(path));
        let mut found = unread.filter_map(|path| Some((fs::read(&path).ok().and_then(|file| of(&file))?, path)));
        let (code, path) = found.next()?;
        drop(found);
        read.insert(path);
        Some(code)
    }
}

/// Files that are complete: those that are being written begin with a dot.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut files: Vec<PathBuf> = entries.filter(|path| !is_hidden(path)).collect();
    files.sort();
    files
}

fn sms_code(file: &[u8], phone: &str, template: &str) -> Option<String> {
    let sms = serde_json::from_slice::<Sms>(file).ok()?;
    if sms.to == phone && sms.template == template { first_code(&sms.text) } else { None }
}

/// A mail says of a code what it is: links and numbers are none.
fn mail_code(file: &[u8], address: &str) -> Option<String> {
    first_code(mail_text(file, address)?.split_once("验证码")?.1)
}

fn mail_token(file: &[u8], address: &str) -> Option<String> {
    let text = mail_text(file, address)?;
    let (_, behind) = text.split_once('#')?;
    let token: String = behind.chars().take_while(char::is_ascii_hexdigit).collect();
    (token.len() == 64).then_some(token)
}

/// The text of a mail to this address, which is in base 64.
fn mail_text(file: &[u8], address: &str) -> Option<String> {
    let mail = std::str::from_utf8(file).ok()?;
    let (head, body) = mail.split_once("\r\n\r\n")?;
    head.lines().find(|line| line.strip_prefix("To: ") == Some(address))?;
    String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).ok()?).ok()
}

/// The first run of exactly six digits.
fn first_code(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6).map(str::to_owned)
}

/// What a person knows: enough to sign in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Credentials {
    /// 证件号码 of a 居民身份证.
    pub number: String,
    /// 手机
    pub phone: String,
    /// Password of the account.
    pub password: String,
    /// Secret of the second factor in base 32, which staff have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
}

/// Somebody who is signed in. Clones and channels are of one session: they show the token that it was renewed to last.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Where to call.
    pub addresses: Addresses,
    session: Arc<RwLock<Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    bearer: Arc<str>,
    expires_at: OffsetDateTime,
    /// What a new pair of tokens is had for, once.
    refresh: Option<Arc<str>>,
}

impl Session {
    fn with_tokens(tokens: Option<identity::Tokens>) -> Result<Self> {
        let tokens = tokens.ok_or_else(|| Failure::new("the sign-in gave no tokens"))?;
        let expires_at = tokens.access_expire_time.map_or(0, |at| at.seconds);
        let expires_at = OffsetDateTime::from_unix_timestamp(expires_at).doing(|| "read when the token ends".into())?;
        let bearer = format!("Bearer {}", tokens.access_token).into();
        Ok(Self { bearer, expires_at, refresh: Some(tokens.refresh_token.into()) })
    }
}

/// A channel that shows the actor's token.
pub type Channel = InterceptedService<tonic::transport::Channel, Bearer>;

impl Credentials {
    /// The mail address that the person registers with.
    pub fn email(&self) -> String {
        format!("{}@mail.example", self.phone)
    }
}

impl Actor {
    /// Signs in with number, password and the code that comes by SMS; staff complete their profile the first time, and pass their
    /// second factor.
    pub async fn sign_in(addresses: &Addresses, letters: &Letters, who: &Credentials) -> Result<Self> {
        let mut sessions = identity::sessions_client::SessionsClient::new(channel(&addresses.identity)?);
        let request = identity::StartSignInRequest {
            document_type: identity::DocumentType::ResidentId.into(),
            number: who.number.clone(),
            password: who.password.clone(),
            entry: identity::Entry::Registration.into(),
        };
        let started = sessions.start_sign_in(request).await.doing(|| "sign in with the password".into())?.into_inner();
        let code = letters.code(&who.phone, "sign_in_code").await?;
        let request = identity::CompleteSignInRequest { attempt_id: started.attempt_id, code };
        let completed = sessions.complete_sign_in(request).await.doing(|| "sign in with the code".into())?.into_inner();
        let step = completed.second_factor();
        let actor = Self::with_tokens(addresses, completed.tokens)?;
        let (identity::SecondFactorStep::Verify, Some(secret)) = (step, &who.totp) else { return Ok(actor) };
        if !completed.profile_complete {
            actor.complete_profile().await?;
        }
        actor.pass_second_factor(secret).await
    }

    /// 首次登录完善个人信息 (manual 2.2.1); tokens say so from the next ones on.
    pub async fn complete_profile(&self) -> Result<()> {
        let channel = self.channel(&self.addresses.identity)?;
        let mut profiles = identity::profiles_client::ProfilesClient::new(channel);
        let request = identity::CompleteProfileRequest {
            request_id: lifecycle::ids::in_time().to_string(),
            ethnicity: "01".to_owned(),
            ..Default::default()
        };
        profiles.complete_profile(request).await.doing(|| "complete the profile".into())?;
        Ok(())
    }

    /// Shows the code of the second factor, and the next one when it was used already.
    async fn pass_second_factor(&self, secret: &str) -> Result<Self> {
        let channel = self.channel(&self.addresses.identity)?;
        let mut second_factor = identity::second_factor_client::SecondFactorClient::new(channel);
        let mut spent = None;
        let verified = wait::until("a code of the second factor that was not used", NEXT_CODE, async || {
            let now = lifecycle::clock::now().unix_timestamp().unsigned_abs();
            if spent == Some(now / totp::STEP) {
                return None;
            }
            let code = match totp::code(secret, now) {
                Ok(code) => code,
                Err(failure) => return Some(Err(failure)),
            };
            match second_factor.verify_totp(identity::VerifyTotpRequest { code }).await {
                Err(status) if rpc::Refusal::from_status(&status).reason == "TOTP_SPENT" => {
                    spent = Some(now / totp::STEP);
                    None
                }
                answered => Some(answered.doing(|| "pass the second factor".into())),
            }
        });
        Self::with_tokens(&self.addresses, verified.await??.into_inner().tokens)
    }

    /// Gives the session a new pair of tokens; the old one counts no more. One task at a time: a refresh token that is shown twice
    /// ends the session.
    pub async fn renew(&self) -> Result<()> {
        let refresh = self.session().refresh.ok_or_else(|| Failure::new("nothing is known to renew the session by"))?;
        let mut sessions = identity::sessions_client::SessionsClient::new(channel(&self.addresses.identity)?);
        let request = identity::RefreshSessionRequest { refresh_token: refresh.to_string() };
        let renewed = sessions.refresh_session(request).await.doing(|| "renew the session".into())?.into_inner();
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = Session::with_tokens(renewed.tokens)?;
        Ok(())
    }

    /// Somebody who was given these tokens.
    pub fn with_tokens(addresses: &Addresses, tokens: Option<identity::Tokens>) -> Result<Self> {
        Ok(Self::of(addresses, Session::with_tokens(tokens)?))
    }

    /// Somebody who signed in before.
    pub fn with_bearer(addresses: &Addresses, bearer: &str, expires_at: OffsetDateTime) -> Self {
        Self::of(addresses, Session { bearer: bearer.into(), expires_at, refresh: None })
    }

    fn of(addresses: &Addresses, session: Session) -> Self {
        Self { addresses: addresses.clone(), session: Arc::new(RwLock::new(session)) }
    }

    fn session(&self) -> Session {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes an account whose phone and mail address have answered their codes.
    pub async fn register(addresses: &Addresses, letters: &Letters, who: &Credentials, name: &str) -> Result<()> {
        let mut accounts = identity::accounts_client::AccountsClient::new(channel(&addresses.identity)?);
        let request = identity::SendPhoneCodeRequest { phone: who.phone.clone() };
        let to_phone = accounts.send_phone_code(request).await.doing(|| "ask for a code".into())?.into_inner();
        let mut contacts = identity::credentials_client::CredentialsClient::new(channel(&addresses.identity)?);
        let request = identity::SendEmailCodeRequest { email: who.email() };
        let mailed = contacts.send_email_code(request).await.doing(|| "ask for a code by mail".into())?.into_inner();
        let request = identity::RegisterAccountRequest {
            request_id: lifecycle::ids::in_time().to_string(),
            document_type: identity::DocumentType::ResidentId.into(),
            number: who.number.clone(),
            name: name.to_owned(),
            phone: who.phone.clone(),
            phone_challenge_id: to_phone.challenge_id,
            phone_code: letters.code(&who.phone, "register_code").await?,
            password: who.password.clone(),
            email: who.email(),
            email_challenge_id: mailed.challenge_id,
            email_code: letters.mailed_code(&who.email()).await?,
        };
        accounts.register_account(request).await.doing(|| "register the account".into())?;
        Ok(())
    }

    /// A channel to one of the addresses that shows this actor's token.
    pub fn channel(&self, address: &str) -> Result<Channel> {
        Ok(InterceptedService::new(channel(address)?, Bearer(self.clone())))
    }

    /// When the token ends.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.session().expires_at
    }

    /// The header that shows the token.
    pub fn bearer(&self) -> Arc<str> {
        self.session().bearer
    }
}

fn channel(address: &str) -> Result<tonic::transport::Channel> {
    let endpoint = Endpoint::from_shared(address.to_owned()).doing(|| format!("use the address {address}"))?;
    Ok(endpoint.connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(60)).connect_lazy())
}

/// Shows the token of a session with every call.
#[derive(Clone, Debug)]
pub struct Bearer(Actor);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.bearer().parse().expect("a token is ASCII"));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_and_no_part_of_a_longer_number() {
        assert_eq!(first_code("【定注】验证码 123456，5分钟内有效。").as_deref(), Some("123456"));
        assert_eq!(first_code("电话 12345678901，验证码 654321").as_deref(), Some("654321"));
        assert_eq!(first_code("没有"), None);
    }

    #[test]
    fn a_code_is_taken_once_and_old_messages_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let sms = |name: &str, to: &str, code: &str| {
            let text = format!(r#"{{"to":"{to}","template":"sign_in_code","text":"{code}","time":""}}"#);
            fs::write(folder.path().join(name), text).unwrap();
        };
        sms("1.json", "10000000001", "111111");
        let letters = Folder::at(folder.path().to_owned());
        let take = |phone: &str, template: &str| letters.take(|file| sms_code(file, phone, template));
        sms("2.json", "10000000002", "222222");
        sms("3.json", "10000000001", "333333");
        assert_eq!(take("10000000001", "sign_in_code").as_deref(), Some("333333"));
        assert_eq!(take("10000000001", "sign_in_code"), None);
        assert_eq!(take("10000000002", "register_code"), None);
        assert_eq!(take("10000000002", "sign_in_code").as_deref(), Some("222222"));
    }

    #[test]
    fn a_mailed_code_is_what_is_called_one_in_a_mail_to_that_address() {
        let mail = |to: &str, text: &str| {
            format!("From: <a@b.example>\r\nTo: {to}\r\n\r\n{}\r\n", STANDARD.encode(text)).into_bytes()
        };
        let code = mail("one@mail.example", "您好：\r\n\r\n编号 765432，验证码：123456，5分钟内有效。");
        assert_eq!(mail_code(&code, "one@mail.example").as_deref(), Some("123456"));
        assert_eq!(mail_code(&code, "two@mail.example"), None);
        let link = mail("one@mail.example", "https://portal.example/reset-password#ab123456cd");
        assert_eq!(mail_code(&link, "one@mail.example"), None);
    }

    #[test]
    fn a_mailed_token_is_what_stands_behind_the_link_to_that_address() {
        let token = "0123456789abcdef".repeat(4);
        let mail = |token: &str| {
            let text = format!("https://portal.example/reset-password#{token}\r\n24小时内有效。");
            format!("To: one@mail.example\r\n\r\n{}\r\n", STANDARD.encode(text)).into_bytes()
        };
        assert_eq!(mail_token(&mail(&token), "one@mail.example"), Some(token.clone()));
        assert_eq!(mail_token(&mail(&token), "two@mail.example"), None);
        assert_eq!(mail_token(&mail(&token[1..]), "one@mail.example"), None);
    }
}
