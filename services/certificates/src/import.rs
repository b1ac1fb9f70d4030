//! A register's file becomes records: read in bounded memory, decided row by row, recorded many at a time.

pub mod file;

use std::collections::{BTreeSet, HashMap};

use access::Scope;
use decider::Decider;
use eventlog::{Append, Division, NewEvent};
use futures::{StreamExt as _, stream};
use lifecycle::ids;
use prost::{Message, Name};
use proto::certificates::v1 as wire;
use time::Date;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain::certificate::{Command, Decisions, Hash};
use crate::error::Error;
use crate::handle::{self, Asked, Handle, Loaded, division_of, fold, was_slower};
use crate::store;
use file::{Limits, Problem, Row};
use records::{Chunk, Stopped, UploadBroken};

/// Rows that are looked up together; as many records are in hand at a time.
const BATCH: usize = 512;
/// Chunks of the file, and batches of rows, that wait at most.
const WAITING: usize = 4;
/// Attempts at a record while others change it.
const ATTEMPTS: usize = 5;

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
    pub warnings: Vec<Problem>,
    /// Provinces that the numbers of the rows name.
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

/// What a row led to.
enum Taken {
    Added,
    Changed,
    Unchanged,
}

/// One run over a file.
pub struct Import {
    /// Use cases.
    pub handle: Handle,
    /// Names the run; its stream.
    pub sync_id: Uuid,
    /// Who.
    pub actor: String,
    /// Where they may: a row of another province is rejected.
    pub within: Vec<Scope>,
    /// Report only.
    pub dry_run: bool,
    /// In Shanghai.
    pub today: Date,
}

impl Import {
    /// Reads `chunks` to their end and reports after each batch. A dropped report does not stop the run.
    pub async fn run(self, chunks: mpsc::Receiver<Chunk>, report: mpsc::Sender<Result<Progress, Error>>) {
        let outcome = self.take_all(chunks, &report).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, sync_id = %self.sync_id, "the import stopped");
            let reason = match error {
                Error::UploadBroken => "UPLOAD_BROKEN",
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
        let limits = Limits { within: self.within.clone(), today: self.today };
        let reading = tokio::task::spawn_blocking(move || file::read(chunks, &send, BATCH, &limits));
        let mut progress = Progress::default();
        while let Some(batch) = batches.recv().await {
            self.take(batch, &mut progress).await?;
            let (problems, warnings) = (std::mem::take(&mut progress.problems), std::mem::take(&mut progress.warnings));
            let _ = report.send(Ok(Progress { problems, warnings, ..progress.clone() })).await;
        }
        let read = reading.await.map_err(|error| Error::Storage(Box::new(error)))?;
        read.map_err(|stopped| match stopped {
            Stopped::UploadBroken(UploadBroken) => Error::UploadBroken,
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
        };
        self.record(&finished).await?;
        progress.done = true;
        Ok(progress)
    }

    /// Takes a batch: rows of one certificate one after the other, different certificates at once.
    async fn take(&self, batch: Vec<Result<Row, Vec<Problem>>>, progress: &mut Progress) -> Result<(), Error> {
        let mut groups: HashMap<Hash, Vec<Row>> = HashMap::new();
        for read in batch {
            progress.rows_read += 1;
            match read {
                Ok(mut row) => {
                    progress.warned += i64::from(!row.warnings.is_empty());
                    progress.warnings.append(&mut row.warnings);
                    progress.see(&row.personal.number);
                    groups.entry(self.handle.number_hash(&row.personal.number)).or_default().push(row);
                }
                Err(problems) => {
                    progress.rejected += 1;
                    progress.problems.extend(problems);
                }
            }
        }
        let pool = self.handle.log().pool();
        let numbers: Vec<Hash> = groups.keys().copied().collect();
        let known = store::lookup::find(pool, &numbers).await?;
        let known_ids: Vec<Uuid> = known.values().copied().collect();
        let mut recorded = self.handle.log().load_many(&known_ids).await?;
        let mut work = Vec::with_capacity(groups.len());
        for (number, rows) in groups {
            let loaded = match known.get(&number) {
                Some(id) => fold(*id, &recorded.remove(id).unwrap_or_default())?,
                None => Loaded::unknown(&rows.first().expect("a group has a row").personal.number),
            };
            work.push((loaded, rows));
        }
        if !self.dry_run {
            let fresh: Vec<Uuid> = work.iter().map(|(loaded, _)| loaded.key_id()).collect();
            self.handle.keys(&fresh).await?;
        }
        let taking: Vec<_> = work.into_iter().map(|(loaded, rows)| self.take_certificate(loaded, rows)).collect();
        let mut taken = stream::iter(taking).buffer_unordered(BATCH);
        while let Some(outcome) = taken.next().await {
            for row in outcome? {
                match row {
                    Taken::Added => progress.added += 1,
                    Taken::Changed => progress.changed += 1,
                    Taken::Unchanged => progress.unchanged += 1,
                }
            }
        }
        Ok(())
    }

    async fn take_certificate(&self, mut loaded: Loaded, rows: Vec<Row>) -> Result<Vec<Taken>, Error> {
        for _ in 0..ATTEMPTS {
            let (taken, append) = self.decide(&loaded, &rows).await?;
            let Some(append) = append else { return Ok(taken) };
            match self.handle.log().append(append).await {
                Ok(_) => return Ok(taken),
                Err(error) if was_slower(&error) => {
                    let number = &rows.first().expect("a group has a row").personal.number;
                    loaded = self.handle.by_number(number).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// What the rows lead to, and what is to be recorded for it.
    async fn decide(&self, loaded: &Loaded, rows: &[Row]) -> Result<(Vec<Taken>, Option<Append>), Error> {
        let mut state = loaded.state.clone();
        let (mut said, mut taken) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in rows {
            let details = self.handle.details(&row.details, &row.personal);
            let command = Command::Sync { details, source: row.source, prior: row.prior, standing: row.standing };
            let follows = Decisions::decide(&state, command).map_err(Error::Rejected)?;
            taken.push(match (follows.is_empty(), state.record()) {
                (true, _) => Taken::Unchanged,
                (false, None) => Taken::Added,
                (false, Some(_)) => Taken::Changed,
            });
            for event in follows {
                state = Decisions::evolve(state, &event);
                said.push(handle::naming(event, &row.personal));
            }
        }
        if said.is_empty() || self.dry_run {
            return Ok((taken, None));
        }
        let asked = Asked { actor: self.actor.clone(), request: None, cause: None };
        // Where a key was destroyed nothing about this certificate is kept any more.
        let append = self.handle.prepare(&asked, loaded, &said, Vec::new()).await?;
        Ok((taken, append))
    }

    /// Records a step of the run itself; the same step twice is recorded twice, once for each attempt.
    async fn record<M: Message + Name>(&self, message: &M) -> Result<(), Error> {
        if self.dry_run {
            return Ok(());
        }
        let log = self.handle.log();
        let version = log.load(self.sync_id).await?.last().map_or(0, |event| event.version);
        let event = NewEvent {
            event_id: ids::random(),
            kind: M::full_name(),
            payload: message.encode_to_vec(),
            inner: Vec::new(),
            sealed: Vec::new(),
            division: Division::NONE,
        };
        log.append(Append {
            stream: self.sync_id,
            expected_version: version,
            events: vec![event],
            actor: self.actor.clone(),
            request: None,
            claims: Vec::new(),
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: None,
        })
        .await?;
        Ok(())
    }
}
