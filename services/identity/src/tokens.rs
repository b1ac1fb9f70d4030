//! Access tokens and the keys that sign them: one key ring for all replicas, kept up to date in each one's memory.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use access::root::RootKey;
use access::token::{self, Claims};
use decider::Decider as _;
use eventlog::{Append, AppendError, EventLog};
use lifecycle::{Lifecycle, OnDeath, Stage, clock, ids};
use proto::identity::v1::{Entry as ProtoEntry, SigningKey};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::Vault;
use zeroize::Zeroizing;

use crate::chance;
use crate::domain::signing_key::{KeyRing, PublishIfDue, Published};
use crate::error::Error;
use crate::store::keys::{self, LoadedKeys};
use crate::store::sessions::Kept;

/// How often every replica looks for new keys, and for keys that are due.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often a key is published when other replicas are faster.
const TRIES: usize = 5;

/// Makes access tokens. Clones share the keys.
#[derive(Clone, Debug)]
pub struct Tokens {
    log: EventLog,
    vault: Vault,
    root: RootKey,
    loaded: Arc<RwLock<Arc<LoadedKeys>>>,
}

/// An access token.
#[derive(Clone)]
pub struct Access {
    /// For the header `authorization`.
    pub token: String,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Whose it is.
    pub person: Uuid,
    /// The session that it belongs to.
    pub session: Uuid,
}

impl Tokens {
    /// Loads the keys, and publishes the first one where there is none.
    pub async fn open(log: EventLog, vault: Vault, root: RootKey) -> Result<Self, Error> {
        let tokens = Self { log, vault, root, loaded: Arc::default() };
        tokens.refresh(clock::now()).await?;
        Ok(tokens)
    }

    /// Keeps the keys up to date until the service stops.
    pub fn keep(&self, lifecycle: &Lifecycle) {
        let (tokens, stopping) = (self.clone(), lifecycle.stopping(Stage::Work));
        lifecycle.spawn("signing-keys", OnDeath::StopsTheService, async move {
            let keeping = async {
                loop {
                    tokio::time::sleep(LOOK_EVERY).await;
                    if let Err(error) = tokens.refresh(clock::now()).await {
                        tracing::warn!(%error, "the signing keys could not be looked at");
                    }
                }
            };
            stopping.run_until_cancelled(keeping).await;
        });
    }

    /// Makes the token of a session; it says whether the profile is complete, and whether the account is restricted.
    pub fn issue(
        &self,
        session: &Kept,
        (complete, restricted): (bool, bool),
        now: OffsetDateTime,
    ) -> Result<Access, Error> {
        let loaded = self.loaded();
        let signing = loaded.ring.signing(now).ok_or(Error::NoSigningKey)?;
        let issuer = loaded.issuers.iter().find(|(key, _)| *key == signing.id);
        let (_, issuer) = issuer.ok_or(Error::NoSigningKey)?;
        let entry = ProtoEntry::try_from(i32::from(session.entry.code()));
        let entry = entry.expect("the API numbers the entries as the domain does");
        let claims = Claims::new(session.person, session.id, entry, complete, now);
        let claims = claims.with_second_factor(session.passed).restricted(restricted);
        let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).expect("ten minutes from now is a time");
        Ok(Access { token: issuer.sign(&claims), expires_at, person: session.person, session: session.id })
    }

    /// Keys whose tokens may be alive, signed by the root key.
    pub fn published(&self, now: OffsetDateTime) -> Vec<SigningKey> {
        self.loaded().ring.alive(now).map(|key| keys::published(key, &self.root)).collect()
    }

    fn loaded(&self) -> Arc<LoadedKeys> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the key ring, publishes what is due, forgets the private halves of keys that are over.
    pub async fn refresh(&self, now: OffsetDateTime) -> Result<(), Error> {
        let loaded = self.publish_if_due(now).await?;
        for key in loaded.ring.over(now) {
            self.vault.destroy(key.id).await?;
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(())
    }

    async fn publish_if_due(&self, now: OffsetDateTime) -> Result<LoadedKeys, Error> {
        for _ in 0..TRIES {
            let loaded = keys::load(&self.log, &self.vault, now).await?;
            let (id, seed) = (ids::random(), Zeroizing::new(chance::bytes::<32>()));
            let command = PublishIfDue { id, public_key: token::public_key(&seed), now };
            let Ok(published) = KeyRing::decide(&loaded.ring, command);
            let Some(Published(key)) = published.first() else { return Ok(loaded) };

            let sealing = self.vault.obtain(key.id).await?;
            let version = loaded.version + 1;
            let append = Append {
                stream: keys::STREAM,
                expected_version: loaded.version,
                events: vec![keys::encode(key, &seed, &sealing, ids::random(), version, &self.root)],
                actor: "system".to_owned(),
                request: None,
                claims: Vec::new(),
                not_before: None,
                not_after: None,
                traceparent: None,
                cause: None,
            };
            match self.log.append(append).await {
                Ok(_) => tracing::info!(key_id = %key.id, not_before = %key.not_before, "published a signing key"),
                // Another replica published its own: this one was never anybody's.
                Err(AppendError::VersionConflict { .. }) => self.vault.destroy(key.id).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access(…)")
    }
}
