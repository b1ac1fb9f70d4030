//! Many roles at once: those of a list, row by row, and the end of all that hold for a unit.

use std::collections::HashMap;

use decider::Decider as _;
use lifecycle::ids;
use uuid::Uuid;

use super::{Asked, Handle};
use crate::domain::account::{Account, Authority, Command, Rejection};
use crate::domain::contact::same_name;
use crate::domain::document::Document;
use crate::domain::role::{Division, Grant, Role, Scope};
use crate::error::Error;

/// A row of a list: who gets which role where.
pub struct Listed {
    /// Names the account.
    pub document: Document,
    /// Must be the account's.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Where it shall hold.
    pub scope: Scope,
}

/// One run over a list.
#[derive(Debug)]
pub struct Run {
    /// Names the run in the log.
    pub id: Uuid,
    /// As the log names the administrator.
    pub actor: String,
    /// The administrator.
    pub administrator: Uuid,
    /// Where the administrator's role holds; of a list as of the row that was taken last.
    pub divisions: Vec<Division>,
    /// Whether nothing is to be changed; accounts as the rows before would have left them.
    pub dry: Option<HashMap<Uuid, Account>>,
}

/// What a row led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The role was granted at this position; at 0 in a dry run.
    Granted(i64),
    /// The person has the role there already.
    Unchanged,
    /// No account has the number.
    UnknownPerson,
    /// Number and name are not those of one account.
    Mismatch,
    /// The rules forbid it.
    Rejected(Rejection),
}

/// What a closed unit's end led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Roles taken back.
    pub count: i32,
    /// Position of the last one.
    pub position: i64,
}

impl Run {
    fn authority_over(&self, person: Option<Uuid>) -> Authority {
        let is_self = person == Some(self.administrator);
        Authority::Administrator { is_self, divisions: self.divisions.clone() }
    }
}

impl Handle {
    /// Takes one row. Taking it again changes nothing.
    pub async fn take_listed(&self, run: &mut Run, row: &Listed) -> Result<Taken, Error> {
        // A file takes its time, and whoever sent it may have lost the role meanwhile.
        run.divisions = self.administered_by(run.administrator).await?;
        // Before anything is looked up: what lies outside is not ours to know.
        if !run.authority_over(None).covers(row.scope) {
            return Ok(Taken::Rejected(Rejection::OutsideScope));
        }
        match self.check_unit(row.role, row.scope).await {
            Ok(()) => {}
            Err(Error::Rejected(rejection)) => return Ok(Taken::Rejected(rejection)),
            Err(error) => return Err(error),
        }
        let Some(person) = self.accounts.find(&self.accounts.hash(&row.document)).await? else {
            return Ok(Taken::UnknownPerson);
        };
        let Some((loaded, personal)) = self.accounts.open(person).await? else { return Ok(Taken::UnknownPerson) };
        if !same_name(&personal.name, &row.name) {
            return Ok(Taken::Mismatch);
        }
        let by = run.authority_over(Some(person));
        let planned = run.dry.as_ref().and_then(|planned| planned.get(&person));
        let account = planned.unwrap_or(&loaded.account);
        if account.registered().is_some_and(|account| account.holds(row.role, row.scope)) {
            return Ok(Taken::Unchanged);
        }
        if let Some(planned) = &mut run.dry {
            let grant = Grant { id: ids::random(), role: row.role, scope: row.scope };
            let account = planned.remove(&person).unwrap_or(loaded.account);
            let decided = Account::decide(&account, Command::GrantRole { grant, by });
            let events = decided.as_deref().unwrap_or_default();
            planned.insert(person, events.iter().fold(account, Account::evolve));
            return Ok(decided.map_or_else(Taken::Rejected, |_| Taken::Granted(0)));
        }
        // Of the account as it stands: once the role was taken back, the same list grants it anew.
        let asked = run.asked(&[person.as_bytes().as_slice(), &loaded.version.to_be_bytes()].concat());
        match self.grant_role(&asked, person, row.role, row.scope, &by).await {
            Ok((_, position)) => Ok(Taken::Granted(position)),
            Err(Error::Rejected(Rejection::AlreadyGranted)) => Ok(Taken::Unchanged),
            Err(Error::Rejected(rejection)) => Ok(Taken::Rejected(rejection)),
            Err(error) => Err(error),
        }
    }

    /// Where a person is security administrator, as of now.
    async fn administered_by(&self, person: Uuid) -> Result<Vec<Division>, Error> {
        let loaded = self.accounts.load(person).await?;
        let grants = loaded.account.registered().map(|account| account.grants.as_slice()).unwrap_or_default();
        let own = grants.iter().filter(|grant| grant.role == Role::SecurityAdmin);
        Ok(own.map(|grant| grant.scope.division).collect())
    }

    /// Takes back every role that holds for a unit, as far as the administrator's scope reaches and the view has come.
    pub async fn end_roles_of_unit(&self, run: &Run, unit: Uuid) -> Result<Ended, Error> {
        let mut ended = Ended::default();
        for (person, grant) in self.grants.of_unit(&run.divisions, unit).await? {
            let asked = run.asked(grant.as_bytes());
            match self.revoke_role(&asked, person, grant, &run.authority_over(Some(person))).await {
                Ok(position) => {
                    ended = Ended { count: ended.count + 1, position: ended.position.max(position) };
                }
                // Taken back meanwhile by somebody else.
                Err(Error::Rejected(Rejection::UnknownGrant)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }
}

impl Run {
    /// The request of one step, always the same for the same step of the same run.
    fn asked(&self, step: &[u8]) -> Asked {
        let mut fingerprint = [0; 32];
        let id = Uuid::new_v5(&self.id, step);
        fingerprint[..16].copy_from_slice(id.as_bytes());
        Asked { actor: self.actor.clone(), id, fingerprint }
    }
}
