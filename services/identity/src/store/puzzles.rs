//! Puzzles that wait for their answer. An answer takes its puzzle away ([`super::attempts::Attempts::arrive`]), whatever comes of it; only a
//! right one that finds no room to wait is kept once more.

use sqlx::PgPool;
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
}
