//! The settings of this service: where registers are read, and by what.

use std::path::PathBuf;

/// Flags and environment beyond what all services share.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Settings {
    /// Registers over HTTP.
    #[command(flatten)]
    pub source: crate::source::Settings,
    /// Program that reads workbooks; this one where nothing is said.
    #[arg(long, env = "DINGZHU_WORKBOOK_READER", hide = true)]
    pub workbook_reader: Option<PathBuf>,
}
