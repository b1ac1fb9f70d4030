//! The settings of this service: its two secrets, from files, whom it asks, and how long papers are kept.

use std::path::PathBuf;

/// Flags and environment beyond what all services share.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// File with the pepper of passwords, 64 hex digits; it is never in the database, so that a stolen one is worth little.
    #[arg(long, env = "DINGZHU_PEPPER_FILE")]
    pub pepper_file: PathBuf,
    /// File with the seed of the root key, 64 hex digits: signs keys and roles, and is nowhere else.
    #[arg(long, env = "DINGZHU_ROOT_KEY_FILE")]
    pub root_key_file: PathBuf,
    /// Who checks real names.
    #[command(flatten)]
    pub real_name: crate::real_name::Settings,
    /// Years for which the papers of a registration are kept after its conclusion: so long nobody is forgotten.
    #[arg(long, env = "DINGZHU_ARCHIVE_YEARS", default_value_t = 6)]
    pub archive_years: u16,
    /// Which gateway to WeChat.
    #[command(flatten)]
    pub wechat: crate::wechat::Settings,
}
