//! The key database of a service: one wrapped key per person, destroyed for ever on erasure.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moka::sync::Cache;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::index::Index;
use crate::key::{MasterKey, PersonKey, random};
use crate::masters::{KeyRing, MasterKeys, Settings};

/// Tables of a key database; run by `migrate`, repeatable.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Keys are remembered this long, so that an erasure elsewhere counts soon.
const REMEMBER_FOR: Duration = Duration::from_secs(60);

/// Keys kept in memory at most.
const REMEMBER_AT_MOST: u64 = 100_000;

/// Of every session, as in a service's own database: nobody holds or waits for a lock for long.
const LIMITS: [(&str, &str); 3] =
    [("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "3s"), ("statement_timeout", "15s")];

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key's file cannot be read.
    #[error("cannot read the master keys from {}", path.display())]
    MasterKeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The master key's file holds something else.
    #[error("{} does not hold keys of 64 hex digits", path.display())]
    MasterKeyFormat {
        /// The file.
        path: PathBuf,
    },
    /// The key database does not answer.
    #[error("cannot reach the key database")]
    Database(#[from] sqlx::Error),
    /// The stored key was wrapped by a master key that is not known here, or changed.
    #[error("a key does not unwrap: its master key is not among the known ones")]
    Unwrap,
    /// `migrate` has never been run here.
    #[error("the key database has no index root: run the command migrate first")]
    NoIndexRoot,
    /// Keys from before there was an index root, and more than one master key that their hashes may rest on.
    #[error("the index root is not known: run the command migrate with the master key alone that was in use before")]
    IndexRootUnknown,
    /// A KMS does not answer, or refuses.
    #[error("the master key cannot be used: {0}")]
    Master(String),
    /// The person was erased: nothing can be sealed for them any more.
    #[error("the person's key was destroyed")]
    Destroyed,
}

/// The keys of one service.
#[derive(Clone)]
pub struct Vault {
    pub(crate) pool: PgPool,
    pub(crate) masters: Arc<dyn MasterKeys>,
    index_root: Arc<OnceLock<Zeroizing<[u8; 32]>>>,
    cache: Cache<Uuid, PersonKey>,
}

impl Vault {
    /// Reads the master keys and prepares the pool; connects when it is loaded or migrated, or a key is asked for.
    pub fn open(settings: &Settings) -> Result<Self, VaultError> {
        let masters = settings.masters()?;
        let options =
            PgConnectOptions::from_str(&settings.keys_database_url)?.application_name("vault").options(LIMITS);
        let pool =
            PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(2)).connect_lazy_with(options);
        Ok(Self::with(pool, masters))
    }

    /// A vault with one master key on a pool that is there already.
    pub fn new(pool: PgPool, master: MasterKey) -> Self {
        Self::with(pool, Arc::new(KeyRing::from(master)))
    }

    /// A vault on a pool that is there already, with whatever wraps its keys.
    pub fn with(pool: PgPool, masters: Arc<dyn MasterKeys>) -> Self {
        let cache = Cache::builder().max_capacity(REMEMBER_AT_MOST).time_to_live(REMEMBER_FOR).build();
        Self { pool, masters, index_root: Arc::default(), cache }
    }

    /// Creates the tables, and the secret behind keyed hashes: a new one where there is no key yet, else the one that all
    /// hashes rest on already.
    pub async fn migrate(&self) -> Result<(), VaultError> {
        sqlx::raw_sql(SCHEMA).execute(&self.pool).await?;
        if self.stored_index_root().await?.is_none() {
            let is_used = "SELECT EXISTS (SELECT FROM person_key)";
            let is_used: bool = sqlx::query_scalar(is_used).fetch_one(&self.pool).await?;
            let root =
                if is_used { self.masters.first_index_root().ok_or(VaultError::IndexRootUnknown)? } else { random() };
            let wrapped = self.masters.wrap(Uuid::nil(), &root).await?;
            sqlx::query("INSERT INTO index_root (wrapped, master) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(wrapped.bytes)
                .bind(wrapped.master)
                .execute(&self.pool)
                .await?;
        }
        self.load().await
    }

    /// Makes sure that the master key is the right one, and reads what [`Vault::index`] needs.
    pub async fn load(&self) -> Result<(), VaultError> {
        let (wrapped, master) = self.stored_index_root().await?.ok_or(VaultError::NoIndexRoot)?;
        let root = self.masters.unwrap(Some(&master), Uuid::nil(), &wrapped).await?;
        // Loaded before: it is the same.
        let _ = self.index_root.set(root);
        Ok(())
    }

    /// A keyed index for one purpose; of a vault that was loaded.
    pub fn index(&self, purpose: &str) -> Index {
        Index::new(self.index_root.get().expect("a vault is loaded before it is used"), purpose)
    }

    /// The wrapped index root and the name of its master key.
    pub(crate) async fn stored_index_root(&self) -> Result<Option<(Vec<u8>, String)>, VaultError> {
        Ok(sqlx::query_as("SELECT wrapped, master FROM index_root").fetch_optional(&self.pool).await?)
    }

    /// The key of a person; `None` where there never was one, or it was destroyed.
    ///
    /// `person` may also be the id of a record that belongs to nobody yet.
    pub async fn find(&self, person: Uuid) -> Result<Option<PersonKey>, VaultError> {
        Ok(self.find_all(&[person]).await?.remove(&person))
    }

    /// The keys of many people; those without one are left out.
    pub async fn find_all(&self, people: &[Uuid]) -> Result<HashMap<Uuid, PersonKey>, VaultError> {
        let mut keys = HashMap::with_capacity(people.len());
        let mut unknown = Vec::new();
        for person in people {
            match self.cache.get(person) {
                Some(key) => drop(keys.insert(*person, key)),
                None => unknown.push(*person),
            }
        }
        if !unknown.is_empty() {
            let rows: Vec<(Uuid, Vec<u8>, Option<String>)> = sqlx::query_as(
                "SELECT person, wrapped, master FROM person_key WHERE person = ANY($1) AND wrapped IS NOT NULL",
            )
            .bind(&unknown)
            .fetch_all(&self.pool)
            .await?;
            for (person, wrapped, master) in rows {
                let key = self.masters.unwrap(master.as_deref(), person, &wrapped).await?;
                let key = PersonKey::new(&key);
                self.cache.insert(person, key.clone());
                keys.insert(person, key);
            }
        }
        Ok(keys)
    }

    /// The key of a person, made at the first call.
    pub async fn obtain(&self, person: Uuid) -> Result<PersonKey, VaultError> {
        let mut keys = self.obtain_all(&[person]).await?;
        keys.remove(&person).ok_or(VaultError::Destroyed)
    }

    /// The keys of many people, made where they are missing; those of erased people are left out.
    pub async fn obtain_all(&self, people: &[Uuid]) -> Result<HashMap<Uuid, PersonKey>, VaultError> {
        let mut keys = self.find_all(people).await?;
        let missing: HashSet<Uuid> = people.iter().copied().filter(|person| !keys.contains_key(person)).collect();
        if missing.is_empty() {
            return Ok(keys);
        }
        let mut made = HashMap::with_capacity(missing.len());
        let (mut wrapped, mut masters) = (Vec::with_capacity(missing.len()), Vec::with_capacity(missing.len()));
        for person in &missing {
            let key = random();
            let by_master = self.masters.wrap(*person, &key).await?;
            wrapped.push(by_master.bytes);
            masters.push(by_master.master);
            made.insert(*person, key);
        }
        let people: Vec<Uuid> = missing.iter().copied().collect();
        let ours: Vec<Uuid> = sqlx::query_scalar(
            "INSERT INTO person_key (person, wrapped, master) SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::text[])
             ON CONFLICT (person) DO NOTHING RETURNING person",
        )
        .bind(&people)
        .bind(&wrapped)
        .bind(&masters)
        .fetch_all(&self.pool)
        .await?;
        for person in ours {
            let key = PersonKey::new(&made.remove(&person).expect("only keys that were made are stored"));
            self.cache.insert(person, key.clone());
            keys.insert(person, key);
        }
        // Two replicas may try at once: the first one's key stands, and the other reads it back.
        let theirs: Vec<Uuid> = made.into_keys().collect();
        keys.extend(self.find_all(&theirs).await?);
        Ok(keys)
    }

    /// Whether a person's key was destroyed. Asks the key database, whatever is remembered here.
    pub async fn is_destroyed(&self, person: Uuid) -> Result<bool, VaultError> {
        let sql = "SELECT EXISTS (SELECT FROM person_key WHERE person = $1 AND destroyed_at IS NOT NULL)";
        Ok(sqlx::query_scalar(sql).bind(person).fetch_one(&self.pool).await?)
    }

    /// Destroys a person's key for ever. Doing it twice changes nothing.
    pub async fn destroy(&self, person: Uuid) -> Result<(), VaultError> {
        sqlx::query(
            "INSERT INTO person_key (person, wrapped, destroyed_at) VALUES ($1, NULL, clock_timestamp())
             ON CONFLICT (person) DO UPDATE SET wrapped = NULL, destroyed_at = clock_timestamp()
             WHERE person_key.wrapped IS NOT NULL",
        )
        .bind(person)
        .execute(&self.pool)
        .await?;
        self.cache.invalidate(&person);
        Ok(())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({:?})", self.masters)
    }
}
