//! What can go wrong in this service, as one enum.

use std::time::Duration;

use eventlog::{AppendError, ReadError};

use crate::domain::notice::Rejection;
use crate::domain::template::UnknownPlaceholder;
use crate::store::notice::CorruptEvent;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such notice, or it is somebody else's.
    #[error("there is no such notice")]
    NotFound,
    /// Others did the same at the same time, more than once.
    #[error("others were faster, more than once")]
    Conflict,
    /// A channel did not take a message.
    #[error("the channel did not take the message")]
    ChannelFailed,
    /// The log takes nothing more at this moment.
    #[error("the log is overloaded")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The log does not answer, or will not take this.
    #[error("an event could not be recorded")]
    Append(#[source] AppendError),
    /// The log cannot be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The database does not answer.
    #[error("a record could not be read or written")]
    Storage(#[from] sqlx::Error),
    /// The log holds an event that this program did not write.
    #[error("a stored event is corrupt")]
    Corrupt(#[from] CorruptEvent),
    /// A command that makes no sense for its notice: a mistake of this program.
    #[error("a notice refused its own service")]
    Rejected(#[from] Rejection),
    /// There is no template of that name and version.
    #[error("there is no template {0}")]
    UnknownTemplate(String),
    /// A template names a value that its messages do not have.
    #[error(transparent)]
    UnknownPlaceholder(#[from] UnknownPlaceholder),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            other => Self::Append(other),
        }
    }
}

impl Error {
    /// Whether the same may succeed later, without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Conflict | Self::ChannelFailed | Self::Overloaded { .. } | Self::Storage(_) => true,
            Self::Append(error) => matches!(error, AppendError::Unavailable),
            Self::Read(error) => matches!(error, ReadError::Database(_)),
            Self::NotFound
            | Self::Corrupt(_)
            | Self::Rejected(_)
            | Self::UnknownTemplate(_)
            | Self::UnknownPlaceholder(_) => false,
        }
    }
}
