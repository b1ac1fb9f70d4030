//! A private nats-server with JetStream: own store, own port, every acknowledged message on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::Doing as _;
use crate::folder::Folder;
use crate::process::Child;
use crate::{Failure, Result, install, ports, secrets, wait};

/// Longest time for a start.
const START: Duration = Duration::from_secs(30);
/// Longest time for an orderly stop.
const STOP: Duration = Duration::from_secs(20);

/// A server that this handle owns; dropping it kills the server.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    /// Holds `nats.conf`, `store/` and `log`.
    folder: Folder,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// A server in a temporary folder on a free port that lets everybody do everything, for tests.
    pub async fn start() -> Result<Self> {
        let mut server = Self::stopped()?;
        server.restart().await?;
        Ok(server)
    }

    /// The same, not started yet: its address is known, nobody listens there.
    pub fn stopped() -> Result<Self> {
        Self::prepare(Folder::temporary("nats")?, ports::free()?, "")
    }

    /// A server in `folder` that keeps the store it finds there; `authorization` is the block of users of the configuration.
    pub async fn start_in(folder: &Path, port: u16, authorization: &str) -> Result<Self> {
        let mut server = Self::prepare(Folder::kept(folder)?, port, authorization)?;
        server.restart().await?;
        Ok(server)
    }

    /// Address for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process; `None` while it is stopped.
    pub fn process(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// Stops in order.
    pub async fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.terminate(STOP).await?;
        }
        Ok(())
    }

    /// Starts (again, after a kill where it runs) on the same store and port; returns when it answers.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(self.folder.join("nats.conf"));
        let mut child = Child::spawn("nats-server", command, &self.folder.join("log"))?;
        let address = ("127.0.0.1", self.port);
        let started = wait::until("start of nats-server", START, async || {
            if !child.is_running() {
                return Some(Err(()));
            }
            tokio::net::TcpStream::connect(address).await.ok().map(|_| Ok(()))
        });
        if started.await?.is_err() {
            return Err(Failure::new(format!("nats-server ended; its log ends:\n{}", child.last_words())));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Kills the server and removes every stream; the next start finds an empty store.
    pub fn wipe(&mut self) -> Result<()> {
        self.kill();
        let store = self.folder.join("store");
        if store.exists() {
            fs::remove_dir_all(&store).doing(|| format!("remove {}", store.display()))?;
        }
        Ok(())
    }

    /// Leaves the server running when the handle is dropped; gives its process id.
    pub fn detach(mut self) -> Option<u32> {
        self.child.take().map(Child::detach)
    }

    fn prepare(folder: Folder, port: u16, authorization: &str) -> Result<Self> {
        let binary = install::nats_server()?;
        let store = folder.join("store");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\n\
             server_name: dingzhu-{port}\n\
             max_payload: 1MB\n\
             jetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n  max_file_store: 20GB\n}}\n\
             {authorization}",
            store.display()
        );
        let path = folder.join("nats.conf");
        // It can hold passwords.
        secrets::write(&path, &config)?;
        Ok(Self { binary, folder, port, child: None })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone before its folder goes.
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream;

    use super::*;

    async fn messages(server: &Server) -> Option<u64> {
        let client = async_nats::connect(server.url()).await.ok()?;
        let mut stream = jetstream::new(client).get_stream("T").await.ok()?;
        Some(stream.info().await.ok()?.state.messages)
    }

    #[tokio::test]
    async fn acknowledged_messages_survive_a_kill_and_not_a_wipe() {
        let mut server = Server::start().await.unwrap();
        let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
        let config = jetstream::stream::Config { name: "T".into(), subjects: vec!["t.>".into()], ..Default::default() };
        context.create_stream(config).await.unwrap();
        for _ in 0..10 {
            context.publish("t.a", "x".into()).await.unwrap().await.unwrap();
        }
        server.kill();
        server.restart().await.unwrap();
        assert_eq!(messages(&server).await, Some(10));
        server.wipe().unwrap();
        server.restart().await.unwrap();
        assert_eq!(messages(&server).await, None);
    }
}
