//! A person was erased: drafts go, and what was filled in, noted and decided in words cannot be read any more.

use eventbus::{ReactionError, ReactionIds};
use service::erasure::{Confirming, Erased, Forget, caught_up, transient};
use uuid::Uuid;

use crate::handle::Handle;
use crate::store::forgetting;
use crate::views::applications::APPLICATIONS;

/// Forgets an applicant. The records of the certificates stay: what was decided, without a word of the person's.
pub struct ForgetApplicant {
    /// Knows the applications.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Forget for ForgetApplicant {
    async fn make_unreadable(&self, person: Uuid, _: &ReactionIds) -> Result<Vec<Erased>, ReactionError> {
        caught_up(self.handle.log(), APPLICATIONS).await?;
        let counted = self.handle.sealed_of(person).await;
        let (applications, sealed_events) = counted.map_err(|error| transient("the applications", &error))?;
        Ok(vec![("application", applications), ("sealed_event", sealed_events)])
    }

    async fn remove_records(&self, tx: &mut Confirming, person: Uuid) -> Result<Vec<Erased>, ReactionError> {
        let drafts = forgetting::remove_drafts(tx, person).await.map_err(|error| transient("the drafts", &error))?;
        Ok(vec![("draft", drafts)])
    }
}
