//! Why the service says no, or cannot answer.

use std::time::Duration;

use eventlog::{AppendError, ReadError};

use crate::domain::{agency, booking, capacity, graduate_school, plan, point, school, subject};

/// Every refusal and failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or it is not the caller's to change.
    #[error("there is no such {kind} for this caller")]
    NotFound {
        /// `agency`, `plan` …
        kind: &'static str,
        /// Its id or code.
        name: String,
    },
    /// An agency cannot be added or changed.
    #[error("the agency is refused: {0:?}")]
    Agency(agency::Rejection),
    /// A point cannot be added or changed.
    #[error("the point is refused: {0:?}")]
    Point(point::Rejection),
    /// A school cannot be added or changed.
    #[error("the school is refused: {0:?}")]
    School(school::Rejection),
    /// A subject cannot be added or switched.
    #[error("the subject is refused: {0:?}")]
    Subject(subject::Rejection),
    /// A graduate school cannot be added.
    #[error("the graduate school is refused: {0:?}")]
    GraduateSchool(graduate_school::Rejection),
    /// The file ended before it was complete.
    #[error("the upload broke off")]
    UploadBroken,
    /// A quote of the file is not closed.
    #[error("a quote of the record at line {line} is not closed")]
    QuoteNotClosed {
        /// At which the record begins.
        line: i64,
    },
    /// A plan cannot be changed so.
    #[error("the plan's change is refused: {0:?}")]
    Plan(plan::Rejection),
    /// A slot does not take so many.
    #[error("the capacity is refused: {0:?}")]
    Capacity(capacity::Rejection),
    /// A booking is not made or changed so.
    #[error("the booking is refused: {0:?}")]
    Booking(booking::Rejection),
    /// The same request id came with another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Others changed the same thing, again and again.
    #[error("the stream changed under every attempt")]
    Conflict,
    /// The writer's queue is full.
    #[error("the writer's queue is full")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable,
    /// This replica has never seen the whole directory.
    #[error("a reference view has never been complete")]
    NotReady,
    /// An event of the log is not what this program writes.
    #[error("the event at position {position} cannot be read")]
    Corrupt {
        /// Where.
        position: i64,
    },
    /// The log cannot be read.
    #[error("reading the log")]
    Read(#[source] ReadError),
    /// The log refuses what it should take.
    #[error("appending to the log")]
    Append(#[source] AppendError),
    /// A view cannot be read.
    #[error("reading a view")]
    View(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { position } => Self::Corrupt { position },
            error => Self::Read(error),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::RequestIdReused => Self::RequestIdReused,
            AppendError::VersionConflict { .. } => Self::Conflict,
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AppendError::Unavailable => Self::Unavailable,
            error => Self::Append(error),
        }
    }
}
