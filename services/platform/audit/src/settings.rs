//! The settings of the audit trail: how long it is kept.

/// Flags and environment.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// Days for which the audit trail is kept, at least 180.
    #[arg(long, env = "DINGZHU_AUDIT_DAYS", default_value_t = DAYS, value_parser = clap::value_parser!(u16).range(180..))]
    pub audit_days: u16,
}

const DAYS: u16 = 366;

impl Default for Settings {
    fn default() -> Self {
        Self { audit_days: DAYS }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn read(days: &[&str]) -> Result<u16, clap::Error> {
        let command = Settings::augment_args(Command::new("service"));
        let matches = command.try_get_matches_from([&["service"], days].concat())?;
        Settings::from_arg_matches(&matches).map(|settings| settings.audit_days)
    }

    #[test]
    fn less_than_half_a_year_is_refused() {
        assert_eq!(read(&[]).unwrap(), 366);
        assert_eq!(read(&["--audit-days", "180"]).unwrap(), 180);
        assert!(read(&["--audit-days", "179"]).unwrap_err().to_string().contains("179"));
    }
}
