//! What a service stands on once it has started: database, log, keys, neighbours.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use access::root::{KeyFileError, RootPublicKey};
use access::{Authority, ServiceIdentity, ServiceKeys};
use eventlog::EventLog;
use lifecycle::{Lifecycle, Stage};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection, PgPool};
use vault::Vault;

use crate::{Peers, Service, Settings};

/// The ground of one service. Clones are the same ground.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Connections to the service's database.
    pub pool: PgPool,
    /// The event log.
    pub log: EventLog,
    /// Keys of people.
    pub vault: Vault,
    /// The other services.
    pub peers: Peers,
    /// Who may what.
    pub authority: Authority,
    /// What the root key signed is trusted.
    pub root: RootPublicKey,
    /// Whose word on the address of a call counts.
    pub proxies: Arc<[IpAddr]>,
    /// Names the newest erasure that is applied here, outside of both databases.
    pub erasure_mark_file: Option<PathBuf>,
    /// Tasks and stop.
    pub lifecycle: Lifecycle,
}

/// Why a service has no ground to stand on.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// The database does not answer.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    /// `migrate` has to be run first.
    #[error("migration {0} is pending: run the command migrate first")]
    MigrationPending(i64),
    /// A migration failed, or one that was applied has changed since.
    #[error("the database cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// `migrate` was called without the migrating role's address.
    #[error("DINGZHU_MIGRATE_DATABASE_URL is not set")]
    NoMigratingRole,
    /// The log cannot be read.
    #[error("the event log cannot be used")]
    Log(#[from] eventlog::ReadError),
    /// The vault cannot be opened.
    #[error("the vault cannot be opened")]
    Vault(#[from] vault::VaultError),
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// An address of another service is none.
    #[error(transparent)]
    Peer(#[from] rpc::ConnectError),
}

impl Ground {
    /// Opens everything that `S` stands on; refuses while migrations are pending.
    pub async fn open<S: Service>(settings: &Settings, lifecycle: &Lifecycle) -> Result<Self, GroundError> {
        let root = RootPublicKey::read(&settings.root_public_key_file)?;
        let identity = ServiceIdentity::read(S::NAME, &settings.service_key_file)?;
        let services = ServiceKeys::read(&settings.service_public_keys_file)?;
        let vault = Vault::open(&settings.vault)?;
        vault.load().await?;
        let peers = Peers::new(&identity, settings)?;
        let pool = eventlog::pool(&settings.database_url, S::NAME, settings.database_connections)?;
        refuse_pending(&pool, &S::migrations()).await?;
        let log = EventLog::start(pool.clone(), eventlog::Settings::default(), lifecycle).await?;
        let closing = pool.clone();
        lifecycle.at(Stage::Store, "database pool", async move { closing.close().await });
        let authority = Authority::new(S::NAME, services);
        let erasure_mark_file = settings.erasure_mark_file.clone();
        let proxies = settings.server.trusted_proxies.clone().into();
        Ok(Self { pool, log, vault, peers, authority, root, proxies, erasure_mark_file, lifecycle: lifecycle.clone() })
    }
}

/// The command `migrate`: as the owner of the tables, so that the service's role owns nothing it must not change.
pub(crate) async fn migrate<S: Service>(settings: &Settings) -> Result<(), GroundError> {
    let url = settings.migrate_database_url.as_deref().ok_or(GroundError::NoMigratingRole)?;
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(include_str!("become_owner.sql")).execute(&mut connection).await?;
    S::migrations().run(&mut connection).await?;
    sqlx::raw_sql(include_str!("let_migrations_be_read.sql")).execute(&mut connection).await?;
    connection.close().await?;
    Vault::open(&settings.vault)?.migrate().await?;
    Ok(())
}

async fn refuse_pending(pool: &PgPool, migrations: &Migrator) -> Result<(), GroundError> {
    let known: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations')::text").fetch_one(pool).await?;
    let applied: Vec<i64> = match known {
        Some(_) => {
            sqlx::query_scalar("SELECT version FROM public._sqlx_migrations WHERE success").fetch_all(pool).await?
        }
        None => Vec::new(),
    };
    let pending = migrations.iter().find(|migration| !applied.contains(&migration.version));
    pending.map_or(Ok(()), |migration| Err(GroundError::MigrationPending(migration.version)))
}

/// How long a stop may take.
pub(crate) fn grace(settings: &Settings) -> Duration {
    Duration::from_secs(settings.grace_seconds)
}
