//! The one error of this crate: what could not be done, in a line that a person can act on.

use std::error::Error;

/// What this crate's operations answer.
pub type Result<T> = std::result::Result<T, Failure>;

/// Something could not be done. `Display` shows the whole chain on one line.
#[derive(Debug)]
pub struct Failure {
    doing: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with no deeper cause than the sentence itself.
    pub fn new(what: impl Into<String>) -> Self {
        Self { doing: what.into(), source: None }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.doing)?;
        let mut cause: Option<&dyn Error> = self.source.as_ref().map(|source| &**source as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            // A `Failure` has just written its own causes.
            cause = if error.is::<Self>() { None } else { error.source() };
        }
        Ok(())
    }
}

impl Error for Failure {}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Turns the error into a [`Failure`] that begins with `what`.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Failure { doing: what(), source: Some(source.into()) })
    }
}
