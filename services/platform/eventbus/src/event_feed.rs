//! `EventFeed`: the own events for other services and reporting consumers, from position 1 on.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use eventlog::{EventLog, ReadError};
use futures::{Stream, StreamExt as _, stream};
use lifecycle::CancellationToken;
use proto::operations::v1::event_feed_server::EventFeed;
use proto::operations::v1::{ReadEventsRequest, ReadEventsResponse};
use rpc::Refusal;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::message;
use crate::owner::POSITION_AHEAD;

/// Events of one answer, and about how many bytes of them.
const PAGE: i64 = 500;
const PAGE_BYTES: usize = 1024 * 1024;
/// A follower that has everything hears this often that it has.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Serves `EventFeed` from the own log.
pub struct OwnEvents {
    log: EventLog,
    /// An open stream must not hold up the service's stop.
    stopping: CancellationToken,
}

impl OwnEvents {
    pub(crate) fn new(log: EventLog, stopping: CancellationToken) -> Self {
        Self { log, stopping }
    }
}

#[tonic::async_trait]
impl EventFeed for OwnEvents {
    type ReadEventsStream = Pin<Box<dyn Stream<Item = Result<ReadEventsResponse, Status>> + Send>>;

    async fn read_events(
        &self,
        request: Request<ReadEventsRequest>,
    ) -> Result<Response<Self::ReadEventsStream>, Status> {
        let ReadEventsRequest { after_position: after, types, follow } = request.into_inner();
        let previous = match self.log.previous_hash(after.max(0) + 1).await {
            Ok(previous) => previous,
            Err(ReadError::Missing { .. }) => {
                return Err(
                    Refusal::rejected(POSITION_AHEAD, "所给位置超出本服务的事件日志,请核对来源后从头读取。").into()
                );
            }
            Err(error) => return Err(unreadable(&error)),
        };
        let reader = Reader {
            head: self.log.head(),
            log: self.log.clone(),
            after: after.max(0),
            previous,
            types: types.into_iter().collect(),
            follow,
        };
        let answers = stream::try_unfold(Some(reader), |reader| async move {
            let Some(mut reader) = reader else { return Ok(None) };
            let (answer, more) = reader.next().await?;
            Ok(Some((answer, more.then_some(reader))))
        });
        Ok(Response::new(answers.take_until(self.stopping.clone().cancelled_owned()).boxed()))
    }
}

struct Reader {
    log: EventLog,
    head: watch::Receiver<i64>,
    after: i64,
    previous: [u8; 32],
    types: HashSet<String>,
    follow: bool,
}

impl Reader {
    /// The next answer, and whether another one comes after it.
    async fn next(&mut self) -> Result<(ReadEventsResponse, bool), Status> {
        if self.follow {
            let behind = self.after;
            // In time or not, what is there is sent.
            let _ = timeout(HEARTBEAT, self.head.wait_for(|head| *head > behind)).await;
        }
        let page = self.log.follow(self.after, &self.previous, PAGE).await.map_err(|error| unreadable(&error))?;
        let more = self.follow || !page.is_empty();
        let (mut events, mut bytes) = (Vec::new(), 0);
        for recorded in page {
            bytes += recorded.payload.len();
            if bytes > PAGE_BYTES && !events.is_empty() {
                break;
            }
            let hash = recorded.hash;
            self.after = recorded.position;
            if self.types.is_empty() || self.types.contains(&recorded.kind) {
                events.push(message::publish(&recorded, self.previous));
            }
            self.previous = hash;
        }
        let head = (*self.head.borrow()).max(self.after);
        Ok((ReadEventsResponse { events, read_up_to: self.after, head }, more))
    }
}

fn unreadable(error: &ReadError) -> Status {
    match error {
        ReadError::Database(_) => Refusal::unavailable("event_log").into(),
        ReadError::Corrupt { position } | ReadError::Missing { position } => {
            tracing::error!(position, "the own log cannot be read");
            Refusal::internal(rpc::request_id()).into()
        }
    }
}
