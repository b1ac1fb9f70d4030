//! The newest events in memory: who follows the log need not read back what this process has just recorded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::Recorded;

#[cfg(test)]
mod tests;

/// Events kept at most, and bytes of them.
const EVENTS: usize = 16_384;
const BYTES: usize = 32 * 1024 * 1024;

/// A run of committed events, each linked to the one before. What does not continue it begins it anew, so that it never
/// spans what another process has appended, nor what a restored database has lost.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Run>);

#[derive(Debug, Default)]
struct Run {
    /// Position and hash of the event before the first.
    before: (i64, [u8; 32]),
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

impl Recent {
    /// Adds events that are committed, in log order, behind the one with the hash `previous`.
    pub(crate) fn extend(&self, previous: [u8; 32], events: impl Iterator<Item = Recorded>) {
        let mut events = events.peekable();
        let Some(first) = events.peek() else { return };
        let before = (first.position - 1, previous);
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if run.last() != before {
            *run = Run { before, ..Run::default() };
        }
        for event in events {
            run.bytes += bytes(&event);
            run.events.push_back(Arc::new(event));
        }
        while run.events.len() > EVENTS || run.bytes > BYTES {
            let Some(oldest) = run.events.pop_front() else { break };
            run.bytes -= bytes(&oldest);
            run.before = (oldest.position, oldest.hash);
        }
    }

    /// Up to `limit` events behind the one at this position with this hash; none where the run does not continue it.
    pub(crate) fn after(&self, position: i64, hash: &[u8; 32], limit: usize) -> Vec<Arc<Recorded>> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(known) = usize::try_from(position - run.before.0) else { return Vec::new() };
        let standing = match known.checked_sub(1) {
            None => Some(&run.before.1),
            Some(index) => run.events.get(index).map(|event| &event.hash),
        };
        if standing != Some(hash) {
            return Vec::new();
        }
        run.events.iter().skip(known).take(limit).cloned().collect()
    }

    /// Position of the newest event; 0 when there is none.
    pub(crate) fn newest(&self) -> i64 {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        run.events.back().map_or(0, |event| event.position)
    }

    /// Lets everything go: the database may not be what it was.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Run::default();
    }
}

impl Run {
    /// Position and hash of the newest event.
    fn last(&self) -> (i64, [u8; 32]) {
        self.events.back().map_or(self.before, |event| (event.position, event.hash))
    }
}

fn bytes(event: &Recorded) -> usize {
    event.payload.len() + event.inner.len() + event.sealed.len() + event.metadata_bytes.len()
}
