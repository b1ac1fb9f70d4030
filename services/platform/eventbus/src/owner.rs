//! Asking the owner of events itself, which reaches back to the first one.

use std::time::Duration;

use proto::operations::v1::event_feed_client::EventFeedClient;
use proto::operations::v1::{ReadEventsRequest, ReadEventsResponse};
use tokio::time::{Instant, timeout};
use tonic::{Request, Status, Streaming};

use crate::message::{Break, Place};
use crate::source::{Head, Page, SourceError, Token};

/// Largest answer: 500 events, or one of the largest size and what fits beside it.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// The owner says something every second.
const SILENCE: Duration = Duration::from_secs(5);
/// After this it is looked whether the stream is to be had again.
const STAY: Duration = Duration::from_secs(5);
/// The reason of an owner whose history is shorter than ours.
pub(crate) const POSITION_AHEAD: &str = "POSITION_AHEAD";

/// How one service is asked for its events.
#[derive(Clone)]
pub(crate) struct Owner {
    client: EventFeedClient<rpc::Channel>,
    token: Token,
}

impl Owner {
    pub(crate) fn new(channel: rpc::Channel, token: Token) -> Self {
        let client = EventFeedClient::new(channel).max_decoding_message_size(MAX_ANSWER);
        Self { client, token }
    }

    /// What comes after `place`, and what is new then.
    pub(crate) async fn follow(&self, place: Place) -> Result<Following, SourceError> {
        let answer = timeout(SILENCE, self.read(place.position, true)).await.map_err(|_| silent())?;
        let stream = answer.map_err(|status| refused(&status, place))?;
        Ok(Following { stream, place, opened: Instant::now() })
    }

    /// Newest position of the owner's log, which is proven to hold the event at `place`.
    pub(crate) async fn head(&self, place: Place) -> Result<i64, SourceError> {
        let asked = async { self.read((place.position - 1).max(0), false).await?.message().await };
        let answer = timeout(SILENCE, asked).await.map_err(|_| silent())?;
        let answer = answer.map_err(|status| refused(&status, place))?.ok_or_else(silent)?;
        match answer.events.first() {
            _ if place.position == 0 => Ok(answer.head),
            Some(event) if *event.hash == place.hash => Ok(answer.head),
            Some(_) => {
                let what = "the owner holds another event than the one that was applied";
                Err(Break { position: place.position, what }.into())
            }
            None => Err(ended(place)),
        }
    }

    /// All events after a position, up to the present head where `follow` is not set.
    pub(crate) async fn read(&self, after: i64, follow: bool) -> Result<Streaming<ReadEventsResponse>, Status> {
        let mut request = Request::new(ReadEventsRequest { after_position: after, types: Vec::new(), follow });
        if let Some(token) = (self.token)() {
            let value = format!("Bearer {token}").parse().map_err(|_| Status::internal("the token is not ASCII"))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(self.client.clone().read_events(request).await?.into_inner())
    }
}

/// The events of an owner behind a place, each proven to follow.
pub(crate) struct Following {
    stream: Streaming<ReadEventsResponse>,
    place: Place,
    opened: Instant,
}

impl Following {
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        if self.opened.elapsed() > STAY {
            return Err(SourceError::LookAgain);
        }
        // Whoever is frozen meanwhile must not take an answer from before for news.
        let as_of = Some(Instant::now());
        let answer = match timeout(SILENCE, self.stream.message()).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Ok(None)) => return Err(SourceError::LookAgain),
            Ok(Err(status)) => return Err(refused(&status, self.place)),
            Err(_) => return Err(silent()),
        };
        let events = answer.events.into_iter().map(|event| self.place.follow(event)).collect::<Result<_, _>>()?;
        Ok(Page { events, head: Head { position: answer.head, as_of } })
    }
}

fn silent() -> SourceError {
    SourceError::Unavailable("the owner is silent".to_owned())
}

pub(crate) fn refused(status: &Status, place: Place) -> SourceError {
    let refusal = rpc::Refusal::from_status(status);
    if refusal.reason == POSITION_AHEAD {
        return ended(place);
    }
    SourceError::Unavailable(format!("the owner answers {:?} {}", refusal.code, refusal.reason))
}

fn ended(place: Place) -> SourceError {
    Break { position: place.position, what: "the history of the source ends before" }.into()
}
