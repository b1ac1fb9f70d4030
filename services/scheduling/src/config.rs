//! Settings beyond those that all services share.

/// Flags and environment of this service.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// People who may watch the availability of a place at once; open streams of other kinds come beside them.
    #[arg(long, env = "DINGZHU_MAX_WATCHERS", default_value_t = 128)]
    pub max_watchers: usize,
    /// Bookings that may be missed (未到场): an application that has missed so many books no more.
    #[arg(long, env = "DINGZHU_MAX_NO_SHOWS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_no_shows: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_watchers: 128, max_no_shows: 3 }
    }
}
