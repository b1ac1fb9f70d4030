//! Identity in process, a stand-in for notifications that keeps what it is given, and people who belong to nobody.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use identity::Identity;
use identity::config::Settings;
use identity::domain::role::{Division, Role, Scope};
use identity::domain::totp::step_at;
use identity::handle::{Handle, Member};
use identity::store::second_factors::SecondFactors;
use identity::totp::Secret;
use proto::identity::v1 as api;
use proto::identity::v1::accounts_client::AccountsClient;
use proto::identity::v1::credentials_client::CredentialsClient;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::puzzle_sign_in_client::PuzzleSignInClient;
use proto::identity::v1::second_factor_client::SecondFactorClient;
use proto::identity::v1::sessions_client::SessionsClient;
use proto::notifications::v1::secrets_server::{Secrets, SecretsServer};
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use rpc::{ReadRefusal, Refusal, Surface};
use service::testing::{Neighbour, Running, until};
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// A service under test, and what it sends.
pub struct Desk {
    pub identity: Running<Identity>,
    pub outbox: Outbox,
    pub wechat: WechatStandIn,
    pub settings: Settings,
    _files: tempfile::TempDir,
}

/// What notifications was given.
#[derive(Clone, Default)]
pub struct Outbox {
    sent: Arc<Mutex<Vec<DeliverRequest>>>,
    /// The channel takes nothing.
    pub broken: Arc<AtomicBool>,
}

/// The folder that stands in for WeChat.
pub struct WechatStandIn(PathBuf);

impl WechatStandIn {
    /// Somebody scans the QR code of a ticket.
    pub fn scan(&self, ticket_id: &str, openid: &str) {
        std::fs::create_dir_all(&self.0).unwrap();
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.0.join("scans.csv")).unwrap();
        writeln!(file, "{ticket_id},{openid}").unwrap();
    }

    /// The codes that were sent to somebody, in order.
    pub fn codes(&self, openid: &str) -> Vec<String> {
        let sent = std::fs::read_to_string(self.0.join("sent.csv")).unwrap_or_default();
        let start = format!("{openid},recovery_code,");
        sent.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    }
}

/// Somebody at the keyboard.
#[derive(Clone, Debug)]
pub struct Teacher {
    pub number: String,
    pub name: String,
    pub phone: String,
    pub password: String,
}

/// Name of that folder.
const WECHAT: &str = "wechat";

fn stand_in(folder: &Path) -> identity::wechat::Settings {
    identity::wechat::Settings { wechat_dir: Some(folder.join(WECHAT)), ..Default::default() }
}

impl Desk {
    pub async fn open() -> Self {
        Self::open_as(Vec::new(), |_| identity::real_name::Settings::default(), stand_in).await
    }

    /// Opens beside these neighbours and notifications.
    pub async fn open_beside(neighbours: Vec<Neighbour>) -> Self {
        Self::open_as(neighbours, |_| identity::real_name::Settings::default(), stand_in).await
    }

    /// With a provider of real names, whose files may stand in this folder.
    pub async fn open_with(real_name: impl FnOnce(&Path) -> identity::real_name::Settings) -> Self {
        Self::open_as(Vec::new(), real_name, stand_in).await
    }

    /// With a gateway to WeChat, whose files may stand in this folder.
    pub async fn open_with_wechat(wechat: impl FnOnce(&Path) -> identity::wechat::Settings) -> Self {
        Self::open_as(Vec::new(), |_| identity::real_name::Settings::default(), wechat).await
    }

    async fn open_as(
        mut neighbours: Vec<Neighbour>,
        real_name: impl FnOnce(&Path) -> identity::real_name::Settings,
        wechat: impl FnOnce(&Path) -> identity::wechat::Settings,
    ) -> Self {
        let outbox = Outbox::default();
        let surface = Surface::new().offer(SecretsServer::new(outbox.clone()));
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str, seed: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, seed.repeat(32)).unwrap();
            path
        };
        // The root key of all tests has the seed 01 01 …
        neighbours.push(Neighbour::start("notifications", surface).await);
        let settings = Settings {
            pepper_file: file("pepper", "07"),
            root_key_file: file("root", "01"),
            real_name: real_name(files.path()),
            archive_years: 6,
            wechat: wechat(files.path()),
        };
        let identity = Box::pin(service::testing::start::<Identity>(settings.clone(), neighbours)).await;
        let authority = identity.service.ground.authority.clone();
        until("the own key to be known", || authority.now().is_some_and(|known| !known.keys.is_empty())).await;
        let wechat = WechatStandIn(files.path().join(WECHAT));
        Self { identity, outbox, wechat, settings, _files: files }
    }

    pub fn accounts(&self) -> AccountsClient<tonic::transport::Channel> {
        AccountsClient::new(self.identity.anyone())
    }

    pub fn sessions(&self) -> SessionsClient<tonic::transport::Channel> {
        SessionsClient::new(self.identity.anyone())
    }

    pub fn puzzles(&self) -> PuzzleSignInClient<tonic::transport::Channel> {
        PuzzleSignInClient::new(self.identity.anyone())
    }

    pub fn second_factor(&self, token: &str) -> SecondFactorClient<service::testing::Channel> {
        SecondFactorClient::new(self.identity.with_token(token))
    }

    pub fn credentials(&self, token: &str) -> CredentialsClient<service::testing::Channel> {
        CredentialsClient::new(self.identity.with_token(token))
    }

    pub fn profiles(&self, token: &str) -> ProfilesClient<service::testing::Channel> {
        ProfilesClient::new(self.identity.with_token(token))
    }

    /// Another handle on the same ground, as the command has it.
    pub async fn handle(&self) -> Handle {
        identity::handle(&self.identity.service.ground, &self.settings).await.unwrap()
    }

    /// Asks for a phone code and reads it.
    pub async fn phone_code(&self, phone: &str) -> (String, String) {
        let request = api::SendPhoneCodeRequest { phone: phone.to_owned() };
        let sent = self.accounts().send_phone_code(request).await.unwrap().into_inner();
        (sent.challenge_id, self.outbox.last(phone, "register_code"))
    }

    /// Asks for a code to a mail address and reads it.
    pub async fn email_code(&self, email: &str) -> (String, String) {
        let request = api::SendEmailCodeRequest { email: email.to_owned() };
        let sent = CredentialsClient::new(self.identity.anyone()).send_email_code(request).await.unwrap().into_inner();
        (sent.challenge_id, self.outbox.last(email, "email_code"))
    }

    /// A registration with fresh codes, not sent yet.
    pub async fn registration(&self, teacher: &Teacher) -> api::RegisterAccountRequest {
        let (phone_challenge_id, phone_code) = self.phone_code(&teacher.phone).await;
        let (email_challenge_id, email_code) = self.email_code(&teacher.email()).await;
        api::RegisterAccountRequest {
            request_id: lifecycle::ids::random().to_string(),
            document_type: api::DocumentType::ResidentId.into(),
            number: teacher.number.clone(),
            name: teacher.name.clone(),
            phone: teacher.phone.clone(),
            phone_challenge_id,
            phone_code,
            password: teacher.password.clone(),
            email: teacher.email(),
            email_challenge_id,
            email_code,
        }
    }

    pub async fn register(&self, teacher: &Teacher) {
        let request = self.registration(teacher).await;
        self.accounts().register_account(request).await.unwrap();
    }

    /// Step one, and the code that it sends.
    pub async fn start_sign_in(&self, teacher: &Teacher) -> api::CompleteSignInRequest {
        let started = self.sessions().start_sign_in(teacher.credentials()).await.unwrap().into_inner();
        api::CompleteSignInRequest {
            attempt_id: started.attempt_id,
            code: self.outbox.last(&teacher.phone, "sign_in_code"),
        }
    }

    pub async fn sign_in(&self, teacher: &Teacher) -> api::Tokens {
        let request = self.start_sign_in(teacher).await;
        self.sessions().complete_sign_in(request).await.unwrap().into_inner().tokens.unwrap()
    }

    /// A puzzle for somebody, and the sign-in that solves it; where the gap is, stands in the database only.
    pub async fn puzzle(&self, teacher: &Teacher) -> api::SignInRequest {
        let puzzle = self.puzzles().make_puzzle(teacher.puzzle()).await.unwrap().into_inner();
        let gap: i16 = sqlx::query_scalar("SELECT gap FROM puzzle WHERE id = $1")
            .bind(puzzle.puzzle_id.parse::<Uuid>().unwrap())
            .fetch_one(&self.identity.service.ground.pool)
            .await
            .unwrap();
        let api::StartSignInRequest { document_type, number, password, entry } = teacher.credentials();
        api::SignInRequest { document_type, number, password, entry, puzzle_id: puzzle.puzzle_id, offset: gap.into() }
    }

    /// Signs somebody up and in.
    pub async fn newcomer(&self, teacher: &Teacher) -> api::Tokens {
        self.register(teacher).await;
        self.sign_in(teacher).await
    }

    pub async fn person_id(&self, token: &str) -> Uuid {
        let profile = self.profiles(token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
        profile.person_id.parse().unwrap()
    }

    /// Completes the profile of a resident, unless it is complete.
    pub async fn complete_profile(&self, token: &str) {
        let profile = self.profiles(token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
        let request = api::CompleteProfileRequest {
            request_id: lifecycle::ids::random().to_string(),
            ethnicity: "01".to_owned(),
            ..Default::default()
        };
        if !profile.complete {
            self.profiles(token).complete_profile(request).await.unwrap();
        }
    }

    /// Signs in a member of staff with a complete profile and the second factor of [`Teacher::totp`]; their roles count from here on.
    pub async fn sign_in_as_staff(&self, teacher: &Teacher) -> api::Tokens {
        let token = self.sign_in(teacher).await.access_token;
        self.complete_profile(&token).await;
        // A minute has passed since the last time.
        self.sql("UPDATE totp SET last_step = last_step - 2").await;
        let code = teacher.totp().code(step_at(lifecycle::clock::now()));
        let request = api::VerifyTotpRequest { code };
        self.second_factor(&token).verify_totp(request).await.unwrap().into_inner().tokens.unwrap()
    }

    /// Gives a member of staff the second factor of [`Teacher::totp`], as the person's own enrolment would.
    pub async fn give_totp(&self, person: Uuid, teacher: &Teacher) {
        let token = self.sign_in(teacher).await.access_token;
        let mut second_factor = self.second_factor(&token);
        let secret = second_factor.enrol_totp(api::EnrolTotpRequest {}).await.unwrap().into_inner().secret;
        let code = Secret::parse(&secret).unwrap().code(step_at(lifecycle::clock::now()));
        second_factor.confirm_totp(api::ConfirmTotpRequest { code }).await.unwrap();
        let ground = &self.identity.service.ground;
        let key = ground.vault.obtain(person).await.unwrap();
        let records = SecondFactors::new(ground.pool.clone());
        let transaction = records.set(person, &teacher.totp(), &key, lifecycle::clock::now()).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Somebody with a role, enrolled as the first staff are; the token of a session that has passed the second factor, once the
    /// role is known.
    pub async fn staff(&self, teacher: &Teacher, role: Role, division: &str, unit: Option<Uuid>) -> (Uuid, String) {
        self.handle().await.enrol(&[teacher.member(role, division, unit)]).await.unwrap();
        let token = self.sign_in_as_staff(teacher).await.access_token;
        let person = self.person_id(&token).await;
        let authority = &self.identity.service.ground.authority;
        until("the role to be known", || authority.now().is_some_and(|known| known.grants.contains_key(&person))).await;
        (person, token)
    }

    /// Changes what stands in the database, as time would.
    pub async fn sql(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.identity.service.ground.pool).await.unwrap();
    }

    pub async fn head(&self) -> i64 {
        sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM public.event_log")
            .fetch_one(&self.identity.service.ground.pool)
            .await
            .unwrap()
    }
}

impl Outbox {
    /// The newest secret to a phone or mail address.
    pub fn last(&self, address: &str, template: &str) -> String {
        let sent = self.sent.lock().unwrap();
        let last = sent.iter().rev().find(|sent| sent.address == address && sent.template == template);
        last.expect("it was sent").secret.clone()
    }

    pub fn count(&self, address: &str, template: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|sent| sent.address == address && sent.template == template).count()
    }

    pub fn secrets(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|sent| sent.secret.clone()).filter(|secret| !secret.is_empty()).collect()
    }
}

#[tonic::async_trait]
impl Secrets for Outbox {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverResponse>, Status> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Status::unavailable("no channel"));
        }
        self.sent.lock().unwrap().push(request.into_inner());
        Ok(Response::new(DeliverResponse {}))
    }
}

impl Teacher {
    /// Number n of people whom nobody is: the county 320399 was never assigned, nor the prefix of the phone.
    pub fn new(n: u32) -> Self {
        let digits = format!("32039919900101{:03}", n % 1000);
        Self {
            number: whole(&digits),
            name: "示例一".to_owned(),
            phone: format!("100{n:08}"),
            password: format!("passwort{n}#"),
        }
    }

    /// The mail address that this person registers with.
    pub fn email(&self) -> String {
        format!("{}@mail.example", self.phone)
    }

    pub fn credentials(&self) -> api::StartSignInRequest {
        api::StartSignInRequest {
            document_type: api::DocumentType::ResidentId.into(),
            number: self.number.clone(),
            password: self.password.clone(),
            entry: api::Entry::Registration.into(),
        }
    }

    pub fn puzzle(&self) -> api::MakePuzzleRequest {
        api::MakePuzzleRequest { document_type: api::DocumentType::ResidentId.into(), number: self.number.clone() }
    }

    /// The second factor that this person has as a member of staff.
    pub fn totp(&self) -> Secret {
        Secret::new(format!("second factor {:0>11}", self.phone).into_bytes()).unwrap()
    }

    pub fn member(&self, role: Role, division: &str, unit: Option<Uuid>) -> Member {
        use identity::hashing::Password;
        Member {
            document: identity::shipped::document_types().unwrap().recognise(&self.number).unwrap(),
            name: self.name.clone(),
            phone: self.phone.clone(),
            password: Password::new(self.password.clone()),
            role,
            scope: Scope { division: Division::parse(division).unwrap(), unit },
            totp: Some(self.totp()),
        }
    }
}

/// 17 digits with their check character, by the recursive system of ISO 7064 MOD 11-2.
pub fn whole(digits: &str) -> String {
    let product = digits.bytes().fold(0, |product, digit| (product + u32::from(digit - b'0')) * 2 % 11);
    let check = (12 - product) % 11;
    let check = if check == 10 { 'X' } else { char::from_digit(check, 10).unwrap() };
    format!("{digits}{check}")
}

/// Why a call was refused.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> ReadRefusal {
    Refusal::from_status(&answer.expect_err("a refusal"))
}

/// Fields and reasons of a refusal.
pub fn violations(refusal: &ReadRefusal) -> Vec<(&str, &str)> {
    refusal.violations.iter().map(|violation| (violation.field.as_str(), violation.reason.as_str())).collect()
}

/// A duration that a refusal must name: from a second to `most`.
pub fn retry_within(refusal: &ReadRefusal, most: Duration) -> bool {
    refusal.retry_after.is_some_and(|retry| retry >= Duration::from_secs(1) && retry <= most)
}
