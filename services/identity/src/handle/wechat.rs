//! 微信绑定: begun with the password, completed by whoever scans, ended with the password; and codes of recoveries that go there.

use eventlog::Claim;
use lifecycle::{OnDeath, clock, ids};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide};
use crate::courier::Message;
use crate::domain::account::{Command, Rejection};
use crate::domain::limit::Deed;
use crate::domain::wechat::OpenId;
use crate::error::Error;
use crate::hashing::Password;
use crate::store::codes::Begun;
use crate::store::wechat::{self, CLAIM};

/// A binding that has begun.
#[derive(Clone, Debug)]
pub struct WechatTicket {
    /// To be repeated when it was scanned.
    pub id: Uuid,
    /// What its QR code says.
    pub qr_text: String,
    /// Until when it counts.
    pub expires_at: OffsetDateTime,
}

impl Handle {
    /// Makes a ticket for whoever has no WeChat and knows the password.
    pub async fn begin_wechat_binding(&self, person: Uuid, password: Password) -> Result<WechatTicket, Error> {
        self.limit_account(Deed::BindWechat, &self.requests.hash(&format!("wechat:{person}"))).await?;
        let loaded = self.re_authenticate(person, password).await?;
        if loaded.account.registered().ok_or(Error::NotFound)?.wechat.is_some() {
            return Err(Rejection::WechatAlreadyBound.into());
        }
        let id = ids::random();
        let qr_text = self.wechat.make_ticket(id).await?;
        let expires_at = self.wechat_tickets.begin(id, person, clock::now()).await?;
        Ok(WechatTicket { id, qr_text, expires_at })
    }

    /// Binds the WeChat that has scanned a ticket; the phone is told.
    pub async fn complete_wechat_binding(&self, asked: &Asked, person: Uuid, ticket: Uuid) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        if !self.wechat_tickets.count_poll(ticket, person, clock::now()).await? {
            return self.answered_meanwhile(asked, Error::WechatTicketExpired).await;
        }
        let openid = self.wechat.scanned(ticket).await?.ok_or(Error::WechatNotScanned)?;
        let openid_hash = self.wechat_tickets.hash(&openid);
        for _ in 0..TRIES {
            // Before the account is read: a binding of its own in between shows there, and is not taken for somebody else's.
            let claimed = self.accounts.is_claimed(CLAIM, &openid_hash).await?;
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let events = decide(&loaded, Command::BindWechat { openid_hash })?;
            if !events.is_empty() && claimed {
                return Err(Error::WechatTaken);
            }
            let key = self.vault.obtain(person).await?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            if let Some(event) = append.events.first_mut() {
                wechat::seal(event, person, loaded.version + 1, &key, &openid);
                append.claims.push(Claim::Take { kind: CLAIM, key: openid_hash.to_vec() });
            }
            let Some(transaction) = self.wechat_tickets.spend(ticket, clock::now()).await? else {
                return self.answered_meanwhile(asked, Error::WechatTicketExpired).await;
            };
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    self.tell_unless(appended.repeated || events.is_empty(), Message::WechatBound, known.phone);
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Since when a person's account has a WeChat; `None` where it has none.
    pub async fn wechat_bound_at(&self, person: Uuid) -> Result<Option<OffsetDateTime>, Error> {
        let loaded = self.accounts.load(person).await?;
        loaded.account.registered().ok_or(Error::NotFound)?;
        Ok(loaded.wechat()?.map(|recorded| recorded.recorded_at))
    }

    /// The WeChat of a person, for themselves, and since when it is bound.
    pub async fn wechat_of(&self, person: Uuid) -> Result<Option<(OpenId, OffsetDateTime)>, Error> {
        self.accounts.wechat(person).await
    }

    /// Ends the binding; what was sent there counts no more, and the phone is told.
    pub async fn unbind_wechat(&self, asked: &Asked, person: Uuid, password: Password) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.re_authenticate(person, password).await?;
        for _ in 0..TRIES {
            let now = clock::now();
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let events = decide(&loaded, Command::UnbindWechat)?;
            let bound = loaded.account.registered().and_then(|account| account.wechat);
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            append.claims.extend(bound.map(|hash| Claim::Release { kind: CLAIM, key: hash.to_vec() }));
            let mut transaction = self.sessions.begin_transaction().await?;
            self.codes.void_in(&mut transaction, person, now).await?;
            self.recoveries.void_in(&mut transaction, person, now).await?;
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    self.tell_unless(appended.repeated, Message::WechatUnbound, known.phone);
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Sends a code to the WeChat of whoever recovers, behind the answer; the same answer where there is none.
    pub async fn send_recovery_wechat_code(&self, id: Uuid) -> Result<Begun, Error> {
        let (recovery, begun, code) = self.begin_recovery_code(id, "recovery-wechat").await?;
        let (challenge, accounts, wechat) = (begun.id, self.accounts.clone(), self.wechat.clone());
        // Neither looking for the openid nor sending may be felt by whoever asks.
        self.lifecycle.spawn("send recovery by WeChat", OnDeath::IsItsEnd, async move {
            let Some(person) = recovery.person else { return Ok(()) };
            let Some((openid, _)) = accounts.wechat(person).await? else { return Ok(()) };
            wechat.send_recovery_code(challenge, &openid, &code).await
        });
        Ok(begun)
    }
}
