//! A person's own sessions: seen and ended by that person.

use lifecycle::clock;
use uuid::Uuid;

use super::Handle;
use crate::domain::session::Limits;
use crate::error::Error;
use crate::store::sessions::Kept;

impl Handle {
    /// The sessions of a person that are alive, the one that was used last first.
    pub async fn own_sessions(&self, person: Uuid) -> Result<Vec<Kept>, Error> {
        let loaded = self.accounts.load(person).await?;
        let account = loaded.account.registered().ok_or(Error::NotFound)?;
        let (limits, now) = (Limits::of(account.is_staff()), clock::now());
        let mut sessions = self.sessions.of_person(person).await?;
        sessions.retain(|kept| !kept.ended && kept.session.used(limits, now).is_some());
        Ok(sessions)
    }

    /// Ends one session of a person.
    pub async fn end_own_session(&self, person: Uuid, session: Uuid) -> Result<(), Error> {
        if self.sessions.end_own(person, session, clock::now()).await? { Ok(()) } else { Err(Error::NoSuchSession) }
    }

    /// Ends all sessions of a person but one; says how many.
    pub async fn end_other_sessions(&self, person: Uuid, current: Uuid) -> Result<u64, Error> {
        Ok(self.sessions.end_all(person, Some(current), clock::now()).await?)
    }
}
