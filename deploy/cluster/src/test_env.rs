//! Runs a command with private servers around it, and sees to it that nothing is left running afterwards.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{ChildStderr, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Doing as _;
use crate::{Failure, Result, install, postgres, settings, wait};

/// How long processes that a test has killed may take to vanish.
const SETTLE: Duration = Duration::from_secs(10);

/// Runs `command` with `DINGZHU_TEST_POSTGRES` and `DINGZHU_TEST_NATS_SERVER` set; everything started meanwhile is stopped
/// again, also after a failure or a signal. Processes that the command has left behind are killed and make this a failure.
/// `read` gets the command's errors where they are piped, and its answer comes back beside the status.
pub async fn run<T>(mut command: Command, read: impl AsyncFnOnce(Option<ChildStderr>) -> T) -> Result<(ExitStatus, T)> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let folder = tempfile::Builder::new().prefix("dingzhu-test-").tempdir();
    let folder = folder.doing(|| "create a temporary folder".into())?;
    // PostgreSQL's account has to reach its folders below this one.
    open_for_all(folder.path())?;
    let mut interrupted = signal(SignalKind::interrupt()).doing(|| "listen for signals".into())?;
    let mut terminated = signal(SignalKind::terminate()).doing(|| "listen for signals".into())?;

    let mut server = postgres::Server::start().await?;
    let run = lifecycle::ids::random().to_string();
    command.env(settings::TEST_POSTGRES, server.url("postgres"));
    command.env(settings::TEST_NATS_SERVER, install::nats_server()?);
    command.env(settings::TEST_RUN, &run).env("TMPDIR", folder.path()).kill_on_drop(true);
    let mut child = command.spawn().doing(|| format!("start {name}"))?;
    let errors = child.stderr.take();
    let ended = async {
        tokio::select! {
            status = child.wait() => status,
            _ = interrupted.recv() => pass_on(&mut child, Signal::SIGINT).await,
            _ = terminated.recv() => pass_on(&mut child, Signal::SIGTERM).await,
        }
    };
    let (status, answer) = tokio::join!(ended, read(errors));
    let status = status.doing(|| format!("wait for {name}"))?;
    server.stop().await?;
    nothing_left(&run, folder.path()).await?;
    Ok((status, answer))
}

fn open_for_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o1777)).doing(|| format!("open {}", folder.display()))
}

async fn pass_on(child: &mut tokio::process::Child, signal: Signal) -> std::io::Result<ExitStatus> {
    if let Some(id) = child.id() {
        let id = i32::try_from(id).expect("a process id fits 31 bits");
        // It fails only when the child is gone already, which is what the wait below sees.
        let _ = kill(Pid::from_raw(id), signal);
    }
    child.wait().await
}

/// Processes that carry the run's mark, or work in a folder of the run: a postmaster overwrites its environment.
fn of_run(run: &str, folder: &Path) -> Vec<(Pid, String)> {
    let mark = format!("{}={run}", settings::TEST_RUN);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        let inside = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if marked || inside {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).replace('\0', " ");
            // A process that has ended and waits for its parent has no command line any more.
            if !words.is_empty() {
                found.push((Pid::from_raw(id), words.trim().to_owned()));
            }
        }
    }
    found
}

async fn nothing_left(run: &str, folder: &Path) -> Result<()> {
    let settled = wait::until("end of all processes", SETTLE, async || of_run(run, folder).is_empty().then_some(()));
    if settled.await.is_ok() {
        return Ok(());
    }
    let left = of_run(run, folder);
    for (id, _) in &left {
        let _ = kill(*id, Signal::SIGKILL);
    }
    let list: Vec<String> = left.iter().map(|(id, words)| format!("{id} {words}")).collect();
    Err(Failure::new(format!("left running, and killed now: {}", list.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn the_command_sees_a_server_and_its_exit_code_comes_back() {
        let script =
            "case $DINGZHU_TEST_POSTGRES in postgres://*) test -x \"$DINGZHU_TEST_NATS_SERVER\" && exit 7;; esac";
        let (status, ()) = run(shell(script), async |_| ()).await.unwrap();
        assert_eq!(status.code(), Some(7));
    }

    #[tokio::test]
    async fn a_process_left_behind_is_found_and_killed() {
        let left = shell("setsid sleep 500 >/dev/null 2>&1 & exit 0");
        let failure = run(left, async |_| ()).await.unwrap_err().to_string();
        assert!(failure.contains("sleep 500"), "{failure}");
    }
}
