//! A person was erased: their certificates belong to nobody, and what was said of them cannot be read any more.

use eventbus::{ReactionError, ReactionIds};
use service::erasure::{Confirming, Erased, Forget, caught_up};
use uuid::Uuid;

use super::{asked, forget_claims, judge};
use crate::error::Error;
use crate::handle::Handle;
use crate::store::{holders, lookup};
use crate::views::{corrections, register};

/// Forgets the certificates of a person.
#[derive(Clone, Debug)]
pub struct ForgetCertificates {
    /// Knows and changes the records.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Forget for ForgetCertificates {
    async fn make_unreadable(&self, person: Uuid, ids: &ReactionIds) -> Result<Vec<Erased>, ReactionError> {
        let pool = self.handle.log().pool();
        let stored = |error| judge(&Error::from(error));
        // A certificate that was matched a moment ago must be seen here.
        caught_up(self.handle.log(), register::REGISTER).await?;
        let asked = asked(ids, None);
        for row in register::of_person(pool, person).await.map_err(stored)? {
            self.handle.forget(&asked, row.certificate_id, person).await.map_err(|error| judge(&error))?;
        }
        forget_claims(&self.handle, &asked, person).await?;
        let keys = lookup::keys_of(pool, person).await.map_err(stored)?;
        let sealed_events = self.handle.destroy_keys(&keys).await.map_err(|error| judge(&error))?;
        // What the person asked for is sealed under their own key, which is destroyed already.
        caught_up(self.handle.log(), corrections::CORRECTIONS).await?;
        let requests = corrections::count(pool, person).await.map_err(stored)?;
        let certificates = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        Ok(vec![("certificate", certificates), ("sealed_event", sealed_events), ("correction", requests)])
    }

    async fn remove_records(&self, tx: &mut Confirming, person: Uuid) -> Result<Vec<Erased>, ReactionError> {
        holders::forget(&mut **tx, person).await.map_err(|error| judge(&Error::from(error)))?;
        Ok(Vec::new())
    }
}
