//! Where NATS is and who we are there.

use std::fmt;
use std::path::PathBuf;

/// Flags and environment of the connection to NATS.
#[derive(Clone, clap::Args)]
pub struct NatsSettings {
    /// Address of one server or several, separated by commas.
    #[arg(long = "nats-url", env = "DINGZHU_NATS_URL", default_value = "nats://127.0.0.1:7122")]
    pub url: String,
    /// User of this service; may publish only its own subjects.
    #[arg(long = "nats-user", env = "DINGZHU_NATS_USER", requires = "password_file")]
    pub user: Option<String>,
    /// File that holds the user's password.
    #[arg(long = "nats-password-file", env = "DINGZHU_NATS_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// Servers that keep a copy of a stream this service creates: 3 in deployments.
    #[arg(long = "nats-replicas", env = "DINGZHU_NATS_REPLICAS", default_value_t = 1)]
    pub replicas: usize,
}

/// The address may hold a password and is not shown.
impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings")
            .field("user", &self.user)
            .field("password_file", &self.password_file)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
