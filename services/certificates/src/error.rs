//! Why the service says no, or cannot answer.

use std::time::Duration;

use eventlog::{AppendError, ReadError};
use vault::VaultError;
use workbook::Flaw;

use crate::domain::certificate::Rejection;
use crate::domain::correction;
use crate::domain::hand_entry::Refusal;

/// Every refusal and failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or it is not the caller's to know.
    #[error("there is no such certificate for this caller")]
    NotFound,
    /// The record refuses.
    #[error("the record refuses: {0:?}")]
    Rejected(Rejection),
    /// The register holds the certificate under the person's document number, and it is not theirs.
    #[error("the register holds the certificate, and has not matched it to the person")]
    Unmatched {
        /// Whether the names are the same, so that the match is about to come.
        is_same_name: bool,
    },
    /// The certificate may not be entered by hand.
    #[error("the certificate may not be entered by hand: {0:?}")]
    HandEntry(Refusal),
    /// The request for a correction refuses.
    #[error("the request for a correction refuses: {0:?}")]
    Correction(correction::Rejection),
    /// The same request id came with another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Others changed the same record, again and again.
    #[error("the record changed under every attempt")]
    Conflict,
    /// The writer's queue is full.
    #[error("the writer's queue is full")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The upload of a register ended before its file did.
    #[error("the upload of the register broke off")]
    UploadBroken,
    /// A quote in the register's file is not closed: where the next row begins is not known.
    #[error("a quote of the register's file is not closed at line {line}")]
    QuoteNotClosed {
        /// At which the row begins.
        line: i64,
    },
    /// The register's file is a workbook that cannot be read, or not to its end.
    #[error("the workbook cannot be read: {0:?}")]
    Workbook(Flaw),
    /// This deployment reads no register over HTTP.
    #[error("there is no source of registers")]
    NoSource,
    /// The source tells of certificates beyond the officer's scope.
    #[error("the source reaches beyond the officer's scope")]
    OutsideScope,
    /// A run over the source is under way that was asked for otherwise.
    #[error("another run over the source is under way")]
    SyncUnderWay,
    /// A run over the source ended before the source did.
    #[error("the run over the source failed: {reason}")]
    SourceFailed {
        /// Stable.
        reason: String,
    },
    /// Something that is needed does not answer.
    #[error("{dependency} does not answer")]
    Unavailable {
        /// Which.
        dependency: &'static str,
    },
    /// What stands in the database cannot be read or used.
    #[error("cannot use what is stored")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict | Self::Overloaded { .. } | Self::Unavailable { .. } | Self::Storage(_))
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::RequestIdReused => Self::RequestIdReused,
            AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. } => Self::Conflict,
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AppendError::Unavailable => Self::Unavailable { dependency: "database" },
            AppendError::TooEarly { .. }
            | AppendError::TooLate { .. }
            | AppendError::TooLarge { .. }
            | AppendError::Refused(_) => Self::Storage(Box::new(error)),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Self::Storage(Box::new(error))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(Box::new(error))
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        Self::Storage(Box::new(error))
    }
}
