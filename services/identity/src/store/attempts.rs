//! How often something was asked for lately, by keyed hashes of numbers, phones and addresses.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use vault::{Index, Vault};

use crate::domain::limit::{self, By, Deed};
use crate::domain::origin::Origin;

/// The counters.
#[derive(Clone, Debug)]
pub struct Attempts {
    addresses: Index,
}

impl Attempts {
    /// Over the service's own keys.
    pub fn new(vault: &Vault) -> Self {
        Self { addresses: vault.index("address") }
    }

    /// Counts a deed from an address; `Err` says how long nothing more is counted from there.
    pub async fn count_from(
        &self,
        connection: &mut PgConnection,
        deed: Deed,
        origin: Origin,
        now: OffsetDateTime,
    ) -> Result<Result<(), Duration>, sqlx::Error> {
        count(connection, deed, By::Address, &self.addresses.hash(&origin.name()), now).await
    }

    /// Counts a deed for an account, by the keyed hash of its number or phone; `Err` says how long nothing more is counted.
    pub async fn count_for(
        &self,
        connection: &mut PgConnection,
        deed: Deed,
        account: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<Result<(), Duration>, sqlx::Error> {
        count(connection, deed, By::Account, account, now).await
    }
}

async fn count(
    connection: &mut PgConnection,
    deed: Deed,
    by: By,
    key: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Result<(), Duration>, sqlx::Error> {
    let (limit, code) = (limit::of(deed, by), limit::code(deed, by));
    let counted = sqlx::query(
        "INSERT INTO attempt AS a (kind, key, count, began_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT (kind, key) DO UPDATE
         SET count = CASE WHEN a.began_at <= $4 THEN 1 ELSE a.count + 1 END,
             began_at = CASE WHEN a.began_at <= $4 THEN $3 ELSE a.began_at END
         WHERE a.count < $5 OR a.began_at <= $4",
    )
    .bind(code)
    .bind(key.as_slice())
    .bind(now)
    .bind(now - limit.within)
    .bind(limit.most)
    .execute(&mut *connection)
    .await?;
    if counted.rows_affected() == 1 {
        return Ok(Ok(()));
    }
    let began_at: Option<OffsetDateTime> =
        sqlx::query_scalar("SELECT began_at FROM attempt WHERE kind = $1 AND key = $2")
            .bind(code)
            .bind(key.as_slice())
            .fetch_optional(connection)
            .await?;
    let rest = began_at.map_or(Duration::SECOND, |began_at| began_at + limit.within - now);
    Ok(Err(rest.max(Duration::SECOND)))
}
