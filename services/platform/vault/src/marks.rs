//! Which erasures a key database has seen: a restored one lacks the newest.

use uuid::Uuid;

use crate::store::{Vault, VaultError};

impl Vault {
    /// Notes that the keys of an erasure are destroyed here. Doing it twice changes nothing.
    pub async fn mark_erasure(&self, erasure: Uuid) -> Result<(), VaultError> {
        let sql = "INSERT INTO erasure_mark (erasure) VALUES ($1) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(erasure).execute(&self.pool).await?;
        Ok(())
    }

    /// Whether the keys of an erasure were destroyed here.
    pub async fn is_erasure_marked(&self, erasure: Uuid) -> Result<bool, VaultError> {
        let sql = "SELECT EXISTS (SELECT FROM erasure_mark WHERE erasure = $1)";
        Ok(sqlx::query_scalar(sql).bind(erasure).fetch_one(&self.pool).await?)
    }

    /// The erasure that was noted last.
    pub async fn newest_erasure_mark(&self) -> Result<Option<Uuid>, VaultError> {
        let sql = "SELECT erasure FROM erasure_mark ORDER BY sequence DESC LIMIT 1";
        Ok(sqlx::query_scalar(sql).fetch_optional(&self.pool).await?)
    }
}
