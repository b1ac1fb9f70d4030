//! A log on any empty database, for tests of this and other crates.

use lifecycle::Lifecycle;

use crate::{EventLog, MIGRATION_SQL, REQUEST_KEY_SQL, ReadError, Settings, pool};

/// Creates the log's tables in the empty database at `url` and starts a log on them.
pub async fn start(url: &str, lifecycle: &Lifecycle) -> Result<EventLog, ReadError> {
    let pool = pool(url, "test", 8)?;
    for sql in [MIGRATION_SQL, REQUEST_KEY_SQL] {
        sqlx::raw_sql(sql).execute(&pool).await?;
    }
    EventLog::start(pool, Settings::default(), lifecycle).await
}
