//! Puzzles that wait for their answer. An answer takes its puzzle away, whatever comes of it.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::puzzle::Puzzle;

/// The records of puzzles. Clones share them.
#[derive(Clone, Debug)]
pub struct Puzzles {
    pool: PgPool,
}

impl Puzzles {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Records a puzzle and removes up to two that are over: there are never many more than were made within two minutes.
    pub async fn keep(&self, id: Uuid, puzzle: &Puzzle, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        sqlx::query(
            "WITH old AS (
                 SELECT id FROM puzzle WHERE expires_at <= $1 ORDER BY expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
             ), gone AS (
                 DELETE FROM puzzle USING old WHERE puzzle.id = old.id
             )
             INSERT INTO puzzle (id, number_hash, gap, expires_at) VALUES ($2, $3, $4, $5)",
        )
        .bind(now)
        .bind(id)
        .bind(puzzle.number_hash.as_slice())
        .bind(i16::try_from(puzzle.gap).expect("a picture is not that wide"))
        .bind(puzzle.expires_at)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Takes a puzzle away to judge its only answer; `None` where there is none, or not any more.
    pub async fn spend(connection: &mut PgConnection, id: Uuid) -> Result<Option<Puzzle>, sqlx::Error> {
        let row: Option<([u8; 32], i16, OffsetDateTime)> =
            sqlx::query_as("DELETE FROM puzzle WHERE id = $1 RETURNING number_hash, gap, expires_at")
                .bind(id)
                .fetch_optional(connection)
                .await?;
        Ok(row.map(|(number_hash, gap, expires_at)| Puzzle { number_hash, gap: gap.unsigned_abs(), expires_at }))
    }
}
