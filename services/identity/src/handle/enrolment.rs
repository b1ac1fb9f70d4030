//! The one-time enrolment of the first staff: through the same decisions and the same log as everything else.

use decider::Decider as _;
use eventlog::{Append, AppendError, Claim};
use lifecycle::{clock, ids};
use uuid::Uuid;

use super::{Handle, account_claim, decide};
use crate::domain::account::{Account, Authority, Command, Registered, Rejection};
use crate::domain::document::Document;
use crate::domain::personal::Personal;
use crate::domain::role::{Grant, Role, Scope};
use crate::error::Error;
use crate::hashing::Password;
use crate::store::accounts::Loaded;
use crate::totp::Secret;

const ACTOR: &str = "system";
/// Taken with the first role of a security administrator: from then on roles come from administrators.
const OVER: (&str, &[u8]) = ("enrolment", b"staff");

/// A person and one role of theirs. Somebody with two roles comes twice.
#[derive(Clone, Debug)]
pub struct Member {
    /// The account's name.
    pub document: Document,
    /// 姓名
    pub name: String,
    /// 手机
    pub phone: String,
    /// The first password.
    pub password: Password,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// The first second factor; without one the person enrols it.
    pub totp: Option<Secret>,
}

/// What an enrolment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// New accounts.
    pub accounts: usize,
    /// New roles.
    pub grants: usize,
    /// New second factors.
    pub second_factors: usize,
}

/// Why nobody, or not everybody, was enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// There is an administrator, and the list would change something.
    #[error(
        "the enrolment is over: roles are granted by a security administrator now (dingzhu.identity.v1.Staff/GrantRole)"
    )]
    Over,
    /// The account of this entry has another name, phone, password or second factor.
    #[error("entry {entry}: its number has an account already, with another name, phone, password or second factor")]
    Differs {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// The role of this entry cannot be given.
    #[error("entry {entry}: {rejection}")]
    Rejected {
        /// Number of the entry, from 1.
        entry: usize,
        /// Why.
        rejection: Rejection,
    },
    /// Something does not answer.
    #[error("the enrolment failed")]
    Failed(#[from] Error),
}

impl Handle {
    /// Makes the accounts and roles that are missing, administrators last. Doing it again changes nothing; a list that would change
    /// something is refused as soon as there is a security administrator: one whose run ends behind the first of several leaves the
    /// others to that one.
    pub async fn enrol(&self, members: &[Member]) -> Result<Enrolled, EnrolmentError> {
        let mut missing = Vec::new();
        for (entry, member) in (1..).zip(members) {
            let loaded = self.find_member(entry, member).await?;
            let account = loaded.as_ref().and_then(|loaded| loaded.account.registered());
            let is_done = |account: &Registered| {
                account.holds(member.role, member.scope) && (account.totp || member.totp.is_none())
            };
            if !account.is_some_and(is_done) {
                missing.push((entry, member));
            }
        }
        if !missing.is_empty() && self.enrolment_is_over().await? {
            return Err(EnrolmentError::Over);
        }
        missing.sort_by_key(|(_, member)| member.role == Role::SecurityAdmin);
        let mut enrolled = Enrolled::default();
        for (entry, member) in missing {
            let account = if let Some(loaded) = self.find_member(entry, member).await? {
                loaded
            } else {
                enrolled.accounts += 1;
                self.make_account(member).await?
            };
            let holds = account.account.registered().is_some_and(|held| held.holds(member.role, member.scope));
            if !holds {
                let with_factor = self.give_first_role(entry, member, &account).await?;
                enrolled.grants += 1;
                enrolled.second_factors += usize::from(with_factor);
            }
            if let Some(secret) = &member.totp
                && self.give_first_totp(account.person, secret).await?
            {
                enrolled.second_factors += 1;
            }
        }
        if members.iter().any(|member| member.role == Role::SecurityAdmin) && !self.enrolment_is_over().await? {
            self.end_enrolment().await?;
        }
        Ok(enrolled)
    }

    /// The account of an entry, which must be the very one that the entry would make.
    async fn find_member(&self, entry: usize, member: &Member) -> Result<Option<Loaded>, EnrolmentError> {
        let Some(person) = self.accounts.find(&self.accounts.hash(&member.document)).await? else { return Ok(None) };
        let Some((loaded, personal)) = self.accounts.open(person).await? else {
            return Err(EnrolmentError::Differs { entry });
        };
        if let Account::Imported(_) = loaded.account {
            return Ok(None);
        }
        let account = loaded.account.registered();
        let known = account.map(|account| account.password_hash.clone());
        let same_totp = match &member.totp {
            Some(secret) if account.is_some_and(|account| account.totp) => {
                let key = self.vault.obtain(person).await.map_err(Error::from)?;
                self.second_factors.find(person, &key).await.map_err(Error::from)?.as_ref() == Some(secret)
            }
            _ => true,
        };
        let same_password = self.hasher.admit().await?.verify(member.password.clone(), known).await;
        if personal.name == member.name && personal.phone == member.phone && same_password && same_totp {
            Ok(Some(loaded))
        } else {
            Err(EnrolmentError::Differs { entry })
        }
    }

    async fn make_account(&self, member: &Member) -> Result<Loaded, Error> {
        let number_hash = self.accounts.hash(&member.document);
        let holder = self.accounts.find(&number_hash).await?;
        let loaded = self.accounts.load(holder.unwrap_or_else(ids::random)).await?;
        let command = Command::Register {
            document_type: member.document.kind(),
            number_hash,
            password_hash: self.hasher.admit().await?.hash(member.password.clone()).await,
            document_table: member.document.read_by(),
            email_verified: false,
        };
        let events = decide(&loaded, command)?;
        let key = self.vault.obtain(loaded.person).await?;
        let personal = Personal {
            number: member.document.number().to_owned(),
            name: member.name.clone(),
            phone: member.phone.clone(),
            ..Personal::default()
        };
        let mut append = self.append(&loaded, &events, Some((&key, &personal)), ACTOR);
        append.claims.extend((loaded.version == 0).then(|| account_claim(&number_hash)));
        self.log.append(append).await.map_err(Error::from)?;
        self.accounts.load(loaded.person).await
    }

    /// Gives a role, with the second factor where one is named and there is none; the first administrator's ends the enrolment by itself.
    /// Says whether it came with a second factor.
    async fn give_first_role(&self, entry: usize, member: &Member, account: &Loaded) -> Result<bool, EnrolmentError> {
        let rejected = |rejection| EnrolmentError::Rejected { entry, rejection };
        let grant = Grant { id: ids::random(), role: member.role, scope: member.scope };
        let command = Command::GrantRole { grant, by: Authority::Bootstrap };
        let mut events = Account::decide(&account.account, command).map_err(rejected)?;
        let has_factor = account.account.registered().is_some_and(|account| account.totp);
        let secret = member.totp.as_ref().filter(|_| !has_factor);
        if secret.is_some() {
            let staff = events.iter().fold(account.account.clone(), Account::evolve);
            events.extend(Account::decide(&staff, Command::EnrolTotp).map_err(rejected)?);
        }
        let mut append = self.append(account, &events, None, ACTOR);
        let ends = member.role == Role::SecurityAdmin && !self.enrolment_is_over().await?;
        append.claims.extend(ends.then(over));
        let transaction = match secret {
            Some(secret) => {
                let key = self.vault.obtain(account.person).await.map_err(Error::from)?;
                self.second_factors.set(account.person, secret, &key, clock::now()).await.map_err(Error::from)?
            }
            None => self.sessions.begin_transaction().await.map_err(Error::from)?,
        };
        match self.log.append_in(transaction, append).await {
            Ok(_) => Ok(secret.is_some()),
            // Another list has ended it meanwhile.
            Err(AppendError::ClaimTaken { .. }) => Err(EnrolmentError::Over),
            Err(error) => Err(EnrolmentError::Failed(error.into())),
        }
    }

    /// Gives a second factor where there is none; says whether there was none.
    async fn give_first_totp(&self, person: Uuid, secret: &Secret) -> Result<bool, Error> {
        let loaded = self.accounts.load(person).await?;
        if loaded.account.registered().is_some_and(|account| account.totp) {
            return Ok(false);
        }
        let events = decide(&loaded, Command::EnrolTotp)?;
        let key = self.vault.obtain(person).await?;
        let transaction = self.second_factors.set(person, secret, &key, clock::now()).await?;
        self.log.append_in(transaction, self.append(&loaded, &events, None, ACTOR)).await?;
        Ok(true)
    }

    async fn enrolment_is_over(&self) -> Result<bool, Error> {
        self.accounts.is_claimed(OVER.0, OVER.1).await
    }

    /// Of a list whose administrator was there before the role ended it.
    async fn end_enrolment(&self) -> Result<(), Error> {
        let append = Append {
            stream: ids::random(),
            expected_version: 0,
            events: Vec::new(),
            actor: ACTOR.to_owned(),
            request: None,
            claims: vec![over()],
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        self.log.append(append).await.map_err(Error::from)?;
        Ok(())
    }
}

fn over() -> Claim {
    Claim::Take { kind: OVER.0, key: OVER.1.to_vec() }
}
