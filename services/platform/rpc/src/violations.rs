//! Wrong fields of a request, collected so that the caller hears of all of them at once.

use std::borrow::Cow;

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the request, for example `profile.phone`.
    pub field: Cow<'static, str>,
    /// Stable, in `UPPER_SNAKE`.
    pub reason: Cow<'static, str>,
    /// What is wrong and what to do, in Chinese; never the value itself.
    pub sentence: Cow<'static, str>,
}

/// All wrong fields found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a violation unless `holds`.
    pub fn check(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        holds: bool,
        reason: impl Into<Cow<'static, str>>,
        sentence: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        if !holds {
            self.add(field, reason, sentence);
        }
        self
    }

    /// Adds a violation.
    pub fn add(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
        sentence: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Violation { field: field.into(), reason: reason.into(), sentence: sentence.into() });
    }

    /// Whether every field was right so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Err` with all of them when there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Violation> for Violations {
    fn from_iter<I: IntoIterator<Item = Violation>>(violations: I) -> Self {
        Self(violations.into_iter().collect())
    }
}

impl Extend<Violation> for Violations {
    fn extend<I: IntoIterator<Item = Violation>>(&mut self, violations: I) {
        self.0.extend(violations);
    }
}
