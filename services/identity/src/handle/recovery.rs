//! 忘记密码: type, number and name, then a code or a link, then a new password; the same answers whoever asks.

use lifecycle::{OnDeath, clock, ids};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide, no_earlier};
use crate::chance;
use crate::courier::Message;
use crate::domain::account::{Account, Command};
use crate::domain::contact::same_name;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::recovery::{self, Shown};
use crate::error::Error;
use crate::hashing::Password;
use crate::store::codes::{Answer, Begun, Purpose};
use crate::store::failures;
use crate::store::recoveries::{LinkMade, Recovery};
use crate::store::sessions;

/// A recovery that has begun.
#[derive(Clone, Debug)]
pub struct RecoveryBegun {
    /// To be repeated.
    pub id: Uuid,
    /// Where code and link can go.
    pub shown: Shown,
    /// Until when it counts.
    pub expires_at: OffsetDateTime,
}

/// What stands in the link of a mail; shown nowhere else.
#[derive(Clone)]
pub struct LinkToken([u8; 32]);

/// What a new password is set with.
#[derive(Clone, Debug)]
enum Proof {
    /// This code was right.
    Code(Uuid),
    /// This link was followed.
    Link(LinkToken),
}

impl Handle {
    /// Begins a recovery. Whoever matches nothing is answered alike, after the same time.
    pub async fn start_recovery(&self, document: &Document, name: &str) -> Result<RecoveryBegun, Error> {
        no_earlier(self.begin_recovery(document, name)).await
    }

    async fn begin_recovery(&self, document: &Document, name: &str) -> Result<RecoveryBegun, Error> {
        let number_hash = self.accounts.hash(document);
        self.limit_account(Deed::Recover, &number_hash).await?;
        // A number of nobody looks for a stream and a key that are not there.
        let holder = self.accounts.find(&number_hash).await?.unwrap_or_else(ids::random);
        let loaded = self.accounts.load(holder).await?;
        let key = self.vault.find(holder).await?;
        let known = key.map(|key| loaded.personal(&key)).transpose()?.filter(|known| same_name(&known.name, name));
        // By number and name: were it by number alone, the one name with another phone would be the right one.
        let made_up = recovery::made_up(self.made_up.hash(&format!("{}:{name}", document.key())));
        let (person, shown) = match (&loaded.account, known) {
            (Account::Registered(account), Some(known)) => {
                let shown = Shown::of(&known.phone, &known.email);
                // Almost everybody has a verified one: that there is none would be the sign of the others.
                let email = if account.email_verified { shown.email } else { made_up.email };
                (Some(holder), Shown { email, ..shown })
            }
            (Account::Imported(imported), Some(_)) if recovery::is_legacy(imported.created_at) => {
                return Err(Error::LegacyAccount);
            }
            _ => (None, made_up),
        };
        let id = ids::random();
        let expires_at = self.recoveries.begin(id, Recovery { number_hash, person }, clock::now()).await?;
        Ok(RecoveryBegun { id, shown, expires_at })
    }

    /// Sends a code to the phone of whoever recovers, behind the answer.
    pub async fn send_recovery_code(&self, id: Uuid) -> Result<Begun, Error> {
        let (recovery, begun, code) = self.begin_recovery_code(id, "recovery").await?;
        self.send_behind(recovery, begun.id, Message::RecoveryCode, code);
        Ok(begun)
    }

    /// Records a code for whoever recovers; the ways by which codes go wait for the next one each by itself.
    pub(super) async fn begin_recovery_code(&self, id: Uuid, way: &str) -> Result<(Recovery, Begun, String), Error> {
        let now = clock::now();
        let recovery = self.recoveries.find(id, now).await?.ok_or(Error::RecoveryExpired)?;
        self.limit_account(Deed::SendCode, &recovery.number_hash).await?;
        let (challenge, code) = (ids::random(), chance::code());
        let number = format!("{way}:{}", hex::encode(recovery.number_hash));
        let purpose = Purpose::Recover { person: recovery.person };
        let begun = self.codes.begin(challenge, &code, &number, purpose, now).await?;
        let begun = begun.map_err(|retry_after| Error::TooSoon { retry_after })?;
        Ok((recovery, begun, code))
    }

    /// Sends a link to the verified mail address of whoever recovers, behind the answer.
    pub async fn send_recovery_link(&self, id: Uuid) -> Result<LinkMade, Error> {
        let now = clock::now();
        let recovery = self.recoveries.find(id, now).await?.ok_or(Error::RecoveryExpired)?;
        self.limit_account(Deed::SendCode, &recovery.number_hash).await?;
        let token = LinkToken(chance::bytes());
        let made = self.recoveries.make_link(&token.0, recovery, now).await?;
        let made = made.map_err(|retry_after| Error::TooSoon { retry_after })?;
        self.send_behind(recovery, ids::random(), Message::RecoveryLink, token.render());
        Ok(made)
    }

    /// Looking for the address takes time, and so does sending: neither may be felt by whoever asks.
    fn send_behind(&self, recovery: Recovery, id: Uuid, message: Message, secret: String) {
        let (accounts, courier) = (self.accounts.clone(), self.courier.clone());
        self.lifecycle.spawn("send recovery", OnDeath::IsItsEnd, async move {
            let Some(person) = recovery.person else { return Ok(()) };
            let Some((loaded, known)) = accounts.open(person).await? else { return Ok(()) };
            let Some(account) = loaded.account.registered() else { return Ok(()) };
            let by_mail = message == Message::RecoveryLink;
            if by_mail && !account.email_verified {
                return Ok(());
            }
            let address = if by_mail { known.email } else { known.phone };
            courier.send(id, message, &address, &secret).await
        });
    }

    /// Sets a new password with the code.
    pub async fn reset_by_code(
        &self,
        asked: &Asked,
        challenge: Uuid,
        code: &str,
        password: Password,
    ) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        let waiting = self.hasher.enter()?;
        let person = match self.codes.answer_recovery(challenge, code, clock::now()).await? {
            Answer::Right(person) => person,
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::CodeExpired).await,
        };
        let password_hash = waiting.core().await.hash(password).await;
        if self.reset(asked, person, &password_hash, &Proof::Code(challenge)).await? {
            return Ok(());
        }
        self.answered_meanwhile(asked, Error::CodeExpired).await
    }

    /// Sets a new password with the token of a link.
    pub async fn reset_by_link(&self, asked: &Asked, token: &LinkToken, password: Password) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        let waiting = self.hasher.enter()?;
        let Some(person) = self.recoveries.find_link(&token.0, clock::now()).await? else {
            return self.answered_meanwhile(asked, Error::LinkExpired).await;
        };
        let password_hash = waiting.core().await.hash(password).await;
        if self.reset(asked, person, &password_hash, &Proof::Link(token.clone())).await? {
            return Ok(());
        }
        self.answered_meanwhile(asked, Error::LinkExpired).await
    }

    /// Spends the proof, sets the password, ends every session; false when the proof was spent before.
    async fn reset(&self, asked: &Asked, person: Uuid, password_hash: &str, proof: &Proof) -> Result<bool, Error> {
        for _ in 0..TRIES {
            let now = clock::now();
            let Some((loaded, known)) = self.accounts.open(person).await? else { return Ok(false) };
            let Some(account) = loaded.account.registered() else { return Ok(false) };
            let number_hash = account.number_hash;
            let events = decide(&loaded, Command::ChangePassword { password_hash: password_hash.to_owned() })?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            let spent = match proof {
                Proof::Code(challenge) => self.codes.spend(*challenge, now).await?,
                Proof::Link(token) => self.recoveries.spend_link(&token.0, now).await?,
            };
            let Some(mut transaction) = spent else { return Ok(false) };
            // Codes first: a sign-in with the old password that is being completed now has its session before they end.
            self.codes.void_in(&mut transaction, person, now).await?;
            self.recoveries.void_in(&mut transaction, person, now).await?;
            sessions::end_all_in(&mut transaction, person, None, now).await?;
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    // Whoever guessed passwords until the number was locked has nothing from it any more.
                    failures::forget(&mut *self.connection().await?, &number_hash).await?;
                    self.tell_unless(appended.repeated, Message::PasswordChanged, known.phone);
                    return Ok(true);
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}

impl LinkToken {
    /// As it stands in the link.
    fn render(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads one; `None` for what was never ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut token = [0; 32];
        hex::decode_to_slice(text.trim(), &mut token).ok()?;
        Some(Self(token))
    }
}

impl std::fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkToken(…)")
    }
}
