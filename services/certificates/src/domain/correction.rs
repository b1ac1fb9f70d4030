//! 更正申请: what a person asks the issuing agency to put right, from the request to the answer that closes it.

use decider::Decider;
use uuid::Uuid;

/// Requests of one person that are open at most.
pub const MOST_OPEN: u8 = 5;

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// 已提交
    Requested,
    /// 核实中
    InProgress,
    /// 已更正
    Corrected,
    /// 不予更正
    Refused,
}

impl Stage {
    /// Whether nothing more follows.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Corrected | Self::Refused)
    }
}

/// A request, as far as decisions need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Empty,
    /// Asked for.
    Known {
        /// Who asked.
        person: Uuid,
        /// Which of their open requests it is.
        slot: u8,
        /// How it stands.
        stage: Stage,
    },
}

/// What may happen to a request.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// A person asks.
    Request {
        /// Who.
        person: Uuid,
        /// The certificate, where it is in their list.
        certificate: Option<Uuid>,
        /// Which of their open requests it is.
        slot: u8,
    },
    /// An officer answers.
    Answer {
        /// How it stands from now on.
        stage: Stage,
        /// Who answers.
        officer: Uuid,
    },
}

/// What happened to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person asked.
    Requested {
        /// Who.
        person: Uuid,
        /// The certificate, where it is in their list.
        certificate: Option<Uuid>,
        /// Which of their open requests it is.
        slot: u8,
    },
    /// An officer answered.
    Answered {
        /// Whom.
        person: Uuid,
        /// How it stands from now on.
        stage: Stage,
    },
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// As many requests of the person are open as may be.
    TooMany,
    /// There is no such request.
    Unknown,
    /// It is closed.
    Closed,
    /// Nobody answers an own request.
    Own,
}

/// Decides about one request.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (_, Command::Request { slot, .. }) if slot >= MOST_OPEN => Err(Rejection::TooMany),
            (State::Empty, Command::Request { person, certificate, slot }) => {
                Ok(vec![Event::Requested { person, certificate, slot }])
            }
            (State::Known { .. }, Command::Request { .. }) => Ok(Vec::new()),
            (State::Empty, Command::Answer { .. }) => Err(Rejection::Unknown),
            (State::Known { person, .. }, Command::Answer { officer, .. }) if *person == officer => Err(Rejection::Own),
            (State::Known { stage, .. }, Command::Answer { .. }) if stage.is_end() => Err(Rejection::Closed),
            (State::Known { person, .. }, Command::Answer { stage, .. }) => {
                Ok(vec![Event::Answered { person: *person, stage }])
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match (state, event) {
            (_, Event::Requested { person, slot, .. }) => {
                State::Known { person: *person, slot: *slot, stage: Stage::Requested }
            }
            (State::Known { person, slot, .. }, Event::Answered { stage, .. }) => {
                State::Known { person, slot, stage: *stage }
            }
            // History is not judged again.
            (State::Empty, Event::Answered { .. }) => State::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;

    use super::*;

    const TEACHER: Uuid = Uuid::from_u128(1);
    const OFFICER: Uuid = Uuid::from_u128(2);

    fn requested() -> Event {
        Event::Requested { person: TEACHER, certificate: None, slot: 4 }
    }

    fn answer(stage: Stage) -> Command {
        Command::Answer { stage, officer: OFFICER }
    }

    fn answered(stage: Stage) -> Event {
        Event::Answered { person: TEACHER, stage }
    }

    #[test]
    fn a_person_asks_while_they_have_room_for_a_request() {
        let request = |slot| Command::Request { person: TEACHER, certificate: None, slot };
        given::<Decisions>([]).when(request(4)).then([requested()]);
        given::<Decisions>([]).when(request(5)).then_refused(&Rejection::TooMany);
        given::<Decisions>([requested()]).when(request(4)).then_nothing();
    }

    #[test]
    fn a_request_is_answered_until_it_is_closed() {
        given::<Decisions>([requested()]).when(answer(Stage::InProgress)).then([answered(Stage::InProgress)]);
        for end in [Stage::Corrected, Stage::Refused] {
            given::<Decisions>([requested(), answered(Stage::InProgress)]).when(answer(end)).then([answered(end)]);
            given::<Decisions>([requested(), answered(end)])
                .when(answer(Stage::InProgress))
                .then_refused(&Rejection::Closed);
        }
        given::<Decisions>([]).when(answer(Stage::Corrected)).then_refused(&Rejection::Unknown);
    }

    #[test]
    fn nobody_answers_an_own_request() {
        let own = Command::Answer { stage: Stage::Corrected, officer: TEACHER };
        given::<Decisions>([requested()]).when(own).then_refused(&Rejection::Own);
    }
}
