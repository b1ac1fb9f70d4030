//! Tasks with a name and a meaning: what it is called in the logs and what its death does.

use std::error::Error;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::{Lifecycle, Stage, panic_message};

/// What it means when a task ends before the service was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDeath {
    /// The service cannot go on without it: stop, and say so with the exit code.
    StopsTheService,
    /// It is finite and may end; an error or a panic of it is logged and nothing else.
    IsItsEnd,
}

/// What a task may return: nothing, or a result whose error is logged with its causes.
pub trait Outcome: Send + 'static {
    /// The error with its causes, `None` when all went well.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Error + Send + 'static> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| chain(&error))
    }
}

impl Lifecycle {
    /// Runs a task that stops in [`Stage::Work`]: it should end soon after `stopping(Stage::Work)` is cancelled.
    pub fn spawn<F>(&self, name: &'static str, on_death: OnDeath, future: F) -> JoinHandle<()>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.spawn_in(Stage::Work, name, on_death, future)
    }

    /// Runs a task that stops in the given stage; the stages after it wait for its end.
    pub fn spawn_in<F>(&self, stage: Stage, name: &'static str, on_death: OnDeath, future: F) -> JoinHandle<()>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let lifecycle = self.clone();
        let hard = self.hard();
        let task = async move {
            let outcome = tokio::select! {
                outcome = AssertUnwindSafe(future).catch_unwind() => outcome,
                () = hard.cancelled() => {
                    tracing::warn!(task = name, "dropped unfinished by the hard stop");
                    return;
                }
            };
            let failure = match outcome {
                Ok(outcome) => outcome.failure(),
                Err(panic) => Some(format!("panicked: {}", panic_message(panic.as_ref()))),
            };
            lifecycle.ended(name, on_death, failure);
        };
        self.tracker(stage).spawn(task.instrument(tracing::info_span!(target: "task", "task", name)))
    }

    /// Runs `hook` when the stop reaches the given stage.
    pub fn at<F>(&self, stage: Stage, name: &'static str, hook: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stopping = self.stopping(stage);
        self.spawn_in(stage, name, OnDeath::IsItsEnd, async move {
            stopping.cancelled().await;
            hook.await;
        })
    }

    /// Runs a command's body in a task of its own, so that a caller that vanishes does not cancel it, and waits for
    /// its answer. Belongs to [`Stage::Calls`]: the stop waits for it, too. A panic in the body goes on in the caller.
    pub async fn run_command<F>(&self, body: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match self.tracker(Stage::Calls).spawn(body.in_current_span()).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down, and this caller with it.
            Err(_) => std::future::pending().await,
        }
    }

    fn ended(&self, name: &'static str, on_death: OnDeath, failure: Option<String>) {
        let untimely = on_death == OnDeath::StopsTheService && !self.soft().is_cancelled();
        match failure {
            Some(error) => tracing::error!(task = name, error, stops_the_service = untimely, "task died"),
            None if untimely => tracing::error!(task = name, "task ended, though the service cannot go on without it"),
            None => tracing::debug!(task = name, "task ended"),
        }
        if untimely {
            self.died();
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
