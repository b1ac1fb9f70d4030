//! Which notices were read.

use uuid::Uuid;

use super::Store;

impl Store {
    /// Marks a notice as read; the first time stands.
    pub async fn mark_read(&self, notice: Uuid) -> Result<(), sqlx::Error> {
        let query = sqlx::query("INSERT INTO notice_read (notice_id) VALUES ($1) ON CONFLICT DO NOTHING").bind(notice);
        query.execute(&self.pool).await.map(drop)
    }
}
