//! A whole cluster of processes: the local one of `up`, and private ones whose parts tests kill, freeze and restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::process::Child;
use crate::services::Service;
use crate::{Failure, Result, bootstrap, environment, nats, ports, postgres, root, secrets, settings, wait};

/// Longest time until a started service answers.
const START: Duration = Duration::from_secs(60);
/// Longest time for an orderly stop; a service's own grace is shorter.
const STOP: Duration = Duration::from_secs(40);

/// One process of a service.
#[derive(Debug)]
pub struct Replica {
    /// Its gRPC port.
    pub port: u16,
    /// `None` while it is not running.
    pub process: Option<Child>,
}

impl Replica {
    /// Its gRPC address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        if let Some(process) = &self.process {
            process.freeze();
        }
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        if let Some(process) = &self.process {
            process.thaw();
        }
    }
}

/// Everything that runs. Dropping it kills everything.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    binaries: PathBuf,
    /// Variables of every service beside those of the table.
    settings: Vec<(String, String)>,
    // Dropped in this order: services first, then what they stand on.
    replicas: BTreeMap<Service, Vec<Replica>>,
    nats: nats::Server,
    postgres: postgres::Server,
    temporary: Option<TempDir>,
}

impl Cluster {
    /// A private cluster in a temporary folder on free ports, all five services answering.
    pub async fn start() -> Result<Self> {
        let mut cluster = Self::servers_only().await?;
        cluster.start_services().await?;
        Ok(cluster)
    }

    /// The same without services: PostgreSQL with empty databases, NATS.
    pub async fn servers_only() -> Result<Self> {
        let temporary = tempfile::Builder::new().prefix("dingzhu-cluster-").tempdir();
        let temporary = temporary.doing(|| "create a temporary folder".into())?;
        open_for_traversal(temporary.path())?;
        let mut cluster = Self::prepare(Layout::private(temporary.path())?, binaries()).await?;
        cluster.temporary = Some(temporary);
        Ok(cluster)
    }

    /// Starts PostgreSQL and nats-server in a layout's folders and makes what is missing there.
    pub async fn prepare(layout: Layout, binaries: PathBuf) -> Result<Self> {
        bootstrap::keys(&layout)?;
        let password = secrets::keep(&layout.postgres_password())?;
        let postgres =
            postgres::Server::start_in(&layout.postgres_folder, layout.postgres_port, Some(password)).await?;
        bootstrap::databases(&layout).await?;
        let users = bootstrap::nats_users(&layout)?;
        let nats = nats::Server::start_in(&layout.nats_folder(), layout.nats_port, &users).await?;
        layout.save()?;
        let replicas = BTreeMap::new();
        Ok(Self { layout, binaries, settings: Vec::new(), replicas, nats, postgres, temporary: None })
    }

    /// Where everything is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Sets a variable of every service that is started from now on, instead of what the table says.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// The PostgreSQL server.
    pub fn postgres(&mut self) -> &mut postgres::Server {
        &mut self.postgres
    }

    /// The NATS server.
    pub fn nats(&mut self) -> &mut nats::Server {
        &mut self.nats
    }

    /// Migrates every database, then starts one replica of every service at the layout's ports; returns when all answer.
    pub async fn start_services(&mut self) -> Result<()> {
        for service in Service::ALL {
            self.migrate(service).await?;
            self.spawn(service, self.layout.service_ports[&service])?;
        }
        for service in Service::ALL {
            self.until_serving(service, 0).await?;
        }
        Ok(())
    }

    /// Starts one more replica of a service, on the layout's port when it is the first; gives its number.
    pub async fn add_replica(&mut self, service: Service) -> Result<usize> {
        let number = self.replicas.get(&service).map_or(0, Vec::len);
        let port = if number == 0 { self.layout.service_ports[&service] } else { ports::free()? };
        self.spawn(service, port)?;
        self.until_serving(service, number).await?;
        Ok(number)
    }

    /// A replica by the number that [`Self::add_replica`] gave; 0 is the first.
    pub fn replica(&mut self, service: Service, number: usize) -> &mut Replica {
        &mut self.replicas.get_mut(&service).expect("the service was started")[number]
    }

    /// Starts a killed replica again at its port and waits until it answers.
    pub async fn restart(&mut self, service: Service, number: usize) -> Result<()> {
        let port = self.replica(service, number).port;
        let process = self.serve(service, port)?;
        self.replica(service, number).process = Some(process);
        self.until_serving(service, number).await
    }

    /// Waits until a replica says SERVING.
    pub async fn until_serving(&mut self, service: Service, number: usize) -> Result<()> {
        let url = self.replica(service, number).url();
        let process = self.replica(service, number).process.as_mut();
        let process = process.ok_or_else(|| Failure::new(format!("{service} was not started")))?;
        let what = format!("{service} at {url} answering");
        let answered = wait::until(&what, START, async || {
            if !process.is_running() {
                return Some(false);
            }
            is_serving(&url).await.then_some(true)
        })
        .await;
        match answered {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(format!("{service} ended; its log ends:\n{}", process.last_words()))),
            Err(failure) => Err(Failure::new(format!("{failure}; its log ends:\n{}", process.last_words()))),
        }
    }

    /// Starts everything again after [`Self::stop`], on the same data.
    pub async fn start_again(&mut self) -> Result<()> {
        self.postgres.restart().await?;
        self.nats.restart().await?;
        self.replicas.clear();
        self.start_services().await
    }

    /// Brings a service's databases up to its version.
    pub async fn migrate(&self, service: Service) -> Result<()> {
        self.run(service, &["migrate"]).await.map(|_| ())
    }

    /// Runs another command of a service's binary to its end and gives what it printed: `migrate`, `verify-log`, `rebuild <view>`.
    pub async fn run(&self, service: Service, arguments: &[&str]) -> Result<String> {
        let words = format!("{service} {}", arguments.join(" "));
        let mut command = tokio::process::Command::from(self.command(service, self.layout.service_ports[&service])?);
        if arguments == ["migrate"] {
            let (name, value) = environment::of_migration(&self.layout, service)?;
            command.env(name, value);
        }
        let output = command.args(arguments).kill_on_drop(true).output().await.doing(|| format!("run {words}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        let problems = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::new(format!("{words}: {}:\n{printed}{problems}", output.status)))
    }

    /// Whether every process still runs.
    pub fn is_running(&mut self) -> bool {
        let mut processes: Vec<&mut Child> = Vec::new();
        processes.extend(self.replicas.values_mut().flatten().filter_map(|replica| replica.process.as_mut()));
        processes.extend(self.nats.process());
        processes.extend(self.postgres.process());
        processes.iter_mut().all(|process| process.is_running())
    }

    /// Stops everything in order: services, nats-server, PostgreSQL.
    pub async fn stop(&mut self) -> Result<()> {
        // All at once, and one signal each: a second one would make the stop hard.
        let replicas = self.replicas.values().flatten();
        replicas.filter_map(|replica| replica.process.as_ref()).for_each(|process| process.signal(Signal::SIGTERM));
        for replica in self.replicas.values_mut().flatten() {
            if let Some(mut process) = replica.process.take() {
                process.wait(STOP).await?;
            }
        }
        self.nats.stop().await?;
        self.postgres.stop().await
    }

    /// Names and ids of all processes, in the order in which they may be stopped.
    pub fn processes(&mut self) -> Vec<(String, u32)> {
        let mut list = Vec::new();
        for (service, replicas) in &self.replicas {
            for process in replicas.iter().filter_map(|replica| replica.process.as_ref()) {
                list.push((service.to_string(), process.pid()));
            }
        }
        list.extend(self.nats.process().map(|process| ("nats-server".to_owned(), process.pid())));
        list.extend(self.postgres.process().map(|process| ("postgres".to_owned(), process.pid())));
        list
    }

    /// Leaves everything running.
    pub fn detach(self) {
        for replica in self.replicas.into_values().flatten() {
            replica.process.map(Child::detach);
        }
        self.nats.detach();
        self.postgres.detach();
    }

    fn spawn(&mut self, service: Service, port: u16) -> Result<()> {
        let process = self.serve(service, port)?;
        self.replicas.entry(service).or_default().push(Replica { port, process: Some(process) });
        Ok(())
    }

    fn serve(&self, service: Service, port: u16) -> Result<Child> {
        let mut command = self.command(service, port)?;
        command.arg("serve");
        Child::spawn(service.name(), command, &self.layout.log(service))
    }

    fn command(&self, service: Service, port: u16) -> Result<Command> {
        let mut command = Command::new(self.binaries.join(service.name()));
        command.envs(environment::of_service(&self.layout, service, port)?);
        command.envs(self.settings.iter().cloned());
        Ok(command)
    }
}

/// Builds the services' programs; gives their folder. Tests find them built by `deploy/test`.
pub fn build(release: bool) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    // The whole workspace: what is built for the tests is built with the same features.
    command.args(["build", "--quiet", "--bins", "--workspace"]).current_dir(root());
    if release {
        command.arg("--release");
    }
    let status = command.status().doing(|| "run cargo build".into())?;
    if !status.success() {
        return Err(Failure::new("the services do not build"));
    }
    Ok(root().join("target").join(if release { "release" } else { "debug" }))
}

/// Where tests find the services' binaries.
fn binaries() -> PathBuf {
    settings::read(settings::BINARIES).map_or_else(|| root().join("target").join("debug"), PathBuf::from)
}

async fn is_serving(url: &str) -> bool {
    let Ok(endpoint) = tonic::transport::Endpoint::new(url.to_owned()) else { return false };
    let Ok(channel) = endpoint.timeout(Duration::from_secs(2)).connect().await else { return false };
    let answer = HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}

/// PostgreSQL's account has to pass through.
pub(crate) fn open_for_traversal(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(folder, mode).doing(|| format!("open {}", folder.display()))
}
