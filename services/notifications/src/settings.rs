//! The settings of this service: its channels, and how patiently it delivers.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::retry::Retry;

/// Flags and environment beyond what all services share.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Folder that takes mail as .eml files where no mail server is configured.
    #[arg(long, env = "DINGZHU_MAIL_DIR")]
    pub mail_dir: Option<PathBuf>,
    /// Folder that takes SMS as JSON files.
    #[arg(long, env = "DINGZHU_SMS_DIR")]
    pub sms_dir: Option<PathBuf>,
    /// Mail server: `smtps://host[:465]` for TLS, `smtp://host[:587]?tls=required` for STARTTLS, `smtp://127.0.0.1[:25]` for a
    /// relay on this machine.
    #[arg(long, env = "DINGZHU_SMTP_URL")]
    pub smtp_url: Option<String>,
    /// Account at the mail server.
    #[arg(long, env = "DINGZHU_SMTP_USER", requires = "smtp_password_file")]
    pub smtp_user: Option<String>,
    /// File that holds the account's password.
    #[arg(long, env = "DINGZHU_SMTP_PASSWORD_FILE", requires = "smtp_user")]
    pub smtp_password_file: Option<PathBuf>,
    /// Authority (PEM) that issued the mail server's certificate, where it is a private one.
    #[arg(long, env = "DINGZHU_SMTP_CA")]
    pub smtp_ca: Option<PathBuf>,
    /// Sender of all mail, `name <address>`; has to be given for a mail server.
    #[arg(long, env = "DINGZHU_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// Where people find the portal: what links in mails begin with.
    #[arg(long, env = "DINGZHU_PORTAL_URL", default_value = "http://127.0.0.1:7100")]
    pub portal_url: String,
    /// Deliveries in hand at once.
    #[arg(long, env = "DINGZHU_DELIVERY_PARALLEL", default_value_t = 8)]
    pub delivery_parallel: usize,
    /// Milliseconds that a channel may take for one message; after twice that long another replica may try.
    #[arg(long, env = "DINGZHU_DELIVERY_TIMEOUT_MS", default_value_t = 15_000)]
    pub delivery_timeout_ms: u64,
    /// Milliseconds between the first two tries; doubled after each.
    #[arg(long, env = "DINGZHU_DELIVERY_FIRST_PAUSE_MS", default_value_t = 2_000)]
    pub delivery_first_pause_ms: u64,
    /// Longest pause between two tries, in milliseconds.
    #[arg(long, env = "DINGZHU_DELIVERY_LONGEST_PAUSE_MS", default_value_t = 3_600_000)]
    pub delivery_longest_pause_ms: u64,
    /// Tries after which a delivery is given up; 24 take about half a day.
    #[arg(long, env = "DINGZHU_DELIVERY_ATTEMPTS", default_value_t = 24)]
    pub delivery_attempts: u32,
}

impl Settings {
    /// How long a channel may take for one message.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.delivery_timeout_ms)
    }

    /// How long a message is in one replica's hand: to find the address, to send, and to record it.
    pub fn lease(&self) -> Duration {
        self.timeout() * 2
    }

    /// When what failed is tried again.
    pub fn retry(&self) -> Retry {
        Retry {
            first: Duration::from_millis(self.delivery_first_pause_ms),
            longest: Duration::from_millis(self.delivery_longest_pause_ms),
            attempts: self.delivery_attempts,
        }
    }
}
