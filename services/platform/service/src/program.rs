//! A service as a program: commands, exit codes, and the order of start and stop.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use lifecycle::Lifecycle;

use crate::ground::{grace, migrate};
use crate::serve::{serve, wire};
use crate::{Failure, Ground, Service, Settings};

/// Wrong flags or settings (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// The command failed.
const FAILED: u8 = 1;

#[derive(Parser)]
struct Program<S: Service> {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    own: S::Settings,
    #[command(subcommand)]
    command: Command<S::Command>,
}

#[derive(clap::Subcommand)]
enum Command<C: clap::Subcommand> {
    /// Serves until it is told to stop.
    Serve,
    /// Brings the databases up to this version.
    Migrate,
    /// Builds a view anew from the log, compares it with the live one, and swaps.
    Rebuild {
        /// Name of the view.
        view: String,
    },
    /// Recomputes the hash chain of the log.
    VerifyLog,
    /// Wraps every key anew that another master key than the current one wrapped; the service may be running meanwhile.
    RotateMasterKey,
    #[command(flatten)]
    Own(C),
}

/// Runs the program of a service.
pub fn main<S: Service>() -> ExitCode {
    let parsed = Program::<S>::command()
        .name(S::NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .try_get_matches()
        .and_then(|mut matches| Program::<S>::from_arg_matches_mut(&mut matches));
    let program = match parsed {
        Ok(program) => program,
        Err(problem) => {
            // The terminal may be gone; there is nobody left to tell.
            let _ = problem.print();
            return if problem.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(program)),
        Err(problem) => {
            eprintln!("{}: the runtime cannot be started: {problem}", S::NAME);
            ExitCode::from(FAILED)
        }
    }
}

async fn run<S: Service>(program: Program<S>) -> ExitCode {
    let guard = match telemetry::init(&program.settings.telemetry, S::NAME) {
        Ok(guard) => guard,
        Err(problem) => {
            eprintln!("{}: {problem}", S::NAME);
            return ExitCode::from(USAGE);
        }
    };
    lifecycle::log_panics();
    let lifecycle = Lifecycle::new(grace(&program.settings));
    let code = match command(program, &lifecycle).await {
        Ok(Then::Serve) => lifecycle.until_stopped().await,
        Ok(Then::Stop) => {
            lifecycle.stop();
            lifecycle.until_stopped().await
        }
        Err(failure) => {
            tracing::error!(failure = chain(failure.as_ref()), "cannot go on");
            lifecycle.stop();
            lifecycle.until_stopped().await;
            ExitCode::from(FAILED)
        }
    };
    guard.shutdown().await;
    code
}

/// What comes after the command.
enum Then {
    Serve,
    Stop,
}

async fn command<S: Service>(program: Program<S>, lifecycle: &Lifecycle) -> Result<Then, Failure> {
    let Program { settings, own, command } = program;
    match command {
        Command::Serve => {
            serve::<S>(&settings, own, lifecycle).await?;
            return Ok(Then::Serve);
        }
        Command::Migrate => {
            migrate::<S>(&settings).await?;
            tracing::info!("the databases are up to date");
        }
        Command::Rebuild { view } => {
            let ground = Ground::open::<S>(&settings, lifecycle).await?;
            let (_, bus) = wire::<S>(&ground, &settings, own).await?;
            let rebuilt = bus
                .rebuild(&view, |progress| {
                    tracing::info!(position = progress.position, target = progress.target, "rebuilding");
                })
                .await?;
            tracing::info!(view, ?rebuilt, "rebuilt");
        }
        Command::VerifyLog => {
            let ground = Ground::open::<S>(&settings, lifecycle).await?;
            let verdict = ground.log.verify(1, |position, head| tracing::info!(position, head, "verifying")).await?;
            tracing::info!(?verdict, "verified");
            if matches!(verdict, eventlog::Verdict::Broken { .. }) {
                return Err("the log does not verify".into());
            }
        }
        Command::RotateMasterKey => {
            // Whoever runs it may have changed the files just now.
            tokio::time::sleep(vault::CHANGE_COUNTS_AFTER).await;
            let told = |rotation| tracing::info!(?rotation, "rewrapping");
            let rotation = vault::Vault::open(&settings.vault)?.rotate_master_key(told).await?;
            tracing::info!(?rotation, "the keys are rewrapped");
            if rotation.left > 0 {
                return Err("a replica makes keys with another master key: put the new one first in its file, then run this again".into());
            }
        }
        Command::Own(command) => {
            let ground = Ground::open::<S>(&settings, lifecycle).await?;
            S::run(&ground, own, command).await?;
        }
    }
    Ok(Then::Stop)
}

fn chain(failure: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(failure), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
