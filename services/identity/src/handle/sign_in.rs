//! 登录: number and password, then a code; sessions with refresh tokens that are spent once.

use access::Origin;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lifecycle::{clock, ids};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Handle, NextStep, TRIES};
use crate::chance;
use crate::courier::Message;
use crate::domain::account::Registered;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::session::{Entry, Limits, Session};
use crate::error::Error;
use crate::hashing::{Password, Waiting};
use crate::store::Pooled;
use crate::store::accounts::Loaded;
use crate::store::attempts::{Attempts, Refused};
use crate::store::codes::{Answer, Begun, Purpose};
use crate::store::failures;
use crate::store::sessions::Kept;
use crate::tokens::Access;

/// Step one is done, a code is on its way.
#[derive(Debug)]
pub struct Started {
    /// The attempt, and until when its code counts.
    pub code: Begun,
    /// Where the code went; to be masked.
    pub phone: String,
}

/// Both tokens of a session.
#[derive(Debug)]
pub struct TokenPair {
    /// For every call.
    pub access: Access,
    /// For the next pair, once.
    pub refresh: RefreshToken,
    /// Until when the session can be refreshed.
    pub refresh_expires_at: OffsetDateTime,
}

/// 32 bytes that are shown to nobody but their holder.
pub struct RefreshToken([u8; 32]);

/// Somebody who is signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The session's tokens.
    pub tokens: TokenPair,
    /// Whether the profile is complete.
    pub profile_complete: bool,
    /// What the session still has to do before roles count.
    pub next_step: NextStep,
}

impl SignedIn {
    pub(super) fn new(tokens: TokenPair, account: &Registered) -> Self {
        Self { tokens, profile_complete: account.complete, next_step: NextStep::of(account) }
    }
}

impl Handle {
    /// Checks number and password with the same work whether or not the number has an account, and sends a code.
    pub async fn start_sign_in(
        &self,
        document: &Document,
        password: Password,
        entry: Entry,
        origin: Origin,
    ) -> Result<Started, Error> {
        let number_hash = self.accounts.hash(document);
        let mut connection = self.connection().await?;
        self.limit_origin_in(&mut connection, Deed::SignIn, origin).await?;
        // Whoever comes too often, or waits for a connection, takes nobody's place.
        let waiting = self.hasher.enter()?;
        let loaded = self.check_password(waiting, connection, &number_hash, password).await?;
        failures::forget(&mut *self.connection().await?, &number_hash).await?;
        let person = loaded.person;
        // An account whose key was destroyed is nobody's any more.
        let key = self.vault.find(person).await?.ok_or(Error::WrongCredentials)?;
        let phone = loaded.personal(&key)?.phone;
        let purpose = Purpose::SignIn { person, entry, version: loaded.version };
        let code = self.send_code(&phone, purpose, Message::SignInCode).await?;
        Ok(Started { code, phone })
    }

    /// The account of a number whose password this is, with the same work whether or not there is one. The try is counted as failed,
    /// until it is forgotten, before the password is looked at; one too many is refused.
    pub(super) async fn check_password(
        &self,
        waiting: Waiting,
        mut connection: Pooled,
        number_hash: &[u8; 32],
        password: Password,
    ) -> Result<Loaded, Error> {
        let counted = Attempts::try_password(&mut connection, number_hash, clock::now()).await?;
        counted.map_err(|refused| match refused {
            Refused::Throttled(retry_after) => Error::Throttled { retry_after },
            Refused::LockedOut(retry_after) => Error::LockedOut { retry_after },
        })?;
        let loaded = self.accounts.load_by_number(&mut connection, number_hash).await?;
        drop(connection);
        let known = loaded.account.registered().map(|account| account.password_hash.clone());
        // A core is taken for the hash alone: nobody holds one while the database answers.
        if !waiting.core().await.verify(password, known).await {
            return Err(Error::WrongCredentials);
        }
        Ok(loaded)
    }

    /// A session that begins now, not recorded yet, with its first tokens.
    pub(super) fn new_session(
        &self,
        person: Uuid,
        account: &Registered,
        entry: Entry,
        by_code: bool,
        now: OffsetDateTime,
    ) -> Result<(Kept, TokenPair), Error> {
        let (id, session) = (ids::random(), Session::begin(now));
        let kept = Kept { id, person, entry, session, by_code, passed: false, ended: false, spent: false };
        let tokens = self.pair(&kept, account, RefreshToken::draw(), now)?;
        Ok((kept, tokens))
    }

    /// Ends a sign-in with its code and begins a session, where the account still has the password that was compared and the phone that
    /// got the code: a change that came between the two steps may have been too early to void it.
    pub async fn complete_sign_in(&self, attempt: Uuid, code: &str) -> Result<SignedIn, Error> {
        let now = clock::now();
        let right = match self.codes.answer_sign_in(attempt, code, now).await? {
            Answer::Right(right) => right,
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return Err(Error::CodeExpired),
        };
        for _ in 0..TRIES {
            let loaded = self.accounts.load(right.person).await?;
            let account = loaded.account.registered().ok_or(Error::CodeExpired)?;
            if !loaded.opens_as_at(right.version)? {
                return Err(Error::CodeExpired);
            }
            let (kept, tokens) = self.new_session(right.person, account, right.entry, true, now)?;
            let secret = tokens.refresh.secret();
            let transaction = self.codes.spend(attempt, now).await?.ok_or(Error::CodeExpired)?;
            if self.sessions.begin_in(transaction, &kept, secret, &account.number_hash, loaded.version).await? {
                return Ok(SignedIn::new(tokens, account));
            }
        }
        Err(Error::Conflict)
    }

    /// Trades a refresh token for a new pair. One that was spent before ends the session: somebody has stolen it.
    pub async fn refresh_session(&self, token: &RefreshToken) -> Result<TokenPair, Error> {
        let now = clock::now();
        let kept = self.sessions.find(&token.0).await?.ok_or(Error::SessionEnded)?;
        if kept.ended {
            return Err(Error::SessionEnded);
        }
        if kept.spent {
            return self.end_stolen(&kept, now).await;
        }
        let loaded = self.accounts.load(kept.person).await?;
        let account = loaded.account.registered().ok_or(Error::SessionEnded)?;
        let limits = Limits::of(account.is_staff());
        let session = kept.session.used(limits, now).ok_or(Error::SessionEnded)?;
        let kept = Kept { session, ..kept };
        let tokens = self.pair(&kept, account, RefreshToken::draw(), now)?;
        if !self.sessions.rotate(&kept, &token.0, &tokens.refresh.0).await? {
            return self.end_stolen(&kept, now).await;
        }
        Ok(tokens)
    }

    /// Ends a session: its refresh token counts no more; access tokens that are out live on for up to ten minutes.
    pub async fn end_session(&self, session: Uuid) -> Result<(), Error> {
        Ok(self.sessions.end(session, clock::now()).await?)
    }

    async fn end_stolen(&self, kept: &Kept, now: OffsetDateTime) -> Result<TokenPair, Error> {
        tracing::warn!(session = %kept.id, "a refresh token came twice: the session is ended");
        self.sessions.end(kept.id, now).await?;
        Err(Error::SessionEnded)
    }

    pub(super) fn pair(
        &self,
        kept: &Kept,
        account: &Registered,
        refresh: RefreshToken,
        now: OffsetDateTime,
    ) -> Result<TokenPair, Error> {
        let access = self.tokens.issue(kept, (account.complete, account.restricted), now)?;
        let refresh_expires_at = kept.session.ends_at(Limits::of(account.is_staff()));
        Ok(TokenPair { access, refresh, refresh_expires_at })
    }
}

impl RefreshToken {
    pub(super) fn draw() -> Self {
        Self(chance::bytes())
    }

    /// As it is kept: hashed by the records.
    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it is handed out.
    pub fn render(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads one; `None` for what was never ours.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}
