//! The people of the benchmark: some with accounts, any number without, each with an address of their own and a solved puzzle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use cluster::actor::{Actor, Credentials, Letters};
use cluster::failure::Doing as _;
use cluster::register::Teacher;
use cluster::{Cluster, Failure, Result, Service};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::identity::v1 as identity;
use proto::identity::v1::puzzle_sign_in_client::PuzzleSignInClient;
use sqlx::{Connection as _, PgConnection};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

const PASSWORD: &str = "bench#2026";
const WRONG: &str = "wrong#2026";
/// Connections that the callers share.
const CONNECTIONS: usize = 16;
/// Accounts and puzzles that are made at once.
const AT_ONCE: usize = 16;
/// Numbers from here on have no account.
const STRANGERS: u32 = 100_000;

/// Somebody who wants to sign in.
#[derive(Clone, Debug)]
pub struct Visitor {
    number: String,
    password: &'static str,
}

/// A sign-in whose puzzle is solved.
#[derive(Clone, Debug)]
pub struct Attempt {
    request: identity::SignInRequest,
    address: MetadataValue<Ascii>,
}

/// Everybody, and the way to the service.
pub struct Crowd {
    accounts: Vec<Teacher>,
    channels: Vec<Channel>,
    database_url: String,
    addresses: AtomicU32,
}

impl Attempt {
    /// As it is sent.
    pub fn request(&self) -> Request<identity::SignInRequest> {
        let mut request = Request::new(self.request.clone());
        request.metadata_mut().insert("x-forwarded-for", self.address.clone());
        request
    }
}

impl Crowd {
    /// Opens the accounts.
    pub async fn arrive(cluster: &Cluster, accounts: u32) -> Result<Self> {
        let layout = cluster.layout();
        let (addresses, letters) = (layout.addresses(), Letters::at(layout));
        let accounts: Vec<Teacher> = (0..accounts).map(Teacher::new).collect();
        stream::iter(&accounts)
            .map(async |teacher| {
                let credentials = Credentials {
                    number: teacher.number(),
                    phone: teacher.phone(),
                    password: PASSWORD.to_owned(),
                    totp: None,
                };
                Actor::register(&addresses, &letters, &credentials, &teacher.name()).await
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            let url = layout.url(Service::Identity);
            let endpoint = Endpoint::from_shared(url.clone()).doing(|| format!("use {url}"))?;
            channels.push(endpoint.connect().await.doing(|| format!("connect to {url}"))?);
        }
        let database_url = layout.superuser_url(&layout.database(Service::Identity))?;
        Ok(Self { accounts, channels, database_url, addresses: AtomicU32::new(0) })
    }

    /// One of the connections.
    pub fn channel(&self, place: usize) -> Channel {
        self.channels[place % CONNECTIONS].clone()
    }

    /// Somebody with an account and the right password.
    pub fn known(&self, place: usize) -> Visitor {
        Visitor { number: self.accounts[place % self.accounts.len()].number(), password: PASSWORD }
    }

    /// Somebody with an account and a wrong password.
    pub fn mistaken(&self, n: u32) -> Visitor {
        Visitor { password: WRONG, ..self.known(n as usize) }
    }

    /// Somebody without an account.
    pub fn stranger(n: u32) -> Visitor {
        Visitor { number: Teacher::new(STRANGERS + n).number(), password: PASSWORD }
    }

    /// Gets everybody a puzzle and solves it, in the same order; the answers count for two minutes.
    pub async fn solve(&self, visitors: Vec<Visitor>) -> Result<Vec<Attempt>> {
        let mut attempts: Vec<Attempt> = stream::iter(visitors.into_iter().enumerate())
            .map(|(place, visitor)| self.ask(place, visitor))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut database = PgConnection::connect(&self.database_url).await.doing(|| "open the database".into())?;
        let gaps: HashMap<String, i16> = sqlx::query_as::<_, (Uuid, i16)>("SELECT id, gap FROM puzzle")
            .fetch_all(&mut database)
            .await
            .doing(|| "read where the gaps are".into())?
            .into_iter()
            .map(|(id, gap)| (id.to_string(), gap))
            .collect();
        for attempt in &mut attempts {
            let gap = gaps.get(&attempt.request.puzzle_id).ok_or_else(|| Failure::new("a puzzle is gone"))?;
            attempt.request.offset = i32::from(*gap);
        }
        Ok(attempts)
    }

    async fn ask(&self, place: usize, visitor: Visitor) -> Result<Attempt> {
        let [_, high, middle, low] = self.addresses.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = format!("10.{high}.{middle}.{low}").parse().doing(|| "write an address".into())?;
        let document_type = identity::DocumentType::ResidentId.into();
        let number = visitor.number.clone();
        let mut request = Request::new(identity::MakePuzzleRequest { document_type, number });
        request.metadata_mut().insert("x-forwarded-for", MetadataValue::clone(&address));
        let mut client = PuzzleSignInClient::new(self.channel(place));
        let puzzle = client.make_puzzle(request).await.doing(|| "ask for a puzzle".into())?.into_inner();
        let request = identity::SignInRequest {
            document_type,
            number: visitor.number,
            password: visitor.password.to_owned(),
            entry: identity::Entry::Registration.into(),
            puzzle_id: puzzle.puzzle_id,
            offset: 0,
        };
        Ok(Attempt { request, address })
    }
}
