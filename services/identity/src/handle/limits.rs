//! How often the same number, phone or address may ask: counted before anything else is done.

use access::Origin;
use lifecycle::clock;

use super::Handle;
use crate::domain::limit::Deed;
use crate::error::Error;
use crate::store::{Connection, Pooled};

impl Handle {
    /// Counts a deed from an address, and refuses one too many.
    pub async fn limit_origin(&self, deed: Deed, origin: Origin) -> Result<(), Error> {
        self.limit_origin_in(&mut *self.connection().await?, deed, origin).await
    }

    /// The same over a connection that serves for more.
    pub(super) async fn limit_origin_in(
        &self,
        connection: &mut Connection,
        deed: Deed,
        origin: Origin,
    ) -> Result<(), Error> {
        let counted = self.attempts.count_from(connection, deed, origin, clock::now()).await?;
        counted.map_err(|retry_after| Error::Throttled { retry_after })
    }

    /// Counts a deed for a number or phone, known or not, by its keyed hash, and refuses one too many.
    pub(super) async fn limit_account(&self, deed: Deed, account: &[u8; 32]) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        let counted = self.attempts.count_for(&mut connection, deed, account, clock::now()).await?;
        counted.map_err(|retry_after| Error::Throttled { retry_after })
    }

    /// A connection for several records in a row: each time that one is taken from the pool costs as much as a record.
    pub(super) async fn connection(&self) -> Result<Pooled, Error> {
        Ok(self.log.pool().acquire().await?)
    }
}
