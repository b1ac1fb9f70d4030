//! A service's stream in JetStream: its definition, its creation, and what stands in it.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use bytes::Bytes;

/// The template that operators read, too.
const DEFINITION: &str = include_str!("../../../../deploy/nats/stream.json");

/// Name of a service's stream.
pub(crate) fn name(service: &str) -> String {
    service.to_uppercase()
}

/// What a service's stream is, with the first sequence that it shall hold.
pub(crate) fn definition(service: &str, replicas: usize, first: i64) -> Config {
    let text = DEFINITION.replace("{STREAM}", &name(service)).replace("{service}", service);
    let mut config: Config = serde_json::from_str(&text).expect("deploy/nats/stream.json is a stream's definition");
    config.num_replicas = replicas;
    config.first_sequence = u64::try_from(first).ok().filter(|first| *first > 1);
    config
}

/// What a stream holds and takes; an empty one ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Whether it takes batches that are stored as a whole or not at all.
    pub(crate) batches: bool,
}

/// Something about a stream could not be learnt or done.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {stream}: {reason}")]
pub(crate) struct StreamError {
    doing: &'static str,
    stream: String,
    reason: String,
}

fn failed(doing: &'static str, stream: &str) -> impl FnOnce(&dyn std::error::Error) -> StreamError {
    let stream = stream.to_owned();
    move |error| StreamError { doing, stream, reason: error.to_string() }
}

/// What the stream holds; `None` when there is no such stream.
pub(crate) async fn extent(jetstream: &Context, stream: &str) -> Result<Option<Extent>, StreamError> {
    use async_nats::jetstream::response::Response;
    use async_nats::jetstream::stream::Info;

    let answer: Response<Info> = jetstream
        .request(format!("STREAM.INFO.{stream}"), &serde_json::json!({}))
        .await
        .map_err(|error| failed("asking for", stream)(&error))?;
    match answer {
        Response::Ok(info) => {
            let sequence = |number: u64| i64::try_from(number).expect("positions fit 63 bits");
            Ok(Some(Extent {
                first: sequence(info.state.first_sequence),
                last: sequence(info.state.last_sequence),
                batches: info.config.allow_atomic_publish,
            }))
        }
        Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
        Response::Err { error } => Err(failed("asking for", stream)(&error)),
    }
}

/// A message as it stands in a stream.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// One message, asked of the stream's leader; `None` when it is not there.
pub(crate) async fn message(jetstream: &Context, stream: &str, position: i64) -> Result<Option<Message>, StreamError> {
    let sequence = u64::try_from(position).expect("positions are positive");
    let handle = jetstream
        .get_stream_no_info(stream)
        .await
        .map_err(|error| failed("asking for a message of", stream)(&error))?;
    match handle.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(Message { headers: message.headers, payload: message.payload })),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(failed("asking for a message of", stream)(&error)),
    }
}

/// Creates a missing stream. One that another replica has created meanwhile is left as it is.
pub(crate) async fn create(jetstream: &Context, config: Config) -> Result<(), StreamError> {
    use async_nats::jetstream::context::CreateStreamErrorKind;

    let name = config.name.clone();
    match jetstream.create_stream(config).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::STREAM_NAME_EXIST => Ok(()),
            _ => Err(failed("creating", &name)(&error)),
        },
    }
}

/// Deletes a stream; one that is not there is not an error.
pub(crate) async fn delete(jetstream: &Context, stream: &str) -> Result<(), StreamError> {
    use async_nats::jetstream::context::DeleteStreamErrorKind;

    match jetstream.delete_stream(stream).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            DeleteStreamErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(()),
            _ => Err(failed("deleting", stream)(&error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_gives_a_bounded_append_only_stream_per_service() {
        let config = definition("applications", 3, 41);
        assert_eq!(config.name, "APPLICATIONS");
        assert_eq!(config.subjects, ["dingzhu.applications.>"]);
        assert_eq!((config.num_replicas, config.first_sequence), (3, Some(41)));
        assert!(config.deny_delete && config.deny_purge && !config.allow_rollup);
        assert!(config.max_messages > 1_000_000 && config.max_bytes > 0);
        assert!(config.allow_atomic_publish);
    }

    #[test]
    fn a_stream_from_the_first_event_has_no_first_sequence_to_set() {
        assert_eq!(definition("identity", 1, 1).first_sequence, None);
    }
}
