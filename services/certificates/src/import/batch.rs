//! A batch of rows: looked up, decided and sealed together, then recorded; again for those that somebody else changed meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use decider::Decider;
use eventlog::{Append, AppendError};
use futures::{StreamExt as _, stream};
use uuid::Uuid;
use vault::PersonKey;

use super::file::{Batch, Problem, Row, Says};
use super::{BATCH, Import, Progress};
use crate::domain::certificate::{Command, Decisions, Hash, Rejection};
use crate::error::Error;
use crate::handle::{self, Asked, Loaded, Said, fold, was_slower};
use crate::store;

/// Attempts at a record while others change it.
const ATTEMPTS: usize = 5;
/// Between attempts while the database is away.
const PAUSE: Duration = Duration::from_secs(1);

/// A batch that is decided, and not recorded yet.
pub(crate) struct Prepared {
    rows: i64,
    problems: Vec<Problem>,
    rejected: i64,
    work: Vec<Work>,
}

/// The rows of one certificate, and what they lead to.
struct Work {
    rows: Vec<Row>,
    taken: Vec<Taken>,
    append: Option<Append>,
}

/// What a row led to.
enum Taken {
    Added,
    Changed,
    Unchanged,
    Rejected(Problem),
}

impl Import {
    /// Decides a batch: rows of one certificate one after the other, on what is recorded of it now.
    pub(crate) async fn prepare(&self, batch: Batch) -> Result<Prepared, Error> {
        let rows = i64::try_from(batch.len()).expect("a batch is small");
        let mut prepared = Prepared { rows, problems: Vec::new(), rejected: 0, work: Vec::new() };
        let mut groups: HashMap<Hash, Vec<Row>> = HashMap::new();
        for read in batch {
            match read {
                Ok(row) => groups.entry(self.handle.number_hash(row.number())).or_default().push(row),
                Err(problems) => {
                    prepared.rejected += 1;
                    prepared.problems.extend(problems);
                }
            }
        }
        let numbers: Vec<Hash> = groups.keys().copied().collect();
        let known = store::lookup::find(self.handle.log().pool(), &numbers).await?;
        let known_ids: Vec<Uuid> = known.values().copied().collect();
        let mut recorded =
            if known_ids.is_empty() { HashMap::new() } else { self.handle.log().load_many(&known_ids).await? };
        let mut loaded = Vec::with_capacity(groups.len());
        for (number, rows) in groups {
            let record = match known.get(&number) {
                Some(id) => fold(*id, &recorded.remove(id).unwrap_or_default())?,
                None => Loaded::unknown(rows.first().expect("a group has a row").number()),
            };
            loaded.push((record, rows));
        }
        let decided = loaded.into_iter().map(|(record, rows)| self.decide(record, rows));
        let decided = decided.collect::<Result<Vec<_>, Error>>()?;
        let sealing: Vec<Uuid> = decided.iter().flat_map(Decided::sealing).collect();
        let keys = if self.dry_run { HashMap::new() } else { self.handle.keys(&sealing).await? };
        prepared.work.extend(decided.into_iter().map(|decided| self.seal(decided, &keys)));
        Ok(prepared)
    }

    /// Records what was decided.
    pub(crate) async fn record_batch(&self, batch: Prepared, progress: &mut Progress) -> Result<(), Error> {
        progress.rows_read += batch.rows;
        progress.rejected += batch.rejected;
        progress.problems.extend(batch.problems);
        for row in batch.work.iter().flat_map(|work| &work.rows) {
            progress.warned += i64::from(!row.warnings.is_empty());
            progress.warnings.extend(row.warnings.iter().map(|warning| (row.line, warning.clone())));
            if let Says::Certificate { personal, .. } = &row.says {
                progress.see(&personal.number);
            }
        }
        let mut recording = stream::iter(batch.work).map(|work| self.record_work(work)).buffer_unordered(BATCH);
        while let Some(taken) = recording.next().await {
            for row in taken? {
                match row {
                    Taken::Added => progress.added += 1,
                    Taken::Changed => progress.changed += 1,
                    Taken::Unchanged => progress.unchanged += 1,
                    Taken::Rejected(problem) => {
                        progress.rejected += 1;
                        progress.problems.push(problem);
                    }
                }
            }
        }
        Ok(())
    }

    async fn record_work(&self, mut work: Work) -> Result<Vec<Taken>, Error> {
        for _ in 0..ATTEMPTS {
            let Some(append) = work.append else { return Ok(work.taken) };
            match self.handle.log().append(append).await {
                Ok(_) => return Ok(work.taken),
                Err(error) if was_slower(&error) => {}
                // Whether it was recorded or not: the record says so when it is loaded again.
                Err(AppendError::Overloaded { .. } | AppendError::Unavailable) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
            let number = work.rows.first().expect("a group has a row").number();
            let decided = self.decide(self.handle.by_number(number).await?, work.rows)?;
            let keys = self.handle.keys(&decided.sealing()).await?;
            work = self.seal(decided, &keys);
        }
        Err(Error::Conflict)
    }

    fn decide(&self, loaded: Loaded, rows: Vec<Row>) -> Result<Decided, Error> {
        let mut state = loaded.state.clone();
        let (mut said, mut taken) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in &rows {
            let follows = match Decisions::decide(&state, self.command(&row.says)) {
                Ok(follows) => follows,
                Err(rejection) => {
                    taken.push(Taken::Rejected(rejected(row.line, &rejection)?));
                    continue;
                }
            };
            taken.push(match (follows.is_empty(), state.record()) {
                (true, _) => Taken::Unchanged,
                (false, None) => Taken::Added,
                (false, Some(_)) => Taken::Changed,
            });
            for event in follows {
                state = Decisions::evolve(state, &event);
                said.push(match &row.says {
                    Says::Certificate { personal, .. } => handle::naming(event, personal),
                    Says::Restriction { .. } => (event, None),
                });
            }
        }
        Ok(Decided { loaded, rows, said, taken })
    }

    fn command(&self, says: &Says) -> Command {
        match says {
            Says::Certificate { details, source, prior, standing, personal } => {
                let details = self.handle.details(details, personal);
                Command::Sync { details, source: *source, prior: *prior, standing: *standing }
            }
            Says::Restriction { holder_number, kind, end, file_reference, lifted, .. } => {
                let (holder, file_reference) = (self.handle.holder_hash(holder_number), file_reference.clone());
                if *lifted {
                    Command::SyncLift { holder, file_reference }
                } else {
                    Command::SyncRestriction { holder, kind: *kind, end: *end, file_reference }
                }
            }
        }
    }

    /// What is to be recorded for what was decided; nothing for a certificate of which a key was destroyed: nothing about it is kept any more.
    fn seal(&self, decided: Decided, keys: &HashMap<Uuid, PersonKey>) -> Work {
        let Decided { loaded, rows, said, taken } = decided;
        let append = if said.is_empty() || self.dry_run {
            None
        } else {
            let asked = Asked { actor: self.actor.clone(), request: None, cause: None };
            self.handle.prepare(&asked, &loaded, &said, keys, Vec::new())
        };
        Work { rows, taken, append }
    }
}

/// What the rows of one certificate lead to, before it is sealed.
struct Decided {
    loaded: Loaded,
    rows: Vec<Row>,
    said: Vec<Said>,
    taken: Vec<Taken>,
}

impl Decided {
    fn sealing(&self) -> Vec<Uuid> {
        handle::sealing(&self.loaded, &self.said)
    }
}

/// What the record has against a row.
fn rejected(line: i64, rejection: &Rejection) -> Result<Problem, Error> {
    let (field, reason, sentence) = match rejection {
        Rejection::UnknownCertificate => {
            ("证书号码", "UNKNOWN_CERTIFICATE", "没有该证书，请先导入证书信息，再导入限制信息。")
        }
        Rejection::NumberMistyped => {
            ("证书号码", "NUMBER_MISTYPED", "经核实该证书号码有误，已并入号码正确的证书，请核对证书号码。")
        }
        Rejection::HoldersDiffer => ("证件号码", "HOLDER_DIFFERS", "该证书登记的证件号码与此不同，请与发证机关核实。"),
        Rejection::AlreadyRestricted => {
            ("文件编号", "ALREADY_RESTRICTED", "该证书因另一文件已处于受限状态，解除后再导入此项。")
        }
        // No row is refused for these.
        Rejection::RegisteredBefore
        | Rejection::CertificateOfAnother
        | Rejection::AlreadyListed
        | Rejection::Deleted
        | Rejection::NotEnteredByHand
        | Rejection::NoSuchConflict
        | Rejection::NotRestricted => return Err(Error::Rejected(rejection.clone())),
    };
    Ok(Problem { line, field, reason, sentence })
}
