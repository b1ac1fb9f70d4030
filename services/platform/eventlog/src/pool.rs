//! Connections to a service's database, with the limits that keep one caller's trouble from becoming everybody's.

use std::error::Error;
use std::iter::successors;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::time::timeout;

/// Of every session: nobody holds or waits for a lock for long.
const LIMITS: [(&str, &str); 5] = [
    // Tables of views have a schema of their own, which the event bus fills; what migrations make is public.
    ("search_path", "public,views"),
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "3s"),
    ("statement_timeout", "15s"),
    // `ROLLBACK` outside a transaction warns, and that is the normal case here.
    ("client_min_messages", "error"),
];

/// A connection that nobody had for so long is tried before somebody has it.
const LEFT_ALONE: Duration = Duration::from_millis(500);
/// How long a connection may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one may take that is given back: its statement may be running still, and keeps its place until it ends.
const LONGEST_STATEMENT: Duration = Duration::from_secs(16);

/// Whether the database, rather than what it was asked, is the trouble behind an error: the same may succeed soon.
pub fn is_away(error: &(dyn Error + 'static)) -> bool {
    let mut causes = successors(Some(error), |error| (*error).source());
    causes.any(|error| match error.downcast_ref() {
        Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) => {
            true
        }
        // Connection trouble, too little of something, operator's intervention, a transaction that others or a pause have ended, a lock.
        Some(sqlx::Error::Database(error)) => error
            .code()
            .is_some_and(|code| ["08", "40", "53", "57", "25P03", "55P03"].iter().any(|class| code.starts_with(class))),
        _ => false,
    })
}

/// A pool that connects when it is first used.
///
/// A caller that vanishes while its transaction begins leaves an open transaction behind (sqlx 0.9): every connection is rolled back
/// when it is given back, before anybody else has it. One that does not answer then, or when it is wanted after it was left alone, is
/// dropped: a network that died silently would otherwise keep its place for ever.
pub fn pool(url: &str, application_name: &str, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name(application_name).options(LIMITS);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(2))
        .test_before_acquire(false)
        .before_acquire(|connection, left| {
            Box::pin(async move {
                if left.idle_for >= LEFT_ALONE {
                    answered(PATIENCE, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                answered(LONGEST_STATEMENT, sqlx::raw_sql("ROLLBACK").execute(connection)).await.map(|_| true)
            })
        });
    Ok(pool.connect_lazy_with(options))
}

async fn answered<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silent = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(patience, answer).await.map_err(silent)?
}
