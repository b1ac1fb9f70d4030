//! Why the service says no, or cannot answer, as one enum.

use std::time::Duration;

use eventlog::{AppendError, ReadError};
use rpc::Violations;

use crate::domain::registration::Rejection;
use crate::sheet::Unusable;
use crate::store::Corrupt;
use crate::store::filing::FilingError;
use crate::store::record::LoadError;
use crate::store::serials::SerialError;

/// Every refusal and failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request or of the draft are wrong: all of them.
    #[error("fields are wrong")]
    Invalid(Violations),
    /// There is none, or it is not the caller's to know.
    #[error("there is no such {kind} for this caller")]
    NotFound {
        /// `draft`, `application`, `rule set`.
        kind: &'static str,
    },
    /// The rules forbid it.
    #[error("refused: {0:?}")]
    Rejected(Rejection),
    /// The draft was saved from somewhere else meanwhile.
    #[error("the draft is at revision {actual}")]
    RevisionConflict {
        /// Where it is.
        actual: i32,
    },
    /// The window gives no grace.
    #[error("the window has no grace")]
    NoGrace,
    /// The session began at another entry.
    #[error("the session began at another entry")]
    WrongEntry,
    /// The profile is not complete.
    #[error("the profile is incomplete")]
    ProfileIncomplete,
    /// The same request id came with another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Others changed the same record, again and again.
    #[error("the record changed under every attempt")]
    Conflict,
    /// As much waits as may.
    #[error("too much waits already")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// Something that is needed does not answer.
    #[error("{dependency} does not answer")]
    Unavailable {
        /// Which.
        dependency: &'static str,
    },
    /// This replica has never seen all of what it needs of another service.
    #[error("a reference view has never been complete")]
    NotReady,
    /// More groups than are counted at once.
    #[error("there are too many groups to count")]
    TooManyGroups,
    /// A watch cannot go on from there: too far back, or not of this history.
    #[error("a watch cannot be resumed from there")]
    ResumeLost,
    /// A watcher reads too slowly.
    #[error("a watcher reads too slowly")]
    WatchTooSlow,
    /// The agency has used up its 报名号 of the year.
    #[error("the agency has no serials left")]
    NumbersExhausted,
    /// Nothing of a file can be taken.
    #[error("the file cannot be taken: {0:?}")]
    File(Unusable),
    /// A file cannot be read or written.
    #[error("a file could not be read or written")]
    Sheet(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something stored is not what this program writes.
    #[error("something stored cannot be read")]
    Corrupt(#[from] Corrupt),
    /// The log cannot be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// The log refuses what it should take.
    #[error("the log refused")]
    Append(#[source] AppendError),
    /// Records or views cannot be read or written.
    #[error("a record could not be read or written")]
    Storage(#[from] sqlx::Error),
    /// A key cannot be had.
    #[error("a person's key could not be had")]
    Vault(#[from] vault::VaultError),
    /// The directory says of an agency what cannot be.
    #[error(transparent)]
    Directory(SerialError),
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Read(error) => Self::Read(error),
            LoadError::Corrupt(corrupt) => Self::Corrupt(corrupt),
        }
    }
}

impl From<FilingError> for Error {
    fn from(error: FilingError) -> Self {
        match error {
            FilingError::Overloaded => Self::Overloaded { retry_after: Duration::from_secs(1) },
            FilingError::Unavailable => Self::Unavailable { dependency: "database" },
        }
    }
}

impl From<SerialError> for Error {
    fn from(error: SerialError) -> Self {
        match error {
            SerialError::Storage(error) => Self::Storage(error),
            SerialError::Exhausted { .. } => Self::NumbersExhausted,
            SerialError::NotACode { .. } => Self::Directory(error),
        }
    }
}

impl From<eventbus::NotReady> for Error {
    fn from(_: eventbus::NotReady) -> Self {
        Self::NotReady
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Self::NotFound { kind: "application" },
            other => Self::Rejected(other),
        }
    }
}

/// A version conflict and a closing instant are for the use case to answer.
impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::VersionConflict { .. } => Self::Conflict,
            AppendError::RequestIdReused => Self::RequestIdReused,
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AppendError::Unavailable => Self::Unavailable { dependency: "database" },
            other => Self::Append(other),
        }
    }
}
