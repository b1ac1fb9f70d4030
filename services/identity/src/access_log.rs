//! The way of a record of access: many at a time through a bounded queue that nobody waits for, or at once where it must not be lost.

use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use tokio::sync::mpsc;

use crate::domain::access::Access;
use crate::error::Error;
use crate::store::access_records::AccessRecords;

/// Accesses that wait at most, and that are written together.
const QUEUE: usize = 8_192;
const GROUP: usize = 512;

/// Takes records. Clones share the queue.
#[derive(Clone, Debug)]
pub struct AccessLog {
    records: AccessRecords,
    queue: mpsc::Sender<Access>,
}

impl AccessLog {
    /// Starts the writer.
    pub fn start(records: AccessRecords, lifecycle: &Lifecycle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = write(records.clone(), waiting, lifecycle.stopping(Stage::Work));
        lifecycle.spawn("access-log", OnDeath::StopsTheService, writer);
        Self { records, queue }
    }

    /// Records an access behind the answer: what another service waits for does not wait for this. A record that finds no
    /// room is lost, and said to be.
    pub fn record(&self, access: Access) {
        if let Err(error) = self.queue.try_send(access) {
            let lost = error.into_inner();
            tracing::error!(person = %lost.person, service = lost.service, "a record of access is lost: too many wait");
        }
    }

    /// Records accesses before the answer: without their records there is none.
    pub async fn record_first(&self, accesses: &[Access]) -> Result<(), Error> {
        self.records.insert(accesses).await
    }
}

/// Writes what waits, all of it also when the service stops.
async fn write(records: AccessRecords, mut waiting: mpsc::Receiver<Access>, stopping: CancellationToken) {
    let mut group = Vec::with_capacity(GROUP);
    loop {
        let taken = tokio::select! {
            biased;
            taken = waiting.recv_many(&mut group, GROUP) => taken,
            () = stopping.cancelled() => return,
        };
        if taken == 0 {
            return stopping.cancelled().await;
        }
        let mut written = records.insert(&group).await;
        if written.is_err() {
            // Once more, since a restart of the database is over soon; the queue holds what comes meanwhile.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            written = records.insert(&group).await;
        }
        if let Err(error) = written {
            for lost in &group {
                tracing::error!(%error, person = %lost.person, service = lost.service, "a record of access is lost");
            }
        }
        group.clear();
    }
}
