//! Every gate of `deploy/test`, in order: the first that fails ends the run, and the last line says how the tests stand.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use crate::failure::Doing as _;
use crate::{Failure, Result, install, root, running, settings, test_env};

/// Counts of the test runner's summary line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed, timed out or could not run.
    pub failed: usize,
}

/// Sets up what is missing and runs all gates; prints each gate's name and seconds.
pub async fn all(say: &dyn Fn(&str)) -> Result<Tally> {
    gate(say, "tools", async { install::nextest() }).await?;
    gate(say, "fmt", run("cargo", &["fmt", "--all", "--check"])).await?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    gate(say, "clippy", run("cargo", &clippy)).await?;
    gate(say, "rustdoc", rustdoc()).await?;
    if install::has_cargo_command("deny") {
        gate(say, "deny", run("cargo", &["deny", "--workspace", "check"])).await?;
    } else {
        say("deny: skipped, cargo-deny is not installed and takes too long to build");
    }
    gate(say, "buf lint", async {
        let buf = install::buf()?;
        run(&buf.to_string_lossy(), &["lint", "proto"]).await
    })
    .await?;
    gate(say, "doc tests", run("cargo", &["test", "--workspace", "--doc", "--quiet"])).await?;
    gate(say, "nextest", tests(&["--workspace".to_owned()])).await
}

/// Runs `cargo nextest run` with these arguments, private servers around it and the services built.
pub async fn tests(arguments: &[String]) -> Result<Tally> {
    install::nextest()?;
    // Tests of whole clusters start the programs of all services.
    let binaries = running::build(false)?;
    nextest(arguments, &binaries).await
}

async fn gate<T>(say: &dyn Fn(&str), name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let done = work.await.map_err(|failure| Failure::new(format!("gate {name}: {failure}")))?;
    say(&format!("{name}: {:.1} s", start.elapsed().as_secs_f64()));
    Ok(done)
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

async fn run(program: &str, arguments: &[&str]) -> Result<()> {
    finish(command(program, arguments)).await
}

async fn finish(mut command: Command) -> Result<()> {
    let status = command.status().await.doing(|| "start it".into())?;
    if status.success() { Ok(()) } else { Err(Failure::new(status.to_string())) }
}

async fn rustdoc() -> Result<()> {
    let mut command = command("cargo", &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    finish(command).await
}

/// Runs nextest under [`test_env`]. Failed tests are a tally, not a failure of this function.
async fn nextest(arguments: &[String], binaries: &Path) -> Result<Tally> {
    let mut command = command("cargo", &["nextest", "run"]);
    command.args(arguments).env(settings::BINARIES, binaries).stderr(Stdio::piped());
    let (status, tally) = test_env::run(command, async |errors| echo(errors?).await).await?;
    match tally {
        Some(tally) if status.success() || tally.failed > 0 => Ok(tally),
        _ => Err(Failure::new(format!("the tests did not run to their end: {status}"))),
    }
}

/// Passes everything on to our own errors, and keeps the summary.
async fn echo(from: impl AsyncRead + Unpin) -> Option<Tally> {
    let mut lines = BufReader::new(from).lines();
    let mut tally = None;
    while let Ok(Some(line)) = lines.next_line().await {
        tally = summary(&line).or(tally);
        // Nobody may be reading any more; the tests go on.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    tally
}

/// Reads `Summary [ 1.2s] 14 tests run: 12 passed (1 slow), 1 failed, 1 timed out, 0 skipped`.
fn summary(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim_start().strip_prefix("Summary [")?.split_once(" run: ")?;
    let mut tally = Tally::default();
    // Inside brackets stands a share of the number before them.
    for part in counts.split(&['(', ')']).step_by(2).flat_map(|plain| plain.split(", ")) {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        let number: usize = number.parse().ok()?;
        match what {
            "passed" => tally.passed = number,
            "skipped" => {}
            _ => tally.failed += number,
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_line_is_read_with_everything_that_is_not_a_pass() {
        let line = "     Summary [  19.569s] 17 tests run: 14 passed (2 slow, 1 leaky), 1 failed, 1 timed out, 1 exec failed, 3 skipped";
        assert_eq!(summary(line), Some(Tally { passed: 14, failed: 3 }));
        assert_eq!(
            summary("     Summary [  0.1s] 1 test run: 1 passed, 0 skipped"),
            Some(Tally { passed: 1, failed: 0 })
        );
        assert_eq!(summary("        PASS [   0.1s] (1/1) cluster a_test"), None);
    }
}
