//! The environment variables that reach this crate, read in one place.

/// Superuser address of the PostgreSQL server that tests may create databases on.
pub const TEST_POSTGRES: &str = "DINGZHU_TEST_POSTGRES";
/// Path of the nats-server binary that tests start.
pub const TEST_NATS_SERVER: &str = "DINGZHU_TEST_NATS_SERVER";
/// Folder of the services' binaries for tests that start them.
pub const BINARIES: &str = "DINGZHU_TEST_BINARIES";
/// Seed of a test that draws at random; without it the test draws one and prints it.
pub const TEST_SEED: &str = "DINGZHU_TEST_SEED";
/// Marks every process of one `test-env` run, so that what is left running can be found.
pub const TEST_RUN: &str = "DINGZHU_TEST_RUN";

/// The value of an environment variable, where it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the edge where the harness reads its environment")]
pub fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
