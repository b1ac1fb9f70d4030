//! 微信绑定: tickets that wait to be scanned, and the openid as it is sealed beside its event.

use eventlog::{NewEvent, Recorded};
use prost::Message as _;
use proto::identity::v1::SealedWechat;
use sqlx::{PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{Index, PersonKey, Vault};

use super::CorruptEvent;
use crate::domain::wechat::{MOST_POLLS, OpenId, TICKET_LIFE};

/// Kind of the claim that makes an account the only one of a WeChat.
pub const CLAIM: &str = "wechat";

/// The records of tickets. Clones share them.
#[derive(Clone, Debug)]
pub struct WechatTickets {
    pool: PgPool,
    index: Index,
}

impl WechatTickets {
    /// Over the service's own database.
    pub fn new(pool: PgPool, vault: &Vault) -> Self {
        Self { pool, index: vault.index("wechat") }
    }

    /// Keyed hash of an openid.
    pub fn hash(&self, openid: &OpenId) -> [u8; 32] {
        self.index.hash(openid.as_str())
    }

    /// Records a ticket of a person; returns until when it counts.
    pub async fn begin(&self, id: Uuid, person: Uuid, now: OffsetDateTime) -> Result<OffsetDateTime, sqlx::Error> {
        let expires_at = now + TICKET_LIFE;
        sqlx::query("INSERT INTO wechat_ticket (id, person, expires_at) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(person)
            .bind(expires_at)
            .execute(&self.pool)
            .await?;
        Ok(expires_at)
    }

    /// Counts that a person asks whether their ticket was scanned; false when it counts no more.
    pub async fn count_poll(&self, id: Uuid, person: Uuid, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
        let counted = sqlx::query(
            "UPDATE wechat_ticket SET polls = polls + 1
             WHERE id = $1 AND person = $2 AND polls < $3 AND used_at IS NULL AND expires_at > $4",
        )
        .bind(id)
        .bind(person)
        .bind(MOST_POLLS)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(counted.rows_affected() == 1)
    }

    /// Begins a transaction that uses a ticket; `None` when it was used before.
    pub async fn spend(
        &self,
        id: Uuid,
        now: OffsetDateTime,
    ) -> Result<Option<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let spent = sqlx::query("UPDATE wechat_ticket SET used_at = $2 WHERE id = $1 AND used_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        Ok((spent.rows_affected() == 1).then_some(transaction))
    }
}

/// Makes every ticket of a person worthless, together with what has changed.
pub async fn void_in(
    transaction: &mut Transaction<'static, Postgres>,
    person: Uuid,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE wechat_ticket SET used_at = $2 WHERE person = $1 AND used_at IS NULL")
        .bind(person)
        .bind(now)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

/// Seals an openid as the sealed part of a binding that stands at this version of the person's stream.
pub fn seal(event: &mut NewEvent, person: Uuid, version: i64, key: &PersonKey, openid: &OpenId) {
    let binding = vault::binding(event.event_id, person, version);
    event.sealed = key.seal(&SealedWechat { openid: openid.as_str().to_owned() }.encode_to_vec(), &binding);
}

/// The openid of a binding.
pub fn open(recorded: &Recorded, key: &PersonKey) -> Result<OpenId, CorruptEvent> {
    let corrupt = |problem| CorruptEvent { position: recorded.position, problem };
    let binding = vault::binding(recorded.event_id, recorded.stream, recorded.version);
    let plain = key.open(&recorded.sealed, &binding).ok_or_else(|| corrupt("the seal does not open"))?;
    let sealed = SealedWechat::decode(plain.as_slice()).map_err(|_| corrupt("no protobuf of its kind"))?;
    OpenId::parse(&sealed.openid).ok_or_else(|| corrupt("no openid"))
}
