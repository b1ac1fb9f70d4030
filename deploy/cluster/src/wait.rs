//! Waiting for a condition with a deadline: nothing here ever waits for time alone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Failure, Result};

/// The shortest and the longest pause before a condition is looked at again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A look comes late by at most one in so many parts of the wait: whoever waits long must not keep the machine busy with looking.
const PARTS: u32 = 20;

/// Polls `condition` until it gives a value; `what` names it in the failure that a passed `deadline` becomes.
pub async fn until<T, F>(what: &str, deadline: Duration, mut condition: F) -> Result<T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let begin = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        let waited = begin.elapsed();
        if waited >= deadline {
            return Err(Failure::new(format!("{what}: not within {} s", deadline.as_secs_f32())));
        }
        sleep((waited / PARTS).clamp(FIRST_PAUSE, LONGEST_PAUSE)).await;
    }
}
