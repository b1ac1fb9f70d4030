//! 修改密码, 修改手机号码, 修改电子邮箱: made with the password, ending what the old one had opened, told to the person.

use lifecycle::{OnDeath, clock, ids};
use uuid::Uuid;

use super::{Asked, Handle, TRIES, decide};
use crate::courier::Message;
use crate::domain::account::Command;
use crate::domain::limit::Deed;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::hashing::Password;
use crate::store::accounts::Loaded;
use crate::store::codes::{Answer, Begun, Purpose};
use crate::store::failures;
use crate::store::sessions;

/// A phone or mail address that an account shall have, with the code that was sent to it.
#[derive(Debug)]
pub struct NewContact {
    /// Phone or mail address.
    pub address: String,
    /// Which code.
    pub challenge: Uuid,
    /// The code.
    pub code: String,
}

impl Handle {
    /// Sets another password and ends every other session.
    pub async fn change_password(
        &self,
        asked: &Asked,
        (person, session): (Uuid, Uuid),
        password: Password,
        new: Password,
    ) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        match self.re_authenticate(person, password).await {
            Ok(_) => {}
            // The very same request may have made the new password the one that counts.
            Err(Error::WrongPassword) => return self.answered_meanwhile(asked, Error::WrongPassword).await,
            Err(error) => return Err(error),
        }
        let password_hash = self.hasher.admit().await?.hash(new).await;
        for _ in 0..TRIES {
            let now = clock::now();
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let events = decide(&loaded, Command::ChangePassword { password_hash: password_hash.clone() })?;
            let mut append = self.append(&loaded, &events, None, &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            let mut transaction = self.sessions.begin_transaction().await?;
            // Codes first: a sign-in with the old password that is being completed now has its session before they end.
            self.codes.void_in(&mut transaction, person, now).await?;
            self.recoveries.void_in(&mut transaction, person, now).await?;
            sessions::end_all_in(&mut transaction, person, Some(session), now).await?;
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(appended) => {
                    self.tell_unless(appended.repeated, Message::PasswordChanged, known.phone);
                    return Ok(());
                }
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Sends a code to the phone that shall be a person's new one. One person sends only so many, to whichever phones.
    pub async fn send_new_phone_code(&self, person: Uuid, phone: &str) -> Result<Begun, Error> {
        self.limit_account(Deed::SendCode, &self.requests.hash(&format!("new-phone:{person}"))).await?;
        self.send_code(phone, Purpose::NewPhone { person }, Message::NewPhoneCode).await
    }

    /// Makes it the person's phone; the old one is told.
    pub async fn change_phone(
        &self,
        asked: &Asked,
        person: Uuid,
        password: Password,
        new: &NewContact,
    ) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.re_authenticate(person, password).await?;
        let answer = self.codes.answer_new_phone(new.challenge, &new.code, &new.address, person, clock::now());
        match answer.await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::CodeExpired).await,
        }
        let personal = Personal { phone: new.address.clone(), ..Personal::default() };
        let (command, expired) = (Command::ChangePhone, Error::CodeExpired);
        let changed = self.change_contact(asked, person, new.challenge, command, personal).await?;
        match changed {
            Some(old) => self.tell_unless(old.phone == new.address, Message::PhoneChanged, old.phone),
            None => self.answered_meanwhile(asked, expired).await?,
        }
        Ok(())
    }

    /// Sends a code to a mail address, whoever it will belong to.
    pub async fn send_email_code(&self, email: &str) -> Result<Begun, Error> {
        self.send_code(email, Purpose::Email, Message::EmailCode).await
    }

    /// Makes it the person's mail address, verified; the phone is told.
    pub async fn change_email(
        &self,
        asked: &Asked,
        person: Uuid,
        password: Password,
        new: &NewContact,
    ) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.re_authenticate(person, password).await?;
        match self.codes.answer_email(new.challenge, &new.code, &new.address, clock::now()).await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongEmailCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::EmailCodeExpired).await,
        }
        let personal = Personal { email: new.address.clone(), ..Personal::default() };
        let changed = self.change_contact(asked, person, new.challenge, Command::VerifyEmail, personal).await?;
        match changed {
            Some(old) => self.tell_unless(false, Message::EmailChanged, old.phone),
            None => self.answered_meanwhile(asked, Error::EmailCodeExpired).await?,
        }
        Ok(())
    }

    /// Whoever is signed in shows that they know the password; counted and locked like a sign-in.
    pub(super) async fn re_authenticate(&self, person: Uuid, password: Password) -> Result<Loaded, Error> {
        let waiting = self.hasher.enter()?;
        let loaded = self.accounts.load(person).await?;
        let account = loaded.account.registered().ok_or(Error::NotFound)?;
        let counted = failures::count(&mut *self.connection().await?, &account.number_hash, clock::now()).await?;
        counted.map_err(|retry_after| Error::LockedOut { retry_after })?;
        if !waiting.core().await.verify(password, Some(account.password_hash.clone())).await {
            return Err(Error::WrongPassword);
        }
        failures::forget(&mut *self.connection().await?, &account.number_hash).await?;
        Ok(loaded)
    }

    /// Spends the code and records the change; returns what was known before, or nothing when the code was spent before.
    async fn change_contact(
        &self,
        asked: &Asked,
        person: Uuid,
        challenge: Uuid,
        command: Command,
        personal: Personal,
    ) -> Result<Option<Personal>, Error> {
        for _ in 0..TRIES {
            let now = clock::now();
            let (loaded, known) = self.accounts.open(person).await?.ok_or(Error::NotFound)?;
            let events = decide(&loaded, command.clone())?;
            let key = self.vault.obtain(person).await?;
            let mut append = self.append(&loaded, &events, Some((&key, &personal)), &asked.actor);
            append.request = Some(self.request(asked, Vec::new()));
            let Some(mut transaction) = self.codes.spend(challenge, now).await? else { return Ok(None) };
            self.codes.void_in(&mut transaction, person, now).await?;
            self.recoveries.void_in(&mut transaction, person, now).await?;
            match self.log.append_in(transaction, append).await.map_err(Error::from) {
                Ok(_) => return Ok(Some(known)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Told behind the answer; a crash loses it.
    pub(super) fn tell_unless(&self, told_before: bool, message: Message, address: String) {
        if told_before || address.is_empty() {
            return;
        }
        let courier = self.courier.clone();
        self.lifecycle.spawn("tell of a change", OnDeath::IsItsEnd, async move {
            courier.send(ids::random(), message, &address, "").await
        });
    }
}
