//! The promises, checked: the stream is the log, a view has applied exactly the log.

use async_nats::jetstream;
use eventlog::EventLog;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::stage;

pub async fn jetstream(url: &str) -> jetstream::Context {
    jetstream::new(async_nats::connect(url).await.unwrap())
}

/// Whether the stream, from its first sequence on, equals the log: count, order, bytes.
pub async fn stream_is_log(jetstream: &jetstream::Context, stream: &str, log: &EventLog) -> Result<(), String> {
    let stream = jetstream.get_stream(stream).await.map_err(|error| error.to_string())?;
    let state = stream.cached_info().state.clone();
    let first = i64::try_from(state.first_sequence).unwrap().max(1);
    let recorded = log.read(first - 1, i64::from(i32::MAX)).await.map_err(|error| error.to_string())?;
    let head = recorded.last().map_or(first - 1, |last| last.position);
    if state.last_sequence != u64::try_from(head).unwrap() || state.messages != recorded.len() as u64 {
        let (messages, last) = (state.messages, state.last_sequence);
        return Err(format!("{messages} messages up to {last}, {} events from {first} to {head}", recorded.len()));
    }
    let mut previous = log.previous_hash(first).await.unwrap();
    for event in recorded {
        let position = event.position;
        let message = stream.get_raw_message(u64::try_from(position).unwrap()).await.map_err(|e| e.to_string())?;
        let header = |name: &str| message.headers.get(name).map(ToString::to_string).unwrap_or_default();
        let claims = [
            ("ce-sequence", position.to_string()),
            ("ce-id", event.event_id.to_string()),
            ("ce-type", event.kind.clone()),
            ("ce-subject", event.stream.to_string()),
            ("dz-epoch", event.epoch.to_string()),
            ("dz-hash", hex::encode(event.hash)),
            ("dz-previous-hash", hex::encode(previous)),
        ];
        for (name, value) in claims {
            if header(name) != value {
                return Err(format!("message {position}: {name} is {}, not {value}", header(name)));
            }
        }
        if message.payload != event.payload {
            return Err(format!("message {position} has another payload"));
        }
        previous = event.hash;
    }
    Ok(())
}

/// Waits until the stream equals the log.
pub async fn until_stream_is_log(url: &str, stream: &str, log: &EventLog) {
    let jetstream = jetstream(url).await;
    let mut last = String::new();
    stage::until(&format!("{stream} as the log has it"), async || {
        stream_is_log(&jetstream, stream, log).await.map_err(|difference| last = difference).is_ok()
    })
    .await;
}

/// Whether the view `seen` holds every event of the log up to its head, once, as it was recorded.
pub async fn view_is_log(views: &PgPool, log: &EventLog) -> Result<(), String> {
    let recorded = log.read(0, i64::from(i32::MAX)).await.map_err(|error| error.to_string())?;
    let rows = sqlx::query("SELECT position, event_id, payload FROM views.seen ORDER BY position, event_id");
    let rows = rows.fetch_all(views).await.map_err(|error| error.to_string())?;
    if rows.len() != recorded.len() {
        return Err(format!("{} rows of {} events", rows.len(), recorded.len()));
    }
    for (row, event) in rows.iter().zip(&recorded) {
        let seen: (i64, Uuid, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
        if seen != (event.position, event.event_id, event.payload.clone()) {
            return Err(format!("the row of position {} is another", event.position));
        }
    }
    Ok(())
}
