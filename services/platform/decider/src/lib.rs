//! Pure decisions: what a command does to a state, and how an event changes it; with a given/when/then harness.

use std::fmt::Debug;

pub mod testing;

/// A thing that decides: events are its history, `evolve` folds them, `decide` judges a command.
///
/// Both functions are pure. Time, fresh numbers and facts of other services are fields of the command.
pub trait Decider {
    /// State by status; `Default` is the state before the first event.
    type State: Default + Debug;
    /// What somebody wants.
    type Command;
    /// What happened.
    type Event: Clone + Debug + PartialEq;
    /// Why it may not happen.
    type Rejection: Debug + PartialEq;

    /// Judges a command. An empty list means "already so".
    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Applies an event. Total: history is not judged again.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// Folds a history from the beginning.
    fn fold<'e>(events: impl IntoIterator<Item = &'e Self::Event>) -> Self::State
    where
        Self::Event: 'e,
    {
        events.into_iter().fold(Self::State::default(), Self::evolve)
    }
}
