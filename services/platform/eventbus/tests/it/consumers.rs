//! Consumers of the tests: a view that keeps all it sees, and a reaction that answers each event with one of its own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use eventbus::{Event, Reaction, ReactionError, ReactionIds, View, ViewError, async_trait};
use eventlog::{EventLog, NewEvent, RequestKey, digest};
use prost::{Message as _, Name as _};
use proto::certificates::v1::{SyncFinished, SyncStarted};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::stage::command;

/// Keeps every event as a row of its own; a second application of one fails on its key.
pub struct Seen(pub &'static str);

#[async_trait]
impl View for Seen {
    fn name(&self) -> &'static str {
        self.0
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS seen (position bigint PRIMARY KEY, event_id uuid NOT NULL, payload bytea NOT NULL);
         CREATE TABLE IF NOT EXISTS total (only_row boolean PRIMARY KEY DEFAULT true, events bigint NOT NULL);
         INSERT INTO total (events) VALUES (0) ON CONFLICT DO NOTHING"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["seen", "total"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events.iter().filter(|event| event.is::<SyncFinished>()) {
            if event.decode::<SyncFinished>()?.rows_read == POISON {
                return Err(ViewError::Contradiction("the number is poison".to_owned()));
            }
        }
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let payloads: Vec<&[u8]> = events.iter().map(|event| event.payload.as_ref()).collect();
        sqlx::query("INSERT INTO seen SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bytea[])")
            .bind(positions)
            .bind(ids)
            .bind(payloads)
            .execute(&mut *tx)
            .await?;
        let counted = sqlx::query("UPDATE total SET events = events + $1");
        counted.bind(i64::try_from(events.len()).unwrap()).execute(tx).await?;
        Ok(())
    }
}

/// Keeps nothing but how many events it was handed, and is concerned by the number 7 only.
pub struct Sevens;

#[async_trait]
impl View for Sevens {
    fn name(&self) -> &'static str {
        "sevens"
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS handed (only_row boolean PRIMARY KEY DEFAULT true, events bigint NOT NULL);
         INSERT INTO handed (events) VALUES (0) ON CONFLICT DO NOTHING"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["handed"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.decode::<SyncFinished>().is_ok_and(|finished| finished.rows_read == 7)
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        let handed = sqlx::query("UPDATE handed SET events = events + $1");
        handed.bind(i64::try_from(events.len()).unwrap()).execute(tx).await?;
        Ok(())
    }
}

/// What `Seen` cannot apply.
pub const POISON: i64 = -1;

/// How an `Answer` behaves; changed by the test while it runs.
#[derive(Default)]
pub struct Mood {
    /// Numbers that it refuses.
    pub rejects: HashSet<i64>,
    /// Numbers for which something does not answer.
    pub waits_at: HashSet<i64>,
    /// Numbers after whose append it never comes back.
    pub hangs_after: HashSet<i64>,
}

/// Answers each `SyncFinished` by a `SyncStarted` on a stream of the same id in its own log.
#[derive(Clone)]
pub struct Answer {
    pub log: EventLog,
    pub mood: Arc<Mutex<Mood>>,
    pub at_once: usize,
}

impl Answer {
    pub fn new(log: &EventLog, at_once: usize, mood: Mood) -> Self {
        Self { log: log.clone(), mood: Arc::new(Mutex::new(mood)), at_once }
    }

    pub fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.mood.lock().unwrap());
    }
}

#[async_trait]
impl Reaction for Answer {
    fn name(&self) -> &'static str {
        "answer"
    }

    fn at_once(&self) -> usize {
        self.at_once
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<SyncFinished>() {
            return Ok(());
        }
        let number = event.decode::<SyncFinished>()?.rows_read;
        let (rejects, waits, hangs) = {
            let mood = self.mood.lock().unwrap();
            (mood.rejects.contains(&number), mood.waits_at.contains(&number), mood.hangs_after.contains(&number))
        };
        if rejects {
            return Err(ReactionError::Rejected(format!("{number} is refused")));
        }
        if waits {
            return Err(ReactionError::Transient("the neighbour does not answer".to_owned()));
        }
        let transient = |error: &dyn std::error::Error| ReactionError::Transient(error.to_string());
        let version = self.log.load(event.stream).await.map_err(|error| transient(&error))?.len();
        let answer = NewEvent {
            event_id: lifecycle::ids::random(),
            kind: SyncStarted::full_name(),
            payload: SyncStarted { sync_id: event.position.to_string() }.encode_to_vec(),
            inner: Vec::new(),
            sealed: Vec::new(),
            division: event.division,
        };
        let mut append = command(event.stream, i64::try_from(version).unwrap(), answer);
        "service:notifications".clone_into(&mut append.actor);
        append.cause = Some(ids.cause());
        append.request = Some(RequestKey {
            id: ids.request_id(0),
            fingerprint: digest(event.event_id.as_bytes()),
            answer: Vec::new(),
        });
        self.log.append(append).await.map_err(|error| transient(&error))?;
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// The positions that were answered, in the order of the answers.
pub async fn answered(log: &EventLog) -> Vec<i64> {
    let recorded = log.read(0, i64::from(i32::MAX)).await.unwrap();
    let answers = recorded.iter().filter(|event| event.kind == SyncStarted::full_name());
    answers.map(|event| SyncStarted::decode(event.payload.as_slice()).unwrap().sync_id.parse().unwrap()).collect()
}
