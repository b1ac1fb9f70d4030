//! A person was erased: identity forgets them as every other service does, by its own log.

use eventbus::{ReactionError, ReactionIds};
use eventlog::EventLog;
use service::erasure::{Confirming, Erased, Forget, transient};
use uuid::Uuid;

use crate::store::forgetting;

/// Forgets an account: its sealed events, and every plain record that names the person.
#[derive(Clone, Debug)]
pub struct ForgetAccount {
    /// The service's own log.
    pub log: EventLog,
}

#[eventbus::async_trait]
impl Forget for ForgetAccount {
    async fn make_unreadable(&self, person: Uuid, _: &ReactionIds) -> Result<Vec<Erased>, ReactionError> {
        let count = forgetting::sealed_events(self.log.pool(), person).await;
        Ok(vec![("sealed_event", count.map_err(|error| transient("the sealed events", &error))?)])
    }

    async fn remove_records(&self, tx: &mut Confirming, person: Uuid) -> Result<Vec<Erased>, ReactionError> {
        forgetting::remove_records(tx, person).await.map_err(|error| transient("the records", &error))
    }
}
