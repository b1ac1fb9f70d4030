//! The settings that all services share, from flags and environment; secrets come from files and are never shown.

use std::fmt;
use std::path::PathBuf;

use uuid::Uuid;

/// Flags and environment of a service.
#[derive(Clone, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// PostgreSQL URL of the service's database, as the service's role.
    #[arg(long, env = "DINGZHU_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The same as the migrating role; only for the command `migrate`.
    #[arg(long, env = "DINGZHU_MIGRATE_DATABASE_URL", hide_env_values = true)]
    pub migrate_database_url: Option<String>,
    /// Connections to the database, besides the log's writer and the leases.
    #[arg(long, env = "DINGZHU_DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,
    /// File with the root public key, 64 hex digits: what it signed is trusted.
    #[arg(long, env = "DINGZHU_ROOT_PUBLIC_KEY_FILE")]
    pub root_public_key_file: PathBuf,
    /// File with the seed of this service's own key, 64 hex digits.
    #[arg(long, env = "DINGZHU_SERVICE_KEY_FILE")]
    pub service_key_file: PathBuf,
    /// JSON file with the public keys of all services.
    #[arg(long, env = "DINGZHU_SERVICE_PUBLIC_KEYS_FILE")]
    pub service_public_keys_file: PathBuf,
    /// File outside of the databases and of their backups that names the newest erasure which is applied here. Without it a
    /// restore of both databases from the same moment is not noticed.
    #[arg(long, env = "DINGZHU_ERASURE_MARK_FILE")]
    pub erasure_mark_file: Option<PathBuf>,
    /// An erasure that identity has lost for good with its log and its stream, or that a restored service cannot apply: it serves without
    /// it. Whoever sets this has seen to the person by other means.
    #[arg(long, env = "DINGZHU_ACCEPT_LOST_ERASURE")]
    pub accept_lost_erasure: Option<Uuid>,
    /// Seconds that a stop may take before it turns hard.
    #[arg(long, env = "DINGZHU_GRACE_SECONDS", default_value_t = 25)]
    pub grace_seconds: u64,
    /// Where identity is.
    #[arg(long, env = "DINGZHU_IDENTITY_URL", default_value = "http://127.0.0.1:7101")]
    pub identity_url: String,
    /// Where certificates is.
    #[arg(long, env = "DINGZHU_CERTIFICATES_URL", default_value = "http://127.0.0.1:7102")]
    pub certificates_url: String,
    /// Where scheduling is.
    #[arg(long, env = "DINGZHU_SCHEDULING_URL", default_value = "http://127.0.0.1:7103")]
    pub scheduling_url: String,
    /// Where applications is.
    #[arg(long, env = "DINGZHU_APPLICATIONS_URL", default_value = "http://127.0.0.1:7104")]
    pub applications_url: String,
    /// Where notifications is.
    #[arg(long, env = "DINGZHU_NOTIFICATIONS_URL", default_value = "http://127.0.0.1:7105")]
    pub notifications_url: String,
    /// The server.
    #[command(flatten)]
    pub server: rpc::Settings,
    /// Calls to other services.
    #[command(flatten)]
    pub client_tls: rpc::ClientTls,
    /// The bus.
    #[command(flatten)]
    pub nats: eventbus::NatsSettings,
    /// Keys of people.
    #[command(flatten)]
    pub vault: vault::Settings,
    /// The audit trail.
    #[command(flatten)]
    pub audit: audit::Settings,
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: telemetry::Settings,
}

/// The URLs may hold passwords and are not shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("database_connections", &self.database_connections)
            .field("server", &self.server)
            .field("nats", &self.nats)
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn no_password_is_shown() {
        let url = "postgres://one:hunter2@localhost/one";
        let flags = [
            ["--database-url", url],
            ["--migrate-database-url", url],
            ["--keys-database-url", url],
            ["--nats-url", "nats://one:hunter2@localhost"],
            ["--identity-url", "http://one:hunter2@localhost"],
            ["--listen", "127.0.0.1:0"],
            ["--root-public-key-file", "root"],
            ["--service-key-file", "key"],
            ["--service-public-keys-file", "keys"],
            ["--master-key-file", "master"],
        ];
        let command = Settings::augment_args(Command::new("service"));
        let matches = command.try_get_matches_from(["service"].into_iter().chain(flags.into_iter().flatten())).unwrap();
        let settings = Settings::from_arg_matches(&matches).unwrap();
        assert_eq!(settings.database_url, url);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
