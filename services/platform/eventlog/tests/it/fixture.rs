//! A database of its own with a log on it, and commands to give.

use std::time::Duration;

use cluster::database::TestDatabase;
use eventlog::{
    Append, AppendError, Appended, Claim, Division, EventLog, NewEvent, RequestKey, Settings, digest, pool,
};
use lifecycle::{Lifecycle, ids};
use uuid::Uuid;

/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A log that is alone in its database until a test starts another.
pub struct Fixture {
    pub log: EventLog,
    pub lifecycle: Lifecycle,
    pub url: String,
    /// Dropped last.
    _database: Option<TestDatabase>,
}

impl Fixture {
    /// A fresh database on the test server.
    pub async fn start() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let url = database.url();
        Self { _database: Some(database), ..Self::at(&url).await }
    }

    /// The log's tables in the empty database at `url`.
    pub async fn at(url: &str) -> Self {
        let lifecycle = Lifecycle::new(Duration::from_secs(20));
        let log = eventlog::testing::start(url, &lifecycle).await.unwrap();
        Self { log, lifecycle, url: url.to_owned(), _database: None }
    }

    /// Another replica of the same service, with a pool and a writer of its own.
    pub async fn replica(&self) -> EventLog {
        self.log_with(Settings::default()).await
    }

    pub async fn log_with(&self, settings: Settings) -> EventLog {
        self.log_by(&self.url, settings).await
    }

    pub async fn log_by(&self, url: &str, settings: Settings) -> EventLog {
        let pool = pool(url, "another", 8).unwrap();
        EventLog::start(pool, settings, &self.lifecycle).await.unwrap()
    }

    /// The single value of a query, by the superuser.
    pub async fn value(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.log.pool()).await.unwrap()
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.log.pool()).await.unwrap();
    }

    pub async fn events(&self) -> i64 {
        self.value("SELECT count(*) FROM event_log").await
    }
}

/// What the caller of an append is told.
pub type Answer = Result<Appended, AppendError>;

pub fn event(payload: impl Into<Vec<u8>>) -> NewEvent {
    NewEvent {
        event_id: ids::random(),
        kind: "test.v1.Happened".to_owned(),
        payload: payload.into(),
        inner: b"inner".to_vec(),
        sealed: b"sealed".to_vec(),
        division: Division::parse("320302").unwrap(),
    }
}

/// One event for a stream of the given version; the rest is added by struct update.
pub fn to(stream: Uuid, expected_version: i64) -> Append {
    Append {
        stream,
        expected_version,
        events: vec![event("happened")],
        actor: "person:one".to_owned(),
        request: None,
        claims: Vec::new(),
        not_before: None,
        not_after: None,
        traceparent: None,
        cause: None,
    }
}

/// One event for a new stream.
pub fn anew() -> Append {
    to(ids::random(), 0)
}

pub fn request(id: Uuid, body: &str, answer: &str) -> RequestKey {
    RequestKey { id, fingerprint: digest(body.as_bytes()), answer: answer.as_bytes().to_vec() }
}

pub fn take(key: &str) -> Claim {
    Claim::Take { kind: "account", key: key.as_bytes().to_vec() }
}

pub fn release(key: &str) -> Claim {
    Claim::Release { kind: "account", key: key.as_bytes().to_vec() }
}
