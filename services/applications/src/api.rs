//! The gRPC services: parse into a command, call, render.

mod applications;
mod bulk;
mod confirmation;
mod drafts;
mod export;
mod history;
mod render;
mod request;
mod review;
mod rules;
mod sentences;
mod status;

pub use applications::ApplicationsApi;
pub use bulk::BulkApi;
pub use confirmation::ConfirmationApi;
pub use drafts::DraftsApi;
pub use review::ReviewApi;
pub use rules::RulesApi;
