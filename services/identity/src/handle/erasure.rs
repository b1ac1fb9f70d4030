//! 注销: asked for with the password, refused while an application is open, put off while papers have to be kept.

use eventlog::Claim;
use lifecycle::{clock, ids};
use time::Date;
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide, today};
use crate::domain::account::{Account, Command, Event};
use crate::domain::erasure::Standing;
use crate::domain::personal::render_date;
use crate::error::Error;
use crate::hashing::Password;
use crate::store::accounts::CLAIM;
use crate::store::wechat;
use crate::views::erasures::Receipt;

/// What became of a request to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The person is forgotten by this erasure.
    Erased(Uuid),
    /// Papers have to be kept; `YYYY-MM-DD` is the first day on which they have not.
    Restricted(String),
}

impl Handle {
    /// Forgets a person, or restricts the account while papers have to be kept. What follows from the event is the
    /// reaction's: keys, sessions and records go even when this process ends here.
    pub async fn request_erasure(&self, asked: &Asked, person: Uuid, password: Password) -> Result<Asking, Error> {
        if let Some((answer, _)) = self.remembered(asked).await? {
            return Ok(Asking::read(&answer));
        }
        self.re_authenticate(person, password).await?;
        for _ in 0..TRIES {
            let loaded = self.accounts.load(person).await?;
            if let Account::Erased(erasure) = loaded.account {
                return Ok(Asking::Erased(erasure));
            }
            let standing = self.standing(person).await?;
            let events = decide(&loaded, Command::Erase { erasure_id: ids::random(), standing })?;
            let asking = match (events.first(), standing.archive_end()) {
                (Some(Event::Erased { erasure_id }), _) => Asking::Erased(*erasure_id),
                (_, end) => Asking::Restricted(end.map(render_date).unwrap_or_default()),
            };
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, asking.kept()));
            if let (Asking::Erased(_), Some(account)) = (&asking, loaded.account.registered()) {
                // The number is nobody's from now on: whoever has it may register as somebody new.
                append.claims.push(Claim::Release { kind: CLAIM, key: account.number_hash.to_vec() });
                // So is the WeChat.
                let wechat = account.wechat.map(|hash| Claim::Release { kind: wechat::CLAIM, key: hash.to_vec() });
                append.claims.extend(wechat);
            }
            match self.log.append(append).await.map_err(Error::from) {
                Ok(_) => {
                    self.sessions.end_all(person, None, clock::now()).await?;
                    return Ok(asking);
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Takes the request to be forgotten back.
    pub async fn withdraw_erasure(&self, asked: &Asked, person: Uuid, password: Password) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.re_authenticate(person, password).await?;
        for _ in 0..TRIES {
            let loaded = self.accounts.load(person).await?;
            let events = decide(&loaded, Command::Reinstate)?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            match self.log.append(append).await.map_err(Error::from) {
                Err(Error::Conflict) => {}
                done => return done.map(drop),
            }
        }
        Err(Error::Conflict)
    }

    /// What the services have confirmed of an erasure.
    pub async fn receipt(&self, erasure: Uuid) -> Result<Receipt, Error> {
        self.erasures.receipt(erasure).await?.ok_or(Error::NotFound)
    }

    /// What the service applications has said of a person, if that is known well enough to decide upon.
    async fn standing(&self, person: Uuid) -> Result<Standing, Error> {
        if !self.filed.is_fresh() {
            return Err(Error::StandingUnknown);
        }
        let (open_applications, concluded): (u32, Option<Date>) = self.filed.of(person).await?;
        let today = today();
        Ok(Standing { open_applications, concluded, archive_years: self.archive_years, today })
    }
}

impl Asking {
    /// As it is kept for a repeated request; neither secret nor personal.
    fn kept(&self) -> Vec<u8> {
        match self {
            Self::Erased(erasure) => erasure.as_bytes().to_vec(),
            Self::Restricted(end) => end.clone().into_bytes(),
        }
    }

    /// An id has sixteen bytes, a date ten or none.
    fn read(kept: &[u8]) -> Self {
        match Uuid::from_slice(kept) {
            Ok(erasure) => Self::Erased(erasure),
            Err(_) => Self::Restricted(String::from_utf8_lossy(kept).into_owned()),
        }
    }
}
