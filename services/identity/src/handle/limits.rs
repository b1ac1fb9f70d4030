//! How often the same number, phone or address may ask: counted before anything else is done.

use lifecycle::clock;

use super::Handle;
use crate::domain::limit::Deed;
use crate::domain::origin::Origin;
use crate::error::Error;

impl Handle {
    /// Counts a deed from an address, and refuses one too many.
    pub async fn limit_origin(&self, deed: Deed, origin: Origin) -> Result<(), Error> {
        let counted = self.attempts.count_from(deed, origin, clock::now()).await?;
        counted.map_err(|retry_after| Error::Throttled { retry_after })
    }

    /// Counts a deed for a number or phone, known or not, by its keyed hash, and refuses one too many.
    pub(super) async fn limit_account(&self, deed: Deed, account: &[u8; 32]) -> Result<(), Error> {
        let counted = self.attempts.count_for(deed, account, clock::now()).await?;
        counted.map_err(|retry_after| Error::Throttled { retry_after })
    }
}
