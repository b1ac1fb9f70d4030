//! Reading back: one stream, many streams, the log in order, and the answers given before.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{FromRow, PgExecutor, Postgres, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::chain::{Link, digest};
use crate::event::{Metadata, Recorded};
use crate::log::EventLog;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database did not answer, or refused.
    #[error("reading the event log")]
    Database(#[from] sqlx::Error),
    /// What is stored at this position is not what this program writes.
    #[error("the record at position {position} cannot be read")]
    Corrupt {
        /// Where.
        position: i64,
    },
    /// Positions have no gaps, and there is none at this one.
    #[error("there is no record at position {position}")]
    Missing {
        /// Where.
        position: i64,
    },
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// It was answered before.
    Answer {
        /// The answer given then.
        answer: Vec<u8>,
        /// Position of its last event.
        position: i64,
    },
    /// Its id was used for a request with another body.
    Reused,
}

/// A row as it is stored; its metadata can be anything.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) position: i64,
    epoch: i64,
    stream: Uuid,
    version: i64,
    kind: String,
    payload: Vec<u8>,
    inner: Vec<u8>,
    sealed: Vec<u8>,
    metadata: Vec<u8>,
    event_id: Uuid,
    recorded_at: OffsetDateTime,
    pub(crate) hash: [u8; 32],
}

impl FromRow<'_, PgRow> for Stored {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get(0)?,
            epoch: row.try_get(1)?,
            stream: row.try_get(2)?,
            version: row.try_get(3)?,
            kind: row.try_get(4)?,
            payload: row.try_get(5)?,
            inner: row.try_get(6)?,
            sealed: row.try_get(7)?,
            metadata: row.try_get(8)?,
            event_id: row.try_get(9)?,
            recorded_at: row.try_get(10)?,
            hash: row.try_get(11)?,
        })
    }
}

impl Stored {
    /// The hash that this record must have behind `previous`.
    pub(crate) fn expected_hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let link = Link {
            previous,
            position: self.position,
            epoch: self.epoch,
            stream: self.stream,
            version: self.version,
            kind: &self.kind,
            payload: &digest(&self.payload),
            inner: &digest(&self.inner),
            sealed: &digest(&self.sealed),
            metadata: &digest(&self.metadata),
            event_id: self.event_id,
            recorded_at: self.recorded_at,
        };
        link.hash()
    }

    fn decode(self) -> Result<Recorded, ReadError> {
        let corrupt = ReadError::Corrupt { position: self.position };
        let metadata = Metadata::decode(&self.metadata).ok_or(corrupt)?;
        Ok(Recorded {
            position: self.position,
            epoch: self.epoch,
            stream: self.stream,
            version: self.version,
            kind: self.kind,
            payload: self.payload,
            inner: self.inner,
            sealed: self.sealed,
            metadata,
            metadata_bytes: self.metadata,
            event_id: self.event_id,
            recorded_at: self.recorded_at,
            hash: self.hash,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            r#"SELECT position, epoch, stream, version, type, payload, "inner", sealed, metadata, event_id, recorded_at, hash
               FROM event_log "#,
            $rest
        )
    };
}

impl EventLog {
    /// All events of a stream, in order; none when there is no such stream.
    pub async fn load(&self, stream: Uuid) -> Result<Vec<Recorded>, ReadError> {
        self.load_after(stream, 0).await
    }

    /// The events of a stream after a version, for whoever has kept the state so far.
    pub async fn load_after(&self, stream: Uuid, version: i64) -> Result<Vec<Recorded>, ReadError> {
        let query = sqlx::query(select!("WHERE stream = $1 AND version > $2 ORDER BY version"));
        self.decoded(query.bind(stream).bind(version)).await
    }

    /// All events of the stream that holds a claim; none where nobody does, after as much work as where somebody does.
    pub async fn load_claimed(
        &self,
        connection: impl PgExecutor<'_>,
        kind: &str,
        key: &[u8],
    ) -> Result<Vec<Recorded>, ReadError> {
        let query = sqlx::query(select!(
            "WHERE stream = coalesce( \
                 (SELECT holder.stream FROM claim JOIN event_log AS holder USING (position) WHERE kind = $1 AND key = $2), $3) \
             ORDER BY version"
        ));
        let rows = query.bind(kind).bind(key).bind(lifecycle::ids::random()).fetch_all(connection).await?;
        decoded(&rows)
    }

    /// All events of several streams, each in order. A stream without events has no entry.
    pub async fn load_many(&self, streams: &[Uuid]) -> Result<HashMap<Uuid, Vec<Recorded>>, ReadError> {
        let query = sqlx::query(select!("WHERE stream = ANY($1) ORDER BY stream, version"));
        let mut found: HashMap<Uuid, Vec<Recorded>> = HashMap::with_capacity(streams.len());
        for event in self.decoded(query.bind(streams.to_vec())).await? {
            found.entry(event.stream).or_default().push(event);
        }
        Ok(found)
    }

    /// Up to `limit` events after a position, in log order; proven to be without a gap.
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<Recorded>, ReadError> {
        let events = self.stored(after, limit).await?;
        for (event, position) in events.iter().zip(after + 1..) {
            if event.position != position {
                return Err(ReadError::Missing { position });
            }
        }
        events.into_iter().map(Stored::decode).collect()
    }

    /// Up to `limit` events behind the one at `after`, whose hash is `hash`: from memory where this process has just
    /// recorded them, else as [`Self::read`] does.
    pub async fn follow(&self, after: i64, hash: &[u8; 32], limit: i64) -> Result<Vec<Arc<Recorded>>, ReadError> {
        let recent = self.recent().after(after, hash, usize::try_from(limit).unwrap_or_default());
        if recent.is_empty() {
            return Ok(self.read(after, limit).await?.into_iter().map(Arc::new).collect());
        }
        Ok(recent)
    }

    /// Hash of the record before this position; zeros before the first.
    pub async fn previous_hash(&self, position: i64) -> Result<[u8; 32], ReadError> {
        let position = position - 1;
        if position <= 0 {
            return Ok([0; 32]);
        }
        let query = sqlx::query_scalar("SELECT hash FROM event_log WHERE position = $1").bind(position);
        query.fetch_optional(self.pool()).await?.ok_or(ReadError::Missing { position })
    }

    /// Whether this actor's request was answered before; to be asked before deciding.
    pub async fn remembered(
        &self,
        actor: &str,
        request_id: Uuid,
        fingerprint: &[u8; 32],
    ) -> Result<Option<Remembered>, ReadError> {
        let query =
            sqlx::query("SELECT fingerprint, answer, position FROM request WHERE actor = $1 AND request_id = $2");
        let Some(row) = query.bind(actor).bind(request_id).fetch_optional(self.pool()).await? else {
            return Ok(None);
        };
        if row.try_get::<[u8; 32], _>(0)? != *fingerprint {
            return Ok(Some(Remembered::Reused));
        }
        Ok(Some(Remembered::Answer { answer: row.try_get(1)?, position: row.try_get(2)? }))
    }

    /// Rows after a position as they are stored.
    pub(crate) async fn stored(&self, after: i64, limit: i64) -> Result<Vec<Stored>, sqlx::Error> {
        let sql = select!("WHERE position > $1 ORDER BY position LIMIT $2");
        sqlx::query_as(sql).bind(after).bind(limit).fetch_all(self.pool()).await
    }

    async fn decoded(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<Recorded>, ReadError> {
        decoded(&query.fetch_all(self.pool()).await?)
    }
}

fn decoded(rows: &[PgRow]) -> Result<Vec<Recorded>, ReadError> {
    rows.iter().map(|row| Stored::from_row(row)?.decode()).collect()
}
