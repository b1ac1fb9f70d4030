//! Registers over HTTP: one replica reads what is new, page after page, from where the last one that was taken ended.

pub mod page;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use access::Scope;
use eventlog::Division;
use gateway::{Gateway, GatewayError};
use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage, clock, ids};
use proto::certificates::v1 as wire;
use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use crate::domain::source::{Lie, Place, judge};
use crate::error::Error;
use crate::handle::Handle;
use crate::import::file::{Limits, Register};
use crate::import::{Import, Progress, stream, today};
use crate::store::source::{self as runs, Counts, NewProblem, Options, RowProblem, Run, Step};
use page::{LIMIT, NoPage, Page};

/// A replica that says nothing for so long has lost its run to another one.
const HOLD: Duration = Duration::from_secs(15);
/// How often it says so while it waits for the source.
const RENEW: Duration = Duration::from_secs(5);
/// How often it is looked for a run that another replica was asked for, or has lost.
const LOOK: Duration = Duration::from_secs(2);
/// Pages are asked for so often, before a run gives up.
const TRIES: u32 = 10;
/// Before a page is asked for again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A source that wants to be left alone for longer is asked all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Who asks for the runs that begin by themselves.
const SELF: &str = "service:certificates";

/// Which source, if any.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Where registers are read, by our contract: https, or http to this machine.
    #[arg(long, env = "DINGZHU_REGISTER_URL", requires_all = ["register_token_file", "register_division"])]
    pub register_url: Option<String>,
    /// File with the token that the source is shown.
    #[arg(long, env = "DINGZHU_REGISTER_TOKEN_FILE", requires = "register_url")]
    pub register_token_file: Option<PathBuf>,
    /// Whose certificates the source may tell of: 320000 for a province, 000000 for all.
    #[arg(long, env = "DINGZHU_REGISTER_DIVISION", requires = "register_url", value_parser = division)]
    pub register_division: Option<Division>,
    /// Minutes from the end of a run to the next one that begins by itself; without it runs begin only when they are asked for.
    #[arg(long, env = "DINGZHU_REGISTER_MINUTES", requires = "register_url")]
    pub register_minutes: Option<u32>,
}

fn division(text: &str) -> Result<Division, &'static str> {
    Division::parse(text).ok_or("a division has six digits")
}

/// The source of this deployment. Clones share it.
#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gateway: Gateway,
    division: Division,
    minutes: Option<u32>,
    handle: Handle,
    asked: Notify,
}

/// Why a run stops.
enum Stop {
    /// Another replica reads on, or this one soon after it was started again.
    Left,
    /// The source cannot be read further, for this reason.
    Failed(&'static str),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "the register's source cannot be taken further");
        let passes = match &error {
            // What cannot be read or used now never can: nobody else may wait for it.
            Error::Storage(source) => eventlog::is_away(source.as_ref()),
            error => error.is_transient(),
        };
        if passes { Self::Left } else { Self::Failed("INTERNAL") }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

impl Source {
    /// The one that the settings name; it is not asked yet.
    pub fn open(settings: &Settings, handle: Handle) -> Result<Option<Self>, GatewayError> {
        let Settings { register_url, register_token_file, register_division, register_minutes } = settings;
        let (Some(url), Some(token), Some(division)) = (register_url, register_token_file, register_division) else {
            return Ok(None);
        };
        let gateway = Gateway::open("DINGZHU_REGISTER_URL", url, token)?;
        let (minutes, asked) = (*register_minutes, Notify::new());
        Ok(Some(Self(Arc::new(Inner { gateway, division: *division, minutes, handle, asked }))))
    }

    /// Whose certificates it tells of.
    pub fn division(&self) -> Division {
        self.0.division
    }

    /// Asks for a run; gives the one that has this id already, or is under way with the same options.
    pub async fn ask(&self, sync_id: Uuid, actor: &str, options: Options) -> Result<Uuid, Error> {
        let run = runs::open(self.0.handle.log().pool(), sync_id, actor, options).await?;
        self.0.asked.notify_one();
        match run.options == options {
            true => Ok(run.sync_id),
            false if run.sync_id == sync_id => Err(Error::RequestIdReused),
            false => Err(Error::SyncUnderWay),
        }
    }

    /// How far a run is, and what was wrong with rows after this one of its problems, some at a time.
    pub async fn progress(&self, sync_id: Uuid, after: i64) -> Result<(Run, Vec<RowProblem>), Error> {
        let pool = self.0.handle.log().pool();
        // In this order: what ended the run is behind all of its problems.
        let run = runs::find(pool, sync_id).await?.ok_or(Error::NotFound)?;
        Ok((run, runs::problems(pool, sync_id, after).await?))
    }

    /// Reads whatever this replica is asked for, or others have left.
    pub fn start(&self, lifecycle: &Lifecycle) {
        let (source, stopping) = (self.clone(), lifecycle.stopping(Stage::Work));
        lifecycle.spawn("register source", OnDeath::StopsTheService, async move {
            while !stopping.is_cancelled() {
                if let Err(error) = source.look(&stopping).await {
                    tracing::warn!(%error, "it cannot be looked for a run over the register's source");
                }
                let asked = tokio::time::timeout(LOOK, source.0.asked.notified());
                // Asked or not: it is looked again.
                let _ = stopping.run_until_cancelled(asked).await;
            }
        });
    }

    async fn look(&self, stopping: &CancellationToken) -> Result<(), sqlx::Error> {
        let pool = self.0.handle.log().pool();
        if let Some(minutes) = self.0.minutes
            && runs::is_due(pool, f64::from(minutes)).await?
        {
            runs::open(pool, ids::random(), SELF, Options::default()).await?;
        }
        let holder = ids::random();
        let Some(run) = runs::take(pool, holder, HOLD.as_secs_f64()).await? else { return Ok(()) };
        let reading = Reading { source: self, holder, import: self.import(&run), run: &run, stopping };
        match Box::pin(reading.run()).await {
            Ok(()) => runs::finish(pool, run.sync_id, holder, None).await,
            Err(Stop::Failed(reason)) => {
                tracing::error!(sync_id = %run.sync_id, reason, "the register's source ends the run");
                let failed = wire::SyncFailed { sync_id: run.sync_id.to_string(), reason: reason.to_owned() };
                if let Err(error) = reading.import.record(&failed).await {
                    tracing::error!(%error, "the failure of the run cannot be recorded");
                }
                runs::finish(pool, run.sync_id, holder, Some(reason)).await
            }
            Err(Stop::Left) => runs::release(pool, run.sync_id, holder).await,
        }
    }

    fn import(&self, run: &Run) -> Import {
        Import {
            handle: self.0.handle.clone(),
            sync_id: run.sync_id,
            actor: run.actor.clone(),
            dry_run: run.options.dry_run,
            // It tells of all certificates of its division; what is known of a part of a province is not all.
            complete: self.0.division.as_str().ends_with("0000"),
            limits: Limits {
                register: Register::Certificates,
                within: vec![Scope { division: self.0.division, unit: None }],
                today: today(),
                agencies: self.0.handle.agencies(),
            },
        }
    }
}

/// A run in the hands of this replica.
struct Reading<'r> {
    source: &'r Source,
    holder: Uuid,
    import: Import,
    run: &'r Run,
    stopping: &'r CancellationToken,
}

impl Reading<'_> {
    async fn run(&self) -> Result<(), Stop> {
        let pool = self.import.handle.log().pool();
        let sync_id = self.import.sync_id;
        if self.import.handle.log().load(stream(sync_id)).await.map_err(Error::from)?.is_empty() {
            self.import.record(&wire::SyncStarted { sync_id: sync_id.to_string() }).await?;
        }
        for register in [Register::Certificates, Register::Restrictions] {
            self.read(register).await?;
        }
        let Run { counts, provinces, .. } = runs::find(pool, sync_id).await?.ok_or(Stop::Left)?;
        let finished = wire::SyncFinished {
            sync_id: sync_id.to_string(),
            rows_read: counts.rows_read,
            added: counts.added,
            changed: counts.changed,
            unchanged: counts.unchanged,
            rejected: counts.rejected,
            provinces,
            complete: self.import.complete && runs::rejected(pool).await? == 0,
        };
        Ok(self.import.record(&finished).await?)
    }

    /// Page after page of one register, until one is empty.
    async fn read(&self, register: Register) -> Result<(), Stop> {
        let limits = Limits { register, ..self.import.limits.clone() };
        let mut place = runs::place(self.import.handle.log().pool(), self.run, page::name(register)).await?;
        let mut promised = 0;
        loop {
            let page = self.fetch(register, place).await?;
            let claims = page.claims();
            let judged =
                judge(&claims, place, promised, LIMIT, clock::now()).map_err(|lie| Stop::Failed(reason(lie)))?;
            (place, promised) = (judged.place, judged.promised);
            let Some(reached) = place.filter(|_| !judged.ends) else { return Ok(()) };
            let mut progress = Progress::default();
            let rows = page.rows(&limits, |id| judged.duplicates.contains(&id));
            self.import.record_batch(self.import.prepare(rows).await?, &mut progress).await?;
            let row =
                |line: i64| claims.places[usize::try_from(line - 1).expect("lines count the rows of the page")].id;
            let problems = progress.problems.iter().map(|it| NewProblem {
                row_id: row(it.line),
                field: it.field,
                reason: it.reason,
                sentence: it.sentence,
                is_warning: false,
            });
            let warnings = progress.warnings.iter().map(|it| NewProblem {
                row_id: row(it.line),
                field: it.field,
                reason: it.reason,
                sentence: &it.sentence,
                is_warning: true,
            });
            let step = Step {
                register: page::name(register),
                place: reached,
                counts: Counts {
                    rows_read: progress.rows_read,
                    added: progress.added,
                    changed: progress.changed,
                    unchanged: progress.unchanged,
                    rejected: progress.rejected,
                    warned: progress.warned,
                },
                provinces: progress.provinces.iter().map(String::as_str).collect(),
                problems: problems.chain(warnings).collect(),
            };
            let pool = self.import.handle.log().pool();
            if !runs::advance(pool, self.import.sync_id, self.holder, &step).await? || self.stopping.is_cancelled() {
                return Err(Stop::Left);
            }
        }
    }

    /// Asks until there is a page, or there will be none.
    async fn fetch(&self, register: Register, place: Option<Place>) -> Result<Page, Stop> {
        for attempt in 0..TRIES {
            let asked = self.holding(page::fetch(&self.source.0.gateway, register, place)).await?;
            match asked {
                Ok(page) => return Ok(page),
                Err(NoPage::Lasting(reason)) => return Err(Stop::Failed(reason)),
                Err(NoPage::Passing { problem, retry_after }) => {
                    let pause = pause(attempt, retry_after, rand::random());
                    tracing::warn!(
                        attempt,
                        problem,
                        seconds = pause.as_secs_f64(),
                        "the register's source does not answer"
                    );
                    self.holding(sleep(pause)).await?;
                }
            }
        }
        Err(Stop::Failed("SOURCE_UNAVAILABLE"))
    }

    /// Waits for something, and holds the run meanwhile.
    async fn holding<F: Future>(&self, wait: F) -> Result<F::Output, Stop> {
        let pool = self.import.handle.log().pool();
        let mut wait = std::pin::pin!(wait);
        loop {
            if !runs::hold(pool, self.import.sync_id, self.holder, HOLD.as_secs_f64()).await? {
                return Err(Stop::Left);
            }
            tokio::select! {
                done = &mut wait => return Ok(done),
                () = sleep(RENEW) => {}
                () = self.stopping.cancelled() => return Err(Stop::Left),
            }
        }
    }
}

fn reason(lie: Lie) -> &'static str {
    match lie {
        Lie::Count => "SOURCE_COUNT_WRONG",
        Lie::Repeats => "SOURCE_REPEATS",
        Lie::Disorder => "SOURCE_OUT_OF_ORDER",
        Lie::Future => "SOURCE_FROM_FUTURE",
    }
}

/// How long to wait after so many attempts in vain: twice as long each time, by `chance` (0 to 1) up to half as long again so that replicas
/// and deployments do not come together, and never less than the source asks for.
fn pause(attempts: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let doubled = PAUSES.0.saturating_mul(2_u32.saturating_pow(attempts)).min(PAUSES.1);
    let least = doubled.max(retry_after.unwrap_or_default().min(LONGEST_WAIT));
    least + doubled.mul_f64(chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_a_minute_and_are_never_the_same() {
        let shortest: Vec<u64> = (0..9).map(|attempts| pause(attempts, None, 0.0).as_secs()).collect();
        assert_eq!(shortest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(2, None, 1.0), 6 * SECOND);
    }

    #[test]
    fn what_the_source_asks_for_is_the_least_within_an_hour() {
        assert_eq!(pause(0, Some(120 * SECOND), 0.0), 120 * SECOND);
        assert_eq!(pause(0, Some(120 * SECOND), 1.0), 120 * SECOND + SECOND / 2);
        assert_eq!(pause(3, Some(SECOND), 0.0), 8 * SECOND);
        assert_eq!(pause(0, Some(Duration::MAX), 0.0), LONGEST_WAIT);
    }
}
