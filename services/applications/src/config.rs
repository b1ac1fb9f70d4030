//! Settings beyond those that all services share.

use std::path::PathBuf;

use time::Duration;

use crate::domain::draft::Patience;

/// Flags and environment of this service.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Seconds between two sweeps of drafts that have become applications, or that nobody works on.
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
    /// Days without saving until the owner of a draft is reminded of it.
    #[arg(long, env = "DINGZHU_DRAFT_REMIND_DAYS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub draft_remind_days: u16,
    /// Days from that to the last reminder.
    #[arg(long, env = "DINGZHU_DRAFT_LAST_REMINDER_DAYS", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub draft_last_reminder_days: u16,
    /// Days from that to the deletion of the draft.
    #[arg(long, env = "DINGZHU_DRAFT_DELETE_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    pub draft_delete_days: u16,
}

impl Settings {
    /// With drafts that nobody works on.
    pub fn patience(&self) -> Patience {
        let days = |days: u16| Duration::days(days.into());
        Patience {
            first: days(self.draft_remind_days),
            last: days(self.draft_last_reminder_days),
            delete: days(self.draft_delete_days),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            draft_sweep_seconds: 10,
            draft_remind_days: 3,
            draft_last_reminder_days: 80,
            draft_delete_days: 7,
            workbook_reader: None,
            max_watchers: 128,
            watch_seconds: 600,
        }
    }
}
