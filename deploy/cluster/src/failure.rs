//! The one error of this crate: what could not be done, in a line that a person can act on.

use std::error::Error;

use tonic::Status;

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
            match error.downcast_ref::<Status>() {
                Some(status) => write!(f, ": {}", refusal(status))?,
                None => write!(f, ": {error}")?,
            }
            // A `Failure` and a refusal have just written their own causes.
            cause = if error.is::<Self>() || error.is::<Status>() { None } else { error.source() };
        }
        Ok(())
    }
}

impl Error for Failure {}

/// A refusal as a person reads it: code, reason, sentence, and each field that is wrong.
fn refusal(status: &Status) -> String {
    let read = rpc::Refusal::from_status(status);
    let head = [format!("{:?}", status.code()), read.reason, read.sentence];
    let head = head.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let field = |wrong: &rpc::ReadViolation| format!("  {}: {} {}", wrong.field, wrong.reason, wrong.sentence);
    std::iter::once(head).chain(read.violations.iter().map(field)).collect::<Vec<_>>().join("\n")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_with_its_reason_and_sentence_and_once() {
        let refused: Status = rpc::Refusal::rejected("WINDOW_CLOSED", "网报时间已截止。").into();
        let failure = Err::<(), _>(refused).doing(|| "submit".into()).unwrap_err();
        assert_eq!(failure.to_string(), "submit: FailedPrecondition WINDOW_CLOSED 网报时间已截止。");
        let outer = Err::<(), _>(failure).doing(|| "walk".into()).unwrap_err();
        assert_eq!(outer.to_string(), "walk: submit: FailedPrecondition WINDOW_CLOSED 网报时间已截止。");
    }
}
