//! Waiting for a condition with a deadline: nothing here ever waits for time alone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Failure, Result};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Polls `condition` until it gives a value; `what` names it in the failure that a passed `deadline` becomes.
pub async fn until<T, F>(what: &str, deadline: Duration, mut condition: F) -> Result<T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if Instant::now() >= end {
            return Err(Failure::new(format!("{what}: not within {} s", deadline.as_secs_f32())));
        }
        sleep(POLL).await;
    }
}
