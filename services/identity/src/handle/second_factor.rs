//! 动态口令: enrolled by staff, confirmed and verified with codes that count once, reset by an administrator.

use eventlog::AppendError;
use lifecycle::clock;
use uuid::Uuid;
use vault::mask;

use super::sign_in::{RefreshToken, TokenPair};
use super::{Asked, Handle, TRIES, decide};
use crate::domain::account::{Authority, Command, Registered, Rejection};
use crate::domain::session::Limits;
use crate::domain::totp::{self, Verdict};
use crate::error::Error;
use crate::store::accounts::Loaded;
use crate::store::second_factors::{self, Tried, Try};
use crate::store::sessions::{self, Kept};
use crate::totp::Secret;

/// What a session still has to do before the roles of its person count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the person is no staff.
    None,
    /// Show a code.
    Verify,
    /// Enrol a second factor.
    Enrol,
}

/// A secret that waits for its first code, as it is shown once.
#[derive(Debug)]
pub struct Proposed {
    /// The secret.
    pub secret: Secret,
    /// The number of its person, masked, by which an app tells it from others.
    pub account: String,
}

impl NextStep {
    /// After a sign-in of this account.
    pub fn of(account: &Registered) -> Self {
        match (account.is_staff(), account.totp) {
            (false, _) => Self::None,
            (true, true) => Self::Verify,
            (true, false) => Self::Enrol,
        }
    }
}

impl Handle {
    /// Makes a secret for a member of staff whose session began with a code to the phone.
    pub async fn enrol_totp(&self, person: Uuid, session: Uuid) -> Result<Proposed, Error> {
        let (loaded, personal) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
        decide(&loaded, Command::EnrolTotp)?;
        let kept = self.sessions.get(session).await?.ok_or(Error::SessionEnded)?;
        if !kept.by_code {
            return Err(Error::CodeSignInRequired);
        }
        let (key, secret) = (self.vault.obtain(person).await?, Secret::draw());
        if !self.second_factors.propose(person, &secret, &key, clock::now()).await? {
            return Err(Rejection::TotpAlreadyEnrolled.into());
        }
        Ok(Proposed { secret, account: mask::number(&personal.number) })
    }

    /// Ends an enrolment with its first code; the session has passed then.
    pub async fn confirm_totp(&self, person: Uuid, session: Uuid, code: &str) -> Result<TokenPair, Error> {
        let loaded = self.accounts.load(person).await?;
        let events = decide(&loaded, Command::EnrolTotp)?;
        let (tried, step) = self.judge_totp(person, code, false).await?;
        let (kept, tokens) = self.pass(&loaded, session).await?;
        let used = self.second_factors.use_step(person, &tried, step).await?;
        let mut transaction = used.ok_or(Error::TotpSpent)?;
        if !sessions::pass_in(&mut transaction, &kept, tokens.refresh.secret()).await? {
            return Err(Error::SessionEnded);
        }
        let append = self.append(&loaded, &events, None, &format!("person:{person}"));
        self.log.append_in(transaction, append).await?;
        Ok(tokens)
    }

    /// Takes a code of an enrolled second factor; the session has passed then.
    pub async fn verify_totp(&self, person: Uuid, session: Uuid, code: &str) -> Result<TokenPair, Error> {
        let loaded = self.accounts.load(person).await?;
        let (tried, step) = self.judge_totp(person, code, true).await?;
        let (kept, tokens) = self.pass(&loaded, session).await?;
        let used = self.second_factors.use_step(person, &tried, step).await?;
        let mut transaction = used.ok_or(Error::TotpSpent)?;
        if !sessions::pass_in(&mut transaction, &kept, tokens.refresh.secret()).await? {
            return Err(Error::SessionEnded);
        }
        transaction.commit().await?;
        Ok(tokens)
    }

    /// Takes the second factor of a person away, who has lost it, and ends their sessions; returns the position.
    pub async fn reset_totp(&self, asked: &Asked, person: Uuid, by: &Authority) -> Result<i64, Error> {
        if let Some((_, position)) = self.remembered(asked).await? {
            return Ok(position);
        }
        for _ in 0..TRIES {
            let loaded = self.accounts.load(person).await?;
            let events = decide(&loaded, Command::ResetTotp { by: by.clone() })?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            let mut transaction = self.second_factors.remove(person).await?;
            sessions::end_all_in(&mut transaction, person, None, clock::now()).await?;
            match self.log.append_in(transaction, append).await {
                Ok(appended) => return Ok(appended.position),
                Err(AppendError::VersionConflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// Counts the try, then judges the code by a secret that was confirmed, or waits for that.
    async fn judge_totp(&self, person: Uuid, code: &str, confirmed: bool) -> Result<(Tried, i64), Error> {
        let now = clock::now();
        let tried = match self.second_factors.count_try(person, now).await? {
            Try::Counted(tried) if tried.confirmed == confirmed => tried,
            Try::Counted(_) | Try::None => return Err(Rejection::TotpNotEnrolled.into()),
            Try::Locked(retry_after) => return Err(Error::TotpLocked { retry_after }),
        };
        let key = self.vault.find(person).await?.ok_or(Error::NotFound)?;
        let secret = second_factors::open(person, &tried.sealed, &key).ok_or(Rejection::TotpNotEnrolled)?;
        match totp::judge(code, tried.last_step, now, |step| secret.code(step)) {
            Verdict::Right(step) => Ok((tried, step)),
            Verdict::Spent => Err(Error::TotpSpent),
            Verdict::Wrong => Err(Error::WrongTotp),
        }
    }

    /// The session as it stands when it has passed, with its next tokens; not recorded yet.
    async fn pass(&self, loaded: &Loaded, session: Uuid) -> Result<(Kept, TokenPair), Error> {
        let now = clock::now();
        let account = loaded.account.registered().ok_or(Error::SessionEnded)?;
        let kept = self.sessions.get(session).await?.ok_or(Error::SessionEnded)?;
        let session = kept.session.used(Limits::of(account.is_staff()), now).ok_or(Error::SessionEnded)?;
        let kept = Kept { session, passed: true, ..kept };
        let tokens = self.pair(&kept, account, RefreshToken::draw(), now)?;
        Ok((kept, tokens))
    }
}
