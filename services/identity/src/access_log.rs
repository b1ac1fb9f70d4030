//! The way of a record of access: behind the answer, or before it where it must not be lost.

use audit::{Behind, Target as _};
use lifecycle::Lifecycle;

use crate::domain::access::Access;
use crate::error::Error;
use crate::store::access_records::AccessRecords;

/// Takes records. Clones share the queue.
#[derive(Clone, Debug)]
pub struct AccessLog {
    records: AccessRecords,
    behind: Behind<AccessRecords>,
}

impl AccessLog {
    /// Starts the writer.
    pub fn start(records: AccessRecords, lifecycle: &Lifecycle) -> Self {
        let behind = Behind::start(records.clone(), lifecycle);
        Self { records, behind }
    }

    /// Records an access behind the answer: what another service waits for does not wait for this. A record that finds no
    /// room is lost, and said to be.
    pub fn record(&self, access: Access) {
        self.behind.record(access);
    }

    /// Records accesses before the answer: without their records there is none.
    pub async fn record_first(&self, accesses: &[Access]) -> Result<(), Error> {
        self.records.insert(accesses).await
    }
}
