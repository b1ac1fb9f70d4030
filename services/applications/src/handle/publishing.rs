//! Whatever a province publishes, version after version: rule sets and texts, each in a stream of its own.

use eventlog::{AppendError, Division, NewEvent};
use lifecycle::ids;
use uuid::Uuid;

use super::{ATTEMPTS, Asked, Handle};
use crate::error::Error;

/// The next version as it is recorded.
pub(super) struct Publication {
    /// Kind and payload.
    pub(super) event: (String, Vec<u8>),
    /// What is answered, and kept for a repeated request.
    pub(super) answer: Vec<u8>,
}

impl Handle {
    /// Publishes the next version of a stream; `next` makes it from its number. Answer and position.
    pub(super) async fn publish(
        &self,
        asked: &Asked,
        stream: Uuid,
        province: &str,
        next: impl Fn(u32) -> Publication + Send + Sync,
    ) -> Result<(Vec<u8>, i64), Error> {
        for _ in 0..ATTEMPTS {
            let versions = self.0.log.load(stream).await?.len();
            let Publication { event: (kind, payload), answer } =
                next(u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1));
            let event = NewEvent {
                event_id: ids::random(),
                kind,
                payload,
                inner: Vec::new(),
                sealed: Vec::new(),
                division: Division::parse(province).unwrap_or(Division::NONE),
            };
            let expected = i64::try_from(versions).unwrap_or(i64::MAX);
            match self.0.log.append(asked.append(stream, expected, vec![event], answer, None)).await {
                Ok(appended) => return Ok((appended.answer, appended.position)),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}
