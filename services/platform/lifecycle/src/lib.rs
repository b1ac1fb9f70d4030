//! Start, watch, drain, exit: named tasks, staged shutdown, exit codes; panics in the log; the clock and the source of ids.
//!
//! A program makes one [`Lifecycle`], hands clones to everything that runs, and ends its `main` with
//! [`Lifecycle::until_stopped`]. Every task has a name and says what its death means:
//!
//! ```
//! # use std::{process::ExitCode, time::Duration};
//! # use lifecycle::{Lifecycle, OnDeath, Stage};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let lifecycle = Lifecycle::new(Duration::from_secs(20));
//! let stopping = lifecycle.stopping(Stage::Work);
//! lifecycle.spawn("relay", OnDeath::StopsTheService, async move {
//!     // publish batch after batch, until:
//!     stopping.cancelled().await;
//! });
//! lifecycle.at(Stage::Store, "close the pool", async { /* pool.close().await */ });
//! # lifecycle.stop();
//! assert_eq!(lifecycle.until_stopped().await, ExitCode::SUCCESS);
//! # }
//! ```
//!
//! Stopping goes through the [`Stage`]s in order; the next one begins when the tasks of the last one have ended.
//! SIGTERM, SIGINT, [`Lifecycle::stop`] and the death of a task begin it; a second signal, or the end of the grace
//! period, is hard: whatever still runs is dropped where it awaits.
//!
//! | exit code | meaning |
//! | --- | --- |
//! | 0 | stopped when told to, everything finished |
//! | 70 | a task that the service cannot live without died |
//! | 75 | stopped hard: something did not finish within the grace period |

pub mod clock;
pub mod ids;
mod panics;
mod stop;
mod task;

pub use panics::{log_panics, panic_message};
pub use stop::{Lifecycle, Stage};
pub use task::{OnDeath, Outcome};
pub use tokio_util::sync::CancellationToken;
