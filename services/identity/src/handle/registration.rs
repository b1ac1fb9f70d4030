//! 账号注册: codes of phone and mail address, then an account; the same answer and the same work whether or not the number has one already.

use lifecycle::{clock, ids};

use super::{Asked, Handle, NewContact, TRIES, account_claim, decide, no_earlier};
use crate::chance;
use crate::courier::Message;
use crate::domain::account::Command;
use crate::domain::document::Document;
use crate::domain::limit::Deed;
use crate::domain::personal::Personal;
use crate::error::Error;
use crate::hashing::{Password, Place};
use crate::store::codes::{Answer, Begun, Purpose};

/// A registration whose fields are all right.
#[derive(Debug)]
pub struct Registration {
    /// The document whose number becomes the account's name.
    pub document: Document,
    /// 姓名
    pub name: String,
    /// 手机
    pub phone: NewContact,
    /// 电子邮件
    pub email: NewContact,
    /// As the rule asks.
    pub password: Password,
}

impl Registration {
    fn personal(&self) -> Personal {
        Personal {
            number: self.document.number().to_owned(),
            name: self.name.clone(),
            phone: self.phone.address.clone(),
            email: self.email.address.clone(),
            ..Personal::default()
        }
    }
}

impl Handle {
    /// Sends a code to a phone.
    pub async fn send_phone_code(&self, phone: &str) -> Result<Begun, Error> {
        self.send_code(phone, Purpose::Register, Message::RegisterCode).await
    }

    /// Records a code and hands it over; one that nobody took is taken back.
    pub(super) async fn send_code(&self, phone: &str, purpose: Purpose, message: Message) -> Result<Begun, Error> {
        self.limit_account(Deed::SendCode, &self.codes.address_hash(purpose, phone)).await?;
        let (id, code) = (ids::random(), chance::code());
        let begun = self.codes.begin(id, &code, phone, purpose, clock::now()).await?;
        let begun = begun.map_err(|retry_after| Error::TooSoon { retry_after })?;
        if let Err(error) = self.courier.send(id, message, phone, &code).await {
            self.codes.take_back(id).await?;
            return Err(error);
        }
        Ok(begun)
    }

    /// Makes an account, or tells the owner of the one that there is.
    pub async fn register(&self, asked: &Asked, registration: &Registration) -> Result<(), Error> {
        if self.remembered(asked).await?.is_some() {
            return Ok(());
        }
        self.limit_account(Deed::Register, &self.accounts.hash(&registration.document)).await?;
        let waiting = self.hasher.enter()?;
        let Registration { phone, email, .. } = registration;
        match self.codes.answer_registration(phone.challenge, &phone.code, &phone.address, clock::now()).await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::CodeExpired).await,
        }
        match self.codes.answer_email(email.challenge, &email.code, &email.address, clock::now()).await? {
            Answer::Right(()) => {}
            Answer::Wrong => return Err(Error::WrongEmailCode),
            Answer::Expired => return self.answered_meanwhile(asked, Error::EmailCodeExpired).await,
        }
        // Only a code that was right takes a core; waiting for one is no part of the work that the time of the answer hides.
        let place = waiting.core().await;
        no_earlier(self.hash_and_register(asked, registration, place)).await
    }

    /// The password is hashed whether or not the number is taken; a new account costs a key and some events more than none.
    async fn hash_and_register(&self, asked: &Asked, registration: &Registration, place: Place) -> Result<(), Error> {
        let password_hash = place.hash(registration.password.clone()).await;
        for _ in 0..TRIES {
            match Box::pin(self.try_to_register(asked, registration, &password_hash)).await {
                Err(Error::Conflict) => {}
                done => return done,
            }
        }
        Err(Error::Conflict)
    }

    async fn try_to_register(
        &self,
        asked: &Asked,
        registration: &Registration,
        password_hash: &str,
    ) -> Result<(), Error> {
        let number_hash = self.accounts.hash(&registration.document);
        let holder = self.accounts.find(&number_hash).await?;
        let loaded = self.accounts.load(holder.unwrap_or_else(ids::random)).await?;
        let key = self.vault.obtain(loaded.person).await?;
        let command = Command::Register {
            document_type: registration.document.kind(),
            number_hash,
            password_hash: password_hash.to_owned(),
            document_table: registration.document.read_by(),
            email_verified: true,
        };
        let events = decide(&loaded, command)?;
        let personal = registration.personal();
        let mut append = self.append(&loaded, &events, Some((&key, &personal)), &asked.actor);
        append.request = Some(self.request(asked, Vec::new()));
        append.claims.extend((loaded.version == 0).then(|| account_claim(&number_hash)));

        let now = clock::now();
        let Some(mut transaction) = self.codes.spend(registration.phone.challenge, now).await? else {
            return self.answered_meanwhile(asked, Error::CodeExpired).await;
        };
        if !self.codes.spend_in(&mut transaction, registration.email.challenge, now).await? {
            return self.answered_meanwhile(asked, Error::EmailCodeExpired).await;
        }
        let appended = self.log.append_in(transaction, append).await?;
        if events.is_empty() && !appended.repeated {
            let owner = loaded.personal(&key)?;
            // Behind the answer, which must not depend on it.
            self.tell_unless(false, Message::AccountExists, owner.phone);
        }
        Ok(())
    }
}
