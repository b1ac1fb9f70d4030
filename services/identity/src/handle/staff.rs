//! Roles of staff: granted and taken back within the scope of who does it, ending the sessions in which they counted.

use lifecycle::{clock, ids};
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide};
use crate::domain::account::{Authority, Command};
use crate::domain::role::{Grant, Role, Scope};
use crate::domain::unit;
use crate::error::Error;
use crate::store::sessions;

impl Handle {
    /// Gives a person a role; returns the grant and its position.
    pub async fn grant_role(
        &self,
        asked: &Asked,
        person: Uuid,
        role: Role,
        scope: Scope,
        by: &Authority,
    ) -> Result<(Uuid, i64), Error> {
        if matches!(by, Authority::Administrator { .. }) {
            self.check_unit(role, scope).await?;
        }
        let grant = Grant { id: ids::random(), role, scope };
        let command = Command::GrantRole { grant, by: by.clone() };
        let (answer, position) = Box::pin(self.change_roles(asked, person, &command, grant.id.as_bytes())).await?;
        let granted = Uuid::from_slice(&answer).expect("the answer kept is the id that was given");
        Ok((granted, position))
    }

    /// Takes a role back; returns the position.
    pub async fn revoke_role(&self, asked: &Asked, person: Uuid, grant: Uuid, by: &Authority) -> Result<i64, Error> {
        let command = Command::RevokeRole { grant_id: grant, by: by.clone() };
        Ok(Box::pin(self.change_roles(asked, person, &command, &[])).await?.1)
    }

    /// Whether a role can hold for the unit that its scope names, if it names one.
    pub(super) async fn check_unit(&self, role: Role, scope: Scope) -> Result<(), Error> {
        let Some(unit) = scope.unit else { return Ok(()) };
        Ok(unit::admits(self.units.find(unit).await?, role, scope)?)
    }

    async fn change_roles(
        &self,
        asked: &Asked,
        person: Uuid,
        command: &Command,
        answer: &[u8],
    ) -> Result<(Vec<u8>, i64), Error> {
        if let Some(answered) = self.remembered(asked).await? {
            return Ok(answered);
        }
        for _ in 0..TRIES {
            let loaded = self.accounts.load(person).await?;
            let events = decide(&loaded, command.clone())?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, answer.to_vec()));
            let mut transaction = self.sessions.begin_transaction().await?;
            // Roles count only where a second factor was shown: it is shown once more before other ones do.
            sessions::end_passed_in(&mut transaction, person, clock::now()).await?;
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => return Ok((appended.answer, appended.position)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
