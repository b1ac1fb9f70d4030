//! The command `cluster`: what `deploy/up`, `down`, `test`, `call` and `bench` run.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cluster::layout::Layout;
use cluster::{Result, Service, call, gates, root, running, seed, settings, test_env, up, walk};
use tokio::process::Command;

/// Runs Dingzhu on one machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Builds and starts everything and walks one teacher to a conclusion; what an earlier `up` has written stays.
    Up {
        /// Return when everything runs, instead of staying until a signal.
        #[arg(long)]
        detach: bool,
    },
    /// Stops what `up` has started.
    Down {
        /// Also removes all data.
        #[arg(long)]
        wipe: bool,
    },
    /// Calls any RPC as a demonstration actor.
    Call {
        /// Ask this service; needed only where several offer the method. Operations without it ask all five.
        #[arg(long, value_parser = service)]
        service: Option<Service>,
        /// applicant, liaison, clerk, county, city, province, operator, or nobody.
        actor: String,
        /// `dingzhu.operations.v1.Operations/GetStatus`
        method: String,
        /// The request; an array is a stream of requests.
        #[arg(default_value = "{}")]
        json: String,
    },
    /// Runs every gate; with arguments, only `cargo nextest run` with these.
    Test {
        /// Arguments of nextest.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs a benchmark of tests/benches and prints its ratios.
    Bench {
        /// append, availability, growth, signin, rebuild, sync
        name: String,
        /// Its own arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs a command with private servers for tests around it.
    TestEnv {
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line of the answer. Whoever reads it may have seen enough and gone; what was asked for is done all the same.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn run(subject: Subject) -> Result<ExitCode> {
    match subject {
        Subject::Up { detach } => {
            let cluster = up::start(&say).await?;
            let mut seeded = seed::fill(&cluster, seed::TEACHERS, &say).await?;
            walk::walk(cluster.layout(), &mut seeded, &say).await?;
            up::describe(cluster.layout(), &say);
            if detach {
                cluster.detach();
            } else {
                up::stay(cluster).await?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Subject::Down { wipe } => {
            up::stop(&say).await?;
            if wipe {
                up::wipe()?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Subject::Call { service, actor, method, json } => {
            let layout = Layout::load(&Layout::local_folder())?;
            call::call(&layout, service, &actor, &method, &json, &say).await?;
            Ok(ExitCode::SUCCESS)
        }
        Subject::Test { arguments } => Ok(test(&arguments).await),
        Subject::Bench { name, arguments } => {
            let mut process = Command::new("cargo");
            process.args(["bench", "--quiet", "--package", "cluster-tests", "--bench", &name, "--"]).args(arguments);
            process.current_dir(root()).env(settings::BINARIES, running::build(true)?);
            in_test_env(process).await
        }
        Subject::TestEnv { command } => {
            let mut process = Command::new(&command[0]);
            process.args(&command[1..]);
            in_test_env(process).await
        }
    }
}

async fn in_test_env(command: Command) -> Result<ExitCode> {
    let (status, ()) = test_env::run(command, async |_| ()).await?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn service(name: &str) -> std::result::Result<Service, String> {
    Service::parse(name).ok_or_else(|| format!("there is no service {name}"))
}

/// Whatever happens, the last line says how many passed and failed: a gate that fails counts as one.
async fn test(arguments: &[String]) -> ExitCode {
    let tally = if arguments.is_empty() {
        gates::all(&|line| say(&format!("gate {line}"))).await
    } else {
        gates::tests(arguments).await
    };
    let tally = tally.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        gates::Tally { passed: 0, failed: 1 }
    });
    say(&format!("{} passed, {} failed", tally.passed, tally.failed));
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
