//! A private PostgreSQL server: own data folder, own port, real durability, killed and restarted at will.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{User, getuid};
use sqlx::{Connection as _, PgConnection};

use crate::failure::Doing as _;
use crate::folder::Folder;
use crate::process::Child;
use crate::{Failure, Result, install, ports, wait};

/// Longest time for a start, recovery after a crash included.
const START: Duration = Duration::from_secs(120);
/// Longest time for an orderly stop.
const STOP: Duration = Duration::from_secs(60);

/// Made for two cores and a local disk; what is acknowledged is on disk.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("max_connections", "400"),
    // The indexes of five million events, which are touched at random; memory that nothing touches is not taken.
    ("shared_buffers", "2GB"),
    ("max_wal_size", "4GB"),
    ("min_wal_size", "512MB"),
    ("timezone", "UTC"),
    // Values of rows and parameters stay out of the log: they can be personal.
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
];

/// A server that this handle owns; dropping it stops the server at once.
#[derive(Debug)]
pub struct Server {
    binaries: PathBuf,
    /// Holds `data/`, `log` and nothing else.
    folder: Folder,
    port: u16,
    /// Of the superuser `postgres`; `None` trusts everybody on 127.0.0.1, for tests.
    password: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// A server in a temporary folder on a free port that trusts everybody on 127.0.0.1.
    pub async fn start() -> Result<Self> {
        Self::start_on(Folder::temporary("postgres")?, ports::free()?, None).await
    }

    /// A server on the data in `folder`, which is made when there is none. With a password, everybody has to give one (SCRAM).
    pub async fn start_in(folder: &Path, port: u16, password: Option<String>) -> Result<Self> {
        Self::start_on(Folder::kept(folder)?, port, password).await
    }

    async fn start_on(folder: Folder, port: u16, password: Option<String>) -> Result<Self> {
        let mut server = Self { binaries: install::postgres()?, folder, port, password, child: None };
        server.initialise()?;
        server.restart().await?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of PostgreSQL's own programs: `psql`, `pgbench`, `pg_dump`.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// The superuser's address of a database.
    pub fn url(&self, database: &str) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's process; `None` while it is stopped.
    pub fn process(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Stops in order: sessions are cut, everything is written, no recovery is needed (`fast`).
    pub async fn stop(&mut self) -> Result<()> {
        self.stop_with(Signal::SIGINT).await
    }

    /// Stops like a crash: nothing is written any more, the next start recovers from the log (`immediate`).
    pub async fn stop_immediately(&mut self) -> Result<()> {
        self.stop_with(Signal::SIGQUIT).await
    }

    /// SIGKILL to the postmaster; its children notice and end by themselves.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// Starts again on the same data and port, or for the first time; returns when queries are answered.
    pub async fn restart(&mut self) -> Result<()> {
        if self.child.is_some() {
            self.stop().await?;
        }
        let url = self.url("postgres");
        wait::until("start of PostgreSQL", START, async || {
            // The children of a killed postmaster hold its shared memory a moment longer, and a start in that moment gives up.
            if self.child.as_mut().is_none_or(|child| !child.is_running()) {
                self.child = self.spawn().ok();
            }
            let mut connection = PgConnection::connect(&url).await.ok()?;
            sqlx::query("SELECT 1").execute(&mut connection).await.ok()?;
            connection.close().await.ok()
        })
        .await
        .map_err(|failure| Failure::new(format!("{failure}; its log ends:\n{}", self.last_words())))
    }

    /// Leaves the server running when the handle is dropped; gives its process id.
    pub fn detach(mut self) -> Option<u32> {
        self.child.take().map(Child::detach)
    }

    async fn stop_with(&mut self, signal: Signal) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.stop_with(signal, STOP).await?;
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn last_words(&self) -> String {
        self.child.as_ref().map(Child::last_words).unwrap_or_default()
    }

    fn initialise(&self) -> Result<()> {
        let data = self.data();
        if data.join("PG_VERSION").exists() {
            return Ok(());
        }
        fs::create_dir_all(&data).doing(|| format!("create {}", data.display()))?;
        if let Some(account) = account()? {
            for path in [self.folder.path(), &data] {
                chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
                    .doing(|| format!("give {} to {}", path.display(), account.name))?;
            }
        }
        let mut command = self.command("initdb")?;
        command.arg("--pgdata").arg(&data);
        command.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]);
        let secret = self.folder.join("superuser");
        match &self.password {
            None => {
                command.arg("--auth=trust");
            }
            Some(password) => {
                fs::write(&secret, password).doing(|| format!("write {}", secret.display()))?;
                // initdb reads it as another account; the folder around it is closed.
                fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o700))
                    .doing(|| format!("close {}", self.folder.path().display()))?;
                command.arg("--auth=scram-sha-256").arg("--pwfile").arg(&secret);
            }
        }
        let output = command.output().doing(|| "run initdb".into())?;
        if self.password.is_some() {
            fs::remove_file(&secret).doing(|| format!("remove {}", secret.display()))?;
        }
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        Child::spawn("postgres", command, &self.folder.join("log"))
    }

    /// One of PostgreSQL's programs, run as the account that may run it.
    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8");
        if let Some(account) = account()? {
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `immediate` frees the shared memory, which SIGKILL would leave behind. Gone before its folder goes.
        if let Some(mut child) = self.child.take() {
            child.drop_with(Signal::SIGQUIT);
        }
    }
}

/// The account that PostgreSQL runs as: it refuses root. `None` means the present one.
fn account() -> Result<Option<User>> {
    if !getuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name).doing(|| format!("look up the account {name}"))? {
            return Ok(Some(user));
        }
    }
    Err(Failure::new("PostgreSQL refuses to run as root, and there is neither an account postgres nor nobody"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rows(server: &Server) -> i64 {
        let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap()
    }

    #[tokio::test]
    async fn committed_rows_survive_every_kind_of_end() {
        let mut server = Server::start().await.unwrap();
        let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::query("CREATE TABLE t AS SELECT 1 AS n").execute(&mut connection).await.unwrap();
        server.kill();
        server.restart().await.unwrap();
        assert_eq!(rows(&server).await, 1);
        server.stop_immediately().await.unwrap();
        server.restart().await.unwrap();
        assert_eq!(rows(&server).await, 1);
        server.stop().await.unwrap();
        assert!(PgConnection::connect(&server.url("postgres")).await.is_err());
    }

    #[tokio::test]
    async fn a_server_with_a_password_refuses_who_gives_none() {
        let folder = tempfile::tempdir().unwrap();
        let password = Some("right".to_owned());
        let server = Server::start_in(folder.path(), ports::free().unwrap(), password).await.unwrap();
        let right = server.url("postgres");
        assert!(PgConnection::connect(&right).await.is_ok());
        assert!(PgConnection::connect(&right.replace(":right", ":wrong")).await.is_err());
    }
}
