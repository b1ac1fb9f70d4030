//! The life of a notice: queued for its channels, then delivered or failed on each of them, once.

use std::collections::{BTreeMap, BTreeSet};

use decider::Decider;
use uuid::Uuid;

use super::channel::Channel;
use super::template::Values;

#[cfg(test)]
mod tests;

/// Namespace of the ids of notices.
const NAMESPACE: Uuid = Uuid::from_u128(0x8e1f_39c4_07b2_4b7e_a1d5_62c9_30e4_5b18);

/// The id of the notice that tells `person` of the event `cause` by `template`: there is only one.
pub fn id(cause: Uuid, template: &str, person: Uuid) -> Uuid {
    let name = [cause.as_bytes(), person.as_bytes(), template.as_bytes()].concat();
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The decider of one notice.
#[derive(Debug)]
pub struct Notice;

/// What a notice says to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Whom it is for.
    pub person: Uuid,
    /// Name of the template.
    pub template: String,
    /// Its version.
    pub version: u32,
    /// Where it goes.
    pub channels: BTreeSet<Channel>,
    /// The event that caused it.
    pub cause: Uuid,
    /// 报名号 that it is about; empty where it is about a draft.
    pub enrolment_number: String,
    /// What the placeholders stand for.
    pub values: Values,
}

/// What happened to a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is to be delivered.
    Queued(Queued),
    /// It got there.
    Delivered {
        /// By which way.
        channel: Channel,
    },
    /// It will not get there.
    Failed {
        /// By which way.
        channel: Channel,
        /// Why not.
        reason: Failure,
    },
}

/// Why a channel was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The person has no address for it.
    NoAddress,
    /// The mail server refuses the address for good.
    AddressRefused,
    /// There is no such person any more.
    PersonUnknown,
    /// Tried too often.
    GaveUp,
}

impl Failure {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::NoAddress, Self::AddressRefused, Self::PersonUnknown, Self::GaveUp];

    /// Its stable name in events.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoAddress => "NO_ADDRESS",
            Self::AddressRefused => "ADDRESS_REFUSED",
            Self::PersonUnknown => "PERSON_UNKNOWN",
            Self::GaveUp => "GAVE_UP",
        }
    }
}

/// A notice by status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody was told anything.
    #[default]
    Empty,
    /// On its way, or there.
    Queued {
        /// What it says.
        notice: Queued,
        /// How it ended on each channel where it has ended: `None` is delivered.
        outcomes: BTreeMap<Channel, Option<Failure>>,
    },
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Tell a person something.
    Queue(Queued),
    /// A channel took it.
    RecordDelivery(Channel),
    /// A channel is given up.
    RecordFailure(Channel, Failure),
}

/// Why a command makes no sense.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing was queued under this id.
    #[error("the notice was never queued")]
    NotQueued,
    /// The notice does not go there.
    #[error("the notice does not go by that channel")]
    OtherChannel,
}

impl Decider for Notice {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        let (channel, event) = match command {
            Command::Queue(notice) => return Ok(queue(state, notice)),
            Command::RecordDelivery(channel) => (channel, Event::Delivered { channel }),
            Command::RecordFailure(channel, reason) => (channel, Event::Failed { channel, reason }),
        };
        match state {
            State::Empty => Err(Rejection::NotQueued),
            State::Queued { notice, .. } if !notice.channels.contains(&channel) => Err(Rejection::OtherChannel),
            // The first outcome stands: a replica that woke up late has nothing to add.
            State::Queued { outcomes, .. } if outcomes.contains_key(&channel) => Ok(Vec::new()),
            State::Queued { .. } => Ok(vec![event]),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match (state, event) {
            (_, Event::Queued(notice)) => State::Queued { notice: notice.clone(), outcomes: BTreeMap::new() },
            (State::Queued { notice, mut outcomes }, Event::Delivered { channel }) => {
                outcomes.insert(*channel, None);
                State::Queued { notice, outcomes }
            }
            (State::Queued { notice, mut outcomes }, Event::Failed { channel, reason }) => {
                outcomes.insert(*channel, Some(*reason));
                State::Queued { notice, outcomes }
            }
            (State::Empty, Event::Delivered { .. } | Event::Failed { .. }) => State::Empty,
        }
    }
}

/// The inbox shows what is recorded, so a notice is in the inbox with its very first event.
fn queue(state: &State, notice: Queued) -> Vec<Event> {
    match state {
        State::Queued { .. } => Vec::new(),
        State::Empty => {
            let in_inbox = notice.channels.contains(&Channel::Inbox);
            let delivered = in_inbox.then_some(Event::Delivered { channel: Channel::Inbox });
            std::iter::once(Event::Queued(notice)).chain(delivered).collect()
        }
    }
}
