//! The key database of a service: one wrapped key per person, destroyed for ever on erasure.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use moka::sync::Cache;
use sqlx::PgPool;
use uuid::Uuid;

use crate::index::Index;
use crate::key::{MasterKey, PersonKey};

/// Tables of a key database; run by `migrate`, repeatable.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Keys are remembered this long, so that an erasure elsewhere counts soon.
const REMEMBER_FOR: Duration = Duration::from_secs(60);

/// Keys kept in memory at most.
const REMEMBER_AT_MOST: u64 = 100_000;

/// Where keys are.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// PostgreSQL URL of the service's key database.
    #[arg(long, env = "DINGZHU_KEYS_DATABASE_URL", hide_env_values = true)]
    pub keys_database_url: String,
    /// File with the master key, 64 hex digits.
    #[arg(long, env = "DINGZHU_MASTER_KEY_FILE")]
    pub master_key_file: PathBuf,
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key's file cannot be read.
    #[error("cannot read the master key from {}", path.display())]
    MasterKeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The master key's file holds something else.
    #[error("{} does not hold 64 hex digits", path.display())]
    MasterKeyFormat {
        /// The file.
        path: PathBuf,
    },
    /// The key database does not answer.
    #[error("cannot reach the key database")]
    Database(#[from] sqlx::Error),
    /// The stored key was wrapped by another master key, or changed.
    #[error("the key of a person does not unwrap")]
    Unwrap,
    /// The person was erased: nothing can be sealed for them any more.
    #[error("the person's key was destroyed")]
    Destroyed,
}

/// The keys of one service.
#[derive(Clone, Debug)]
pub struct Vault {
    pool: PgPool,
    master: MasterKey,
    cache: Cache<Uuid, PersonKey>,
}

impl Vault {
    /// Reads the master key and prepares the pool; connects when the first key is asked for.
    pub fn open(settings: &Settings) -> Result<Self, VaultError> {
        let path = settings.master_key_file.clone();
        let digits = std::fs::read_to_string(&path)
            .map_err(|source| VaultError::MasterKeyFile { path: path.clone(), source })?;
        let master = MasterKey::parse(&digits).ok_or(VaultError::MasterKeyFormat { path })?;
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(2))
            .connect_lazy(&settings.keys_database_url)?;
        Ok(Self::new(pool, master))
    }

    /// A vault on a pool that is there already.
    pub fn new(pool: PgPool, master: MasterKey) -> Self {
        let cache = Cache::builder().max_capacity(REMEMBER_AT_MOST).time_to_live(REMEMBER_FOR).build();
        Self { pool, master, cache }
    }

    /// Creates the tables.
    pub async fn migrate(&self) -> Result<(), VaultError> {
        sqlx::raw_sql(SCHEMA).execute(&self.pool).await?;
        Ok(())
    }

    /// A keyed index for one purpose.
    pub fn index(&self, purpose: &str) -> Index {
        Index::new(&self.master, purpose)
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
            let rows: Vec<(Uuid, Vec<u8>)> =
                sqlx::query_as("SELECT person, wrapped FROM person_key WHERE person = ANY($1) AND wrapped IS NOT NULL")
                    .bind(&unknown)
                    .fetch_all(&self.pool)
                    .await?;
            for (person, wrapped) in rows {
                let key = self.master.unwrap(person, &wrapped).ok_or(VaultError::Unwrap)?;
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
        let keys = self.find_all(people).await?;
        let missing: Vec<Uuid> = people.iter().copied().filter(|person| !keys.contains_key(person)).collect();
        if missing.is_empty() {
            return Ok(keys);
        }
        let wrapped: Vec<Vec<u8>> = missing.iter().map(|person| self.master.make(*person).1).collect();
        // Two replicas may try at once: the first one's key stands, and both read it back.
        sqlx::query(
            "INSERT INTO person_key (person, wrapped) SELECT * FROM unnest($1::uuid[], $2::bytea[])
             ON CONFLICT (person) DO NOTHING",
        )
        .bind(&missing)
        .bind(&wrapped)
        .execute(&self.pool)
        .await?;
        self.find_all(people).await
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
