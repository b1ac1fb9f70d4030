//! Accounts as they stand in the log: found by claim, loaded from their stream, so that nobody ever reads an old one.

use std::collections::HashMap;

use decider::Decider as _;
use eventlog::{EventLog, Recorded};
use lifecycle::ids;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{Index, PersonKey, Vault};

use super::phone_fix::{self, Claimed};
use super::{CorruptEvent, account_event, wechat};
use crate::domain::account::{Account, Event};
use crate::domain::document::Document;
use crate::domain::personal::Personal;
use crate::domain::wechat::OpenId;
use crate::error::Error;

/// Kind of the claim that makes an account the only one of its number.
pub const CLAIM: &str = "account";

/// Finds and loads accounts. Clones share it.
#[derive(Clone, Debug)]
pub struct Accounts {
    log: EventLog,
    vault: Vault,
    index: Index,
}

/// An account with its history.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The person, whose id is the stream.
    pub person: Uuid,
    /// As of now.
    pub account: Account,
    /// Of the stream.
    pub version: i64,
    events: Vec<Recorded>,
}

impl Accounts {
    /// Over the service's own log and keys.
    pub fn new(log: EventLog, vault: Vault) -> Self {
        let index = vault.index("account");
        Self { log, vault, index }
    }

    /// Keyed hash of a document's type and number.
    pub fn hash(&self, document: &Document) -> [u8; 32] {
        self.index.hash(&document.key())
    }

    /// Whose account has this number.
    pub async fn find(&self, number_hash: &[u8; 32]) -> Result<Option<Uuid>, Error> {
        Ok(self.find_all(&[*number_hash]).await?.remove(number_hash))
    }

    /// Whose accounts have these numbers, in one query.
    pub async fn find_all(&self, number_hashes: &[[u8; 32]]) -> Result<HashMap<[u8; 32], Uuid>, Error> {
        let keys: Vec<&[u8]> = number_hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let rows: Vec<([u8; 32], Uuid)> = sqlx::query_as(
            "SELECT claim.key, event_log.stream FROM public.claim JOIN public.event_log USING (position) \
             WHERE claim.kind = $1 AND claim.key = ANY($2)",
        )
        .bind(CLAIM)
        .bind(keys)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// Whether somebody has this claim.
    pub async fn is_claimed(&self, kind: &str, key: &[u8]) -> Result<bool, Error> {
        let query = sqlx::query_scalar("SELECT EXISTS (SELECT FROM public.claim WHERE kind = $1 AND key = $2)");
        Ok(query.bind(kind).bind(key).fetch_one(self.pool()).await?)
    }

    /// The account of a person; an empty one where there is none.
    pub async fn load(&self, person: Uuid) -> Result<Loaded, Error> {
        Ok(Loaded::fold(person, self.log.load(person).await?)?)
    }

    /// The account of a number; an empty one of nobody where there is none, after the same work.
    pub async fn load_by_number(&self, connection: &mut PgConnection, number_hash: &[u8; 32]) -> Result<Loaded, Error> {
        let events = self.log.load_claimed(connection, CLAIM, number_hash).await?;
        let person = events.first().map_or_else(ids::random, |event| event.stream);
        Ok(Loaded::fold(person, events)?)
    }

    /// The accounts of many people; those without one are left out.
    pub async fn load_all(&self, people: &[Uuid]) -> Result<HashMap<Uuid, Loaded>, Error> {
        let streams = self.log.load_many(people).await?;
        let loaded = streams.into_iter().map(|(person, events)| Ok((person, Loaded::fold(person, events)?)));
        loaded.collect()
    }

    /// The account of a person with their personal data; `None` where there is none, or its key was destroyed.
    pub async fn open(&self, person: Uuid) -> Result<Option<(Loaded, Personal)>, Error> {
        let Some(key) = self.vault.find(person).await? else { return Ok(None) };
        let loaded = self.load(person).await?;
        if loaded.account == Account::Empty {
            return Ok(None);
        }
        let personal = loaded.personal(&key)?;
        Ok(Some((loaded, personal)))
    }

    /// The WeChat of a person, and since when it is bound; `None` where there is none, or the key was destroyed.
    pub async fn wechat(&self, person: Uuid) -> Result<Option<(OpenId, OffsetDateTime)>, Error> {
        let Some(key) = self.vault.find(person).await? else { return Ok(None) };
        let loaded = self.load(person).await?;
        let Some(recorded) = loaded.wechat()? else { return Ok(None) };
        Ok(Some((wechat::open(recorded, &key)?, recorded.recorded_at)))
    }

    fn pool(&self) -> &PgPool {
        self.log.pool()
    }
}

impl Loaded {
    /// Somebody of whom nothing is recorded yet.
    pub fn nobody(person: Uuid) -> Self {
        Self { person, account: Account::Empty, version: 0, events: Vec::new() }
    }

    fn fold(person: Uuid, events: Vec<Recorded>) -> Result<Self, CorruptEvent> {
        let history: Vec<_> = events.iter().map(account_event::decode).collect::<Result<_, _>>()?;
        let version = events.last().map_or(0, |event| event.version);
        Ok(Self { person, account: Account::fold(&history), version, events })
    }

    /// Whether password and phone are still those of an earlier version.
    pub fn opens_as_at(&self, version: i64) -> Result<bool, CorruptEvent> {
        for recorded in self.events.iter().filter(|recorded| recorded.version > version) {
            if account_event::decode(recorded)?.changes_what_opens() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All that has happened, each with its time.
    pub fn history(&self) -> Result<Vec<(OffsetDateTime, Event)>, CorruptEvent> {
        let events = self.events.iter();
        events.map(|recorded| Ok((recorded.recorded_at, account_event::decode(recorded)?))).collect()
    }

    /// What a request for another phone asks for; `None` where there is no such request.
    pub fn claimed(&self, fix_id: Uuid, key: &PersonKey) -> Result<Option<Claimed>, CorruptEvent> {
        for recorded in &self.events {
            if matches!(account_event::decode(recorded)?, Event::PhoneFixRequested(fix) if fix.id == fix_id) {
                return phone_fix::open(recorded, key).map(Some);
            }
        }
        Ok(None)
    }

    /// The event of the WeChat that is bound.
    pub fn wechat(&self) -> Result<Option<&Recorded>, CorruptEvent> {
        if self.account.registered().is_none_or(|account| account.wechat.is_none()) {
            return Ok(None);
        }
        for recorded in self.events.iter().rev() {
            if matches!(account_event::decode(recorded)?, Event::WechatBound { .. }) {
                return Ok(Some(recorded));
            }
        }
        Ok(None)
    }

    /// All personal data as of now.
    pub fn personal(&self, key: &PersonKey) -> Result<Personal, CorruptEvent> {
        self.events
            .iter()
            .try_fold(Personal::default(), |known, event| Ok(known.overlaid_by(account_event::open(event, key)?)))
    }
}
