//! What can go wrong in this service, as one enum.

use eventlog::{AppendError, ReadError, is_away};
use vault::VaultError;

use crate::domain::account::Rejection;
use crate::domain::profile::{Field, Flaw};
use crate::store::CorruptEvent;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of a profile are wrong, all of them.
    #[error("fields of the profile are wrong")]
    Profile(Vec<(Field, Flaw)>),
    /// There is no such person, or it is not the caller's to know.
    #[error("there is no such person")]
    NotFound,
    /// The rules forbid it.
    #[error("the account refuses: {0}")]
    Rejected(Rejection),
    /// Not the code that was sent.
    #[error("the code is wrong")]
    WrongCode,
    /// Not the code that was sent by mail.
    #[error("the code of the mail address is wrong")]
    WrongEmailCode,
    /// The code of the mail address counts no more.
    #[error("the code of the mail address has expired")]
    EmailCodeExpired,
    /// Whoever is signed in does not know the password.
    #[error("the password is wrong")]
    WrongPassword,
    /// The code counts no more: too old, too often wrong, or used.
    #[error("the code has expired")]
    CodeExpired,
    /// The phone has just got a code.
    #[error("the phone has just got a code")]
    TooSoon {
        /// When it may get the next one.
        retry_after: time::Duration,
    },
    /// Number and password do not belong together; which of them is wrong is not said.
    #[error("number or password are wrong")]
    WrongCredentials,
    /// Too many wrong passwords for this number.
    #[error("the number is locked out")]
    LockedOut {
        /// Until then.
        retry_after: time::Duration,
    },
    /// The piece does not lie in the gap.
    #[error("the puzzle is not solved")]
    PuzzleWrong,
    /// The puzzle counts no more: too old, answered before, or another number's.
    #[error("the puzzle has expired")]
    PuzzleExpired,
    /// This number, phone or address asks too often.
    #[error("this is asked for too often")]
    Throttled {
        /// When to ask again.
        retry_after: time::Duration,
    },
    /// As many passwords wait to be checked as can be in time.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The account is one of the old system: its person registers again.
    #[error("the account is one of the old system")]
    LegacyAccount,
    /// There is no such recovery any more.
    #[error("the recovery has expired")]
    RecoveryExpired,
    /// The link counts no more, or never did.
    #[error("the link has expired")]
    LinkExpired,
    /// Nobody says whether number and name belong together.
    #[error("the provider of real names gave no answer")]
    RealNameUnavailable,
    /// Too many names of one person.
    #[error("too many names were checked")]
    TooManyChecks {
        /// When to try again.
        retry_after: time::Duration,
    },
    /// Nobody says who has scanned.
    #[error("the gateway to WeChat gave no answer")]
    WechatUnavailable,
    /// The ticket counts no more, or is another person's.
    #[error("the ticket of a WeChat binding has expired")]
    WechatTicketExpired,
    /// Nobody has scanned yet.
    #[error("nobody has scanned the ticket yet")]
    WechatNotScanned,
    /// It belongs to another account.
    #[error("the WeChat is bound to another account")]
    WechatTaken,
    /// The session ended, or the token is none.
    #[error("the session has ended")]
    SessionEnded,
    /// The session began with a puzzle, and this needs one that began with a code.
    #[error("the session did not begin with a code")]
    CodeSignInRequired,
    /// Not a code of the second factor that counts now.
    #[error("the code of the second factor is wrong")]
    WrongTotp,
    /// The code, or a later one, was used before.
    #[error("the code of the second factor was used")]
    TotpSpent,
    /// Too many wrong codes of the second factor.
    #[error("the second factor is locked out")]
    TotpLocked {
        /// Until then.
        retry_after: time::Duration,
    },
    /// The person has no such session.
    #[error("there is no such session")]
    NoSuchSession,
    /// The code could not be sent.
    #[error("notifications did not take the message")]
    NotDelivered,
    /// No key signs tokens now.
    #[error("no key signs tokens now")]
    NoSigningKey,
    /// The same request id came with another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The directory's units have never all been known: one that is unknown may exist.
    #[error("the units of the directory are not all known yet")]
    NotReady,
    /// The view has not come as far as was asked for.
    #[error("the view is behind")]
    ViewBehind,
    /// Too little is known of what the service applications said.
    #[error("the view of applications is not complete, or old")]
    StandingUnknown,
    /// Others changed the same account at the same time, more than once.
    #[error("others were faster, more than once")]
    Conflict,
    /// The log takes nothing more at this moment.
    #[error("the log is overloaded")]
    Overloaded {
        /// When to try again.
        retry_after: std::time::Duration,
    },
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable,
    /// The log will not take this.
    #[error("an event could not be recorded")]
    Append(#[source] AppendError),
    /// The log cannot be read.
    #[error("the log could not be read")]
    Read(#[source] ReadError),
    /// A record cannot be read or written.
    #[error("a record could not be read or written")]
    Storage(#[source] sqlx::Error),
    /// A key of a person cannot be had.
    #[error("a key could not be had")]
    Vault(#[source] VaultError),
    /// The log holds an event that this program did not write.
    #[error("a stored event is corrupt")]
    Corrupt(#[from] CorruptEvent),
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::RequestIdReused => Self::RequestIdReused,
            AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. } => Self::Conflict,
            AppendError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            AppendError::Unavailable => Self::Unavailable,
            error @ (AppendError::TooEarly { .. }
            | AppendError::TooLate { .. }
            | AppendError::TooLarge { .. }
            | AppendError::Refused(_)) => Self::Append(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) { away(&error) } else { Self::Storage(error) }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            error @ (ReadError::Corrupt { .. } | ReadError::Missing { .. }) => Self::Read(error),
        }
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) if is_away(&error) => away(&error),
            error => Self::Vault(error),
        }
    }
}

fn away(error: &sqlx::Error) -> Error {
    tracing::warn!(%error, "the database does not answer");
    Error::Unavailable
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}
