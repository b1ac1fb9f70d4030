//! Reading the own log in bulk for a rebuild: `COPY … (FORMAT binary)`, a few microseconds less per event than rows are.

use bytes::{Buf as _, Bytes};
use eventlog::Division;
use futures::TryStreamExt as _;
use prost::Message as _;
use proto::operations::v1::EventMetadata;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Event;
use crate::message::{Break, Place};

/// Signature, flags and length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEADER_LENGTH: usize = 19;
/// PostgreSQL counts microseconds from 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Why a slice of the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("the log cannot be copied")]
    Storage(#[from] sqlx::Error),
    #[error(transparent)]
    Break(#[from] Break),
}

/// The events behind `place` up to position `last`, in one short transaction; moves behind them.
pub(crate) async fn slice(
    connection: &mut PgConnection,
    place: &mut Place,
    last: i64,
) -> Result<Vec<Event>, CopyError> {
    let sql = format!(
        "COPY (SELECT position, epoch, stream, version, type, payload, \"inner\", sealed, metadata, event_id, recorded_at, \
         hash FROM public.event_log WHERE position > {} AND position <= {last} ORDER BY position) TO STDOUT (FORMAT binary)",
        place.position
    );
    let mut events = Vec::with_capacity(usize::try_from(last - place.position).unwrap_or_default());
    let mut rows = connection.copy_out_raw(&sql).await?;
    // PostgreSQL sends each row in a chunk of its own, the header before the first one.
    while let Some(mut chunk) = rows.try_next().await? {
        if chunk.starts_with(HEADER) {
            chunk.advance(HEADER_LENGTH);
        }
        if chunk.len() <= size_of::<i16>() {
            continue;
        }
        let position = place.position + 1;
        let event = parse(chunk, place.hash).ok_or(Break { position, what: "the event cannot be read" })?;
        if event.position != position {
            return Err(Break { position, what: "there is no such event" }.into());
        }
        place.pass(&event);
        events.push(event);
    }
    if place.position < last {
        return Err(Break { position: place.position + 1, what: "there is no such event" }.into());
    }
    Ok(events)
}

fn parse(row: Bytes, previous_hash: [u8; 32]) -> Option<Event> {
    let mut row = Row(row);
    if row.0.try_get_i16().ok()? != 12 {
        return None;
    }
    let (position, epoch, stream, version) = (row.integer()?, row.integer()?, row.uuid()?, row.integer()?);
    let kind = std::str::from_utf8(&row.bytes()?).ok()?.to_owned();
    let (payload, inner, sealed) = (row.bytes()?, row.bytes()?, row.bytes()?);
    let metadata = EventMetadata::decode(row.bytes()?).ok()?;
    let event_id = row.uuid()?;
    let micros = i128::from(row.integer()?) + i128::from(POSTGRES_EPOCH);
    let hash = row.bytes()?.as_ref().try_into().ok()?;
    Some(Event {
        position,
        epoch,
        event_id,
        kind,
        stream,
        version,
        division: Division::parse(&metadata.division)?,
        recorded_at: OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?,
        payload,
        inner,
        sealed,
        hash,
        previous_hash,
        traceparent: Some(metadata.traceparent).filter(|traceparent| !traceparent.is_empty()),
        actor: Some(metadata.actor),
    })
}

/// The fields of a row that are left to read; none of them is NULL.
struct Row(Bytes);

impl Row {
    fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.0.try_get_i32().ok()?).ok()?;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn integer(&mut self) -> Option<i64> {
        self.bytes()?.as_ref().try_into().ok().map(i64::from_be_bytes)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        Uuid::from_slice(&self.bytes()?).ok()
    }
}
