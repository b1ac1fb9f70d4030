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

/// Who records an erasure that was lost.
const ACTOR: &str = "service:identity";

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
            if matches!(asking, Asking::Erased(_)) {
                append.claims = releases(&loaded.account);
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

    /// Records an erasure once more that the log has lost with a restore. It was decided then: nothing is asked now.
    pub async fn erase_again(&self, erasure: Uuid, person: Uuid) -> Result<(), Error> {
        for _ in 0..TRIES {
            let loaded = self.accounts.load(person).await?;
            if loaded.account == Account::Erased(erasure) {
                return Ok(());
            }
            let mut append = self.append(&loaded, &[Event::Erased { erasure_id: erasure }], None, ACTOR);
            append.claims = releases(&loaded.account);
            match self.log.append(append).await.map_err(Error::from) {
                Ok(_) => {
                    self.sessions.end_all(person, None, clock::now()).await?;
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
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

/// The number is nobody's once its person is forgotten: whoever has it may register as somebody new. So is the WeChat.
fn releases(account: &Account) -> Vec<Claim> {
    let (number_hash, wechat) = match account {
        Account::Registered(account) => (Some(account.number_hash), account.wechat),
        Account::Imported(imported) => (Some(imported.number_hash), None),
        Account::Empty | Account::Erased(_) => (None, None),
    };
    let number = number_hash.map(|hash| Claim::Release { kind: CLAIM, key: hash.to_vec() });
    let wechat = wechat.map(|hash| Claim::Release { kind: wechat::CLAIM, key: hash.to_vec() });
    number.into_iter().chain(wechat).collect()
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
