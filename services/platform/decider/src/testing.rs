//! Given a history, when a command comes, then these events follow or this rejection.

use crate::Decider;

/// A history to decide upon.
pub struct Given<D: Decider> {
    state: D::State,
}

/// What came out of a command.
pub struct Outcome<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

/// Starts a case from a history.
pub fn given<D: Decider>(history: impl IntoIterator<Item = D::Event>) -> Given<D> {
    Given { state: history.into_iter().fold(D::State::default(), |state, event| D::evolve(state, &event)) }
}

impl<D: Decider> Given<D> {
    /// Judges one command.
    pub fn when(self, command: D::Command) -> Outcome<D> {
        Outcome { result: D::decide(&self.state, command) }
    }

    /// The state that the history leads to.
    pub fn state(self) -> D::State {
        self.state
    }
}

impl<D: Decider> Outcome<D> {
    /// Exactly these events follow.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = D::Event>) {
        let expected: Vec<D::Event> = events.into_iter().collect();
        match self.result {
            Ok(actual) => assert_eq!(actual, expected, "other events than expected"),
            Err(rejection) => panic!("refused with {rejection:?}, expected {expected:?}"),
        }
    }

    /// Nothing follows: it is so already.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then([]);
    }

    /// The command is refused for exactly this reason.
    #[track_caller]
    pub fn then_refused(self, rejection: &D::Rejection) {
        match self.result {
            Ok(events) => panic!("accepted with {events:?}, expected the refusal {rejection:?}"),
            Err(actual) => assert_eq!(&actual, rejection, "another refusal than expected"),
        }
    }

    /// The events that followed, for checks of a part of them.
    #[track_caller]
    pub fn events(self) -> Vec<D::Event> {
        self.result.unwrap_or_else(|rejection| panic!("refused with {rejection:?}"))
    }
}
