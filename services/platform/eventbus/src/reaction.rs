//! What a reaction is: an event comes in, a command goes out, repeatable at will.

use uuid::Uuid;

use crate::{DecodeError, Event};

/// Namespace of the request ids that reactions make.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0b_6e1c_9d5e_4c39_8d43_6a0f_1d2c_7b90);

/// Streams at once of a reaction whose effects know nothing of each other: enough that they share their commits, and few enough that
/// callers find connections beside them, of the keys too, which have four.
pub const ABREAST: usize = 3;

/// A cause and its effect. Never run by a rebuild; run again after a crash, with the same ids.
#[tonic::async_trait]
pub trait Reaction: Send + Sync + 'static {
    /// Name of the feed, unique within the service; part of the request ids, so it never changes.
    fn name(&self) -> &'static str;

    /// Of how many streams events are reacted to at the same time, those of each one after the other; of one: everything in the order of
    /// the log.
    fn at_once(&self) -> usize {
        1
    }

    /// Does what follows from the event; `Ok` for the kinds that it does not care about.
    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError>;
}

/// The ids of everything that one reaction does because of one event.
#[derive(Clone, Debug)]
pub struct ReactionIds {
    consumer: Uuid,
    event: Uuid,
}

impl ReactionIds {
    /// Ids of the consumer (`<service>/<feed>`) for one event.
    pub fn new(consumer: &str, event: Uuid) -> Self {
        Self { consumer: Uuid::new_v5(&NAMESPACE, consumer.as_bytes()), event }
    }

    /// The `request_id` of the command number `ordinal`: always the same for this consumer and event.
    pub fn request_id(&self, ordinal: u32) -> Uuid {
        let mut name = [0; 20];
        name[..16].copy_from_slice(self.event.as_bytes());
        name[16..].copy_from_slice(&ordinal.to_be_bytes());
        Uuid::new_v5(&self.consumer, &name)
    }

    /// The event, for the cause of what is appended.
    pub fn cause(&self) -> Uuid {
        self.event
    }
}

/// Why an event was not reacted to.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReactionError {
    /// Never will be as things are: the event parks, with the later ones of its stream. No personal data in the sentence.
    #[error("{0}")]
    Rejected(String),
    /// Something does not answer: tried again until it does; of its stream nothing later is looked at before, and of other streams
    /// nothing either, where they go one after the other.
    #[error("{0}")]
    Transient(String),
}

impl From<DecodeError> for ReactionError {
    fn from(error: DecodeError) -> Self {
        Self::Rejected(error.to_string())
    }
}
