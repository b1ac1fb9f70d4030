//! A person was erased: nothing more is sent to them, their inbox is empty, and no address of theirs stands anywhere.

use eventbus::{ReactionError, ReactionIds};
use service::erasure::{Confirming, Erased, Forget, caught_up, transient};
use uuid::Uuid;

use crate::domain::notice::Failure;
use crate::handle::{Handle, Outcome};
use crate::store::forgetting;
use crate::views::inbox;

/// Forgets whom notices were for.
#[derive(Debug)]
pub struct ForgetRecipient {
    /// Knows the notices.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Forget for ForgetRecipient {
    async fn make_unreadable(&self, person: Uuid, _: &ReactionIds) -> Result<Vec<Erased>, ReactionError> {
        caught_up(&self.handle.log, inbox::NAME).await?;
        // All of them, since every notice goes into the inbox; none once the confirmation has emptied it.
        let notices = self.handle.inbox.notices_of(person).await;
        let notices = notices.map_err(|error| transient("the inbox", &error))?;
        let on_their_way = self.handle.store.take_over(&notices, lifecycle::ids::random()).await;
        for lease in on_their_way.map_err(|error| transient("the deliveries", &error))? {
            let settled = self.handle.settle(&lease, Outcome::Failed(Failure::PersonUnknown), "").await;
            settled.map_err(|error| transient("a delivery", &error))?;
        }
        Ok(vec![("inbox_notice", i64::try_from(notices.len()).unwrap_or(i64::MAX))])
    }

    async fn remove_records(&self, tx: &mut Confirming, person: Uuid) -> Result<Vec<Erased>, ReactionError> {
        let removed = forgetting::remove(tx, person).await.map_err(|error| transient("the records", &error))?;
        Ok(vec![("masked_address", removed.masked_addresses), ("read_mark", removed.read_marks)])
    }
}
