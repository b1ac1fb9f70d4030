//! A batch of rows: looked up, decided and sealed together, then recorded; again for those that somebody else changed meanwhile.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use decider::Decider;
use eventlog::{Append, AppendError};
use futures::{StreamExt as _, stream};
use uuid::Uuid;
use vault::PersonKey;

use super::file::{Batch, Notice, Problem, Row, Says};
use super::{BATCH, Import, Progress};
use crate::domain::certificate::{Command, Decisions, Hash, Hindrance, Rejection};
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
    number: Hash,
    rows: Vec<Row>,
    taken: Vec<Taken>,
    waits: Vec<Notice>,
    append: Option<Append>,
}

/// What a row led to.
enum Taken {
    Added,
    Changed,
    Unchanged,
    Rejected(Problem),
}

impl Prepared {
    /// The certificates of which it speaks.
    pub(crate) fn numbers(&self) -> HashSet<Hash> {
        self.work.iter().map(|work| work.number).collect()
    }
}

impl Import {
    /// Decides again about those certificates of which another batch was recorded meanwhile: also where nothing followed, since nothing
    /// that is recorded would find that out.
    pub(crate) async fn prepare_again(&self, batch: Prepared, recorded: &HashSet<Hash>) -> Result<Prepared, Error> {
        let is_outdated = |work: &Work| recorded.contains(&work.number);
        let (outdated, mut work): (Vec<_>, Vec<_>) = batch.work.into_iter().partition(is_outdated);
        if !outdated.is_empty() {
            let rows = outdated.into_iter().flat_map(|work| work.rows).map(Ok).collect();
            work.extend(self.prepare(rows).await?.work);
        }
        Ok(Prepared { work, ..batch })
    }

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
            loaded.push((number, record, rows));
        }
        let decided = loaded.into_iter().map(|(number, record, rows)| self.decide(number, record, rows));
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
            progress.warnings.extend(row.warnings.iter().map(|warning| Notice::of(row.line, warning)));
            if let Says::Certificate { personal, .. } = &row.says {
                progress.see(&personal.number);
            }
        }
        let mut recording = stream::iter(batch.work).map(|work| self.record_work(work)).buffer_unordered(BATCH);
        while let Some(recorded) = recording.next().await {
            let (taken, waits) = recorded?;
            progress.warned += i64::try_from(waits.len()).expect("a batch is small");
            progress.warnings.extend(waits);
            for row in taken {
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

    async fn record_work(&self, mut work: Work) -> Result<(Vec<Taken>, Vec<Notice>), Error> {
        for _ in 0..ATTEMPTS {
            let Some(append) = work.append else { return Ok((work.taken, work.waits)) };
            match self.handle.log().append(append).await {
                Ok(_) => return Ok((work.taken, work.waits)),
                Err(error) if was_slower(&error) => {}
                // Whether it was recorded or not: the record says so when it is loaded again.
                Err(AppendError::Overloaded { .. } | AppendError::Unavailable) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
            let number = work.rows.first().expect("a group has a row").number();
            let decided = self.decide(work.number, self.handle.by_number(number).await?, work.rows)?;
            let keys = self.handle.keys(&decided.sealing()).await?;
            work = self.seal(decided, &keys);
        }
        Err(Error::Conflict)
    }

    fn decide(&self, number: Hash, loaded: Loaded, rows: Vec<Row>) -> Result<Decided, Error> {
        let mut state = loaded.state.clone();
        let (mut said, mut taken, mut waits) = (Vec::new(), Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let command = self.command(&row.says);
            let decision = match &command {
                Command::SyncRestriction { holder, file_reference, .. } => Some((*holder, file_reference.clone())),
                _ => None,
            };
            let follows = match Decisions::decide(&state, command) {
                Ok(follows) => follows,
                Err(rejection) => {
                    taken.push(Taken::Rejected(rejected(row.line, &rejection)?));
                    continue;
                }
            };
            let is_certificate = matches!(row.says, Says::Certificate { .. });
            taken.push(match (follows.is_empty(), state.record()) {
                (true, _) => Taken::Unchanged,
                (false, None) if is_certificate => Taken::Added,
                (false, _) => Taken::Changed,
            });
            for event in follows {
                state = Decisions::evolve(state, &event);
                said.push(match &row.says {
                    Says::Certificate { personal, .. } => handle::naming(event, personal),
                    Says::Restriction { .. } => (event, None),
                });
            }
            let hindrance = decision.and_then(|(holder, reference)| state.hindrance(&holder, &reference));
            waits.extend(hindrance.map(|hindrance| waiting(row.line, hindrance)));
        }
        Ok(Decided { number, loaded, rows, said, taken, waits })
    }

    fn command(&self, says: &Says) -> Command {
        match says {
            Says::Certificate { details, source, prior, standing, personal } => {
                let details = self.handle.details(details, personal);
                Command::Sync { details, source: *source, prior: *prior, standing: *standing }
            }
            Says::Restriction { number, holder_number, kind, end, file_reference, lifted } => {
                let (holder, file_reference) = (self.handle.holder_hash(holder_number), file_reference.clone());
                if *lifted {
                    Command::SyncLift { holder, file_reference }
                } else {
                    let number = self.handle.number_hash(number);
                    Command::SyncRestriction { number, holder, kind: *kind, end: *end, file_reference }
                }
            }
        }
    }

    /// What is to be recorded for what was decided; nothing for a certificate of which a key was destroyed: nothing about it is kept any more.
    fn seal(&self, decided: Decided, keys: &HashMap<Uuid, PersonKey>) -> Work {
        let Decided { number, loaded, rows, said, taken, waits } = decided;
        let append = if said.is_empty() || self.dry_run {
            None
        } else {
            let asked = Asked { actor: self.actor.clone(), request: None, cause: None };
            self.handle.prepare(&asked, &loaded, &said, keys, Vec::new())
        };
        Work { number, rows, taken, waits, append }
    }
}

/// What the rows of one certificate lead to, before it is sealed.
struct Decided {
    number: Hash,
    loaded: Loaded,
    rows: Vec<Row>,
    said: Vec<Said>,
    taken: Vec<Taken>,
    waits: Vec<Notice>,
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
            ("证书号码", "UNKNOWN_CERTIFICATE", "没有该证书，也没有该文件编号的限制，无需解除，请核对证书号码。")
        }
        Rejection::NumberMistyped => {
            ("证书号码", "NUMBER_MISTYPED", "经核实该证书号码有误，已并入号码正确的证书，请核对证书号码。")
        }
        Rejection::HoldersDiffer => ("证件号码", "HOLDER_DIFFERS", "该证书登记的证件号码与此不同，请与发证机关核实。"),
        // No row is refused for these.
        Rejection::AlreadyRestricted
        | Rejection::Unmatched
        | Rejection::RegisteredBefore
        | Rejection::CertificateOfAnother
        | Rejection::AlreadyListed
        | Rejection::Deleted
        | Rejection::NotEnteredByHand
        | Rejection::NoSuchConflict
        | Rejection::NotRestricted => return Err(Error::Rejected(rejection.clone())),
    };
    Ok(Problem { line, field, reason, sentence })
}

/// What a decision waits for that a row tells of: it is kept, and comes into force by itself.
fn waiting(line: i64, hindrance: Hindrance) -> Notice {
    let (field, reason, sentence) = match hindrance {
        Hindrance::UnknownCertificate => (
            "证书号码",
            "UNKNOWN_CERTIFICATE",
            "系统中还没有该证书，限制已记录，证书信息导入或添加后自动生效；请核对证书号码。",
        ),
        Hindrance::NumberMistyped => (
            "证书号码",
            "NUMBER_MISTYPED",
            "经核实该证书号码有误，已并入号码正确的证书；限制已记录但没有生效，请核对证书号码。",
        ),
        Hindrance::HoldersDiffer => {
            ("证件号码", "HOLDER_DIFFERS", "该证书登记的证件号码与此不同，限制已记录但没有生效，请与发证机关核实。")
        }
        Hindrance::AlreadyRestricted => {
            ("文件编号", "ALREADY_RESTRICTED", "该证书因另一文件已处于受限状态，此项已记录，前一限制解除后自动生效。")
        }
    };
    Notice { line, field, reason, sentence: Cow::Borrowed(sentence) }
}
