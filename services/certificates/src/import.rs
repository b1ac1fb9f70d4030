//! A register's file becomes records: read in bounded memory, decided row by row, recorded many at a time.

mod batch;
mod certificates;
mod columns;
pub mod file;
mod restrictions;
mod twice;

use std::collections::BTreeSet;

use eventlog::{Append, Division, NewEvent};
use lifecycle::{clock, ids};
use prost::{Message, Name};
use proto::certificates::v1 as wire;
use time::{Date, UtcOffset};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::Error;
use crate::handle::{Handle, division_of};
use batch::Prepared;
use file::{Batch, Limits, Notice, Problem};
use records::Stopped;
use workbook::{Broken, Chunk, Flaw};

/// Rows that are looked up together; as many records are in hand at a time.
const BATCH: usize = 512;
/// Chunks of the file, and batches of rows, that wait at most.
const WAITING: usize = 4;

/// What an import has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows read, without the header.
    pub rows_read: i64,
    /// Certificates that were unknown.
    pub added: i64,
    /// Rows that said something new of a known one.
    pub changed: i64,
    /// Rows that said nothing new.
    pub unchanged: i64,
    /// Rows that cannot be taken.
    pub rejected: i64,
    /// What is wrong with the rows rejected since the last report.
    pub problems: Vec<Problem>,
    /// Rows that are taken and deserve a look.
    pub warned: i64,
    /// What deserves a look in the rows read since the last report.
    pub warnings: Vec<Notice>,
    /// Provinces that the numbers of the rows name; what restrictions name does not count as brought.
    pub provinces: BTreeSet<String>,
    /// Nothing more follows.
    pub done: bool,
}

impl Progress {
    fn see(&mut self, number: &str) {
        let province = division_of(number);
        if province != Division::NONE && !self.provinces.contains(&province.as_str()[..2]) {
            self.provinces.insert(province.as_str()[..2].to_owned());
        }
    }
}

/// Namespace of the streams of runs.
const RUNS: Uuid = Uuid::from_u128(0xd66e_f997_1d8f_44f7_a52c_75b9_a18b_64cb);

/// The stream of a run; never a certificate's, whatever id its caller names it by. Runs from before this have their id for a stream.
pub fn stream(sync_id: Uuid) -> Uuid {
    Uuid::new_v5(&RUNS, sync_id.as_bytes())
}

/// One run over a file.
pub struct Import {
    /// Use cases.
    pub handle: Handle,
    /// Names the run, as its caller does.
    pub sync_id: Uuid,
    /// Who.
    pub actor: String,
    /// Report only.
    pub dry_run: bool,
    /// Whether what is brought is all that there is in its provinces.
    pub complete: bool,
    /// What rows are held against.
    pub limits: Limits,
}

/// The day in Shanghai.
pub fn today() -> Date {
    clock::now().to_offset(UtcOffset::from_hms(8, 0, 0).expect("eight hours are an offset")).date()
}

impl Import {
    /// Reads `chunks` to their end and reports after each batch. A dropped report does not stop the run.
    pub async fn run(self, chunks: mpsc::Receiver<Chunk>, report: mpsc::Sender<Result<Progress, Error>>) {
        let outcome = self.take_all(chunks, &report).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, sync_id = %self.sync_id, "the import stopped");
            let reason = match error {
                Error::UploadBroken => "UPLOAD_BROKEN",
                Error::Workbook(Flaw::Encrypted) => "WORKBOOK_ENCRYPTED",
                Error::Workbook(Flaw::Malformed) => "WORKBOOK_MALFORMED",
                Error::Workbook(Flaw::TooLarge) => "WORKBOOK_TOO_LARGE",
                Error::QuoteNotClosed { .. } => "QUOTE_NOT_CLOSED",
                _ => "INTERNAL",
            };
            let failed = wire::SyncFailed { sync_id: self.sync_id.to_string(), reason: reason.to_owned() };
            if let Err(error) = self.record(&failed).await {
                tracing::error!(%error, "the failure of the import cannot be recorded");
            }
        }
        // Nobody may be listening any more; the run is complete all the same.
        let _ = report.send(outcome).await;
    }

    async fn take_all(
        &self,
        chunks: mpsc::Receiver<Chunk>,
        report: &mpsc::Sender<Result<Progress, Error>>,
    ) -> Result<Progress, Error> {
        self.record(&wire::SyncStarted { sync_id: self.sync_id.to_string() }).await?;
        let (send, mut batches) = mpsc::channel(WAITING);
        let limits = self.limits.clone();
        let reading = tokio::task::spawn_blocking(move || file::read(chunks, &send, BATCH, &limits));
        let mut progress = Progress::default();
        let mut prepared = self.prepare_next(&mut batches).await?;
        while let Some(batch) = prepared {
            // While one batch is recorded the next one is looked up, decided and sealed; again for certificates of which both speak.
            let numbers = batch.numbers();
            let recording = Box::pin(async {
                self.record_batch(batch, &mut progress).await?;
                let (problems, warnings) =
                    (std::mem::take(&mut progress.problems), std::mem::take(&mut progress.warnings));
                let _ = report.send(Ok(Progress { problems, warnings, ..progress.clone() })).await;
                Ok::<_, Error>(())
            });
            let (recorded, next) = tokio::join!(recording, Box::pin(self.prepare_next(&mut batches)));
            recorded?;
            prepared = match next? {
                Some(next) => Some(Box::pin(self.prepare_again(next, &numbers)).await?),
                None => None,
            };
        }
        let read = reading.await.map_err(|error| Error::Storage(Box::new(error)))?;
        read.map_err(|stopped| match stopped {
            Stopped::Broken(Broken::Upload) => Error::UploadBroken,
            Stopped::Broken(Broken::Workbook(flaw)) => Error::Workbook(flaw),
            Stopped::QuoteNotClosed { line } => Error::QuoteNotClosed { line },
        })?;
        let finished = wire::SyncFinished {
            sync_id: self.sync_id.to_string(),
            rows_read: progress.rows_read,
            added: progress.added,
            changed: progress.changed,
            unchanged: progress.unchanged,
            rejected: progress.rejected,
            provinces: progress.provinces.iter().cloned().collect(),
            // A row that was rejected may be the one that somebody misses.
            complete: self.complete && progress.rejected == 0,
        };
        self.record(&finished).await?;
        progress.done = true;
        Ok(progress)
    }

    async fn prepare_next(&self, batches: &mut mpsc::Receiver<Batch>) -> Result<Option<Prepared>, Error> {
        match batches.recv().await {
            Some(batch) => self.prepare(batch).await.map(Some),
            None => Ok(None),
        }
    }

    /// Records a step of the run itself; the same step twice is recorded twice, once for each attempt.
    pub(crate) async fn record<M: Message + Name>(&self, message: &M) -> Result<(), Error> {
        if self.dry_run {
            return Ok(());
        }
        let (log, stream) = (self.handle.log(), stream(self.sync_id));
        let version = log.load(stream).await?.last().map_or(0, |event| event.version);
        let event = NewEvent {
            event_id: ids::random(),
            kind: M::full_name(),
            payload: message.encode_to_vec(),
            inner: Vec::new(),
            sealed: Vec::new(),
            division: Division::NONE,
        };
        log.append(Append {
            stream,
            expected_version: version,
            events: vec![event],
            actor: self.actor.clone(),
            request: None,
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: None,
        })
        .await?;
        Ok(())
    }
}
