//! The gRPC services: parse into a command, call, render.

mod applications;
mod bulk;
mod codes;
mod confirmation;
mod drafts;
mod dry_run;
mod due;
mod explain;
mod export;
mod filter;
mod history;
mod render;
mod request;
mod review;
mod rules;
mod sentences;
mod statistics;
mod status;
mod texts;
mod watch;

pub use applications::ApplicationsApi;
pub use bulk::BulkApi;
pub use codes::CodesApi;
pub use confirmation::ConfirmationApi;
pub use drafts::DraftsApi;
pub use due::DueDatesApi;
pub use explain::ExplanationsApi;
pub use review::ReviewApi;
pub use rules::RulesApi;
pub use statistics::StatisticsApi;
pub use texts::TextsApi;
pub use watch::Watches;
