//! A service in process, on its own database and a free port, with neighbours whose events a test writes; without NATS.
//!
//! Events reach the service by its normal way: NATS is away, so its feeds read the neighbours' `EventFeed`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::root::RootKey;
use access::token::{Claims, Issuer};
use cluster::database::TestDatabase;
use eventbus::{Bus, NatsSettings};
use eventlog::{Append, Appended, Division, EventLog, NewEvent};
use lifecycle::Lifecycle;
use prost::{Message, Name};
use proto::identity::v1 as identity;
use proto::types::v1::PersonalDataErased;
use rpc::{Health, Server, Surface};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{Failure, Service, Settings, serve};

const SERVICES: [&str; 5] = ["identity", "certificates", "scheduling", "applications", "notifications"];
const ROOT_SEED: [u8; 32] = [1; 32];
const TOKEN_SEED: [u8; 32] = [2; 32];
const TOKEN_KEY: &str = "test";
const PATIENCE: Duration = Duration::from_secs(20);

/// The seed of a service's own key in tests.
fn service_seed(service: &str) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..service.len()].copy_from_slice(service.as_bytes());
    seed
}

/// The root key of all tests.
pub fn root_key() -> RootKey {
    RootKey::from_seed(ROOT_SEED)
}

/// A stand-in for another service: a real event log behind a real `EventFeed`, and whatever RPCs the test offers.
pub struct Neighbour {
    /// Which service it stands for.
    pub service: &'static str,
    /// Its log; append through [`Neighbour::publish`].
    pub log: EventLog,
    url: String,
    lifecycle: Lifecycle,
    _database: TestDatabase,
}

impl Neighbour {
    /// Starts it with an empty log.
    pub async fn start(service: &'static str, surface: Surface) -> Self {
        let database = TestDatabase::create().await.unwrap();
        let lifecycle = Lifecycle::new(Duration::from_secs(5));
        let log = eventlog::testing::start(&database.url(), &lifecycle).await.unwrap();
        sqlx::raw_sql(eventbus::SCHEMA).execute(log.pool()).await.unwrap();
        let bus = Bus::new(service, log.pool().clone(), log.clone(), no_nats()).start(&lifecycle).await.unwrap();
        let settings = rpc::Settings::at("127.0.0.1:0".parse().unwrap());
        let surface = surface.offer(bus.event_feed());
        let address = Server::new(&settings, &lifecycle, &Health::new(&[])).start(surface).await.unwrap();
        Self { service, log, url: format!("http://{address}"), lifecycle, _database: database }
    }

    /// Records one event of this service as the only one of its command.
    pub async fn publish<M: Message + Name>(&self, stream: Uuid, division: &str, message: &M) -> Appended {
        let version = self.log.load(stream).await.unwrap().len();
        let event = NewEvent {
            event_id: lifecycle::ids::random(),
            kind: M::full_name(),
            payload: message.encode_to_vec(),
            inner: Vec::new(),
            sealed: Vec::new(),
            division: Division::parse(division).unwrap(),
        };
        let append = Append {
            stream,
            expected_version: i64::try_from(version).unwrap(),
            events: vec![event],
            actor: "system".to_owned(),
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        self.log.append(append).await.unwrap()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// A service under test.
pub struct Running<S> {
    /// What it runs on.
    pub service: crate::serve::Running,
    /// Its neighbours, in the order given; identity is added where the test gives none.
    pub neighbours: Vec<Neighbour>,
    /// Its database, for a superuser.
    pub database: TestDatabase,
    /// As it was started; another start on the same databases takes these, changed or not.
    pub settings: Settings,
    channel: tonic::transport::Channel,
    lifecycle: Lifecycle,
    _files: tempfile::TempDir,
    _service: PhantomData<S>,
}

/// A service that was started once more.
#[derive(Debug)]
pub struct Again {
    channel: tonic::transport::Channel,
    _stop: Stop,
}

impl Again {
    /// A channel of a person with a complete profile.
    pub fn person(&self, person: Uuid) -> Channel {
        show(&self.channel, &person_token(person, identity::Entry::Registration, true))
    }

    /// A channel without a token.
    pub fn anyone(&self) -> tonic::transport::Channel {
        self.channel.clone()
    }
}

/// Stops a service at its end.
#[derive(Debug)]
struct Stop(Lifecycle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A channel that shows one token.
pub type Channel = InterceptedService<tonic::transport::Channel, Bearer>;

/// Starts `S` with these neighbours.
pub async fn start<S: Service>(own: S::Settings, mut neighbours: Vec<Neighbour>) -> Running<S> {
    if S::NAME != "identity" && !neighbours.iter().any(|neighbour| neighbour.service == "identity") {
        neighbours.push(Neighbour::start("identity", Surface::new()).await);
    }
    let database = TestDatabase::create().await.unwrap();
    let files = tempfile::tempdir().unwrap();
    let settings = settings(&database, &neighbours, files.path(), S::NAME);
    crate::ground::migrate::<S>(&settings).await.unwrap();
    let lifecycle = Lifecycle::new(Duration::from_secs(5));
    let service = serve::<S>(&settings, own, &lifecycle).await.unwrap();
    let running = Running {
        channel: channel(&service),
        service,
        settings,
        neighbours,
        database,
        lifecycle,
        _files: files,
        _service: PhantomData,
    };
    if S::NAME != "identity" {
        running.publish_token_key().await;
    }
    running
}

impl<S> Running<S> {
    /// The neighbour that stands for a service.
    pub fn neighbour(&self, service: &str) -> &Neighbour {
        self.neighbours.iter().find(|neighbour| neighbour.service == service).expect("the test started this neighbour")
    }

    /// A channel without a token.
    pub fn anyone(&self) -> tonic::transport::Channel {
        self.channel.clone()
    }

    /// A channel that shows a token.
    pub fn with_token(&self, token: &str) -> Channel {
        show(&self.channel, token)
    }

    /// A channel of a person with a complete profile.
    pub fn person(&self, person: Uuid) -> Channel {
        self.with_token(&person_token(person, identity::Entry::Registration, true))
    }

    /// A channel of another service that acts for itself.
    pub fn service(&self, name: &'static str) -> Channel
    where
        S: Service,
    {
        let token = access::ServiceIdentity::from_seed(name, &service_seed(name)).token_for(S::NAME).token();
        self.with_token(&token)
    }

    /// A channel of another service that acts for a person, whose token it passes along.
    pub fn service_for(
        &self,
        name: &'static str,
        person: Uuid,
    ) -> InterceptedService<tonic::transport::Channel, access::PeerToken>
    where
        S: Service,
    {
        let token = access::ServiceIdentity::from_seed(name, &service_seed(name)).token_for(S::NAME);
        let token = token.on_behalf_of(&person_token(person, identity::Entry::Registration, true));
        InterceptedService::new(self.channel.clone(), token)
    }

    /// A channel of a person who holds this role from now on.
    pub async fn staff(&self, person: Uuid, role: identity::Role, division: &str, unit: Option<Uuid>) -> Channel {
        let scope = identity::Scope {
            division: division.to_owned(),
            unit_id: unit.map(|unit| unit.to_string()).unwrap_or_default(),
        };
        let mut granted = identity::StaffRoleGranted {
            grant_id: lifecycle::ids::random().to_string(),
            person_id: person.to_string(),
            role: role.into(),
            scope: Some(scope),
            root_signature: bytes::Bytes::new(),
        };
        granted.root_signature = root_key().sign_grant(&granted).into();
        self.neighbour("identity").publish(person, "00", &granted).await;
        let authority = &self.service.ground.authority;
        until("the grant to be known", || {
            authority.now().is_some_and(|known| {
                known
                    .grants
                    .get(&person)
                    .is_some_and(|grants| grants.iter().any(|grant| grant.id.to_string() == granted.grant_id))
            })
        })
        .await;
        self.person(person)
    }

    /// Stops the service; its databases and neighbours stay.
    pub async fn stop(&self) {
        self.lifecycle.stop();
        self.lifecycle.clone().until_stopped().await;
    }

    /// Starts the service once more on the same databases, beside the neighbours that are there; it stops with the handle.
    pub async fn start_again(&self, settings: &Settings, own: S::Settings) -> Result<Again, Failure>
    where
        S: Service,
    {
        let lifecycle = Lifecycle::new(Duration::from_secs(5));
        let stop = Stop(lifecycle.clone());
        // A stop goes through its stages, and leaves the leases to whoever starts next.
        #[expect(clippy::disallowed_methods, reason = "a lifecycle cannot watch over its own end")]
        tokio::spawn(lifecycle.clone().until_stopped());
        let service = serve::<S>(settings, own, &lifecycle).await?;
        Ok(Again { channel: channel(&service), _stop: stop })
    }

    /// Identity says, signed, that a person is erased; gives the service's confirmation as soon as it stands in its log.
    pub async fn erase(&self, person: Uuid) -> PersonalDataErased {
        let erasure = lifecycle::ids::random();
        let mut erased = identity::PersonErased {
            erasure_id: erasure.to_string(),
            person_id: person.to_string(),
            root_signature: bytes::Bytes::new(),
        };
        erased.root_signature = root_key().sign_erasure(&erased).into();
        self.neighbour("identity").publish(person, "00", &erased).await;
        let log = &self.service.ground.log;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(confirmed) = log.load(erasure).await.unwrap().first() {
                return PersonalDataErased::decode(confirmed.payload.as_slice()).unwrap();
            }
            assert!(tokio::time::Instant::now() < deadline, "waited in vain for the erasure to be confirmed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many sealed parts of these streams open with any key that the key database holds.
    pub async fn opens_with_any_key(&self, streams: &[Uuid]) -> usize {
        let ground = &self.service.ground;
        let people: Vec<Uuid> =
            sqlx::query_scalar("SELECT person FROM person_key").fetch_all(&ground.pool).await.unwrap();
        let keys = ground.vault.find_all(&people).await.unwrap();
        let mut opened = 0;
        for stream in streams {
            for event in ground.log.load(*stream).await.unwrap() {
                let place = vault::binding(event.event_id, event.stream, event.version);
                opened += usize::from(keys.values().any(|key| key.open(&event.sealed, &place).is_some()));
            }
        }
        opened
    }

    async fn publish_token_key(&self) {
        let public_key = access::token::public_key(&TOKEN_SEED);
        let timestamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let mut key = identity::SigningKey {
            key_id: TOKEN_KEY.to_owned(),
            public_key: public_key.to_vec().into(),
            not_before_time: timestamp(0),
            not_after_time: timestamp(32_503_680_000),
            root_signature: bytes::Bytes::new(),
        };
        key.root_signature = root_key().sign_key(&key).into();
        let published = identity::SigningKeyPublished { key: Some(key) };
        self.neighbour("identity").publish(Uuid::from_u128(1), "00", &published).await;
        let authority = &self.service.ground.authority;
        until("the token key to be known", || authority.now().is_some_and(|known| known.keys.contains_key(TOKEN_KEY)))
            .await;
    }
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

fn channel(service: &crate::serve::Running) -> tonic::transport::Channel {
    tonic::transport::Endpoint::from_shared(format!("http://{}", service.address)).unwrap().connect_lazy()
}

fn show(channel: &tonic::transport::Channel, token: &str) -> Channel {
    InterceptedService::new(channel.clone(), Bearer(format!("Bearer {token}").into()))
}

/// An access token of a person whose session has passed the second factor, signed by the tests' key.
pub fn person_token(person: Uuid, entry: identity::Entry, complete: bool) -> String {
    let claims = Claims::new(person, Uuid::from_u128(1), entry, complete, lifecycle::clock::now());
    sign(&claims.with_second_factor(true))
}

/// A token with these claims, signed by the tests' key.
pub fn sign(claims: &Claims) -> String {
    Issuer::new(TOKEN_KEY, &TOKEN_SEED).sign(claims)
}

/// Waits until a condition holds, and fails with what was waited for when it never does.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Shows a token with every call.
#[derive(Clone)]
pub struct Bearer(Arc<str>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.parse().expect("a token is ASCII"));
        Ok(request)
    }
}

/// Nobody listens there.
fn no_nats() -> NatsSettings {
    NatsSettings { url: "nats://127.0.0.1:9".to_owned(), user: None, password_file: None, replicas: 1 }
}

fn settings(database: &TestDatabase, neighbours: &[Neighbour], files: &Path, service: &str) -> Settings {
    let file = |name: &str, content: String| {
        let path = files.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let url = |service: &str| {
        let neighbour = neighbours.iter().find(|neighbour| neighbour.service == service);
        neighbour.map_or("http://127.0.0.1:9".to_owned(), |neighbour| neighbour.url.clone())
    };
    let digits = hex::encode::<[u8; 32]>;
    let public = |service: &str| digits(access::token::public_key(&service_seed(service)));
    let keys: Vec<String> = SERVICES.iter().map(|name| format!("\"{name}\": \"{}\"", public(name))).collect();
    Settings {
        database_url: database.url(),
        migrate_database_url: Some(database.url()),
        database_connections: 8,
        root_public_key_file: file("root", digits(access::token::public_key(&ROOT_SEED))),
        service_key_file: file("service", digits(service_seed(service))),
        service_public_keys_file: file("services", format!("{{{}}}", keys.join(","))),
        grace_seconds: 5,
        erasure_mark_file: Some(files.join("erasure")),
        accept_lost_erasure: None,
        identity_url: url("identity"),
        certificates_url: url("certificates"),
        scheduling_url: url("scheduling"),
        applications_url: url("applications"),
        notifications_url: url("notifications"),
        server: rpc::Settings::at("127.0.0.1:0".parse().unwrap()),
        client_tls: rpc::ClientTls::default(),
        nats: no_nats(),
        vault: vault::Settings {
            keys_database_url: database.url(),
            master_key_file: Some(file("master", "0f".repeat(32))),
            master_keys: None,
        },
        audit: audit::Settings::default(),
        telemetry: telemetry::Settings::default(),
    }
}
