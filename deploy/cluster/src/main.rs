//! The command `cluster`: what `deploy/up`, `down`, `test`, `call` and `bench` run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cluster::{Failure, test_env};

/// Runs Dingzhu on one machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
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
            eprintln!("cluster: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(subject: Subject) -> Result<ExitCode, Failure> {
    match subject {
        Subject::TestEnv { command } => {
            let mut process = tokio::process::Command::new(&command[0]);
            process.args(&command[1..]);
            let status = test_env::run(process).await?;
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Ok(ExitCode::from(code))
        }
    }
}
