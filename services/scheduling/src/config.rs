//! Settings beyond those that all services share.

/// Flags and environment of this service.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// People who may watch the availability of a place at once; open streams of other kinds come beside them.
    #[arg(long, env = "DINGZHU_MAX_WATCHERS", default_value_t = 128)]
    pub max_watchers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_watchers: 128 }
    }
}
