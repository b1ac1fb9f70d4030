//! Rotation of the master key: every key that another master key wrapped is wrapped anew, in batches, while the service runs.

use std::time::Duration;

use uuid::Uuid;

use crate::store::{Vault, VaultError};

/// Keys in one statement, so that none holds locks for long.
const BATCH: i64 = 500;

/// So long after a change of their files every replica wraps by it, and has stored what it wrapped before.
pub const CHANGE_COUNTS_AFTER: Duration = Duration::from_secs(5);

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Keys that this run has wrapped anew.
    pub rewrapped: u64,
    /// Keys that another master key still wraps.
    pub left: u64,
}

impl Vault {
    /// Wraps everything anew that is not wrapped by the current master key. Ended anywhere, it goes on where it was when it is
    /// run again; a key that is destroyed or rewrapped meanwhile is left as it is. `told` hears of every batch. What is left
    /// at the end was made meanwhile by replicas whose current key is another one.
    pub async fn rotate_master_key(&self, mut told: impl FnMut(Rotation)) -> Result<Rotation, VaultError> {
        let current = self.masters.current();
        self.rewrap_index_root(&current).await?;
        let others = self.count_others(&current).await?;
        let mut rewrapped = 0;
        let mut behind = Uuid::nil();
        loop {
            let rows: Vec<(Uuid, Vec<u8>, Option<String>)> = sqlx::query_as(
                "SELECT person, wrapped, master FROM person_key \
                 WHERE wrapped IS NOT NULL AND master IS DISTINCT FROM $1 AND person > $2 ORDER BY person LIMIT $3",
            )
            .bind(&current)
            .bind(behind)
            .bind(BATCH)
            .fetch_all(&self.pool)
            .await?;
            let Some((last, ..)) = rows.last() else { break };
            behind = *last;
            rewrapped += self.rewrap(&rows).await?;
            told(Rotation { rewrapped, left: others.saturating_sub(rewrapped) });
        }
        Ok(Rotation { rewrapped, left: self.count_others(&current).await? })
    }

    /// Wraps these keys anew; how many of them still were as they had been read.
    async fn rewrap(&self, rows: &[(Uuid, Vec<u8>, Option<String>)]) -> Result<u64, VaultError> {
        let (mut people, mut before, mut after, mut masters) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (person, wrapped, master) in rows {
            let key = self.masters.unwrap(master.as_deref(), *person, wrapped).await?;
            let by_master = self.masters.wrap(*person, &key).await?;
            after.push(by_master.bytes);
            masters.push(by_master.master);
            people.push(*person);
            before.push(wrapped.as_slice());
        }
        let done = sqlx::query(
            "UPDATE person_key SET wrapped = new.after, master = new.master \
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS new (person, before, after, master) \
             WHERE person_key.person = new.person AND person_key.wrapped = new.before",
        )
        .bind(people)
        .bind(before)
        .bind(after)
        .bind(masters)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    async fn rewrap_index_root(&self, current: &str) -> Result<(), VaultError> {
        let Some((wrapped, master)) = self.stored_index_root().await? else { return Ok(()) };
        if master == current {
            return Ok(());
        }
        let root = self.masters.unwrap(Some(&master), Uuid::nil(), &wrapped).await?;
        let by_master = self.masters.wrap(Uuid::nil(), &root).await?;
        sqlx::query("UPDATE index_root SET wrapped = $1, master = $2 WHERE wrapped = $3")
            .bind(by_master.bytes)
            .bind(by_master.master)
            .bind(wrapped)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn count_others(&self, current: &str) -> Result<u64, VaultError> {
        let sql = "SELECT count(*) FROM person_key WHERE wrapped IS NOT NULL AND master IS DISTINCT FROM $1";
        let count: i64 = sqlx::query_scalar(sql).bind(current).fetch_one(&self.pool).await?;
        Ok(count.unsigned_abs())
    }
}
