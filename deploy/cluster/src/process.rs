//! One child process: started with its output in a log file, signalled as a whole group, killed when its handle is dropped.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::failure::Doing as _;
use crate::{Result, wait};

/// A running child and the process group it leads.
#[derive(Debug)]
pub struct Child {
    name: String,
    inner: std::process::Child,
    log: PathBuf,
    /// Sent to the group when the handle is dropped; `None` leaves the process to itself.
    at_drop: Option<Signal>,
}

impl Child {
    /// Starts `command` at the head of a process group of its own, without input, with all output appended to `log`.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).doing(|| format!("create {}", folder.display()))?;
        }
        let mut open = OpenOptions::new();
        let out = open.create(true).append(true).open(log).doing(|| format!("open {}", log.display()))?;
        let err = out.try_clone().doing(|| format!("open {}", log.display()))?;
        command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err);
        let inner = command.spawn().doing(|| format!("start {name}"))?;
        Ok(Self { name: name.to_owned(), inner, log: log.to_path_buf(), at_drop: Some(Signal::SIGKILL) })
    }

    /// The process id, also the id of its group.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// The name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the process still runs (a frozen one does).
    pub fn is_running(&mut self) -> bool {
        matches!(self.inner.try_wait(), Ok(None))
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The log's last lines, for a failure's message.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Sends a signal to the whole group; a group that is gone is not an error.
    pub fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.inner.id()).expect("a process id fits 31 bits");
        // The only other answer is "no such process", which the callers see by waiting.
        let _ = killpg(Pid::from_raw(group), signal);
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // A child of ours can be waited for; it fails only when it was waited for before.
        let _ = self.inner.wait();
    }

    /// SIGSTOP: it stays, and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGTERM, then waits for the end.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.stop_with(Signal::SIGTERM, deadline).await
    }

    /// Sends `signal` and waits for the end; after the deadline the process is killed and the answer is a failure.
    pub async fn stop_with(&mut self, signal: Signal, deadline: Duration) -> Result<ExitStatus> {
        self.signal(signal);
        let ended = self.wait(deadline).await;
        if ended.is_err() {
            self.kill();
        }
        ended
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("end of {} (process {})", self.name, self.inner.id());
        wait::until(&what, deadline, async || self.inner.try_wait().ok().flatten()).await
    }

    /// Which signal the group gets when the handle is dropped, in place of SIGKILL.
    pub fn drop_with(&mut self, signal: Signal) {
        self.at_drop = Some(signal);
    }

    /// Leaves the process running when the handle is dropped; gives its id.
    pub fn detach(mut self) -> u32 {
        self.at_drop = None;
        self.inner.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(signal) = self.at_drop
            && self.is_running()
        {
            self.signal(Signal::SIGCONT);
            self.signal(signal);
            let _ = self.inner.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; sleep 600"]);
        Child::spawn("sleeper", command, &folder.join("log")).unwrap()
    }

    #[tokio::test]
    async fn a_dropped_child_takes_its_whole_group_along() {
        let folder = tempfile::tempdir().unwrap();
        let child = sleeper(folder.path());
        let group = Pid::from_raw(i32::try_from(child.pid()).unwrap());
        assert!(killpg(group, None).is_ok());
        drop(child);
        let gone = wait::until("group", Duration::from_secs(5), async || killpg(group, None).is_err().then_some(()));
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn output_is_in_the_log_and_sigterm_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper(folder.path());
        let ready = wait::until("output", Duration::from_secs(5), async || child.log().contains("ready").then_some(()));
        ready.await.unwrap();
        child.freeze();
        assert!(child.is_running());
        child.thaw();
        let status = child.terminate(Duration::from_secs(5)).await.unwrap();
        assert!(!status.success());
        assert!(!child.is_running());
    }
}
