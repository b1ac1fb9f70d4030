//! What a submission needs beside memory, loaded for all submissions that wait: draft, certificate, school, the record's
//! history and the person's key, in one query of each database for up to 256 callers.

use std::collections::HashMap;

use decider::Decider as _;
use lifecycle::{CancellationToken, Lifecycle, OnDeath, Stage};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, PgConnection, PgPool, Postgres, Row as _};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use vault::{PersonKey, Vault};

use crate::domain::registration::{Registration, Registrations};
use crate::domain::rules::SchoolKind;
use crate::store::drafts::Draft;
use crate::store::event::decode;
use crate::views::certificates::Certificate;

/// Callers of one query.
const BATCH: usize = 256;
/// Callers that may wait.
const QUEUE: usize = 2_048;

/// All of it for one draft.
#[derive(Debug, Clone)]
pub struct Filing {
    /// The draft.
    pub draft: Draft,
    /// The log has not been told yet that it was begun.
    pub beginning_untold: bool,
    /// What the view of certificates knows.
    pub certificate: Option<Certificate>,
    /// What the form's school is, if the view of schools knows it.
    pub school: Option<SchoolKind>,
    /// The record of the certificate.
    pub record: Registration,
    /// Its version.
    pub version: i64,
    /// The key of the caller; `None` once the person is erased.
    pub key: Option<PersonKey>,
}

/// Hands out filings. Clones share the loader.
#[derive(Debug, Clone)]
pub struct Filings {
    queue: mpsc::Sender<Waiting>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilingError {
    /// As many callers wait as may.
    #[error("too many submissions wait to be loaded")]
    Overloaded,
    /// The database does not answer as it should; the log says more.
    #[error("a submission could not be loaded")]
    Unavailable,
}

#[derive(Debug)]
struct Waiting {
    draft: Uuid,
    person: Uuid,
    answer: oneshot::Sender<Result<Option<Filing>, FilingError>>,
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the drafts could not be loaded")]
    Storage(#[from] sqlx::Error),
    #[error("the keys could not be loaded")]
    Vault(#[from] vault::VaultError),
}

impl Filings {
    /// Starts the loader.
    pub fn start(pool: PgPool, vault: Vault, lifecycle: &Lifecycle) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let stopping = lifecycle.stopping(Stage::Work);
        lifecycle.spawn("filings", OnDeath::StopsTheService, run(pool, vault, waiting, stopping));
        Self { queue }
    }

    /// What the submission of a person's draft needs; `None` when there is no such draft of this person.
    pub async fn load(&self, draft: Uuid, person: Uuid) -> Result<Option<Filing>, FilingError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Waiting { draft, person, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => FilingError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => FilingError::Unavailable,
        })?;
        answered.await.unwrap_or(Err(FilingError::Unavailable))
    }
}

async fn run(pool: PgPool, vault: Vault, mut queue: mpsc::Receiver<Waiting>, stopping: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut held = None;
    loop {
        if queue.is_empty() {
            // Back to the pool, which knows whether it still lives when the next caller comes.
            held = None;
        }
        let taken = tokio::select! {
            biased;
            taken = queue.recv_many(&mut batch, BATCH) => taken,
            () = stopping.cancelled() => return,
        };
        if taken == 0 {
            // Nobody holds the loader any more, which is no reason to bring the service down.
            return stopping.cancelled().await;
        }
        match load(&pool, &mut held, &vault, &batch).await {
            Ok(found) => answer(found, batch.drain(..)),
            Err(error) => {
                held = None;
                tracing::warn!(%error, cause = std::error::Error::source(&error), submissions = taken, "not loaded");
                batch.drain(..).for_each(|waiting| drop(waiting.answer.send(Err(FilingError::Unavailable))));
            }
        }
    }
}

/// Filings by draft; one that cannot be read harms nobody else.
type Found = HashMap<Uuid, Result<Filing, FilingError>>;

/// Callers that left are answered in vain; two callers for one draft each get it.
fn answer(mut found: Found, batch: std::vec::Drain<'_, Waiting>) {
    let mut callers: HashMap<Uuid, usize> = HashMap::with_capacity(batch.len());
    batch.as_slice().iter().for_each(|waiting| *callers.entry(waiting.draft).or_default() += 1);
    for waiting in batch {
        let filing = match callers.get(&waiting.draft) {
            Some(1) => found.remove(&waiting.draft),
            _ => found.get(&waiting.draft).cloned(),
        };
        let own = filing.transpose().map(|filing| filing.filter(|filing| filing.draft.person == waiting.person));
        let _ = waiting.answer.send(own);
    }
}

/// Uses the connection that is held, or takes one to hold.
async fn load(
    pool: &PgPool,
    held: &mut Option<PoolConnection<Postgres>>,
    vault: &Vault,
    batch: &[Waiting],
) -> Result<Found, LoadError> {
    let connection = match held {
        Some(connection) => connection,
        None => held.insert(pool.acquire().await?),
    };
    let people: Vec<Uuid> = batch.iter().map(|waiting| waiting.person).collect();
    let rows = async { Ok(query(connection, batch).await?) };
    let keys = async { Ok(vault.find_all(&people).await?) };
    let (rows, keys) = futures::try_join!(rows, keys).map_err(|error: LoadError| error)?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let filing = filing(row).map(|filing| Filing { key: keys.get(&filing.draft.person).cloned(), ..filing });
        let filing = filing.map_err(|error| {
            tracing::error!(%error, "a draft or its record cannot be read");
            FilingError::Unavailable
        });
        found.insert(row.try_get("draft_id")?, filing);
    }
    Ok(found)
}

async fn query(connection: &mut PgConnection, batch: &[Waiting]) -> Result<Vec<PgRow>, sqlx::Error> {
    let drafts: Vec<Uuid> = batch.iter().map(|waiting| waiting.draft).collect();
    sqlx::query(
        r#"SELECT draft.draft_id, draft.person_id, draft.certificate_id, draft.revision, draft.coded, draft.sealed,
               draft.agreement_version, draft.agreement_digest, draft.ticket_window, draft.updated_at,
               EXISTS (SELECT FROM public.untold_draft_event AS untold WHERE untold.draft_id = draft.draft_id
                   AND untold.type = 'dingzhu.applications.v1.DraftStarted') AS beginning_untold,
               certificate.kind IS NOT NULL AS certificate_known, certificate.kind,
               certificate.person_id AS holder_id, certificate.restriction, certificate.restricted_until,
               certificate.conflicts, certificate.priors,
               school.kind AS school_kind, history.types, history.payloads, history.inners,
               history.versions
           FROM public.draft
           LEFT JOIN views.certificate ON certificate.certificate_id = draft.certificate_id
           LEFT JOIN views.school ON school.school_id = draft.school_id
           LEFT JOIN LATERAL (
               SELECT array_agg(type) AS types, array_agg(payload) AS payloads, array_agg("inner") AS inners,
                   array_agg(version) AS versions
               FROM (
                   SELECT type, payload, "inner", version FROM public.event_log
                   WHERE stream = draft.certificate_id ORDER BY version) AS event) AS history ON true
           WHERE draft.draft_id = ANY($1)"#,
    )
    .bind(drafts)
    .fetch_all(connection)
    .await
}

fn filing(row: &PgRow) -> Result<Filing, sqlx::Error> {
    let certificate = if row.try_get("certificate_known")? { Some(Certificate::from_row(row)?) } else { None };
    let types: Option<Vec<String>> = row.try_get("types")?;
    let types = types.unwrap_or_default();
    let mut record = Registration::default();
    if !types.is_empty() {
        let versions: Vec<i64> = row.try_get("versions")?;
        if !(1..).zip(&versions).all(|(expected, version)| expected == *version) {
            return Err(sqlx::Error::Decode("the versions of a record have a gap".into()));
        }
        let (payloads, inners): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (row.try_get("payloads")?, row.try_get("inners")?);
        for ((kind, payload), inner) in types.iter().zip(&payloads).zip(&inners) {
            let event = decode(kind, payload, inner).map_err(|corrupt| sqlx::Error::Decode(Box::new(corrupt)))?;
            record = Registrations::evolve(record, &event);
        }
    }
    Ok(Filing {
        draft: Draft::from_row(row)?,
        beginning_untold: row.try_get("beginning_untold")?,
        certificate,
        school: row.try_get::<Option<String>, _>("school_kind")?.map(|kind| SchoolKind::of(&kind)),
        record,
        // Versions have no gaps.
        version: i64::try_from(types.len()).unwrap_or(i64::MAX),
        key: None,
    })
}
