//! How a service forgets a person: the one reaction that destroys keys, removes records and confirms, the same in every service.
//!
//! ```text
//! identity: PersonErased, signed by the root key ──> OnPersonErased ──> vault: the person's key is destroyed
//!                                                          ├──> Forget::make_unreadable: keys and streams of the service's own
//!                                                          └──> Forget::remove_records + PersonalDataErased, in one transaction
//! ```
//!
//! Every step may be done again: a service that is killed in between goes on where it was, and confirms once. What it counts it
//! therefore counts in its log, or removes in the very transaction of the confirmation. Once it has confirmed, doing it again removes
//! what was written late, and says nothing.

use std::path::PathBuf;
use std::time::Duration;

use access::root::RootPublicKey;
use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use eventlog::{Append, AppendError, Claim, Division, EventLog, NewEvent};
use prost::{Message as _, Name as _};
use proto::identity::v1::PersonErased;
use proto::types::v1::{ErasedKind, PersonalDataErased};
use sqlx::Postgres;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use vault::Vault;

use crate::restored;

/// Name of the feed.
pub const ON_PERSON_ERASED: &str = "on_person_erased";

/// Kind of the claim that finds a confirmation by its erasure.
pub(crate) const ERASED: &str = "erased";

/// How long a view may take to come as far as the log, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(20);

/// The transaction of a confirmation.
pub type Confirming = sqlx::Transaction<'static, Postgres>;

/// What became unreadable: a kind that the service's README lists, and how much of it.
pub type Erased = (&'static str, i64);

/// What a service does to forget a person, beside destroying the key under the person's own id.
#[tonic::async_trait]
pub trait Forget: Send + Sync + 'static {
    /// Destroys what other keys belong to the person, and records in the service's own streams what they must say from now
    /// on. Runs again after a crash, and gives the same counts then.
    async fn make_unreadable(&self, person: Uuid, ids: &ReactionIds) -> Result<Vec<Erased>, ReactionError>;

    /// Removes the service's plain records of the person, in the transaction of the confirmation; nothing where it has none.
    async fn remove_records(&self, _: &mut Confirming, _: Uuid) -> Result<Vec<Erased>, ReactionError> {
        Ok(Vec::new())
    }
}

/// The reaction to identity's [`PersonErased`].
#[derive(Debug)]
pub struct OnPersonErased<F> {
    service: &'static str,
    root: RootPublicKey,
    log: EventLog,
    vault: Vault,
    mark_file: Option<PathBuf>,
    forget: F,
}

impl<F: Forget> OnPersonErased<F> {
    /// For the service of this name, on its ground.
    pub fn new(service: &'static str, ground: &crate::Ground, forget: F) -> Self {
        let (log, vault) = (ground.log.clone(), ground.vault.clone());
        Self { service, root: ground.root, log, vault, mark_file: ground.erasure_mark_file.clone(), forget }
    }

    /// Destroys, removes and confirms; does nothing that was done before.
    async fn erase(&self, erasure: Uuid, person: Uuid, ids: &ReactionIds) -> Result<(), ReactionError> {
        self.vault.destroy(person).await.map_err(|error| transient("the key", &error))?;
        let mut erased = self.forget.make_unreadable(person, ids).await?;
        self.vault.mark_erasure(erasure).await.map_err(|error| transient("the mark", &error))?;
        let begun = self.log.pool().begin().await;
        let mut transaction = begun.map_err(|error| transient("the records", &error))?;
        erased.extend(self.forget.remove_records(&mut transaction, person).await?);
        let confirmation = PersonalDataErased {
            erasure_id: erasure.to_string(),
            person_id: person.to_string(),
            erased: erased.iter().map(|(kind, count)| ErasedKind { kind: (*kind).to_owned(), count: *count }).collect(),
        };
        match self.log.append_in(transaction, self.append(erasure, ids, &confirmation)).await {
            Ok(_) => {
                tracing::info!(%erasure, ?erased, "a person is forgotten");
            }
            // Confirmed before, by this replica or another one; what was written since then went back with this transaction.
            Err(AppendError::VersionConflict { .. } | AppendError::ClaimTaken { .. }) => {
                self.remove_late(person).await?;
            }
            Err(error) => return Err(transient("the confirmation", &error)),
        }
        let Some(file) = &self.mark_file else { return Ok(()) };
        let noted = restored::note(self.log.pool(), file, erasure).await;
        noted.map_err(|error| transient("the mark outside", &*error))
    }

    /// Removes what a call in hand wrote after the confirmation.
    async fn remove_late(&self, person: Uuid) -> Result<(), ReactionError> {
        let stored = |error: sqlx::Error| transient("the records", &error);
        let mut transaction = self.log.pool().begin().await.map_err(stored)?;
        let late = self.forget.remove_records(&mut transaction, person).await?;
        transaction.commit().await.map_err(stored)?;
        if late.iter().any(|(_, count)| *count > 0) {
            tracing::warn!(?late, "what was written of a forgotten person after the confirmation is removed");
        }
        Ok(())
    }

    fn append(&self, erasure: Uuid, ids: &ReactionIds, confirmation: &PersonalDataErased) -> Append {
        let event = NewEvent {
            event_id: ids.request_id(0),
            kind: PersonalDataErased::full_name(),
            payload: confirmation.encode_to_vec(),
            inner: Vec::new(),
            sealed: Vec::new(),
            division: Division::NONE,
        };
        Append {
            stream: erasure,
            expected_version: 0,
            events: vec![event],
            actor: format!("service:{}", self.service),
            request: None,
            claims: vec![Claim::Take { kind: ERASED, key: erasure.as_bytes().to_vec() }],
            not_before: None,
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: Some(ids.cause()),
        }
    }
}

#[tonic::async_trait]
impl<F: Forget> Reaction for OnPersonErased<F> {
    fn name(&self) -> &'static str {
        ON_PERSON_ERASED
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<PersonErased>() {
            return Ok(());
        }
        let erased: PersonErased = event.decode()?;
        if !self.root.signed_erasure(&erased) {
            return Err(ReactionError::Rejected("the erasure is not signed by the root key".to_owned()));
        }
        let id = |text: &str| {
            Uuid::parse_str(text).map_err(|_| ReactionError::Rejected("the erasure names nobody".to_owned()))
        };
        self.erase(id(&erased.erasure_id)?, id(&erased.person_id)?, ids).await
    }
}

/// Waits until a view of the service's own log has come as far as the log has now: what was recorded before the erasure is
/// seen then. Of every replica's log, which only the database knows.
pub async fn caught_up(log: &EventLog, feed: &str) -> Result<(), ReactionError> {
    let stored = |error: sqlx::Error| transient("the log", &error);
    let head = log.newest().await.map_err(|error| transient("the log", &error))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let position = "SELECT position FROM public.feed_checkpoint WHERE name = $1";
        let position: i64 = sqlx::query_scalar(position).bind(feed).fetch_one(log.pool()).await.map_err(stored)?;
        if position >= head {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ReactionError::Transient(format!("the view {feed} is behind")));
        }
        sleep(POLL).await;
    }
}

/// Tried again until it succeeds; says what failed, and nothing of the person.
pub fn transient(what: &str, error: &(dyn std::error::Error + 'static)) -> ReactionError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    ReactionError::Transient(format!("{what}: {}", causes.join(": ")))
}
