//! A fresh database for one test on the server that `deploy/test` provides, dropped with its handle.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::failure::Doing as _;
use crate::{Failure, Result, settings};

/// An empty database of its own; it is dropped, with whoever is still connected, when the handle is.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// Creates it on the server of `DINGZHU_TEST_POSTGRES`.
    pub async fn create() -> Result<Self> {
        let missing = || Failure::new(format!("{} is not set: run the tests by deploy/test", settings::TEST_POSTGRES));
        Self::create_on(&settings::read(settings::TEST_POSTGRES).ok_or_else(missing)?).await
    }

    /// Creates it on the server that has this superuser address.
    pub async fn create_on(server: &str) -> Result<Self> {
        let name = format!("test_{}", lifecycle::ids::random().simple());
        execute(server, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { server: server.to_owned(), name })
    }

    /// The superuser's address of the database.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("an address ends with its database");
        format!("{server}/{}", self.name)
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // Dropped inside a runtime, which cannot be blocked: a thread with a runtime of its own waits for the answer.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.doing(|| "start a runtime".into())?.block_on(execute(&server, &sql))
        });
        // A server that a test has killed keeps nothing worth dropping.
        let _ = dropped.join();
    }
}

async fn execute(server: &str, sql: &str) -> Result<()> {
    let mut connection = PgConnection::connect(server).await.doing(|| "connect to the test server".into())?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.doing(|| sql.to_owned())?;
    connection.close().await.doing(|| "disconnect from the test server".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(server: &str, name: &str) -> i64 {
        let mut connection = PgConnection::connect(server).await.unwrap();
        let query = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1").bind(name);
        query.fetch_one(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn a_test_database_lives_as_long_as_its_handle() {
        let database = TestDatabase::create().await.unwrap();
        let (server, name) = (database.server.clone(), database.name.clone());
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        sqlx::query("CREATE TABLE t (n int)").execute(&mut connection).await.unwrap();
        assert_eq!(count(&server, &name).await, 1);
        drop(database);
        assert_eq!(count(&server, &name).await, 0);
    }
}
