//! From the service's error to the status that its caller reads.

use std::time::Duration;

use eventlog::AppendError;
use rpc::Refusal;
use tonic::{Code, Status};

use crate::error::Error;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let refusal = match error {
            Error::NotFound => Refusal::not_found("notice", ""),
            Error::Conflict => Refusal::conflict(),
            Error::ChannelFailed => Refusal::new(Code::Unavailable, "CHANNEL_FAILED", "消息暂时无法发出，请稍后再试。")
                .retry_after(Duration::from_secs(2)),
            Error::Overloaded { retry_after } => Refusal::overloaded(retry_after),
            Error::Append(AppendError::Unavailable) => Refusal::unavailable("database"),
            error if eventlog::is_away(&error) => {
                tracing::warn!(%error, "the database does not answer");
                Refusal::unavailable("database")
            }
            Error::Append(_)
            | Error::Read(_)
            | Error::Storage(_)
            | Error::Corrupt(_)
            | Error::Rejected(_)
            | Error::UnknownTemplate(_)
            | Error::UnknownPlaceholder(_) => internal(&error),
        };
        refusal.into()
    }
}

/// Logged once, here, with all its causes.
fn internal(error: &Error) -> Refusal {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(%error, cause, "a call failed");
    Refusal::internal(rpc::request_id())
}
