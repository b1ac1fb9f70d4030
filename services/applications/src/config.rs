//! Settings beyond those that all services share.

use std::path::PathBuf;

/// Flags and environment of this service.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Seconds between two sweeps of drafts that have become applications.
    #[arg(long, env = "DINGZHU_DRAFT_SWEEP_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub draft_sweep_seconds: u64,
    /// Program that reads workbooks; this one where nothing is said.
    #[arg(long, env = "DINGZHU_WORKBOOK_READER", hide = true)]
    pub workbook_reader: Option<PathBuf>,

    /// Who may watch lists of applications on one replica at once; open streams of other kinds come beside them.
    #[arg(long, env = "DINGZHU_MAX_WATCHERS", default_value_t = 128)]
    pub max_watchers: usize,

    /// Seconds after which a watch ends and is to be resumed.
    #[arg(long, env = "DINGZHU_WATCH_SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub watch_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { draft_sweep_seconds: 10, workbook_reader: None, max_watchers: 128, watch_seconds: 600 }
    }
}
