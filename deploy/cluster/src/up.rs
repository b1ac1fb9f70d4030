//! `deploy/up` and `deploy/down`: the local cluster in `.local/`, kept over restarts, stopped by the ids of what was started.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::{Cluster, Failure, Result, Service, running, wait};

/// Longest time for all processes to end.
const STOP: Duration = Duration::from_secs(90);

/// A process as it was started; an id alone can belong to a stranger later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Started {
    name: String,
    id: u32,
    /// Ticks since boot, from /proc.
    start: u64,
}

/// Starts the local cluster, after stopping what an earlier `up` left running; its data stays.
pub async fn start(say: &dyn Fn(&str)) -> Result<Cluster> {
    say("building the services");
    let binaries = running::build(false)?;
    stop(say).await?;
    let layout = Layout::local()?;
    say("starting PostgreSQL and nats-server");
    let mut cluster = Cluster::prepare(layout, binaries).await?;
    remember(&mut cluster)?;
    say("starting the services");
    let started = cluster.start_services().await;
    remember(&mut cluster)?;
    started?;
    Ok(cluster)
}

/// Prints every address.
pub fn describe(layout: &Layout, say: &dyn Fn(&str)) {
    for service in Service::ALL {
        say(&format!("{:<14} {}", service.name(), layout.url(service)));
    }
    say(&format!("{:<14} postgres://127.0.0.1:{}", "PostgreSQL", layout.postgres_port));
    say(&format!("{:<14} {}", "NATS", layout.nats_url()));
    say(&format!("{:<14} {}", "everything", layout.folder.join("cluster.json").display()));
}

/// Stays until a signal or until something has ended; then stops everything.
pub async fn stay(mut cluster: Cluster) -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt()).doing(|| "listen for signals".into())?;
    let mut terminated = signal(SignalKind::terminate()).doing(|| "listen for signals".into())?;
    let mut look = tokio::time::interval(Duration::from_secs(1));
    let ended = loop {
        tokio::select! {
            _ = interrupted.recv() => break false,
            _ = terminated.recv() => break false,
            _ = look.tick() => if !cluster.is_running() { break true },
        }
    };
    // `down` in another terminal ends the processes too, and has removed this file by then or soon will.
    let folder = cluster.layout().processes();
    cluster.stop().await?;
    if ended && folder.exists() {
        let told = wait::until("the end of down", STOP, async || (!folder.exists()).then_some(())).await;
        return told.map_err(|_| Failure::new("a process of the cluster ended by itself; see .local/log"));
    }
    forget(&folder)
}

/// Stops what `up` has started, by id, in the order in which it was written down.
pub async fn stop(say: &dyn Fn(&str)) -> Result<()> {
    let path = Layout::local_folder().join("processes.json");
    let Ok(text) = fs::read(&path) else { return Ok(()) };
    let started: Vec<Started> = serde_json::from_slice(&text).doing(|| format!("read {}", path.display()))?;
    // Services end before what they stand on.
    let (servers, services): (Vec<_>, Vec<_>) =
        started.into_iter().partition(|process| Service::parse(&process.name).is_none());
    for group in [services, servers] {
        let alive: Vec<&Started> = group.iter().filter(|process| is_alive(process)).collect();
        for process in &alive {
            say(&format!("stopping {} ({})", process.name, process.id));
            // PostgreSQL takes SIGTERM as "when all clients have left": SIGINT is the fast one.
            send(process, if process.name == "postgres" { Signal::SIGINT } else { Signal::SIGTERM });
        }
        let ended = wait::until("end of the processes", STOP, async || {
            alive.iter().all(|process| !is_alive(process)).then_some(())
        });
        if ended.await.is_err() {
            for process in alive.iter().filter(|process| is_alive(process)) {
                say(&format!("killing {} ({})", process.name, process.id));
                send(process, Signal::SIGKILL);
            }
        }
    }
    forget(&path)
}

/// Removes the data of the local cluster, which must be stopped.
pub fn wipe() -> Result<()> {
    let folder = Layout::local_folder();
    if let Ok(layout) = Layout::load(&folder) {
        remove(&layout.postgres_folder)?;
        // The folder in /var/lib that stands in for one which PostgreSQL's account cannot reach.
        if let Some(parent) = layout.postgres_folder.parent().filter(|parent| !parent.starts_with(&folder)) {
            remove(parent)?;
        }
    }
    remove(&folder)
}

fn remember(cluster: &mut Cluster) -> Result<()> {
    let started: Vec<Started> = cluster
        .processes()
        .into_iter()
        .filter_map(|(name, id)| Some(Started { name, id, start: start_of(id)? }))
        .collect();
    let path = cluster.layout().processes();
    let text = serde_json::to_string_pretty(&started).doing(|| "list the processes".into())?;
    fs::write(&path, text + "\n").doing(|| format!("write {}", path.display()))
}

fn forget(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).doing(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}

fn send(process: &Started, signal: Signal) {
    let id = i32::try_from(process.id).expect("a process id fits 31 bits");
    // It fails only when the process is gone, which is what is waited for.
    let _ = kill(Pid::from_raw(id), signal);
}

fn is_alive(process: &Started) -> bool {
    start_of(process.id) == Some(process.start)
}

/// When a process was started; `None` when there is none, or only its remains.
fn start_of(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is a name in brackets that may hold anything; the third is the state, the 22nd the start.
    let (_, fields) = status.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    if fields[0] == "Z" { None } else { fields.get(19)?.parse().ok() }
}
