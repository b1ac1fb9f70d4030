//! A conflict is over: what the other side said of its holder cannot be read any more.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::certificates::v1::ConflictSettled;

use super::judge;
use crate::handle::Handle;

/// The reaction to the service's own events.
#[derive(Debug)]
pub struct OnConflictSettled {
    /// Has the keys.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Reaction for OnConflictSettled {
    fn name(&self) -> &'static str {
        "close-conflict"
    }

    async fn react(&self, event: &Event, _: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<ConflictSettled>() {
            return Ok(());
        }
        let settled: ConflictSettled = event.decode()?;
        let generation = u32::try_from(settled.key_generation);
        let generation = generation.map_err(|_| ReactionError::Rejected("the event names no key".to_owned()))?;
        self.handle.destroy_key(event.stream, generation).await.map_err(|error| judge(&error))
    }
}
