//! Rotation of the master key: every key that another master key wrapped is wrapped anew, in batches, while the service runs.

use uuid::Uuid;

use crate::store::{Vault, VaultError};

/// Keys in one statement, so that none holds locks for long.
const BATCH: i64 = 500;

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
    /// at the end was made meanwhile by replicas that do not know the new key yet.
    pub async fn rotate_master_key(&self, mut told: impl FnMut(Rotation)) -> Result<Rotation, VaultError> {
        self.rewrap_index_root().await?;
        let others = self.count_others().await?;
        let mut rewrapped = 0;
        let mut behind = Uuid::nil();
        loop {
            let rows: Vec<(Uuid, Vec<u8>, Option<String>)> = sqlx::query_as(
                "SELECT person, wrapped, master FROM person_key \
                 WHERE wrapped IS NOT NULL AND master IS DISTINCT FROM $1 AND person > $2 ORDER BY person LIMIT $3",
            )
            .bind(self.masters.current())
            .bind(behind)
            .bind(BATCH)
            .fetch_all(&self.pool)
            .await?;
            let Some((last, ..)) = rows.last() else { break };
            behind = *last;
            rewrapped += self.rewrap(&rows).await?;
            told(Rotation { rewrapped, left: others.saturating_sub(rewrapped) });
        }
        Ok(Rotation { rewrapped, left: self.count_others().await? })
    }

    /// Wraps these keys anew; how many of them still were as they had been read.
    async fn rewrap(&self, rows: &[(Uuid, Vec<u8>, Option<String>)]) -> Result<u64, VaultError> {
        let (mut people, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for (person, wrapped, master) in rows {
            let key = self.masters.unwrap(master.as_deref(), *person, wrapped).await?;
            after.push(self.masters.wrap(*person, &key).await?);
            people.push(*person);
            before.push(wrapped.as_slice());
        }
        let done = sqlx::query(
            "UPDATE person_key SET wrapped = new.after, master = $4 \
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS new (person, before, after) \
             WHERE person_key.person = new.person AND person_key.wrapped = new.before",
        )
        .bind(people)
        .bind(before)
        .bind(after)
        .bind(self.masters.current())
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    async fn rewrap_index_root(&self) -> Result<(), VaultError> {
        let Some((wrapped, master)) = self.stored_index_root().await? else { return Ok(()) };
        if master == self.masters.current() {
            return Ok(());
        }
        let root = self.masters.unwrap(Some(&master), Uuid::nil(), &wrapped).await?;
        sqlx::query("UPDATE index_root SET wrapped = $1, master = $2 WHERE wrapped = $3")
            .bind(self.masters.wrap(Uuid::nil(), &root).await?)
            .bind(self.masters.current())
            .bind(wrapped)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn count_others(&self) -> Result<u64, VaultError> {
        let sql = "SELECT count(*) FROM person_key WHERE wrapped IS NOT NULL AND master IS DISTINCT FROM $1";
        let count: i64 = sqlx::query_scalar(sql).bind(self.masters.current()).fetch_one(&self.pool).await?;
        Ok(count.unsigned_abs())
    }
}
