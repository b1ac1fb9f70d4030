//! What the own stream holds and the own log does not: events that a database has lost which comes from a backup.

use crate::bus::Core;
use crate::nats::{Nats, UNREACHABLE};
use crate::{BusHandle, Event, message, stream};

/// The stream could not be read, now.
#[derive(Debug, thiserror::Error)]
#[error("the own stream cannot be read: {0}")]
pub struct Unread(String);

impl BusHandle {
    /// Events of the own stream behind the last one that the log has, too, as far as `wanted`, oldest first: nothing where there is
    /// no stream, or it is the log's. Their links prove nothing here; whoever acts by them looks at what they are signed with.
    pub async fn lost(&self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Event>, Unread> {
        let (core, nats) = (&self.0.core, &self.0.nats);
        if !nats.is_connected() {
            return Err(Unread(UNREACHABLE.to_owned()));
        }
        let name = stream::name(core.service);
        let Some(extent) = stream::extent(&nats.jetstream, &name).await.map_err(unread)? else { return Ok(Vec::new()) };
        let head = core.log.newest().await.map_err(unread)?;
        if extent.first > head + 1 {
            let (from, to) = (head + 1, extent.first - 1);
            tracing::error!(
                from,
                to,
                "neither the log nor the stream holds the events between: they are lost for good"
            );
        }
        // What is equal somewhere is equal everywhere before: each hash covers the one before it.
        let (mut same, mut other) = (extent.first - 1, head.min(extent.last).max(extent.first - 1) + 1);
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if is_same(core, nats, &name, middle).await? {
                same = middle;
            } else {
                other = middle;
            }
        }
        let mut lost = Vec::new();
        for position in same + 1..=extent.last {
            let Some(message) = stream::message(&nats.jetstream, &name, position).await.map_err(unread)? else {
                continue;
            };
            let event = message::read(&message.headers, message.payload).and_then(message::unpack);
            lost.extend(event.filter(|event| wanted(event)));
        }
        Ok(lost)
    }
}

async fn is_same(core: &Core, nats: &Nats, stream: &str, position: i64) -> Result<bool, Unread> {
    let message = stream::message(&nats.jetstream, stream, position).await.map_err(unread)?;
    let recorded = core.log.read(position - 1, 1).await.map_err(unread)?.into_iter().next();
    let mark = message.and_then(|message| message::mark(&message.headers));
    Ok(mark.is_some() && mark == recorded.map(|recorded| (recorded.epoch, recorded.hash)))
}

fn unread(error: impl std::error::Error) -> Unread {
    Unread(error.to_string())
}
