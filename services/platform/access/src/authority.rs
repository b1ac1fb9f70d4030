//! What a service knows of keys and grants right now, and the judgement of a token by it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventbus::{BusHandle, LoadError, Reference};
use eventlog::Division;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use moka::sync::Cache;
use proto::identity::v1::{Entry, Role};
use rpc::Refusal;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::caller::{Caller, Grant, Person, Scope};
use crate::peer::{ON_BEHALF_OF, ServiceKeys};
use crate::token::{self, Claims, ServiceClaims};
use crate::view::AUTHORITY;

/// What is known of roles counts for so long without news that it is still so: a role that was taken back counts no longer.
const CURRENT_FOR: Duration = Duration::from_secs(10);
/// Verified tokens that are remembered at most.
const REMEMBERED: u64 = 200_000;

/// A person who was restricted or erased is remembered for longer than any token from before can live.
const LOST_REMEMBERED: time::Duration = time::Duration::hours(1);

/// Keys and grants as of now.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Published keys by id.
    pub keys: HashMap<String, SigningKeyEntry>,
    /// Live grants by person.
    pub grants: HashMap<Uuid, Arc<[Grant]>>,
    /// People whose account was restricted within the last hour: newer tokens say so themselves.
    pub restricted: HashSet<Uuid>,
    /// People who were erased within the last hour: older tokens have ended by themselves.
    pub erased: HashSet<Uuid>,
}

/// A key whose tokens count.
#[derive(Clone, Copy, Debug)]
pub struct SigningKeyEntry {
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// First moment at which it counts.
    pub not_before: OffsetDateTime,
    /// Last one.
    pub not_after: OffsetDateTime,
}

impl Known {
    /// Loads it from the view's tables.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let keys: Vec<(String, Vec<u8>, OffsetDateTime, OffsetDateTime)> =
            sqlx::query_as("SELECT key_id, public_key, not_before, not_after FROM authority_key")
                .fetch_all(&pool)
                .await?;
        let grants: Vec<(Uuid, Uuid, i32, String, Option<Uuid>)> = sqlx::query_as(
            "SELECT grant_id, person, role, division, unit FROM authority_grant ORDER BY person, grant_id",
        )
        .fetch_all(&pool)
        .await?;
        let erased: Vec<Uuid> = sqlx::query_scalar("SELECT person FROM authority_erased WHERE erased_at > $1")
            .bind(lifecycle::clock::now() - LOST_REMEMBERED)
            .fetch_all(&pool)
            .await?;
        let restricted: Vec<Uuid> =
            sqlx::query_scalar("SELECT person FROM authority_restricted WHERE restricted_at > $1")
                .bind(lifecycle::clock::now() - LOST_REMEMBERED)
                .fetch_all(&pool)
                .await?;

        let (restricted, erased) = (restricted.into_iter().collect(), erased.into_iter().collect());
        let mut known = Self { restricted, erased, ..Self::default() };
        for (key_id, public_key, not_before, not_after) in keys {
            let public_key = public_key.as_slice().try_into()?;
            known.keys.insert(key_id, SigningKeyEntry { public_key, not_before, not_after });
        }
        for of_person in grants.chunk_by(|one, next| one.1 == next.1) {
            let granted = of_person.iter().filter_map(|(id, _, role, division, unit)| {
                let role = Role::try_from(*role).ok()?;
                let scope = Scope { division: Division::parse(division)?, unit: *unit };
                Some(Grant { id: *id, role, scope })
            });
            known.grants.insert(of_person[0].1, granted.collect());
        }
        Ok(known)
    }
}

/// Judges tokens by what is known now. Clones share it.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    service: &'static str,
    services: ServiceKeys,
    known: OnceLock<Reference<Known>>,
    verified: Cache<Box<str>, Verified>,
}

/// Stands in the place of a caller whose token is wrong: why it is.
#[derive(Clone, Debug)]
pub(crate) struct Unrecognised(pub(crate) Refusal);

#[derive(Clone)]
enum Verified {
    Person { person: Person, key_id: Arc<str>, exp: i64 },
    Service { name: String, exp: i64 },
}

impl Authority {
    /// An authority that knows nobody yet; [`Authority::follow`] gives it keys and grants.
    pub fn new(service: &'static str, services: ServiceKeys) -> Self {
        let verified = Cache::builder().max_capacity(REMEMBERED).time_to_live(token::LIFETIME).build();
        Self(Arc::new(Inner { service, services, known: OnceLock::new(), verified }))
    }

    /// From now on it knows what the feed [`AUTHORITY`] of the bus brings.
    pub fn follow(&self, bus: &BusHandle) {
        let reference = bus.reference(AUTHORITY, Known::load);
        assert!(self.0.known.set(reference).is_ok(), "an authority follows one bus");
    }

    /// What is known now; `None` before identity's feed has first reached its head.
    pub fn now(&self) -> Option<Arc<Known>> {
        self.0.known.get()?.require().ok()
    }

    /// Whether what is known of roles is so fresh that staff may change things by it. Applicants need no role. Only identity can say
    /// that its stream lacks nothing: what it recorded last before it fell silent may be that a role was taken back.
    pub fn is_current(&self) -> bool {
        self.0.known.get().and_then(Reference::age).is_some_and(|age| age <= CURRENT_FOR)
    }

    /// Finds out who calls and leaves it with the request, for [`Caller::of`] and [`crate::AccessLayer`]. What is wrong with a token is
    /// left there, too: only the access table knows whether it matters.
    pub fn recognise<B>(&self, mut request: Request<B>) -> Request<B> {
        let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let bearer = header(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        match self.judge(bearer, header(ON_BEHALF_OF), lifecycle::clock::now()) {
            Ok(caller) => drop(request.extensions_mut().insert(caller)),
            Err(refusal) => drop(request.extensions_mut().insert(Unrecognised(refusal))),
        }
        request
    }

    /// Who shows this token, and on whose behalf; `Err` says what is wrong with it.
    fn judge(&self, bearer: Option<&str>, behalf: Option<&str>, now: OffsetDateTime) -> Result<Caller, Refusal> {
        let Some(bearer) = bearer else { return Ok(Caller::default()) };
        match self.verify(bearer, now)? {
            Verified::Person { person, .. } => {
                let grants = self.known()?.grants.get(&person.id).cloned().unwrap_or_default();
                let (grants, withheld) =
                    if person.second_factor { (grants, Arc::default()) } else { (Arc::default(), grants) };
                Ok(Caller { person: Some(person), service: None, grants, withheld })
            }
            Verified::Service { name, .. } => {
                let person = match behalf.map(|token| self.verify(token, now)).transpose()? {
                    Some(Verified::Person { person, .. }) => Some(person),
                    Some(Verified::Service { .. }) => return Err(invalid()),
                    None => None,
                };
                let withheld = match &person {
                    Some(person) => self.known()?.grants.get(&person.id).cloned().unwrap_or_default(),
                    None => Arc::default(),
                };
                Ok(Caller { person, service: Some(name), grants: Arc::default(), withheld })
            }
        }
    }

    fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Verified, Refusal> {
        let mut verified = if let Some(verified) = self.0.verified.get(token) {
            verified
        } else {
            let verified = self.read(token, now)?;
            self.0.verified.insert(token.into(), verified.clone());
            verified
        };
        let (Verified::Person { exp, .. } | Verified::Service { exp, .. }) = &verified;
        if now.unix_timestamp() >= *exp {
            return Err(Refusal::unauthenticated("TOKEN_EXPIRED", "登录已超时，请重新登录。"));
        }
        // A key that was withdrawn takes its tokens along, and so does a person who was erased, remembered or not.
        if let Verified::Person { key_id, person, .. } = &mut verified {
            let known = self.known()?;
            if !known.keys.contains_key(&**key_id) || known.erased.contains(&person.id) {
                return Err(invalid());
            }
            // The token may be from before.
            person.restricted |= known.restricted.contains(&person.id);
        }
        Ok(verified)
    }

    fn read(&self, token: &str, now: OffsetDateTime) -> Result<Verified, Refusal> {
        let key_id = token::key_id(token).ok_or_else(invalid)?;
        if let Some(public_key) = self.0.services.get(&key_id) {
            let claims: ServiceClaims = token::verify(token, public_key).ok_or_else(invalid)?;
            if claims.aud != self.0.service || key_id != ServiceKeys::key_id(&claims.sub) {
                return Err(invalid());
            }
            return Ok(Verified::Service { name: claims.sub, exp: claims.exp });
        }
        let known = self.known()?;
        // A key that is published to sign at once, since no other one could, is published before identity answers anybody: what is known
        // since then holds it, and what is older cannot say that there is no such key.
        let unknown = || if self.is_current() { invalid() } else { not_ready() };
        let key = known.keys.get(&key_id).ok_or_else(unknown)?;
        let claims: Claims = token::verify(token, &key.public_key).ok_or_else(invalid)?;
        let counts = key.not_before <= now && now < key.not_after;
        let entry = Entry::try_from(claims.ent).map_err(|_| invalid())?;
        if !counts {
            return Err(invalid());
        }
        let person = Person {
            id: claims.sub,
            session: claims.sid,
            entry,
            complete: claims.cpl,
            second_factor: claims.two,
            restricted: claims.rst,
            token: token.into(),
        };
        Ok(Verified::Person { person, key_id: key_id.into(), exp: claims.exp })
    }

    fn known(&self) -> Result<Arc<Known>, Refusal> {
        self.now().ok_or_else(not_ready)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.0.service)
    }
}

fn invalid() -> Refusal {
    Refusal::unauthenticated("TOKEN_INVALID", "登录凭证无效，请重新登录。")
}

fn not_ready() -> Refusal {
    Refusal::new(tonic::Code::Unavailable, "REFERENCE_NOT_READY", "系统正在同步数据，请稍后再试。")
        .retry_after(Duration::from_secs(2))
}
